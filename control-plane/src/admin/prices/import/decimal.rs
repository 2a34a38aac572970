//! Prices as whole numbers, without a floating point between.

/// The most digits that are read of a number.
const MOST_DIGITS: usize = 30;

/// The JSON number `text` times ten to the power of `shift`, rounded half up to a whole number. None where it is no
/// number, negative, or too large.
pub(super) fn shifted(text: &str, shift: i32) -> Option<u64> {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{part}");
    if all.is_empty() || all.len() > MOST_DIGITS || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u128 = all.parse().ok()?;
    let places = i32::try_from(part.len()).ok()?;
    let power = exponent.checked_add(shift)?.checked_sub(places)?;
    let scaled = if power >= 0 {
        number.checked_mul(10_u128.checked_pow(power.unsigned_abs())?)?
    } else {
        match 10_u128.checked_pow(power.unsigned_abs()) {
            Some(by) => (number + by / 2) / by,
            None => 0,
        }
    };
    u64::try_from(scaled).ok()
}

#[cfg(test)]
mod tests {
    use super::shifted;

    #[test]
    fn numbers_are_read_as_they_stand() {
        for (text, shift, expected) in [
            ("2.5e-06", 12, Some(2_500_000)),
            ("6.25E-7", 12, Some(625_000)),
            ("0.0000025", 12, Some(2_500_000)),
            ("2.5", 6, Some(2_500_000)),
            ("10", 6, Some(10_000_000)),
            ("0", 6, Some(0)),
            ("1.5000000000000002e-07", 12, Some(150_000)),
            ("1e-30", 12, Some(0)),
            ("1e-300", 12, Some(0)),
            ("5e-13", 12, Some(1)),
            ("-1", 6, None),
            ("null", 6, None),
            ("\"1\"", 6, None),
            ("1e99", 6, None),
            ("", 6, None),
            (".", 6, None),
        ] {
            assert_eq!(shifted(text, shift), expected, "{text}");
        }
    }
}
