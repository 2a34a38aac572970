//! Names of fields that readers of JSON take for one another. Some match names without regard to case (Go, .NET), some
//! end a name at a NUL character (C), and of two fields of one name some take the first and others the last. So a body
//! could show one model to the gateway and another to the provider.

use std::borrow::Cow;

use crate::ir::TranslateError;

/// The most names that are compared pair by pair. More are sorted first.
const FEW: usize = 32;

/// Whether some reader takes `left` and `right` for one name.
pub fn alike(left: &str, right: &str) -> bool {
    if is_plain(left) && is_plain(right) { left.eq_ignore_ascii_case(right) } else { folded(left) == folded(right) }
}

/// Refuses `names`, those of the fields of one object, where two of them are alike, or where one is alike to a name of
/// `decisive` and spelled otherwise.
pub(super) fn check<'n>(names: impl Iterator<Item = &'n str>, decisive: &[&'static str]) -> Result<(), TranslateError> {
    let names: Vec<&str> = names.collect();
    for name in &names {
        if let Some(meant) = decisive.iter().find(|meant| alike(name, meant))
            && !decisive.contains(name)
        {
            let problem = format!("the field {name:?} is no field of this API: '{meant}' is spelled otherwise");
            return Err(TranslateError::invalid(*meant, problem));
        }
    }
    match twin(&names) {
        Some(name) => {
            let problem = format!("the field '{name}' stands twice in the request");
            Err(TranslateError::invalid(name.to_owned(), problem))
        }
        None => Ok(()),
    }
}

/// A name that is alike to one before it.
fn twin<'n>(names: &[&'n str]) -> Option<&'n str> {
    if names.len() <= FEW {
        let twice = |(at, name): (usize, &&'n str)| names[..at].iter().any(|other| alike(other, name));
        return names.iter().enumerate().find(|(at, name)| twice((*at, name))).map(|(_, name)| *name);
    }
    let mut sorted: Vec<_> = names.iter().map(|name| (folded(name), *name)).collect();
    sorted.sort_unstable();
    sorted.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1)
}

fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `name` without its case, up to a NUL character, and without white space around it. Beside the ASCII letters there
/// are a few others whose simple folding is one of them (Unicode, `CaseFolding.txt`), and the two forms of i that some
/// languages fold to it.
fn folded(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(name);
    }
    let name = name.split('\0').next().unwrap_or_default().trim();
    let fold = |character: char| match character {
        'ſ' => 's',
        '\u{212a}' => 'k',
        'İ' | 'ı' => 'i',
        other => other.to_ascii_lowercase(),
    };
    Cow::Owned(name.chars().map(fold).collect())
}
