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
    // ANCHOR: ex-03-1
    // 1. Cut the text in two: digits with perhaps a point, and the unit behind them. Capitals don't
    //    matter, nor do spaces before the unit and at the ends.
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(digits);
    let unit = unit.trim_start();
    // 2. What the unit multiplies by, without its `b` or `ib`. An unknown one is `wrong()`.
    let unit = unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(unit);
    let factor: u64 = match unit {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        _ => return Err(wrong()),
    };
    // 3. A whole number stays exact, and mustn't overflow; only one with a point (`1.5g`) goes through a
    //    fraction. What is neither (`1e3`, `inf`) is no size.
    let bytes = match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(factor),
        Err(_) => match number.parse::<f64>() {
            // What is too large becomes the largest there is, and is refused with it.
            Ok(value) if number.contains('.') => Some((value * factor as f64) as u64),
            _ => None,
        },
    };
    // 4. More than the kernel can count, `i64::MAX`, is `wrong()`, too.
    bytes.filter(|bytes| i64::try_from(*bytes).is_ok()).ok_or_else(wrong)
    // ANCHOR_END: ex-03-1
}
// ANCHOR_END: parse_size

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_s_m_is_a_power_of_two() {
        for (text, bytes) in [
            ("512m", 536_870_912),
            ("64MiB", 64 << 20),
            ("64mb", 64 << 20),
            ("64 m", 64 << 20),
            ("1.5g", 3 << 29),
            (".5k", 512),
            ("2T", 2 << 40),
            ("4096", 4096),
            ("4096b", 4096),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "ex-03-1: {text:?}: k, m, g and t are powers of 1024");
        }
    }

    #[test]
    fn a_whole_number_of_bytes_stays_exact() {
        for bytes in [1, (1 << 53) + 1, i64::MAX as u64] {
            let found = parse_size(&bytes.to_string());
            assert_eq!(
                found,
                Ok(bytes),
                "ex-03-1: a whole number has to stay exact, and a float has 53 bits"
            );
        }
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
            let Ok(found) = std::panic::catch_unwind(|| parse_size(text)) else {
                panic!("ex-03-1: {text:?} made it panic: no size may do that, however large");
            };
            let Err(error) = found else {
                panic!("ex-03-1: {text:?} is no size, or one that the kernel can't count: {found:?}");
            };
            assert!(error.contains(text), "ex-03-1: the error should show {text:?}: {error}");
        }
    }
}
