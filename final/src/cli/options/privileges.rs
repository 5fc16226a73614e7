//! The flags of `run` and `create` about what a container may do, and what it shares.

use std::collections::HashMap;
use std::fs;

use bollard_stubs::models::{DeviceMapping, HostConfig, ResourcesUlimits};
use clap::Args;

use crate::cli::failure::Failure;
use crate::cli::parse;

/// Flags of `run` and `create`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What it may do")]
pub struct Privileges {
    /// Add a capability, or ALL
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// Take a capability away, or ALL
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// Give it all capabilities and devices, no filter of system calls, nothing masked
    #[arg(long)]
    privileged: bool,
    /// no-new-privileges, seccomp=unconfined, seccomp=FILE, systempaths=unconfined
    #[arg(long, value_name = "OPTION")]
    security_opt: Vec<String>,
    /// Give it a device of the host: /dev/x[:/dev/inside][:rwm]
    #[arg(long, value_name = "DEVICE", value_parser = device)]
    device: Vec<DeviceMapping>,
    /// Let it use devices by their numbers: 'c 1:3 rwm'
    #[arg(long, value_name = "RULE")]
    device_cgroup_rule: Vec<String>,
    /// One more group for its user: name or gid
    #[arg(long, value_name = "GROUP")]
    group_add: Vec<String>,
    /// Limit of each process: nofile=1024[:2048]
    #[arg(long, value_name = "NAME=SOFT[:HARD]", value_parser = ulimit)]
    ulimit: Vec<ResourcesUlimits>,
    /// Set a parameter of the kernel that is the container's own: net.ipv4.ip_forward=1
    #[arg(long, value_name = "NAME=VALUE", value_parser = sysctl)]
    sysctl: Vec<(String, String)>,
    /// A file system in memory: /run[:size=64m,mode=755]
    #[arg(long, value_name = "PATH[:OPTIONS]", value_parser = tmpfs)]
    tmpfs: Vec<(String, String)>,
    /// Size of /dev/shm
    #[arg(long, value_name = "SIZE", value_parser = parse::size::parse)]
    shm_size: Option<i64>,
    /// Shared memory and message queues: private, shareable, host, none, container:NAME
    #[arg(long, value_name = "MODE")]
    ipc: Option<String>,
    /// Processes that it sees: host, container:NAME; its own unless told otherwise
    #[arg(long, value_name = "MODE")]
    pid: Option<String>,
    /// Host name: host
    #[arg(long, value_name = "MODE")]
    uts: Option<String>,
    /// Users that it sees: host
    #[arg(long, value_name = "MODE")]
    userns: Option<String>,
    /// A note for whoever reads its OCI configuration
    #[arg(long, value_name = "NAME=VALUE", value_parser = annotation)]
    annotation: Vec<(String, String)>,
    /// How it is kept apart: default (Windows has others)
    #[arg(long, value_name = "TECHNOLOGY", hide = true)]
    isolation: Option<String>,
    /// Driver of its volumes: local
    #[arg(long, value_name = "DRIVER", hide = true)]
    volume_driver: Option<String>,
    /// How soon the kernel ends it when memory runs out: -1000 (never) to 1000
    #[arg(long, value_name = "SCORE", allow_hyphen_values = true)]
    oom_score_adj: Option<i64>,
}

impl Privileges {
    /// Writes them into the body of a create request.
    ///
    /// # Errors
    /// A seccomp profile that can't be read.
    pub fn apply(&self, host: &mut HostConfig) -> Result<(), Failure> {
        fn list<T: Clone>(list: &[T]) -> Option<Vec<T>> {
            (!list.is_empty()).then(|| list.to_vec())
        }
        let map = |list: &[(String, String)]| -> Option<HashMap<String, String>> {
            (!list.is_empty()).then(|| list.iter().cloned().collect())
        };
        host.cap_add = list(&self.cap_add);
        host.cap_drop = list(&self.cap_drop);
        host.privileged = Some(self.privileged);
        let mut options =
            self.security_opt.iter().map(|option| security(option)).collect::<Result<Vec<_>, _>>()?;
        // Docker's command turns this one into the empty lists that it means.
        if options.iter().any(|option| option == SYSTEM_PATHS) {
            options.retain(|option| option != SYSTEM_PATHS);
            (host.masked_paths, host.readonly_paths) = (Some(vec![]), Some(vec![]));
        }
        host.security_opt = list(&options);
        host.devices = list(&self.device);
        host.device_cgroup_rules = list(&self.device_cgroup_rule);
        host.group_add = list(&self.group_add);
        host.ulimits = list(&self.ulimit);
        host.sysctls = map(&self.sysctl);
        host.tmpfs = map(&self.tmpfs);
        host.shm_size = self.shm_size;
        host.ipc_mode.clone_from(&self.ipc);
        host.pid_mode.clone_from(&self.pid);
        host.uts_mode.clone_from(&self.uts);
        host.oom_score_adj = self.oom_score_adj;
        host.userns_mode.clone_from(&self.userns);
        host.annotations = map(&self.annotation);
        host.volume_driver.clone_from(&self.volume_driver);
        if let Some(isolation) = &self.isolation {
            let known = isolation.parse().map_err(|_| Failure::new(format!("no isolation {isolation:?}")));
            host.isolation = Some(known?);
        }
        Ok(())
    }
}

fn annotation(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is no annotation: write name=value")),
    }
}

const SYSTEM_PATHS: &str = "systempaths=unconfined";

/// A seccomp profile is a file here, and its text to the engine, which may be another machine's.
fn security(option: &str) -> Result<String, Failure> {
    let Some((key, value)) = option.split_once('=').or_else(|| option.split_once(':')) else {
        return match option {
            "no-new-privileges" => Ok(option.to_owned()),
            _ => Err(Failure::new(format!("Invalid --security-opt: {option:?}"))),
        };
    };
    match (key, value) {
        ("no-new-privileges", _) => Ok(option.to_owned()),
        (_, "") => Err(Failure::new(format!("Invalid --security-opt: {option:?}"))),
        ("seccomp", "builtin" | "unconfined") => Ok(option.to_owned()),
        ("seccomp", path) => {
            let text = fs::read_to_string(path)
                .map_err(|error| Failure::new(format!("opening seccomp profile ({path}) failed: {error}")))?;
            let json: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
                Failure::new(format!("compacting json for seccomp profile ({path}) failed: {error}"))
            })?;
            Ok(format!("seccomp={json}"))
        }
        _ => Ok(option.to_owned()),
    }
}

/// `/dev/x[:/dev/inside][:rwm]`.
fn device(text: &str) -> Result<DeviceMapping, String> {
    let is_mode = |text: &str| {
        let mut seen = String::new();
        !text.is_empty()
            && text.chars().all(|c| {
                let good = "rwm".contains(c) && !seen.contains(c);
                seen.push(c);
                good
            })
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (host, inside, mode) = match parts[..] {
        [host] => (host, host, "rwm"),
        [host, mode] if is_mode(mode) => (host, host, mode),
        [host, inside] => (host, inside, "rwm"),
        [host, inside, mode] if is_mode(mode) => (host, inside, mode),
        [_, _, mode] => return Err(format!("bad mode specified: {mode}")),
        _ => return Err(format!("bad format for path: {text}")),
    };
    if host.is_empty() || inside.is_empty() {
        return Err(format!("bad format for path: {text}"));
    }
    if let Some(path) = [host, inside].into_iter().find(|path| !path.starts_with('/')) {
        return Err(format!("{path} is not an absolute path"));
    }
    Ok(DeviceMapping {
        path_on_host: Some(host.to_owned()),
        path_in_container: Some(inside.to_owned()),
        cgroup_permissions: Some(mode.to_owned()),
    })
}

/// `nofile=1024[:2048]`.
fn ulimit(text: &str) -> Result<ResourcesUlimits, String> {
    let wrong = || format!("invalid ulimit argument: {text}");
    let (name, values) = text.split_once('=').ok_or_else(wrong)?;
    let numbers = values.split(':').map(str::parse).collect::<Result<Vec<i64>, _>>().map_err(|_| wrong())?;
    let (soft, hard) = match numbers[..] {
        [both] => (both, both),
        [soft, hard] => (soft, hard),
        _ => return Err(format!("too many limit value arguments - {values}, can only have up to two")),
    };
    if hard != -1 && (soft > hard || soft == -1) {
        return Err(format!("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"));
    }
    Ok(ResourcesUlimits { name: Some(name.to_owned()), soft: Some(soft), hard: Some(hard) })
}

fn sysctl(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("sysctl '{text}' is not allowed: write name=value")),
    }
}

fn tmpfs(text: &str) -> Result<(String, String), String> {
    let (path, options) = text.split_once(':').unwrap_or((text, ""));
    match path.starts_with('/') {
        true => Ok((path.to_owned(), options.to_owned())),
        false => Err(format!("invalid mount path: '{path}' mount path must be absolute")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_one_or_two_places_and_perhaps_a_mode() {
        let parts = |text| {
            device(text)
                .map(|d| [d.path_on_host, d.path_in_container, d.cgroup_permissions].map(Option::unwrap))
        };
        assert_eq!(parts("/dev/a").unwrap(), ["/dev/a", "/dev/a", "rwm"]);
        assert_eq!(parts("/dev/a:r").unwrap(), ["/dev/a", "/dev/a", "r"]);
        assert_eq!(parts("/dev/a:/b").unwrap(), ["/dev/a", "/b", "rwm"]);
        assert_eq!(parts("/dev/a:/b:wr").unwrap(), ["/dev/a", "/b", "wr"]);
        for wrong in ["", ":", "a", "/a:b", "/a:/b:x", "/a:/b:rr", "/a:/b:", "/a:/b:r:w", "/a:"] {
            assert!(device(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_ulimit_is_one_or_two_numbers() {
        let both = |text| ulimit(text).map(|limit| (limit.soft.unwrap(), limit.hard.unwrap()));
        assert_eq!(both("nofile=10"), Ok((10, 10)));
        assert_eq!(both("nofile=10:20"), Ok((10, 20)));
        assert_eq!(both("core=-1"), Ok((-1, -1)));
        for wrong in
            ["", "nofile", "nofile=", "nofile=x", "nofile=1:2:3", "nofile=2:1", "nofile=99999999999999999999"]
        {
            assert!(ulimit(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_profile_s_text_is_sent_and_other_options_are_passed_on() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "{ \"defaultAction\":\n \"SCMP_ACT_ALLOW\" }").unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(
            security(&format!("seccomp={path}")).unwrap(),
            r#"seccomp={"defaultAction":"SCMP_ACT_ALLOW"}"#
        );
        for option in
            ["no-new-privileges", "seccomp=unconfined", "seccomp=builtin", "label=disable", "any=thing"]
        {
            assert_eq!(security(option).unwrap(), option);
        }
        fs::write(file.path(), "{").unwrap();
        for (wrong, words) in [
            ("nothing".to_owned(), "Invalid --security-opt: \"nothing\""),
            ("seccomp=".to_owned(), "Invalid --security-opt: \"seccomp=\""),
            ("seccomp=/not/there".to_owned(), "opening seccomp profile (/not/there) failed"),
            (format!("seccomp={path}"), "compacting json for seccomp profile"),
        ] {
            let error = format!("{:?}", security(&wrong).unwrap_err()).replace("\\\"", "\"");
            assert!(error.contains(words), "{error}");
        }
    }
}
