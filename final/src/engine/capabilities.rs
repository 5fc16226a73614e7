//! `--cap-add`, `--cap-drop`, `--privileged`: which of root's powers a container has.

use bollard_stubs::models::HostConfig;
use caps::CapSet;
use oci_spec::OciSpecError;
use oci_spec::runtime::{Capabilities, Capability, LinuxCapabilities, LinuxCapabilitiesBuilder};

use super::error::{Error, Result};

/// What people write for "each of them".
const ALL: &str = "ALL";

/// A capability by its name in any case, with or without `CAP_` before it.
pub fn parse(name: &str) -> Option<Capability> {
    bare(name).parse().ok()
}

/// Of `cap_net_admin`, `NET_ADMIN`.
fn bare(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    upper.strip_prefix("CAP_").unwrap_or(&upper).to_owned()
}

/// The capabilities of a container: Docker's fourteen, and what was added and dropped.
pub fn of(host: &HostConfig) -> Capabilities {
    let named = |list: &Option<Vec<String>>| -> Capabilities {
        list.iter().flatten().filter_map(|name| parse(name)).collect()
    };
    let says_all = |list: &Option<Vec<String>>| list.iter().flatten().any(|name| bare(name) == ALL);
    let (add, drop) = (named(&host.cap_add), named(&host.cap_drop));
    // Docker's order. Whoever names one in both lists gets it, unless all were added.
    if host.privileged == Some(true) {
        all()
    } else if says_all(&host.cap_add) {
        &all() - &drop
    } else if says_all(&host.cap_drop) {
        add
    } else {
        // Lesson 2's list.
        let default: Capabilities =
            rootfs::capabilities::DEFAULT.iter().filter_map(|name| parse(name)).collect();
        &(&default - &drop) | &add
    }
}

/// Those that the engine itself could have: what isn't in its bounding set, it can't give.
pub fn all() -> Capabilities {
    let bounding = caps::read(None, CapSet::Bounding).unwrap_or_default();
    bounding.iter().filter_map(|one| parse(&one.to_string())).collect()
}

/// A process's sets. Nothing is inheritable: with more, an ordinary user could gain capabilities from
/// a program file that has some (CVE-2022-24769).
pub fn sets(allowed: Capabilities) -> Result<LinuxCapabilities, OciSpecError> {
    LinuxCapabilitiesBuilder::default()
        .bounding(allowed.clone())
        .effective(allowed.clone())
        .permitted(allowed)
        .inheritable(Capabilities::new())
        .ambient(Capabilities::new())
        .build()
}

/// Whether these are capabilities, and can be had: asked at `create`.
///
/// # Errors
/// In Docker's words.
pub fn check(host: &HostConfig) -> Result<()> {
    let all = all();
    for name in host.cap_add.iter().chain(&host.cap_drop).flatten().filter(|name| bare(name) != ALL) {
        match parse(name) {
            None => {
                return Err(Error::invalid(format!(
                    "unknown capability: {:?}",
                    format!("CAP_{}", bare(name))
                )));
            }
            Some(capability) if !all.contains(&capability) => {
                return Err(Error::invalid(format!(
                    "capability not supported by your kernel or not available in the current environment: \
                     \"CAP_{capability}\""
                )));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Option<Vec<String>> {
        Some(text.split_whitespace().map(str::to_owned).collect())
    }

    fn host(add: &str, drop: &str) -> HostConfig {
        HostConfig { cap_add: words(add), cap_drop: words(drop), ..HostConfig::default() }
    }

    #[test]
    fn capabilities_are_added_and_dropped_as_docker_does() {
        let of = |add, drop| of(&host(add, drop));
        assert_eq!(of("", "").len(), 14);
        assert!(of("NET_ADMIN", "").contains(&Capability::NetAdmin));
        assert!(!of("", "cap_chown").contains(&Capability::Chown));
        assert_eq!(of("Cap_Chown", "all"), Capabilities::from([Capability::Chown]));
        assert_eq!(of("", "CAP_ALL"), Capabilities::new());
        assert_eq!(of("chown", "chown kill").len(), 13);
        assert_eq!(&all() - &of("ALL", "SYS_ADMIN"), Capabilities::from([Capability::SysAdmin]));
        let privileged = HostConfig { privileged: Some(true), ..host("", "ALL") };
        assert_eq!(super::of(&privileged), all());
    }

    #[test]
    fn what_is_no_capability_is_refused_by_its_name() {
        for (name, said) in
            [("nope", "CAP_NOPE"), ("", "CAP_"), ("CAP_CAP_KILL", "CAP_CAP_KILL"), ("ñ\0\x1b", "CAP_ñ")]
        {
            for host in [host("", ""), host("", "")].into_iter().zip([true, false]).map(|(mut host, add)| {
                let list = if add { &mut host.cap_add } else { &mut host.cap_drop };
                *list = Some(vec![name.to_owned()]);
                host
            }) {
                let error = check(&host).unwrap_err();
                assert!(
                    error.message.starts_with("unknown capability: ") && error.message.contains(said),
                    "{error}"
                );
                assert!(!error.message.contains('\x1b'), "{error:?}");
            }
        }
        check(&host("ALL all cap_sys_admin", "Kill")).unwrap();
    }
}
