//! Which devices a container may use.

use namespaces::{Error, Result};

/// A rule for device files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRule {
    /// Whether it allows or denies.
    pub allow: bool,
    /// `c` for character, `b` for block, `a` for both.
    pub kind: char,
    /// Major number, or all.
    pub major: Option<u32>,
    /// Minor number, or all.
    pub minor: Option<u32>,
    /// Of `r`, `w`, `m` (read, write, mknod).
    pub access: String,
}

impl DeviceRule {
    // ANCHOR: docker
    /// Docker's default: nothing, then what every program needs; making a device file is allowed
    /// (package managers do), using it is not.
    pub fn docker() -> Vec<DeviceRule> {
        let rule = |allow, kind, major, minor, access: &str| DeviceRule {
            allow,
            kind,
            major,
            minor,
            access: access.into(),
        };
        let mut rules = vec![rule(false, 'a', None, None, "rwm")];
        for (major, minor) in [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)] {
            rules.push(rule(true, 'c', Some(major), Some(minor), "rwm"));
        }
        // Pseudo terminals.
        rules.push(rule(true, 'c', Some(136), None, "rwm"));
        rules.push(rule(true, 'c', None, None, "m"));
        rules.push(rule(true, 'b', None, None, "m"));
        rules
    }
    // ANCHOR_END: docker

    /// A rule that allows, as Docker's `--device-cgroup-rule` and the kernel's `devices.allow` have
    /// it: `c 1:3 rwm`, `b 8:* r`, `a *:* rwm`.
    ///
    /// # Errors
    /// Shows what was written.
    pub fn parse(text: &str) -> Result<DeviceRule> {
        let wrong =
            || Error::new("read device rule", format!("{text:?}"), "write it as c 1:3 rwm or b 8:* r");
        let [kind, numbers, access] = text.split(' ').collect::<Vec<_>>()[..] else { return Err(wrong()) };
        let (major, minor) = numbers.split_once(':').ok_or_else(wrong)?;
        let number = |text: &str| match text {
            "*" => Ok(None),
            // `u32` would take a plus sign as well.
            _ if !text.bytes().all(|byte| byte.is_ascii_digit()) => Err(wrong()),
            _ => text.parse().map(Some).map_err(|_| wrong()),
        };
        let kind = match kind {
            "a" => 'a',
            "b" => 'b',
            "c" => 'c',
            _ => return Err(wrong()),
        };
        let rule = DeviceRule {
            allow: true,
            kind,
            major: number(major)?,
            minor: number(minor)?,
            access: access.into(),
        };
        if access.is_empty() || rule.check().is_err() { Err(wrong()) } else { Ok(rule) }
    }

    /// Whether there can be such a rule. Everybody may make one: its fields are public.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |reason| Err(Error::new("read device rule", format!("{self:?}"), reason));
        if !matches!(self.kind, 'a' | 'b' | 'c') {
            return wrong("its kind is a, b or c");
        }
        if !self.access.chars().all(|letter| "rwm".contains(letter)) {
            return wrong("its access is of the letters r, w and m");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_written_as_the_kernel_writes_it() {
        let rule = |kind, major, minor, access: &str| DeviceRule {
            allow: true,
            kind,
            major,
            minor,
            access: access.into(),
        };
        assert_eq!(DeviceRule::parse("c 1:3 rwm"), Ok(rule('c', Some(1), Some(3), "rwm")));
        assert_eq!(DeviceRule::parse("b 8:* r"), Ok(rule('b', Some(8), None, "r")));
        assert_eq!(DeviceRule::parse("a *:* m"), Ok(rule('a', None, None, "m")));
    }

    #[test]
    fn what_is_no_rule_is_refused_and_shown() {
        for text in [
            "",
            "c",
            "c 1:3",
            "c 1:3 ",
            "c 1:3 x",
            "d 1:3 r",
            "c 1 r",
            "c 1:3:4 r",
            "c -1:3 r",
            "c +1:3 r",
            "c 1:4294967296 r",
            "c  1:3 r",
            "c 1:3 rwm extra",
            "c ١:3 r",
            "c *1:3 r",
            "ñ 1:3 r",
            "c 1:3 r\0",
        ] {
            let error = DeviceRule::parse(text).unwrap_err();
            assert_eq!(error.step, "read device rule", "{text}");
            assert_eq!(error.on, format!("{text:?}"));
        }
    }
}
