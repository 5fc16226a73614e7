//! What didn't fit into a header, and comes in entries before it.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;

use super::invalid;

/// What extension entries said of the next entry.
#[derive(Default)]
pub(super) struct Extensions {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) mtime: Option<(i64, i64)>,
    pub(super) xattrs: Vec<(OsString, Vec<u8>)>,
}

impl Extensions {
    /// PAX records: `LENGTH KEY=VALUE\n`, where the length is of all of it, and the value may
    /// hold any byte.
    pub(super) fn read_pax(&mut self, mut records: &[u8]) -> io::Result<()> {
        let bad = || invalid("a PAX record is malformed");
        while !records.is_empty() {
            let space = records.iter().position(|&byte| byte == b' ').ok_or_else(bad)?;
            let length: usize = number(&records[..space]).ok_or_else(bad)?;
            let record = records.get(space + 1..length).ok_or_else(bad)?;
            records = &records[length..];
            let record = record.strip_suffix(b"\n").ok_or_else(bad)?;
            let equals = record.iter().position(|&byte| byte == b'=').ok_or_else(bad)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => self.path = Some(value.to_owned()),
                b"linkpath" => self.link = Some(value.to_owned()),
                b"size" => self.size = Some(number(value).ok_or_else(bad)?),
                b"uid" => self.uid = Some(number(value).ok_or_else(bad)?),
                b"gid" => self.gid = Some(number(value).ok_or_else(bad)?),
                b"mtime" => self.mtime = Some(seconds(value).ok_or_else(bad)?),
                _ if key.starts_with(b"GNU.sparse.") => {
                    return Err(invalid("sparse files are not supported in layers"));
                }
                _ => {
                    if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                        self.xattrs.push((OsString::from_vec(name.to_owned()), value.to_owned()));
                    }
                }
            }
        }
        Ok(())
    }
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// `1700000000.123456789`: seconds, and a fraction of any length. Before 1970 it begins with a
/// minus, and the nanoseconds still count upwards.
fn seconds(text: &[u8]) -> Option<(i64, i64)> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let nanos: i64 = match fraction.get(..9.min(fraction.len()))? {
        "" => 0,
        digits => format!("{digits:0<9}").parse().ok()?,
    };
    let seconds: i64 = whole.parse().ok()?;
    match nanos {
        1.. if whole.starts_with('-') => Some((seconds.checked_sub(1)?, 1_000_000_000 - nanos)),
        0.. => Some((seconds, nanos)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_seconds_and_nanoseconds_that_count_upwards() {
        for (text, expected) in [
            ("7", Some((7, 0))),
            ("1.5", Some((1, 500_000_000))),
            ("1.1234567891", Some((1, 123_456_789))),
            ("-1.25", Some((-2, 750_000_000))),
            ("", None),
            (".", None),
            ("1.-5", None),
            ("9223372036854775808", None),
            ("-9223372036854775808.5", None),
            ("1.ñ", None),
        ] {
            assert_eq!(seconds(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        proptest::proptest!(|(bytes: Vec<u8>, text in "-?[0-9]{0,22}\\.?[0-9ñ+-]{0,12}")| {
            let _ = seconds(&bytes);
            let _ = seconds(text.as_bytes());
        });
    }
}
