//! What this engine does with each option of a create body that it doesn't have: it says so.
//!
//! An option that was asked for and left out in silence is the worst answer: a program would run
//! with less protection, or without its ports, and nobody would know.

use bollard_stubs::models::{ContainerCreateBody, DeviceRequest, EndpointSettings, HostConfig};

use super::error::{Error, Kind, Result};
use super::{
    capabilities, devices, files, health, limits, log_driver, ports, restart, security, sharing, stop,
    sysctls, ulimits,
};

/// Checks a create body.
///
/// # Errors
/// What makes no sense is invalid; what isn't there yet is unsupported, with the flag's name.
pub fn check(body: &ContainerCreateBody) -> Result<()> {
    let host = body.host_config.clone().unwrap_or_default();
    refuse(&[("--network none by NetworkDisabled", body.network_disabled == Some(true))])?;
    health::check(body)?;
    check_host(&host)?;
    let named = body.hostname.as_deref().is_some_and(|name| !name.is_empty());
    if named && host.uts_mode.as_deref() == Some("host") {
        return Err(Error::invalid("conflicting options: hostname and the UTS mode"));
    }
    let domain = body.domainname.as_deref().unwrap_or_default();
    if !domain.is_empty() && host.uts_mode.as_deref() == Some("host") {
        return Err(Error::invalid("conflicting options: domainname and the UTS mode"));
    }
    if domain.len() > 64 || domain.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
        return Err(Error::invalid(format!("invalid domainname: {domain:?}")));
    }
    ports::exposed(body)?;
    ports::wanted(body)?;
    check_endpoints(body)?;
    if let Some(signal) = body.stop_signal.as_deref().filter(|signal| !signal.is_empty()) {
        stop::parse_signal(signal)?;
    }
    if let Some(hostname) = &body.hostname
        && (hostname.len() > 64
            || hostname.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/'))
    {
        return Err(Error::invalid(format!("invalid hostname: {hostname:?}")));
    }
    let words = body.cmd.iter().chain(&body.entrypoint).chain(&body.env).flatten();
    if let Some(word) = words.into_iter().find(|word| word.contains('\0')) {
        return Err(Error::invalid(format!("a null character in {word:?}")));
    }
    if let Some(directory) =
        body.working_dir.as_deref().filter(|path| !path.is_empty() && !path.starts_with('/'))
    {
        return Err(Error::invalid(format!(
            "the working directory '{directory}' is invalid, it needs to be an absolute path"
        )));
    }
    Ok(())
}

fn check_host(host: &HostConfig) -> Result<()> {
    fn filled<T>(list: &Option<Vec<T>>) -> bool {
        list.as_ref().is_some_and(|list| !list.is_empty())
    }
    let positive = |number: Option<i64>| number.is_some_and(|number| number > 0);
    let word = |text: &Option<String>, harmless: &[&str]| {
        text.as_deref().is_some_and(|text| !text.is_empty() && !harmless.contains(&text))
    };
    log_driver::bounds(host)?;
    if let Some(request) = host.device_requests.iter().flatten().next() {
        return Err(no_such_driver(request));
    }
    if word(&host.runtime, &["runc", "canoa"]) {
        let name = host.runtime.as_deref().unwrap_or_default().escape_debug();
        return Err(Error::invalid(format!("unknown or invalid runtime name: {name}")));
    }
    refuse(&[
        // On networks of one's own they are said of the place there; this is the list for the others.
        ("--link on a network that isn't one of your own", filled(&host.links) && !own_network(host)),
        ("--volume-driver", word(&host.volume_driver, &["local"])),
        ("--userns", word(&host.userns_mode, &["host"])),
        ("--cgroup-parent", word(&host.cgroup_parent, &[])),
        ("--cgroupns", host.cgroupns_mode.as_ref().is_some_and(|mode| mode.to_string() == "host")),
        ("--cgroup", word(&host.cgroup, &[])),
        (
            "--isolation",
            host.isolation.as_ref().is_some_and(|mode| !["", "default"].contains(&mode.to_string().as_str())),
        ),
        ("--storage-opt", host.storage_opt.as_ref().is_some_and(|options| !options.is_empty())),
        ("--memory-swappiness", host.memory_swappiness.is_some_and(|value| value >= 0)),
        ("--blkio-weight", host.blkio_weight.is_some_and(|weight| weight > 0)),
        ("--blkio-weight-device", filled(&host.blkio_weight_device)),
        ("--device-read-bps", filled(&host.blkio_device_read_bps)),
        ("--device-write-bps", filled(&host.blkio_device_write_bps)),
        ("--device-read-iops", filled(&host.blkio_device_read_iops)),
        ("--device-write-iops", filled(&host.blkio_device_write_iops)),
        ("--cpu-rt-period", positive(host.cpu_realtime_period)),
        ("--cpu-rt-runtime", positive(host.cpu_realtime_runtime)),
        ("--cpu-count (Windows)", positive(host.cpu_count) || positive(host.cpu_percent)),
        ("--io-maxiops (Windows)", positive(host.io_maximum_iops) || positive(host.io_maximum_bandwidth)),
    ])?;
    restart::check(host)?;
    limits::check(host)?;
    capabilities::check(host)?;
    security::check(host)?;
    ulimits::check(host)?;
    devices::check(host)?;
    check_tmpfs(host)?;
    sharing::check(host)?;
    check_oom_score(host)?;
    sysctls::check(host)?;
    if let Some(size) = host.shm_size.filter(|size| *size < 0) {
        return Err(Error::invalid(format!("SHM size can not be less than 0: {size}")));
    }
    files::check(host)
}

/// Whether the network on which it is in the first place is one that somebody has made.
fn own_network(host: &HostConfig) -> bool {
    let mode = host.network_mode.as_deref().unwrap_or_default();
    !["", "default", "bridge", "host", "none"].contains(&mode) && !mode.starts_with("container:")
}

/// `--gpus`: what Docker says where no driver for them is installed. (It says so at the start.)
fn no_such_driver(request: &DeviceRequest) -> Error {
    let driver = request.driver.as_deref().unwrap_or_default().escape_debug().to_string();
    let capabilities: Vec<String> =
        request.capabilities.iter().flatten().map(|all| format!("[{}]", all.join(" "))).collect();
    Error {
        kind: Kind::Internal,
        message: format!(
            "could not select device driver \"{driver}\" with capabilities: [{}]",
            capabilities.join(" ")
        ),
    }
}

/// Which process goes first when the machine has no memory left.
fn check_oom_score(host: &HostConfig) -> Result<()> {
    match host.oom_score_adj.unwrap_or(0) {
        -1000..=1000 => Ok(()),
        score => {
            Err(Error::invalid(format!("Invalid value {score}, range for oom score adj is [-1000, 1000]")))
        }
    }
}

/// The options of `--tmpfs`, as Docker knows them.
fn check_tmpfs(host: &HostConfig) -> Result<()> {
    const WORDS: [&str; 12] = [
        "rw",
        "ro",
        "exec",
        "noexec",
        "suid",
        "nosuid",
        "dev",
        "nodev",
        "noatime",
        "relatime",
        "strictatime",
        "defaults",
    ];
    const KEYS: [&str; 7] = ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"];
    for (path, options) in host.tmpfs.iter().flatten() {
        if !path.starts_with('/') || path == "/" || path.contains('\0') {
            return Err(Error::invalid(format!("invalid mount path: {path:?} mount path must be absolute")));
        }
        for option in options.split(',').filter(|option| !option.is_empty()) {
            let known = match option.split_once('=') {
                Some((key, value)) => KEYS.contains(&key) && !value.is_empty(),
                None => WORDS.contains(&option),
            };
            if !known || option.contains('\0') {
                return Err(Error::invalid(format!("invalid tmpfs option {:?}", [option])));
            }
        }
    }
    Ok(())
}

/// What may be said of a container's place on a network.
fn check_endpoints(body: &ContainerCreateBody) -> Result<()> {
    let endpoints = body.networking_config.iter().flat_map(|config| &config.endpoints_config).flatten();
    endpoints.into_iter().try_for_each(|(_, endpoint)| check_endpoint(endpoint))
}

/// Refuses what this engine doesn't have.
pub fn check_endpoint(endpoint: &EndpointSettings) -> Result<()> {
    fn filled<T>(list: &Option<Vec<T>>) -> bool {
        list.as_ref().is_some_and(|list| !list.is_empty())
    }
    let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let ipam = endpoint.ipam_config.as_ref();
    refuse(&[
        ("--ip6", ipam.is_some_and(|ipam| given(&ipam.ipv6_address))),
        ("--link-local-ip", ipam.is_some_and(|ipam| filled(&ipam.link_local_ips))),
        ("gw-priority", endpoint.gw_priority.is_some_and(|priority| priority != 0)),
        ("driver options of a network", endpoint.driver_opts.as_ref().is_some_and(|list| !list.is_empty())),
    ])
}

fn refuse(options: &[(&str, bool)]) -> Result<()> {
    match options.iter().find(|(_, asked)| *asked) {
        Some((option, _)) => Err(Error::unsupported(option)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(host: &str) -> Result<()> {
        let host: HostConfig = serde_json::from_str(host).unwrap();
        check(&ContainerCreateBody { host_config: Some(host), ..ContainerCreateBody::default() })
    }

    #[test]
    fn what_this_engine_does_not_have_is_refused_by_name() {
        let refused = [(r#"{"Links":["a:b"]}"#, "--link"), (r#"{"CgroupnsMode":"host"}"#, "--cgroupns")];
        for (host, flag) in refused {
            let error = checked(host).unwrap_err();
            assert!(error.kind == Kind::Unsupported && error.message.contains(flag), "{host}: {error}");
        }
    }

    #[test]
    fn what_asks_for_nothing_is_no_reason_to_refuse() {
        checked("{}").unwrap();
        checked(
            r#"{"Privileged":false,"PortBindings":{},"RestartPolicy":{"Name":"no"},"PidMode":"","Devices":[],
                "MemorySwappiness":-1,"LogConfig":{"Type":"","Config":{}},"CgroupnsMode":"private",
                "SecurityOpt":["no-new-privileges"],"Isolation":"default","NetworkMode":"none"}"#,
        )
        .unwrap();
    }
}
