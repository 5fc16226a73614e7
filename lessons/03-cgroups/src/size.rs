//! Sizes as people write them.

// ANCHOR: parse_size
/// Reads `64m`, `1.5g`, `1000` into bytes. `k`, `m`, `g`, `t` are powers of 1024, with or without a
/// `b` or `ib` behind, in capitals or not: Docker means 536,870,912 by `512m`.
///
/// # Errors
/// A sentence that shows what was written. Larger than the kernel can count (2⁶³ - 1) is one, too.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!("invalid size: '{text}': write bytes, or a number with b, k, m, g or t behind it, as in 64m")
    };
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(digits);
    let unit = unit.trim_start();
    let unit = unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(unit);
    let factor: u64 = match unit {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        _ => return Err(wrong()),
    };
    // A whole number stays exact; only `1.5g` goes through a fraction.
    let bytes = match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(factor),
        Err(_) => match number.parse::<f64>() {
            // What is too large becomes the largest there is, and is refused with it.
            Ok(value) if number.contains('.') => Some((value * factor as f64) as u64),
            _ => None,
        },
    };
    bytes.filter(|bytes| i64::try_from(*bytes).is_ok()).ok_or_else(wrong)
}
// ANCHOR_END: parse_size

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_s_m_is_a_power_of_two() {
        assert_eq!(parse_size("512m"), Ok(536_870_912));
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("64mb"), Ok(64 << 20));
        assert_eq!(parse_size("64 m"), Ok(64 << 20));
        assert_eq!(parse_size("1.5g"), Ok(3 << 29));
        assert_eq!(parse_size(".5k"), Ok(512));
        assert_eq!(parse_size("4096"), Ok(4096));
        assert_eq!(parse_size("4096b"), Ok(4096));
        assert_eq!(parse_size("9223372036854775807"), Ok(i64::MAX as u64));
    }

    #[test]
    fn what_is_no_size_is_an_error_that_shows_it() {
        for text in [
            "64x",
            "",
            "m",
            "-1",
            "+1",
            "1..5g",
            "1e9",
            "1e3",
            "99999999999t",
            "9223372036854775808",
            "8388608t",
            "8388608.0t",
            "18446744073709551615",
            "1e400",
            ".",
            "..",
            "0x10",
            "6 4m",
            "64m m",
            "ñ",
            "٣m",
            "inf",
            "nan",
            "64m\0",
            "1_000",
        ] {
            let error = parse_size(text).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }
}
