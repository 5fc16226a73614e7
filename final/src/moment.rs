//! Moments for `--since` and `--until`, and the filter `until`: `10m` (ago), a date, or seconds since 1970.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// Reads a moment, as `seconds.nanoseconds` since 1970: what the API wants.
///
/// # Errors
/// What would have been understood.
pub fn moment(text: &str) -> Result<String, String> {
    timestamp(text).map(|time| seconds(time.as_nanosecond()))
}

/// Reads a moment.
///
/// # Errors
/// What would have been understood.
pub fn timestamp(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    if let Some(span) = go_duration(text)
        && let Ok(time) = Timestamp::from_nanosecond(Timestamp::now().as_nanosecond() - span)
    {
        return Ok(time);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    // Without an offset, a date means the time of the clock on the wall here.
    let civil = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(|date| date.at(0, 0, 0, 0)));
    if let Ok(time) = civil.and_then(|time| time.to_zoned_datetime(TimeZone::system())) {
        return Ok(time.timestamp());
    }
    // Not as a floating number, which holds no nanoseconds of today.
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    if let (Ok(whole), Ok(fraction)) = (whole.parse::<u32>(), digits.parse())
        && let Ok(time) = Timestamp::new(whole.into(), fraction)
    {
        return Ok(time);
    }
    Err(format!("{text:?} is not a moment: write 10m (ago), 2026-11-24T04:33:00Z or seconds since 1970"))
}

fn seconds(nanoseconds: i128) -> String {
    format!("{}.{:09}", nanoseconds.div_euclid(1_000_000_000), nanoseconds.rem_euclid(1_000_000_000))
}

/// Go's durations, `1h30m`, `1.5s`, `200ms`, in nanoseconds; `None` when it is none.
pub fn go_duration(text: &str) -> Option<i128> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let factor = match unit {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * factor;
        rest = after;
    }
    (!text.is_empty() && total < 9e18).then_some(total as i128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_in_go() {
        assert_eq!(go_duration("1h30m"), Some(5_400_000_000_000));
        assert_eq!(go_duration("1.5s"), Some(1_500_000_000));
        assert_eq!(go_duration("200ms"), Some(200_000_000));
        for wrong in ["", "10", "m", "1x", "1h30", "-1s", "..s"] {
            assert_eq!(go_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn moments_are_seconds_since_1970() {
        assert_eq!(moment("1970-01-01T00:01:00.5Z").unwrap(), "60.500000000");
        assert_eq!(moment("1970-01-01T01:00:00+01:00").unwrap(), "0.000000000");
        assert_eq!(moment("1700000000").unwrap(), "1700000000.000000000");
        assert_eq!(moment("1700000000.25").unwrap(), "1700000000.250000000");
        let ten_minutes_ago: f64 = moment("10m").unwrap().parse().unwrap();
        let now = Timestamp::now().as_second() as f64;
        assert!((now - ten_minutes_ago - 600.0).abs() < 5.0);
        assert!(moment("yesterday").unwrap_err().contains("is not a moment"));
    }
}
