//! Times as Docker writes and reads them.

use jiff::Timestamp;

use crate::engine::error::{Error, Result};

/// Go's zero time: what stands where nothing has happened yet.
pub const NEVER: &str = "0001-01-01T00:00:00Z";

/// A moment in a query: seconds since 1970 with a fraction or without, or RFC 3339.
pub fn parse(text: &str) -> Result<Option<Timestamp>> {
    let invalid = || Error::invalid(format!("invalid time: {text:?}"));
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(Some(time));
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = seconds.parse().map_err(|_| invalid())?;
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanoseconds: i32 = digits.parse().map_err(|_| invalid())?;
    if seconds == 0 && nanoseconds == 0 {
        // "0" is how clients say: no limit.
        return Ok(None);
    }
    Timestamp::new(seconds, nanoseconds).map(Some).map_err(|_| invalid())
}

/// How long ago, in words: `5 minutes`. The steps and their names are those of Docker's tables.
pub fn words(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, (seconds + 1800) / 3600);
    match seconds {
        ..=0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        _ if minutes == 1 => "About a minute".to_owned(),
        _ if minutes < 60 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

/// Seconds since that moment.
pub fn since(time: &str) -> i64 {
    let now = Timestamp::now().as_second();
    time.parse::<Timestamp>().map_or(0, |time| now - time.as_second())
}

/// That moment as seconds since 1970.
pub fn seconds(time: &str) -> i64 {
    time.parse::<Timestamp>().map_or(0, Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_in_three_ways() {
        let expected = "2026-11-24T05:00:00.5Z".parse::<Timestamp>().unwrap();
        assert_eq!(parse("2026-11-24T05:00:00.5Z").unwrap(), Some(expected));
        let seconds = expected.as_second();
        assert_eq!(parse(&format!("{seconds}.5")).unwrap(), Some(expected));
        assert_eq!(parse(&format!("{seconds}.500000000")).unwrap(), Some(expected));
        assert_eq!(parse("0").unwrap(), None);
        for text in ["soon", "1.x", "99999999999999999999", "9999999999999", "1.2.3"] {
            parse(text).unwrap_err();
        }
    }

    #[test]
    fn durations_are_said_as_dockers_tables_say_them() {
        let said = [0, 1, 59, 60, 119, 120, 3599, 3600, 7200, 172_800, 1_209_600].map(words);
        let expected = [
            "Less than a second",
            "1 second",
            "59 seconds",
            "About a minute",
            "About a minute",
            "2 minutes",
            "59 minutes",
            "About an hour",
            "2 hours",
            "2 days",
            "2 weeks",
        ];
        assert_eq!(said, expected);
    }
}
