//! `--security-opt seccomp=FILE`: a policy of one's own, in the format of Docker's profiles.
//!
//! The file lies with the person, who may be far away: the command line sends its text. It is the OCI
//! runtime specification's with conditions: by which capabilities, architectures and kernels a rule
//! holds. What it has that this engine doesn't know is an error, since what is left out of a policy in
//! silence is a hole.
//!
//! <https://docs.docker.com/engine/security/seccomp/>

use std::ffi::OsStr;

use oci_spec::runtime::{
    Arch, Capabilities, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompBuilder,
    LinuxSyscallBuilder,
};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::capabilities;
use super::error::{Error, Result};
use crate::seccomp;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Profile {
    default_action: Option<LinuxSeccompAction>,
    default_errno_ret: Option<u32>,
    architectures: Option<Vec<Arch>>,
    arch_map: Option<Vec<Family>>,
    flags: Option<Vec<String>>,
    syscalls: Option<Vec<Group>>,
}

/// An architecture, and those others whose programs its machines run.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Family {
    architecture: Arch,
    sub_architectures: Option<Vec<Arch>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Group {
    /// The old way to write it.
    name: Option<String>,
    names: Option<Vec<String>>,
    action: LinuxSeccompAction,
    errno_ret: Option<u32>,
    args: Option<Vec<LinuxSeccompArg>>,
    #[serde(rename = "comment")]
    _comment: Option<IgnoredAny>,
    includes: Option<When>,
    excludes: Option<When>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct When {
    arches: Option<Vec<String>>,
    caps: Option<Vec<String>>,
    min_kernel: Option<String>,
}

/// What this profile means for a container with these capabilities; nothing if it says nothing.
///
/// # Errors
/// What it has that isn't understood, in a word that names it.
pub fn read(text: &str, capabilities: &Capabilities) -> Result<Option<LinuxSeccomp>> {
    let wrong = |reason: String| Error::invalid(format!("Decoding seccomp profile failed: {reason}"));
    let profile: Profile = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let groups = profile.syscalls.unwrap_or_default();
    let Some(default) = profile.default_action else {
        return match groups.first() {
            // Docker's way to write "no policy".
            None => Ok(None),
            Some(_) => Err(wrong("defaultAction is missing".into())),
        };
    };
    // That all threads get the filter at once is so anyhow: there is one when it is put on.
    let known = |flag: &&String| *flag != "SECCOMP_FILTER_FLAG_TSYNC";
    if let Some(flag) = profile.flags.iter().flatten().find(known) {
        return Err(wrong(format!("unknown flag {flag:?}")));
    }
    let architectures = match (profile.architectures, profile.arch_map) {
        (Some(list), Some(map)) if !list.is_empty() && !map.is_empty() => {
            return Err(wrong(
                "'architectures' and 'archMap' were specified in the seccomp profile, use \
                 either 'architectures' or 'archMap'"
                    .into(),
            ));
        }
        (Some(list), _) if !list.is_empty() => list,
        (_, map) => family(map.unwrap_or_default()),
    };
    let mut syscalls = vec![];
    for group in groups {
        let names = match (group.name, group.names) {
            (Some(_), Some(names)) if !names.is_empty() => {
                return Err(wrong(
                    "'name' and 'names' were specified in the seccomp profile, use either \
                     'name' or 'names'"
                        .into(),
                ));
            }
            (Some(name), _) => vec![name],
            (None, names) => names.unwrap_or_default(),
        };
        let excluded = group.excludes.map(|when| when.excludes(capabilities)).transpose().map_err(wrong)?;
        let included = group.includes.map(|when| when.includes(capabilities)).transpose().map_err(wrong)?;
        if excluded == Some(true) || included == Some(false) {
            continue;
        }
        let built = LinuxSyscallBuilder::default().names(names).action(group.action).build();
        let mut syscall = built.map_err(|error| wrong(error.to_string()))?;
        syscall.set_errno_ret(group.errno_ret);
        syscall.set_args(group.args.filter(|args| !args.is_empty()));
        syscalls.push(syscall);
    }
    let built = LinuxSeccompBuilder::default().default_action(default).syscalls(syscalls).build();
    let mut policy = built.map_err(|error| wrong(error.to_string()))?;
    policy.set_default_errno_ret(profile.default_errno_ret);
    policy.set_architectures(Some(architectures));
    seccomp::understand(&policy).map_err(wrong)?;
    Ok(Some(policy))
}

/// The family of this machine.
fn family(map: Vec<Family>) -> Vec<Arch> {
    let native = if cfg!(target_arch = "x86_64") { Arch::ScmpArchX86_64 } else { Arch::ScmpArchAarch64 };
    match map.into_iter().find(|family| family.architecture == native) {
        Some(family) => [vec![family.architecture], family.sub_architectures.unwrap_or_default()].concat(),
        None => vec![],
    }
}

impl When {
    /// Whether all that it asks for is so.
    fn includes(&self, capabilities: &Capabilities) -> Result<bool, String> {
        Ok(self.arches.as_ref().is_none_or(|arches| arches.is_empty() || arches.iter().any(is_here))
            && has(&self.caps, capabilities)?.into_iter().all(|has| has)
            && self.min_kernel.as_deref().map(kernel_is_at_least).transpose()?.unwrap_or(true))
    }

    /// Whether something that it asks for is so.
    fn excludes(&self, capabilities: &Capabilities) -> Result<bool, String> {
        Ok(self.arches.iter().flatten().any(is_here)
            || has(&self.caps, capabilities)?.into_iter().any(|has| has)
            || self.min_kernel.as_deref().map(kernel_is_at_least).transpose()?.unwrap_or(false))
    }
}

fn is_here(arch: &String) -> bool {
    let native = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    arch == native
}

fn has(names: &Option<Vec<String>>, capabilities: &Capabilities) -> Result<Vec<bool>, String> {
    let one = |name: &String| match capabilities::parse(name) {
        Some(capability) => Ok(capabilities.contains(&capability)),
        None => Err(format!("unknown capability {name:?}")),
    };
    names.iter().flatten().map(one).collect()
}

/// Of `4.8`, whether this kernel is that or newer.
fn kernel_is_at_least(wanted: &str) -> Result<bool, String> {
    let numbers = |text: &str| -> Option<(u32, u32)> {
        let (major, rest) = text.split_once('.')?;
        let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    let wanted = numbers(wanted).ok_or_else(|| format!("{wanted:?} is no version of a kernel"))?;
    let here = nix::sys::utsname::uname().map_err(|error| error.to_string())?;
    Ok(numbers(&OsStr::to_string_lossy(here.release())).is_some_and(|here| here >= wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::error::Kind;
    use oci_spec::runtime::Capability;
    use rootfs::seccomp::{Answer, Policy};

    fn policy(text: &str, capabilities: &[Capability]) -> Option<Policy> {
        let read = read(text, &capabilities.iter().copied().collect()).unwrap();
        read.map(|policy| seccomp::understand(&policy).unwrap())
    }

    fn names(policy: &Policy) -> Vec<&str> {
        policy.rules.iter().flat_map(|rule| &rule.calls).map(String::as_str).collect()
    }

    #[test]
    fn a_rule_holds_by_capabilities_architectures_and_kernels() {
        let text = r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,
            "archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86","SCMP_ARCH_X32"]},
                {"architecture":"SCMP_ARCH_AARCH64","subArchitectures":["SCMP_ARCH_ARM"]}],
            "syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","comment":"always","args":[]},
                {"name":"mount","action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}},
                {"names":["unshare"],"action":"SCMP_ACT_ERRNO","errnoRet":13,"excludes":{"caps":["CAP_SYS_ADMIN"]}},
                {"names":["write"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["amd64","arm64"]}},
                {"names":["close"],"action":"SCMP_ACT_ALLOW","excludes":{"arches":["amd64","arm64"]}},
                {"names":["ptrace"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"4.8"}},
                {"names":["kcmp"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"1000.0"}}]}"#;
        let without = policy(text, &[]).unwrap();
        assert_eq!(names(&without), ["read", "unshare", "write", "ptrace"]);
        assert_eq!(without.otherwise, Answer::Errno(38));
        assert_eq!(without.rules[1].answer, Answer::Errno(13));
        assert_eq!(without.architectures, rootfs::architecture::HERE);
        assert_eq!(
            names(&policy(text, &[Capability::SysAdmin]).unwrap()),
            ["read", "mount", "write", "ptrace"]
        );
    }

    #[test]
    fn a_profile_that_says_nothing_is_no_policy() {
        assert_eq!(policy("{}", &[]), None);
        assert_eq!(policy(r#"{"syscalls":[]}"#, &[]), None);
    }

    #[test]
    fn without_a_word_on_architectures_it_is_about_this_machine_s_own() {
        let policy = policy(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#, &[]).unwrap();
        assert_eq!(policy.architectures, [rootfs::architecture::HERE[0]]);
    }

    #[test]
    fn what_is_not_understood_is_refused_in_a_word_that_names_it() {
        let rule = |rule: &str| format!(r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{rule}]}}"#);
        let deep = "[".repeat(100_000);
        for (text, word) in [
            ("", "EOF"),
            ("7", "7"),
            ("/etc/profile.json", "expected value"),
            (&deep, "line 1"),
            (r#"{"defaultAction":"SCMP_ACT_PRAY"}"#, "SCMP_ACT_PRAY"),
            (r#"{"defaultAction":"SCMP_ACT_TRACE"}"#, "SCMP_ACT_TRACE"),
            (r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":70000}"#, "70000"),
            (r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":-1}"#, "-1"),
            (r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_PDP11"]}"#, "SCMP_ARCH_PDP11"),
            (r#"{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/x"}"#, "listenerPath"),
            (r#"{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_LOG"]}"#, "FLAG_LOG"),
            (r#"{"defaultAction":"SCMP_ACT_ALLOW","Syscalls":[]}"#, "Syscalls"),
            (r#"{"syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}"#, "defaultAction"),
            (&rule(r#"{"names":["keyctll"],"action":"SCMP_ACT_ERRNO"}"#), "keyctll"),
            (&rule(r#"{"names":["read"],"action":"SCMP_ACT_NOTIFY"}"#), "SCMP_ACT_NOTIFY"),
            (&rule(r#"{"names":["read"]}"#), "action"),
            (&rule(r#"{"name":"a","names":["read"],"action":"SCMP_ACT_LOG"}"#), "'name' and 'names'"),
            (&rule(r#"{"names":["read"],"action":"SCMP_ACT_LOG","when":{}}"#), "when"),
            (
                &rule(r#"{"names":["read"],"action":"SCMP_ACT_LOG","includes":{"caps":["CAP_PRAY"]}}"#),
                "CAP_PRAY",
            ),
            (&rule(r#"{"names":["read"],"action":"SCMP_ACT_LOG","includes":{"minKernel":"new"}}"#), "new"),
            (
                &rule(
                    r#"{"names":["read"],"action":"SCMP_ACT_LOG","args":[{"index":6,"value":1,"op":"SCMP_CMP_EQ"}]}"#,
                ),
                "argument 6",
            ),
            (
                &rule(
                    r#"{"names":["read"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":-1,"op":"SCMP_CMP_EQ"}]}"#,
                ),
                "-1",
            ),
            (
                &rule(
                    r#"{"names":["read"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":1,"op":"SCMP_CMP_ISH"}]}"#,
                ),
                "SCMP_CMP_ISH",
            ),
        ] {
            let error = read(text, &Capabilities::new()).unwrap_err();
            assert!(error.kind == Kind::Invalid && error.message.contains(word), "{word}: {error}");
        }
    }
}
