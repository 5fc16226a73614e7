//! `--ulimit`: the limits of each process ([getrlimit(2)](https://man7.org/linux/man-pages/man2/getrlimit.2.html)).

use bollard_stubs::models::HostConfig;
use oci_spec::OciSpecError;
use oci_spec::runtime::{PosixRlimit, PosixRlimitBuilder, PosixRlimitType};

use super::error::{Error, Result};

/// The limits in the specification's words.
pub fn rlimits(host: &HostConfig) -> Result<Vec<PosixRlimit>, OciSpecError> {
    let mut all = Vec::new();
    for limit in host.ulimits.iter().flatten() {
        // -1 is "no limit", to the kernel as well.
        let number = |value: Option<i64>| value.map_or(0, |value| value as u64);
        all.push(
            PosixRlimitBuilder::default()
                .typ(kind(limit.name.as_deref().unwrap_or_default()).unwrap_or_default())
                .soft(number(limit.soft))
                .hard(number(limit.hard))
                .build()?,
        );
    }
    Ok(all)
}

/// Of `nofile`, `RLIMIT_NOFILE`.
fn kind(name: &str) -> Option<PosixRlimitType> {
    serde_json::from_value(format!("RLIMIT_{}", name.to_ascii_uppercase()).into()).ok()
}

/// Whether these are names of limits, and the soft ones below the hard ones: asked at `create`.
///
/// # Errors
/// In Docker's words.
pub fn check(host: &HostConfig) -> Result<()> {
    for limit in host.ulimits.iter().flatten() {
        let name = limit.name.clone().unwrap_or_default();
        if kind(&name).is_none() {
            return Err(Error::invalid(format!("invalid ulimit type: {}", name.escape_debug())));
        }
        let (soft, hard) = (limit.soft.unwrap_or(0), limit.hard.unwrap_or(0));
        if let Some(wrong) = [soft, hard].into_iter().find(|value| *value < -1) {
            return Err(Error::invalid(format!("invalid ulimit: {name} of {wrong}")));
        }
        if hard != -1 && (soft > hard || soft == -1) {
            let why = format!("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}");
            return Err(Error::invalid(why));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_makes_no_sense_is_refused_by_its_value() {
        let check = |name: &str, soft: i64, hard: i64| {
            let json = serde_json::json!({"Ulimits": [{"Name": name, "Soft": soft, "Hard": hard}]});
            check(&serde_json::from_value(json).unwrap())
        };
        check("nofile", 10, 20).unwrap();
        check("NOFILE", -1, -1).unwrap();
        check("core", 0, -1).unwrap();
        for (name, soft, hard, word) in [
            ("nofiles", 1, 1, "nofiles"),
            ("", 1, 1, "invalid ulimit type: "),
            ("n\x1b\0", 1, 1, "\\u{1b}"),
            ("nofile", 20, 10, "20 > 10"),
            ("nofile", -1, 10, "-1 > 10"),
            ("nofile", i64::MIN, -1, "-9223372036854775808"),
        ] {
            let error = check(name, soft, hard).unwrap_err();
            assert!(error.message.contains(word), "{name} {soft} {hard}: {error}");
        }
    }
}
