//! Sizes and times in the words that Docker uses for them.

const DECIMAL: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
const BINARY: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// Bytes with three digits and a decimal unit: `0B`, `1.23MB`, `4kB`.
pub fn size(bytes: u64) -> String {
    // 999.5 would be rounded up to 1000 of a unit: that is 1 of the next.
    let (value, unit) = scaled(bytes, 1000.0, 999.5, DECIMAL);
    three_digits(value) + unit
}

/// Bytes with four digits and a decimal unit: `1.983MB`.
pub fn fine_size(bytes: u64) -> String {
    let (value, unit) = scaled(bytes, 1000.0, 1000.0, DECIMAL);
    four_digits(value) + unit
}

/// Bytes with four digits and a binary unit, for memory: `1.944GiB`.
pub fn binary_size(bytes: u64) -> String {
    let (value, unit) = scaled(bytes, 1024.0, 1024.0, BINARY);
    four_digits(value) + unit
}

/// A number of bytes in the first unit in which it is less than `limit`; each is `step` of the one before.
fn scaled(bytes: u64, step: f64, limit: f64, units: [&'static str; 7]) -> (f64, &'static str) {
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= limit && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    (value, units[unit])
}

/// Four digits, wherever the point stands.
fn four_digits(value: f64) -> String {
    let decimals = match value {
        v if v < 9.9995 => 3,
        v if v < 99.995 => 2,
        v if v < 999.95 => 1,
        _ => 0,
    };
    without_zeros(format!("{value:.decimals$}"))
}

fn three_digits(value: f64) -> String {
    let decimals = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    without_zeros(format!("{value:.decimals$}"))
}

fn without_zeros(text: String) -> String {
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

/// A span of time, roughly: `About a minute`, `3 weeks`.
pub fn span(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, (seconds + 1800) / 3600);
    match seconds {
        ..1 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        _ if seconds < 60 => format!("{seconds} seconds"),
        _ if minutes == 1 => "About a minute".to_owned(),
        _ if minutes < 60 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

/// How long ago a moment was, in seconds since 1970: `2 minutes ago`.
pub fn ago(moment: i64) -> String {
    format!("{} ago", span(jiff::Timestamp::now().as_second() - moment))
}

/// A moment as `docker ps` writes it: `2026-11-24 04:33:00 +0000 UTC`.
pub fn date(moment: i64) -> String {
    match jiff::Timestamp::from_second(moment) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string(),
        Err(_) => moment.to_string(),
    }
}

/// The first twelve digits of an id, without `sha256:`.
pub fn short_id(id: &str) -> String {
    id.trim_start_matches("sha256:").chars().take(12).collect()
}

/// At most so many characters, the last one `…` where something was cut.
pub fn ellipsis(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        let sizes = [0, 5, 999, 1000, 1234, 12_345, 999_499, 999_500, 1_230_000, 4_000_000, 77_800_000_000];
        let texts: Vec<String> = sizes.into_iter().map(size).collect();
        let wanted =
            ["0B", "5B", "999B", "1kB", "1.23kB", "12.3kB", "999kB", "1MB", "1.23MB", "4MB", "77.8GB"];
        assert_eq!(texts, wanted);
        assert_eq!(size(u64::MAX), "18.4EB");
        assert_eq!(
            [0, 999, 1000, 1_982_799, 12_000].map(fine_size),
            ["0B", "999B", "1kB", "1.983MB", "12kB"]
        );
        assert_eq!(binary_size(2_087_735_296), "1.944GiB");
        assert_eq!(binary_size(25_276_956_672), "23.54GiB");
    }

    #[test]
    fn spans_of_time_are_rough() {
        let spans = [
            (-5, "Less than a second"),
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (120, "2 minutes"),
            (3599, "59 minutes"),
            (3600, "About an hour"),
            (5400, "2 hours"),
            (47 * 3600, "47 hours"),
            (48 * 3600, "2 days"),
            (14 * 86_400, "2 weeks"),
            (60 * 86_400, "2 months"),
            (800 * 86_400, "2 years"),
        ];
        for (seconds, words) in spans {
            assert_eq!(span(seconds), words, "{seconds}");
        }
    }

    #[test]
    fn a_cut_text_says_that_it_was_cut() {
        assert_eq!(ellipsis("/docker-entrypoint.sh nginx", 19), "/docker-entrypoint…");
        assert_eq!(ellipsis("ñandú", 5), "ñandú");
    }
}
