//! A set of positions in a list, which takes memory of its own only beyond the first 64.

/// A set of positions.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    first: u64,
    further: Vec<u64>,
}

impl Places {
    /// Whether `position` is in it.
    pub(super) fn has(&self, position: usize) -> bool {
        let word = match position / 64 {
            0 => self.first,
            further => self.further.get(further - 1).copied().unwrap_or_default(),
        };
        word >> (position % 64) & 1 == 1
    }

    /// Adds `position`.
    pub(super) fn add(&mut self, position: usize) {
        let bit = 1 << (position % 64);
        match position / 64 {
            0 => self.first |= bit,
            further => {
                if self.further.len() < further {
                    self.further.resize(further, 0);
                }
                self.further[further - 1] |= bit;
            }
        }
    }
}
