//! Finds what an unknown key was probably meant to be.

/// How many keys are suggested at most.
const MOST: usize = 3;

/// The known keys that are spelt nearly like `key`. Empty if none is near, because a wrong hint is worse than none.
///
/// `sections` are those of another program. Their keys are not known here.
pub(super) fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a str>, sections: &[&str]) -> Vec<String> {
    let wanted = Key::of(key);
    let mut best = (usize::MAX, Vec::new());
    let mut same_name = Vec::new();
    for candidate in known {
        let other = Key::of(candidate);
        // Without a section, the name alone is compared: it may stand in several.
        let distance = if wanted.section.is_empty() {
            near(&wanted.name, &other.name)
        } else {
            near(&wanted.whole, &other.whole).map(|distance| 2 * distance + usize::from(wanted.name != other.name))
        };
        if wanted.name == other.name {
            same_name.push(candidate.to_owned());
        }
        match distance {
            Some(distance) if distance < best.0 => best = (distance, vec![candidate.to_owned()]),
            Some(distance) if distance == best.0 && !best.1.iter().any(|key| key == candidate) => {
                best.1.push(candidate.to_owned());
            }
            _ => {}
        }
    }
    let (_, mut best) = best;
    if best.is_empty() {
        best = elsewhere(key, sections).into_iter().collect();
    }
    if best.is_empty() && same_name.len() == 1 {
        best = same_name;
    }
    best.truncate(MOST);
    best
}

/// A key in lower case, split into its section and its name.
struct Key {
    whole: String,
    section: String,
    name: String,
}

impl Key {
    fn of(key: &str) -> Self {
        let whole = key.to_ascii_lowercase();
        let (section, name) = whole.rsplit_once(':').unwrap_or(("", &whole));
        Self { section: section.to_owned(), name: name.to_owned(), whole: whole.clone() }
    }
}

/// `key` moved to the section of the other program whose name its own section nearly has.
fn elsewhere(key: &str, sections: &[&str]) -> Option<String> {
    let (section, rest) = key.split_once(':')?;
    let section = section.to_ascii_lowercase();
    let near = sections.iter().filter_map(|other| Some((near(&section, &other.to_ascii_lowercase())?, other)));
    near.min_by_key(|(distance, _)| *distance).map(|(_, other)| format!("{other}:{rest}"))
}

/// How many typing errors lie between the two, if they are few for the length.
fn near(given: &str, known: &str) -> Option<usize> {
    let distance = strsim::osa_distance(given, known);
    let few = (known.len().min(given.len()) / 4).clamp(1, 3);
    (distance <= few).then_some(distance)
}
