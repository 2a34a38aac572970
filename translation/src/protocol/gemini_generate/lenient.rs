//! Reads a provider's answer without failing on a field of an unexpected type, which counts as absent.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::ir::NEGATIVE;

/// A scalar of any type.
enum Scalar<'de> {
    Text(Cow<'de, str>),
    Number(u64),
    Real(f64),
    Flag(bool),
    Other,
}

struct AnyScalar;

impl<'de> Visitor<'de> for AnyScalar {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar<'de>, E> {
        #[expect(clippy::cast_precision_loss, reason = "no count is negative")]
        Ok(Scalar::Real(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar<'de>, E> {
        Ok(whole(number).map_or(Scalar::Real(number), Scalar::Number))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Flag(flag))
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Scalar<'de>, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Scalar<'de>, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| Scalar::Other)
    }
}

/// `number` as a count. None where it counts nothing.
fn whole(number: f64) -> Option<u64> {
    // Within this range every whole number has a `f64` of its own.
    let counts = number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    counts.then_some(number as u64)
}

/// A text.
pub(super) fn text<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    Ok(match value.deserialize_any(AnyScalar)? {
        Scalar::Text(text) => Some(text.into_owned()),
        _ => None,
    })
}

/// A count: a number, or its digits (int64 in JSON of protocol buffers).
pub(super) fn count<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u64>, D::Error> {
    Ok(match value.deserialize_any(AnyScalar)? {
        Scalar::Number(number) => Some(number),
        Scalar::Real(number) if number < 0.0 => Some(NEGATIVE),
        Scalar::Real(number) if number > 9e15 => Some(u64::MAX),
        Scalar::Text(digits) => digits.parse().ok(),
        _ => None,
    })
}

/// A number.
pub(super) fn real<'de, D: Deserializer<'de>>(value: D) -> Result<Option<f64>, D::Error> {
    Ok(match value.deserialize_any(AnyScalar)? {
        #[expect(clippy::cast_precision_loss, reason = "a measure, not a count")]
        Scalar::Number(number) => Some(number as f64),
        Scalar::Real(number) => Some(number),
        _ => None,
    })
}

/// The counts in a list. Other elements are left out.
pub(super) fn counts<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<u64>, D::Error> {
    #[derive(serde::Deserialize)]
    struct Count(#[serde(deserialize_with = "count")] Option<u64>);
    let counts = Option::<Vec<Count>>::deserialize(value)?;
    Ok(counts.unwrap_or_default().into_iter().filter_map(|count| count.0).collect())
}

/// A flag. An absent one is false.
pub(super) fn flag<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    Ok(matches!(value.deserialize_any(AnyScalar)?, Scalar::Flag(true)))
}

/// A word of an enumeration: its name, or its number where a client of protocol buffers asked for numbers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    Name(Cow<'a, str>),
    Number(u64),
}

/// A word of an enumeration.
pub(super) fn word<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Word<'de>>, D::Error> {
    Ok(match value.deserialize_any(AnyScalar)? {
        Scalar::Text(name) if !name.is_empty() => Some(Word::Name(name)),
        Scalar::Number(number) => Some(Word::Number(number)),
        _ => None,
    })
}

/// An object.
pub(super) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Option<T>, D::Error> {
    Loose::deserialize(value).map(|loose| loose.0)
}

/// A list. Elements that are no objects are left out.
pub(super) fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Vec<T>, D::Error> {
    value.deserialize_any(AnyList(PhantomData))
}

struct Loose<T>(Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Loose<T> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(AnyObject(PhantomData)).map(Self)
    }
}

struct AnyObject<T>(PhantomData<T>);

/// What every visitor here does with values that it cannot use.
macro_rules! nothing_of_scalars {
    () => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any value")
        }

        fn visit_str<E>(self, _text: &str) -> Result<Self::Value, E> {
            Ok(Default::default())
        }

        fn visit_u64<E>(self, _number: u64) -> Result<Self::Value, E> {
            Ok(Default::default())
        }

        fn visit_i64<E>(self, _number: i64) -> Result<Self::Value, E> {
            Ok(Default::default())
        }

        fn visit_f64<E>(self, _number: f64) -> Result<Self::Value, E> {
            Ok(Default::default())
        }

        fn visit_bool<E>(self, _flag: bool) -> Result<Self::Value, E> {
            Ok(Default::default())
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Default::default())
        }
    };
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for AnyObject<T> {
    type Value = Option<T>;

    nothing_of_scalars!();

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Option<T>, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| None)
    }
}

struct AnyList<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AnyList<T> {
    type Value = Vec<T>;

    nothing_of_scalars!();

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = seq.next_element::<Loose<T>>()? {
            list.extend(element.0);
        }
        Ok(list)
    }
}
