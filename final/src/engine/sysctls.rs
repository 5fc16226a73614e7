//! `--sysctl`: parameters of the kernel that are a namespace's own.

use std::collections::HashMap;
use std::path::Path;

use bollard_stubs::models::HostConfig;
use rootfs::sysctl::{Scope, scope};

use super::error::{Error, Result};

/// What every container with a network of its own has, as with Docker: its users may open any port,
/// and ping. (There is nobody else on that network whom this would give away.)
const USUAL: [(&str, &str); 2] =
    [("net.ipv4.ip_unprivileged_port_start", "0"), ("net.ipv4.ping_group_range", "0 2147483647")];

/// The parameters of a container.
pub fn of(host: &HostConfig, own_network: bool) -> HashMap<String, String> {
    let usual = USUAL.iter().filter(|(name, _)| {
        let file = Path::new("/proc/sys").join(name.replace('.', "/"));
        // A user namespace doesn't know all the groups.
        own_network && file.exists() && !(name.contains("group") && namespaces::in_user_namespace())
    });
    let mut all: HashMap<String, String> =
        usual.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    all.extend(host.sysctls.clone().unwrap_or_default());
    all
}

/// Whether they are the container's own: asked at `create`.
///
/// # Errors
/// In runc's words.
pub fn check(host: &HostConfig) -> Result<()> {
    let is_host = |mode: &Option<String>| mode.as_deref() == Some("host");
    for name in host.sysctls.iter().flatten().map(|(name, _)| name) {
        match scope(name) {
            Scope::Ipc if is_host(&host.ipc_mode) => {
                return Err(Error::invalid(format!(
                    "sysctl {name:?} is not allowed in the hosts ipc namespace"
                )));
            }
            Scope::Network if is_host(&host.network_mode) => {
                return Err(Error::invalid(format!("sysctl {name:?} not allowed in host network namespace")));
            }
            Scope::Machine => {
                return Err(Error::invalid(format!("sysctl {name:?} is not in a separate kernel namespace")));
            }
            Scope::Ipc | Scope::Network => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_of_the_machine_is_refused_by_its_name() {
        let checked = |name: &str, more: &str| {
            let mut json: serde_json::Value = serde_json::from_str(more).unwrap();
            json["Sysctls"] = serde_json::json!({ name: "1" });
            check(&serde_json::from_value(json).unwrap())
        };
        checked("net.ipv4.ip_forward", "{}").unwrap();
        checked("kernel.shmmax", "{}").unwrap();
        for (name, more, words) in [
            ("kernel.panic", "{}", "sysctl \"kernel.panic\" is not in a separate kernel namespace"),
            ("net/../kernel/panic", "{}", "is not in a separate kernel namespace"),
            ("", "{}", "sysctl \"\""),
            ("net.x\0\u{1b}", "{}", "\\u{1b}"),
            ("net.core.somaxconn", r#"{"NetworkMode":"host"}"#, "not allowed in host network namespace"),
            ("kernel.shmmax", r#"{"IpcMode":"host"}"#, "not allowed in the hosts ipc namespace"),
        ] {
            let error = checked(name, more).unwrap_err();
            assert!(error.message.contains(words), "{name:?}: {error}");
        }
    }

    #[test]
    fn what_was_asked_for_goes_over_what_is_usual() {
        let host: HostConfig =
            serde_json::from_str(r#"{"Sysctls":{"net.ipv4.ip_unprivileged_port_start":"1024"}}"#).unwrap();
        assert_eq!(of(&host, true)["net.ipv4.ip_unprivileged_port_start"], "1024");
        assert!(of(&HostConfig::default(), false).is_empty());
    }
}
