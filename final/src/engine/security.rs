//! `--security-opt`: whether a program may gain privileges, and which system calls it may make.

use bollard_stubs::models::HostConfig;
use caps::CapsHashSet;
use oci_spec::runtime::{Capabilities, LinuxSeccomp};
use rootfs::seccomp::Policy;

use super::error::{Error, Result};
use super::{capabilities, profile};
use crate::seccomp;

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// Whether set-uid programs and file capabilities have no effect.
    pub no_new_privileges: bool,
    filter: Filter,
}

/// By what a container's system calls are filtered.
#[derive(Debug, Default, PartialEq, Eq)]
enum Filter {
    /// As usual: lesson 2's policy; of a privileged container, nothing.
    #[default]
    Usual,
    /// Lesson 2's policy.
    Builtin,
    /// Nothing.
    Unconfined,
    /// This profile.
    Profile(String),
}

impl Security {
    /// Reads the options of a create body.
    ///
    /// # Errors
    /// One that doesn't exist, in Docker's words; or that this engine doesn't have.
    pub fn of(host: &HostConfig) -> Result<Security> {
        let mut security = Security::default();
        for option in host.security_opt.iter().flatten() {
            // The colon is how Docker once wrote it.
            let (key, value) = match option.split_once('=').or_else(|| option.split_once(':')) {
                Some((key, value)) => (key, value),
                None if option == "no-new-privileges" => (option.as_str(), "true"),
                None if option == "disable" => ("label", "disable"),
                None => return Err(Error::invalid(format!("invalid --security-opt 1: {option:?}"))),
            };
            match (key, value) {
                ("no-new-privileges", "1" | "t" | "T" | "true" | "TRUE" | "True") => {
                    security.no_new_privileges = true;
                }
                ("no-new-privileges", "0" | "f" | "F" | "false" | "FALSE" | "False") => {
                    security.no_new_privileges = false;
                }
                ("seccomp", "unconfined") => security.filter = Filter::Unconfined,
                ("seccomp", "builtin") => security.filter = Filter::Builtin,
                ("seccomp", text) => security.filter = Filter::Profile(text.to_owned()),
                // Nothing of these is there to be switched off.
                ("apparmor", "unconfined") | ("label", "disable") => {}
                ("apparmor" | "label", _) => {
                    return Err(Error::unsupported(format!("--security-opt {option}")));
                }
                _ => return Err(Error::invalid(format!("invalid --security-opt 2: {option:?}"))),
            }
        }
        Ok(security)
    }

    /// The policy for a container with these capabilities.
    ///
    /// # Errors
    /// What a profile has that isn't understood.
    pub fn seccomp(&self, privileged: bool, allowed: &Capabilities) -> Result<Option<LinuxSeccomp>> {
        match &self.filter {
            Filter::Usual if privileged => Ok(None),
            Filter::Unconfined => Ok(None),
            Filter::Profile(text) => profile::read(text, allowed),
            Filter::Usual | Filter::Builtin => {
                let names: Vec<String> = allowed.iter().map(|one| format!("CAP_{one}")).collect();
                let allowed: CapsHashSet = rootfs::capabilities::by_name(&names)?;
                let described = seccomp::describe(&Policy::docker(&allowed));
                described.map(Some).map_err(|error| Error::internal("describing the filter", error))
            }
        }
    }
}

/// Whether the options make sense together with the rest: asked at `create`.
///
/// # Errors
/// As [`Security::of`] and [`Security::seccomp`].
pub fn check(host: &HostConfig) -> Result<()> {
    let security = Security::of(host)?;
    security.seccomp(host.privileged == Some(true), &capabilities::of(host)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::error::Kind;

    fn host(options: &[&str], privileged: bool) -> HostConfig {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        HostConfig { security_opt: Some(options), privileged: Some(privileged), ..HostConfig::default() }
    }

    #[test]
    fn every_spelling_of_dockers_options_is_understood() {
        let of = |option| Security::of(&host(&[option], false)).unwrap();
        for yes in
            ["no-new-privileges", "no-new-privileges:true", "no-new-privileges=1", "no-new-privileges=T"]
        {
            assert!(of(yes).no_new_privileges, "{yes}");
        }
        assert!(!of("no-new-privileges:false").no_new_privileges);
        for nothing in
            ["apparmor=unconfined", "apparmor:unconfined", "label=disable", "label:disable", "disable"]
        {
            assert_eq!(of(nothing), Security::default(), "{nothing}");
        }
    }

    #[test]
    fn system_calls_are_filtered_unless_it_was_asked_for_or_the_container_is_privileged() {
        let filtered = |options: &[&str], privileged| {
            let host = host(options, privileged);
            let security = Security::of(&host).unwrap();
            security.seccomp(privileged, &capabilities::of(&host)).unwrap().is_some()
        };
        assert!(filtered(&[], false) && filtered(&["seccomp=builtin"], false));
        assert!(!filtered(&["seccomp=unconfined"], false) && !filtered(&["seccomp:unconfined"], false));
        assert!(!filtered(&[], true) && filtered(&["seccomp=builtin"], true));
        assert!(filtered(&[r#"seccomp={"defaultAction":"SCMP_ACT_ALLOW"}"#], true));
    }

    #[test]
    fn what_is_not_there_is_refused() {
        for (option, kind, words) in [
            ("", Kind::Invalid, "invalid --security-opt 1: \"\""),
            ("seccomp", Kind::Invalid, "invalid --security-opt 1: \"seccomp\""),
            ("magic=1", Kind::Invalid, "invalid --security-opt 2: \"magic=1\""),
            ("no-new-privileges=maybe", Kind::Invalid, "invalid --security-opt 2"),
            ("no-new-privileges=", Kind::Invalid, "invalid --security-opt 2"),
            ("seccomp=", Kind::Invalid, "Decoding seccomp profile failed"),
            ("seccomp=/x.json", Kind::Invalid, "Decoding seccomp profile failed"),
            ("apparmor=mine", Kind::Unsupported, "--security-opt apparmor=mine"),
            ("label=type:mine", Kind::Unsupported, "--security-opt label=type:mine"),
        ] {
            let error = check(&host(&[option], false)).unwrap_err();
            assert!(error.kind == kind && error.message.contains(words), "{option}: {error}");
        }
    }
}
