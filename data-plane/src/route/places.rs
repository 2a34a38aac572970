//! A set of positions in a list. It takes memory of its own only where it holds many.

/// The most positions that are listed one by one.
const MOST: usize = 7;

/// A set of positions.
#[derive(Clone, Debug)]
pub(super) enum Places {
    /// So many of these.
    Few(usize, [usize; MOST]),
    /// A bit for each position.
    Many(Vec<u64>),
}

impl Default for Places {
    fn default() -> Self {
        Self::Few(0, [0; MOST])
    }
}

impl Places {
    /// Whether `position` is in it.
    pub(super) fn has(&self, position: usize) -> bool {
        match self {
            Self::Few(number, all) => all[..*number].contains(&position),
            Self::Many(words) => words.get(position / 64).is_some_and(|word| word >> (position % 64) & 1 == 1),
        }
    }

    /// Adds `position`.
    pub(super) fn add(&mut self, position: usize) {
        match self {
            Self::Few(number, all) if *number < MOST => {
                all[*number] = position;
                *number += 1;
            }
            Self::Few(_, all) => {
                let mut words = Vec::new();
                all.iter().chain([&position]).for_each(|position| set(&mut words, *position));
                *self = Self::Many(words);
            }
            Self::Many(words) => set(words, position),
        }
    }
}

impl FromIterator<usize> for Places {
    fn from_iter<I: IntoIterator<Item = usize>>(positions: I) -> Self {
        let mut places = Self::default();
        positions.into_iter().for_each(|position| places.add(position));
        places
    }
}

/// Sets the bit of `position`.
fn set(words: &mut Vec<u64>, position: usize) {
    let word = position / 64;
    if words.len() <= word {
        words.resize(word + 1, 0);
    }
    words[word] |= 1 << (position % 64);
}

#[cfg(test)]
mod tests;
