//! What a container shares with another, or with the host: its processes, its System V IPC, its host name.
//!
//! (Its network: `endpoints`.) The other one is named by its id from `create` on, as it may be renamed;
//! that it runs, and lets itself be shared, is seen at the start.

use std::path::PathBuf;

use bollard_stubs::models::HostConfig;
use cgroups::Cgroup;
use namespaces::in_user_namespace;
use oci_spec::runtime::{LinuxNamespaceType, Spec};

use super::Engine;
use super::config::Config;
use super::containers::Container;
use super::error::{Error, Result};

/// Whether the modes make sense.
///
/// # Errors
/// In Docker's words.
pub fn check(host: &HostConfig) -> Result<()> {
    let ipc = ["private", "shareable", "none", "host"];
    for (what, mode, known, others) in [
        ("PID", &host.pid_mode, &["private", "host"][..], true),
        ("IPC", &host.ipc_mode, &ipc, true),
        ("UTS", &host.uts_mode, &["private", "host"], false),
    ] {
        let mode = mode.as_deref().unwrap_or_default();
        let other = mode.strip_prefix("container:").is_some_and(|name| !name.is_empty());
        if !(mode.is_empty() || known.contains(&mode) || others && other) {
            return Err(Error::invalid(format!("invalid {what} mode: {}", mode.escape_debug())));
        }
    }
    Ok(())
}

/// Writes ids in place of names.
///
/// # Errors
/// There is no such container.
pub fn resolve(engine: &Engine, host: &mut HostConfig) -> Result<()> {
    for mode in [&mut host.pid_mode, &mut host.ipc_mode] {
        let Some(name) = mode.as_deref().and_then(|mode| mode.strip_prefix("container:")) else { continue };
        // Not "404": to clients that would mean that the image is missing, and they would pull it.
        let other = engine.containers.find(name).map_err(Error::invalid)?;
        *mode = Some(format!("container:{}", other.id));
    }
    let other = host.pid_mode.as_deref().is_some_and(|mode| mode.starts_with("container:"));
    let published = host.port_bindings.as_ref().is_some_and(|ports| !ports.is_empty());
    if other && (published || host.publish_all_ports == Some(true)) && in_user_namespace() {
        // Publishing needs threads, and who may not come back from a pid namespace has none (clone(2)).
        return Err(Error::unsupported("published ports with --pid container:NAME, without root"));
    }
    Ok(())
}

/// Lets the container join the others' namespaces. Returns the process from which its /dev/shm comes, if
/// it has another's.
///
/// # Errors
/// The other one doesn't run, or its IPC is its own.
pub fn join(engine: &Engine, config: &Config, spec: &mut Spec) -> Result<Option<i32>> {
    let host = config.host();
    let other = |mode: &Option<String>, what: &str| -> Result<_> {
        let Some(name) = mode.as_deref().and_then(|mode| mode.strip_prefix("container:")) else {
            return Ok(None);
        };
        let other = engine.containers.find(name)?;
        let cannot =
            |_| Error::conflict(format!("cannot join {what} of a non running container: {}", other.id));
        let process = other.process().map_err(cannot)?;
        Ok(Some((other, process)))
    };
    if let Some((_, process)) = other(&host.pid_mode, "PID")? {
        set_path(spec, LinuxNamespaceType::Pid, format!("/proc/{}/ns/pid", process.pid).into());
    }
    let Some((other, process)) = other(&host.ipc_mode, "IPC")? else { return Ok(None) };
    let mode = other.with(|record| record.config.host().ipc_mode).unwrap_or_default();
    if mode != "shareable" {
        let hint = "non-shareable IPC (hint: use IpcMode:shareable for the donor container)";
        return Err(Error::invalid(hint));
    }
    set_path(spec, LinuxNamespaceType::Ipc, format!("/proc/{}/ns/ipc", process.pid).into());
    Ok(Some(process.pid))
}

fn set_path(spec: &mut Spec, kind: LinuxNamespaceType, path: PathBuf) {
    let Some(linux) = spec.linux_mut() else { return };
    for namespace in linux.namespaces_mut().iter_mut().flatten().filter(|one| one.typ() == kind) {
        namespace.set_path(Some(path.clone()));
    }
}

/// Whether other processes than its own are in its pid namespace.
pub fn shares_processes(host: &HostConfig) -> bool {
    host.pid_mode.as_deref().is_some_and(|mode| mode == "host" || mode.starts_with("container:"))
}

/// The processes of its control group, if its pid namespace doesn't tell which are its own. It blocks.
pub fn group(engine: &Engine, container: &Container) -> Result<Option<Vec<i32>>> {
    if !container.with(|record| shares_processes(&record.config.host())) {
        return Ok(None);
    }
    let process = container.process()?;
    let group = Cgroup::of(process.pid, &engine.settings.cgroup_parent, &container.id)?;
    Ok(Some(group.processes()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_that_there_is_not_is_refused_by_its_name() {
        let checked = |field: &str, mode: &str| {
            check(&serde_json::from_value(serde_json::json!({ field: mode })).unwrap())
        };
        for (field, mode) in [
            ("PidMode", ""),
            ("PidMode", "host"),
            ("PidMode", "container:x"),
            ("IpcMode", "none"),
            ("IpcMode", "shareable"),
            ("IpcMode", "container:x"),
            ("UTSMode", "host"),
        ] {
            checked(field, mode).unwrap();
        }
        for (field, mode, words) in [
            ("PidMode", "container:", "invalid PID mode: container:"),
            ("PidMode", "shareable", "invalid PID mode: shareable"),
            ("IpcMode", "all", "invalid IPC mode: all"),
            ("UTSMode", "container:x", "invalid UTS mode: container:x"),
        ] {
            assert_eq!(checked(field, mode).unwrap_err().message, words);
        }
    }
}
