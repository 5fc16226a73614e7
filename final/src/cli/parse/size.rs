//! Sizes of memory: `64m` is 64 × 1024 × 1024 bytes, in Docker and here.

/// Reads a number with an optional unit: `b`, `k`, `m`, `g`, `t`, also `kb`, `KiB`, … Bytes.
///
/// # Errors
/// What was wrong with it, and an example.
pub fn parse(text: &str) -> Result<i64, String> {
    let wrong = |why: &str| format!("{text:?} is not a size: {why}, for example 512m or 1.5g");
    let trimmed = text.trim();
    let end = trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    let power = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        "p" | "pb" | "pib" => 5,
        _ if number.is_empty() => return Err(wrong("write a number and a unit")),
        unit => return Err(wrong(&format!("there is no unit {unit:?}; write b, k, m, g or t"))),
    };
    let factor = 1u64 << (10 * power);
    // Whole numbers by whole arithmetic: a float has only 53 bits.
    let bytes = match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(factor),
        Err(_) => match number.parse::<f64>() {
            Ok(value) => Some((value * factor as f64) as u64),
            Err(_) => return Err(wrong("write a number and a unit")),
        },
    };
    bytes.and_then(|bytes| i64::try_from(bytes).ok()).ok_or_else(|| wrong("it is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_binary_whatever_their_case() {
        assert_eq!(parse("512m"), Ok(536_870_912));
        assert_eq!(parse("64M"), Ok(67_108_864));
        assert_eq!(parse("1.5g"), Ok(1_610_612_736));
        assert_eq!(parse("4096"), Ok(4096));
        assert_eq!(parse("1kb"), Ok(1024));
        assert_eq!(parse("2 GiB"), Ok(2_147_483_648));
    }

    #[test]
    fn what_is_no_size_is_refused_with_a_reason() {
        assert!(parse("64x").unwrap_err().contains("there is no unit \"x\""));
        for wrong in ["", "m", "-1", "1.2.3m", ".", "9999999p", "99999999999999999999", "1e5", "inf", "٣m"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
