//! Values of a provider's answer, or of an echo of one, that may be of another type than documented. A value that
//! cannot be used counts as absent, and the answer is still read.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::ir::NEGATIVE;

/// A value of type `T`. None where it is absent, null or of another type.
#[derive(Debug)]
pub(super) struct Soft<T>(pub(super) Option<T>);

impl<T> Default for Soft<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// What can be made of one JSON value.
pub(super) trait FromJson<'de>: Sized {
    /// From a string.
    fn text(_text: Cow<'de, str>) -> Option<Self> {
        None
    }

    /// From a number.
    fn number(_number: f64) -> Option<Self> {
        None
    }

    /// From a whole number.
    fn whole(_number: u64) -> Option<Self> {
        None
    }

    /// From a truth value.
    fn truth(_truth: bool) -> Option<Self> {
        None
    }

    /// From an array, which has to be read to its end.
    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    /// From an object, which has to be read to its end.
    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Option<Self>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl<'de: 'a, 'a> FromJson<'de> for Cow<'a, str> {
    fn text(text: Cow<'de, str>) -> Option<Self> {
        Some(text)
    }
}

impl FromJson<'_> for String {
    fn text(text: Cow<'_, str>) -> Option<Self> {
        Some(text.into_owned())
    }
}

impl FromJson<'_> for bool {
    fn truth(truth: bool) -> Option<Self> {
        Some(truth)
    }
}

/// Counts: some vendors write `5.0` or `"5"`.
impl FromJson<'_> for u64 {
    fn text(text: Cow<'_, str>) -> Option<Self> {
        text.trim().parse().ok()
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within bounds, and rounded")]
    fn number(number: f64) -> Option<Self> {
        // The largest number up to which each whole number has a value of this type: 2^53.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match number {
            _ if number.is_nan() => None,
            _ if number < 0.0 => Some(NEGATIVE),
            _ if number > EXACT => Some(Self::MAX),
            _ => Some(number.round() as Self),
        }
    }

    fn whole(number: u64) -> Option<Self> {
        Some(number)
    }
}

impl<'de, T: FromJson<'de>> FromJson<'de> for Vec<Soft<T>> {
    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        let mut items = Self::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Some(items))
    }
}

/// Makes a struct that derives `Deserialize` readable as [`Soft`].
macro_rules! soft_object {
    ($($name:ident),+) => { $(
        impl<'de> $crate::protocol::openai_chat::soft::FromJson<'de> for $name {
            fn object<A: serde::de::MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
                serde::Deserialize::deserialize(serde::de::value::MapAccessDeserializer::new(object)).map(Some)
            }
        }
    )+ };
    (borrowed $($name:ident),+) => { $(
        impl<'de: 'a, 'a> $crate::protocol::openai_chat::soft::FromJson<'de> for $name<'a> {
            fn object<A: serde::de::MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
                serde::Deserialize::deserialize(serde::de::value::MapAccessDeserializer::new(object)).map(Some)
            }
        }
    )+ };
}
pub(super) use soft_object;

impl<'de, T: FromJson<'de>> Deserialize<'de> for Soft<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SoftVisitor(PhantomData)).map(Self)
    }
}

struct SoftVisitor<T>(PhantomData<T>);

impl<'de, T: FromJson<'de>> Visitor<'de> for SoftVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(T::truth(truth))
    }

    #[expect(clippy::cast_precision_loss, reason = "that it is negative is all that counts")]
    fn visit_i64<E>(self, negative: i64) -> Result<Self::Value, E> {
        Ok(T::number(negative as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(T::whole(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(T::number(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(T::text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(T::text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(T::text(Cow::Owned(text)))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        T::list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        T::object(object)
    }
}

impl<T> Soft<Vec<Soft<T>>> {
    /// The items that can be used.
    pub(super) fn items(self) -> impl Iterator<Item = T> {
        self.0.into_iter().flatten().filter_map(|item| item.0)
    }
}

impl Soft<String> {
    /// The text, unless it is empty.
    pub(super) fn filled(self) -> Option<String> {
        self.0.filter(|text| !text.is_empty())
    }
}

impl<'a> Soft<Cow<'a, str>> {
    /// The text, unless it is empty.
    pub(super) fn filled(self) -> Option<Cow<'a, str>> {
        self.0.filter(|text| !text.is_empty())
    }

    /// The text. Empty where there is none.
    pub(super) fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}
