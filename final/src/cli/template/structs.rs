//! Docker's small structs that people print whole, as in `{{.Mounts}}`. JSON doesn't tell a struct from
//! a map; Go prints one as `{bind  /src /dst …}`, the other as `map[Destination:/dst …]`.

use std::fmt::{self, Write};

use super::value::Value;

/// Their fields, in Go's order, behind the one by which a struct is known. It has that, and no others
/// than these.
const STRUCTS: &[&[&str]] = &[
    &["Destination", "Type", "Name", "Source", "Destination", "Driver", "Mode", "RW", "Propagation"],
    &["MaximumRetryCount", "Name", "MaximumRetryCount"],
    &["Config", "Type", "Config"],
    &["HostPort", "HostIp", "HostPort"],
    &["PathInContainer", "PathOnHost", "PathInContainer", "CgroupPermissions"],
];

/// The struct's fields in order, if these are one's.
pub fn fields(map: &[(String, Value)]) -> Option<&'static [&'static str]> {
    let has = |name: &str| map.iter().any(|(key, _)| key == name);
    let known = STRUCTS.iter().find(|names| {
        has(names[0]) && map.len() > 1 && map.iter().all(|(key, _)| names.contains(&key.as_str()))
    });
    known.map(|names| &names[1..])
}

/// Prints it as Go does: a text that was left out as empty is empty.
pub fn print(names: &[&str], map: &[(String, Value)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('{')?;
    for (at, name) in names.iter().enumerate() {
        f.write_str(if at > 0 { " " } else { "" })?;
        if let Some((_, value)) = map.iter().find(|(key, _)| key == name) {
            write!(f, "{value}")?;
        }
    }
    f.write_char('}')
}
