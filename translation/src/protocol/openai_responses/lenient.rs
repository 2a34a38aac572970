//! Readers of JSON that need not be of the documented type. A value that does not fit counts as absent. Nothing is
//! copied that can be borrowed.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::ir::NEGATIVE;

/// The members of an object, in order, unread.
pub(super) struct Fields<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some((Key(name), value)) = map.next_entry()? {
                    fields.push((name, value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// What a lenient reader takes of a value. Other values are skipped.
trait Take<'a>: Default {
    fn text(self, _text: Cow<'a, str>) -> Self {
        self
    }

    fn number(self, _number: f64, _whole: Option<u64>) -> Self {
        self
    }

    fn item(&mut self, _item: &'a RawValue) {}

    /// Whether the reader wants the items of a list.
    const LISTS: bool = false;
}

struct Taker<T>(PhantomData<T>);

impl<'de, T: Take<'de>> Visitor<'de> for Taker<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<T, E> {
        Ok(T::default().text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::default().text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<T, E> {
        Ok(T::default().text(Cow::Owned(text)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        #[expect(clippy::cast_precision_loss, reason = "the whole number is given beside it")]
        Ok(T::default().number(number as f64, Some(number)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<T, E> {
        #[expect(clippy::cast_precision_loss, reason = "the whole number is given beside it")]
        Ok(T::default().number(number as f64, Some(u64::try_from(number).unwrap_or(NEGATIVE))))
    }

    fn visit_f64<E>(self, number: f64) -> Result<T, E> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "only what is in the range")]
        let whole = match number {
            _ if number.is_nan() => None,
            _ if number < 0.0 => Some(NEGATIVE),
            _ if number > 9e15 => Some(u64::MAX),
            _ => Some(number as u64),
        };
        Ok(T::default().number(number, whole))
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<T, A::Error> {
        let mut taken = T::default();
        if T::LISTS {
            while let Some(item) = list.next_element()? {
                taken.item(item);
            }
        } else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
        }
        Ok(taken)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(T::default())
    }
}

/// A text, or nothing.
#[derive(Default)]
pub(super) struct Text<'a>(Option<Cow<'a, str>>);

impl<'a> Text<'a> {
    /// The text, if it is there and not empty.
    pub(super) fn given(&self) -> Option<&str> {
        self.0.as_deref().filter(|text| !text.is_empty())
    }

    /// The text, or an empty one.
    pub(super) fn or_empty(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// The text, also if it is empty.
    pub(super) fn take(self) -> Option<Cow<'a, str>> {
        self.0
    }
}

impl<'de: 'a, 'a> Take<'de> for Text<'a> {
    fn text(self, text: Cow<'de, str>) -> Self {
        Self(Some(text))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Taker(PhantomData))
    }
}

/// A whole number of at least 0, or nothing. Some vendors write it with a fraction of 0.
#[derive(Clone, Copy, Default)]
pub(super) struct Count(pub(super) Option<u64>);

impl Take<'_> for Count {
    fn number(self, _number: f64, whole: Option<u64>) -> Self {
        Self(whole)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Taker(PhantomData))
    }
}

/// A text, or a list whose items are read later, or nothing.
#[derive(Default)]
pub(super) enum Content<'a> {
    #[default]
    None,
    Text(Cow<'a, str>),
    List(Vec<&'a RawValue>),
}

impl<'a> Content<'a> {
    /// The items. None where it is no list.
    pub(super) fn items(&self) -> &[&'a RawValue] {
        match self {
            Self::List(items) => items,
            Self::None | Self::Text(_) => &[],
        }
    }
}

impl<'de: 'a, 'a> Take<'de> for Content<'a> {
    const LISTS: bool = true;

    fn text(self, text: Cow<'de, str>) -> Self {
        Self::Text(text)
    }

    fn item(&mut self, item: &'de RawValue) {
        match self {
            Self::List(items) => items.push(item),
            _ => *self = Self::List(vec![item]),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Taker(PhantomData))
    }
}

/// Reads `raw` as a `T`. None where it is something else.
pub(super) fn maybe<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}
