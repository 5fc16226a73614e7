//! What a container's programs may do: capabilities, new privileges, limits of a process.

use bollard_stubs::models::HostConfig;
use oci_spec::OciSpecError;
use oci_spec::runtime::{
    Capabilities, Capability, LinuxCapabilities, LinuxCapabilitiesBuilder, PosixRlimit, PosixRlimitBuilder,
    PosixRlimitType,
};

use super::error::{Error, Result};

/// The capabilities of a container: Docker's fourteen, and what was added and dropped.
pub fn capabilities(host: &HostConfig) -> Result<LinuxCapabilities, OciSpecError> {
    // Lesson 2's list.
    let default = rootfs::capabilities::DEFAULT.iter();
    let mut set: Capabilities = default.filter_map(|name| capability_name(name).parse().ok()).collect();
    // Docker's order: ALL first, then what is taken away, then what is given.
    let named = |list: &Option<Vec<String>>| -> Vec<String> {
        list.iter().flatten().map(|name| capability_name(name).to_owned()).collect()
    };
    let (add, drop) = (named(&host.cap_add), named(&host.cap_drop));
    if drop.iter().any(|name| name == "ALL") {
        set.clear();
    }
    if add.iter().any(|name| name == "ALL") {
        set = all_capabilities();
    }
    for name in &drop {
        if let Ok(capability) = name.parse::<Capability>() {
            set.remove(&capability);
        }
    }
    set.extend(add.iter().filter_map(|name| name.parse::<Capability>().ok()));
    LinuxCapabilitiesBuilder::default()
        .bounding(set.clone())
        .effective(set.clone())
        .permitted(set)
        .inheritable(Capabilities::new())
        .ambient(Capabilities::new())
        .build()
}

/// A capability's bare name in capitals: of `cap_net_admin`, `NET_ADMIN`.
fn capability_name(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    upper.strip_prefix("CAP_").unwrap_or(&upper).to_owned()
}

/// Those that this kernel has: a number above `cap_last_cap` would be refused.
fn all_capabilities() -> Capabilities {
    let all = caps::runtime::thread_all_supported();
    all.iter().filter_map(|one| capability_name(&one.to_string()).parse().ok()).collect()
}

/// Whether these are names of capabilities: asked at `create`.
pub fn check_capabilities(host: &HostConfig) -> Result<()> {
    for name in host.cap_add.iter().chain(&host.cap_drop).flatten() {
        let bare = capability_name(name);
        if bare != "ALL" && bare.parse::<Capability>().is_err() {
            return Err(Error::invalid(format!("invalid capability: {name:?}")));
        }
    }
    Ok(())
}

/// Whether a program can gain privileges by executing another (setuid).
pub fn no_new_privileges(host: &HostConfig) -> bool {
    let words = ["no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"];
    host.security_opt.iter().flatten().any(|option| words.contains(&option.as_str()))
}

/// Whether system calls are filtered; `--security-opt seccomp=unconfined` switches it off.
pub fn filtered(host: &HostConfig) -> bool {
    let words = ["seccomp=unconfined", "seccomp:unconfined"];
    !host.security_opt.iter().flatten().any(|option| words.contains(&option.as_str()))
}

/// The limits of each process (`--ulimit`).
pub fn rlimits(host: &HostConfig) -> Result<Vec<PosixRlimit>, OciSpecError> {
    let mut all = Vec::new();
    for limit in host.ulimits.iter().flatten() {
        let kind = format!("RLIMIT_{}", limit.name.clone().unwrap_or_default().to_ascii_uppercase());
        let number = |value: Option<i64>| value.map_or(0, |value| value as u64);
        all.push(
            PosixRlimitBuilder::default()
                .typ(rlimit_type(&kind).unwrap_or_default())
                .soft(number(limit.soft))
                .hard(number(limit.hard))
                .build()?,
        );
    }
    Ok(all)
}

fn rlimit_type(name: &str) -> Option<PosixRlimitType> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
}

/// Whether these are names of limits, and the soft ones below the hard ones: asked at `create`.
pub fn check_ulimits(host: &HostConfig) -> Result<()> {
    for limit in host.ulimits.iter().flatten() {
        let name = limit.name.clone().unwrap_or_default();
        if rlimit_type(&format!("RLIMIT_{}", name.to_ascii_uppercase())).is_none() {
            return Err(Error::invalid(format!("invalid ulimit type: {name}")));
        }
        let (soft, hard) = (limit.soft.unwrap_or(0), limit.hard.unwrap_or(0));
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

    fn words(text: &str) -> Option<Vec<String>> {
        Some(text.split_whitespace().map(str::to_owned).collect())
    }

    fn bounding(add: &str, drop: &str) -> Capabilities {
        let host = HostConfig { cap_add: words(add), cap_drop: words(drop), ..HostConfig::default() };
        capabilities(&host).unwrap().bounding().clone().unwrap()
    }

    #[test]
    fn capabilities_are_added_and_dropped_as_docker_does() {
        assert_eq!(bounding("", "").len(), 14);
        assert!(bounding("NET_ADMIN", "").contains(&Capability::NetAdmin));
        assert!(!bounding("", "cap_chown").contains(&Capability::Chown));
        assert_eq!(bounding("CAP_CHOWN", "ALL"), Capabilities::from([Capability::Chown]));
        let all_but_one = bounding("ALL", "SYS_ADMIN");
        assert!(all_but_one.len() > 30 && !all_but_one.contains(&Capability::SysAdmin));
        check_capabilities(&HostConfig { cap_add: words("NOPE"), ..HostConfig::default() }).unwrap_err();
    }
}
