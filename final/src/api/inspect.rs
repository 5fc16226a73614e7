//! `GET /containers/{id}/json`: everything there is to know of a container.
//!
//! Structs of our own, because clients read fields that are gone from newer descriptions of the API
//! (`NetworkSettings.IPAddress`), and because dockerd writes a null where others leave a field out.

use std::collections::{BTreeMap, HashMap};

use bollard_stubs::models::HealthConfig;
use images::usage;
use lifecycle::record::{Record, Status};
use network::publish::{Mapping, Protocol};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::times::NEVER;
use crate::engine::Engine;
use crate::engine::config::{Config, MountPoint};
use crate::engine::containers::Container;
use crate::engine::endpoints::{Endpoint, names_of};
use crate::engine::files::hostname;
use crate::engine::health::Health;
use crate::engine::ports::shown;

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Inspect {
    id: String,
    created: String,
    path: String,
    args: Vec<String>,
    state: InspectState,
    image: String,
    resolv_conf_path: String,
    hostname_path: String,
    hosts_path: String,
    log_path: String,
    name: String,
    restart_count: u32,
    driver: &'static str,
    platform: &'static str,
    mount_label: &'static str,
    process_label: &'static str,
    app_armor_profile: &'static str,
    #[serde(rename = "ExecIDs")]
    exec_ids: Option<Vec<String>>,
    host_config: Value,
    graph_driver: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_rw: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_root_fs: Option<u64>,
    mounts: Vec<Value>,
    config: InspectConfig,
    network_settings: NetworkSettings,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct InspectState {
    status: &'static str,
    running: bool,
    paused: bool,
    restarting: bool,
    #[serde(rename = "OOMKilled")]
    oom_killed: bool,
    dead: bool,
    pid: i32,
    exit_code: i32,
    error: String,
    started_at: String,
    finished_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<Health>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct InspectConfig {
    hostname: String,
    domainname: String,
    user: String,
    attach_stdin: bool,
    attach_stdout: bool,
    attach_stderr: bool,
    #[serde(skip_serializing_if = "Value::is_null")]
    exposed_ports: Value,
    tty: bool,
    open_stdin: bool,
    stdin_once: bool,
    env: Vec<String>,
    cmd: Option<Vec<String>>,
    image: String,
    volumes: Value,
    working_dir: String,
    entrypoint: Option<Vec<String>>,
    on_build: Option<Vec<String>>,
    labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_signal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_timeout: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    healthcheck: Option<HealthConfig>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    bridge: &'static str,
    #[serde(rename = "SandboxID")]
    sandbox_id: String,
    sandbox_key: String,
    ports: Map<String, Value>,
    hairpin_mode: bool,
    #[serde(rename = "LinkLocalIPv6Address")]
    link_local_ipv6_address: &'static str,
    #[serde(rename = "LinkLocalIPv6PrefixLen")]
    link_local_ipv6_prefix_len: u8,
    #[serde(rename = "SecondaryIPAddresses")]
    secondary_ip_addresses: Option<Vec<String>>,
    #[serde(rename = "SecondaryIPv6Addresses")]
    secondary_ipv6_addresses: Option<Vec<String>>,
    /// The old fields, which show the network `bridge` as if it were the only one.
    #[serde(flatten)]
    first: Address,
    networks: BTreeMap<String, EndpointSettings>,
}

#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Address {
    #[serde(rename = "EndpointID")]
    endpoint_id: String,
    gateway: String,
    #[serde(rename = "GlobalIPv6Address")]
    global_ipv6_address: String,
    #[serde(rename = "GlobalIPv6PrefixLen")]
    global_ipv6_prefix_len: u8,
    #[serde(rename = "IPAddress")]
    ip_address: String,
    #[serde(rename = "IPPrefixLen")]
    ip_prefix_len: u8,
    #[serde(rename = "IPv6Gateway")]
    ipv6_gateway: String,
    mac_address: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EndpointSettings {
    #[serde(rename = "IPAMConfig")]
    ipam_config: Option<Value>,
    links: Option<Vec<String>>,
    aliases: Option<Vec<String>>,
    driver_opts: Option<HashMap<String, String>>,
    gw_priority: i64,
    #[serde(rename = "NetworkID")]
    network_id: String,
    #[serde(flatten)]
    address: Address,
    #[serde(rename = "DNSNames")]
    dns_names: Option<Vec<String>>,
}

impl Address {
    fn of(endpoint: &Endpoint) -> Address {
        Address {
            endpoint_id: endpoint.id.clone(),
            gateway: endpoint.gateway.map(|gateway| gateway.to_string()).unwrap_or_default(),
            ip_address: endpoint.address.map(|address| address.addr().to_string()).unwrap_or_default(),
            ip_prefix_len: endpoint.address.map(|address| address.prefix_len()).unwrap_or_default(),
            mac_address: endpoint.mac.map(mac_text).unwrap_or_default(),
            ..Address::default()
        }
    }
}

/// `02:42:ac:1d:00:02`.
pub fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// The networks of a container as Docker shows them.
pub fn endpoints(engine: &Engine, record: &Record<Config>) -> BTreeMap<String, EndpointSettings> {
    let config = &record.config;
    let all = &config.networks;
    let named = |endpoint: &Endpoint| {
        engine.networks.find(&endpoint.network).is_ok_and(|network| network.has_names())
    };
    let settings = |endpoint: &Endpoint| EndpointSettings {
        ipam_config: endpoint.wanted.map(|address| json!({ "IPv4Address": address.to_string() })),
        links: None,
        aliases: (!endpoint.aliases.is_empty()).then(|| endpoint.aliases.clone()),
        driver_opts: None,
        gw_priority: 0,
        network_id: endpoint.network.clone(),
        address: Address::of(endpoint),
        dns_names: named(endpoint).then(|| names_of(record, endpoint)),
    };
    all.iter().map(|(name, endpoint)| (name.clone(), settings(endpoint))).collect()
}

/// A container as `docker inspect` shows it.
pub fn inspect(engine: &Engine, container: &Container, size: bool) -> Inspect {
    let record = container.record();
    let config = &record.config;
    let file = |name: &str| container.folder.join(name).display().to_string();
    let mut command = config.command().into_iter();
    let execs = engine.execs.of(&record.id);
    let size_rw = size.then(|| usage(&container.folder.join("upper")));
    let image_size = || engine.images.find(&config.image_id).map_or(0, |image| image.size);
    Inspect {
        id: record.id.clone(),
        created: record.created_at.clone(),
        path: command.next().unwrap_or_default(),
        args: command.collect(),
        state: state(&record, container.health.get()),
        image: config.image_id.clone(),
        resolv_conf_path: file("resolv.conf"),
        hostname_path: file("hostname"),
        hosts_path: file("hosts"),
        log_path: file("log.json"),
        name: format!("/{}", record.name),
        restart_count: config.restarts.count,
        driver: "overlay2",
        platform: "linux",
        mount_label: "",
        process_label: "",
        app_armor_profile: "",
        exec_ids: (!execs.is_empty()).then_some(execs),
        host_config: host_config(config),
        graph_driver: graph_driver(container, config),
        size_rw,
        size_root_fs: size_rw.map(|size| size + image_size()),
        mounts: config.mounts.iter().map(mount_point).collect(),
        config: inspect_config(&record),
        network_settings: network_settings(engine, &record),
    }
}

fn state(record: &Record<Config>, health: Option<Health>) -> InspectState {
    let state = &record.state;
    InspectState {
        status: state.status.word(),
        running: matches!(state.status, Status::Running | Status::Paused | Status::Restarting),
        paused: state.status == Status::Paused,
        restarting: state.status == Status::Restarting,
        oom_killed: state.oom_killed,
        dead: state.status == Status::Dead,
        pid: state.process.map_or(0, |process| process.pid),
        exit_code: state.exit_code,
        error: state.error.clone(),
        started_at: state.started_at.clone().unwrap_or_else(|| NEVER.to_owned()),
        finished_at: state.finished_at.clone().unwrap_or_else(|| NEVER.to_owned()),
        health,
    }
}

fn inspect_config(record: &Record<Config>) -> InspectConfig {
    let config = &record.config;
    let body = &config.body;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let keys = |list: &Option<Vec<String>>| match list {
        Some(list) if !list.is_empty() => {
            Value::Object(list.iter().map(|key| (key.clone(), json!({}))).collect())
        }
        _ => Value::Null,
    };
    InspectConfig {
        hostname: hostname(record),
        domainname: text(&body.domainname),
        user: text(&body.user),
        attach_stdin: body.attach_stdin == Some(true),
        attach_stdout: body.attach_stdout == Some(true),
        attach_stderr: body.attach_stderr == Some(true),
        exposed_ports: keys(&body.exposed_ports),
        tty: config.tty(),
        open_stdin: body.open_stdin == Some(true),
        stdin_once: body.stdin_once == Some(true),
        env: body.env.clone().unwrap_or_default(),
        cmd: body.cmd.clone(),
        image: config.image.clone(),
        volumes: keys(&body.volumes),
        working_dir: text(&body.working_dir),
        entrypoint: body.entrypoint.clone(),
        on_build: body.on_build.clone(),
        labels: body.labels.clone().unwrap_or_default().into_iter().collect(),
        stop_signal: body.stop_signal.clone(),
        stop_timeout: body.stop_timeout,
        healthcheck: body.healthcheck.clone(),
    }
}

fn network_settings(engine: &Engine, record: &Record<Config>) -> NetworkSettings {
    let pid = record.state.process.map(|process| process.pid);
    NetworkSettings {
        bridge: "",
        sandbox_id: pid.map(|_| record.id.clone()).unwrap_or_default(),
        sandbox_key: pid.map(|pid| format!("/proc/{pid}/ns/net")).unwrap_or_default(),
        ports: ports(record),
        hairpin_mode: false,
        link_local_ipv6_address: "",
        link_local_ipv6_prefix_len: 0,
        secondary_ip_addresses: None,
        secondary_ipv6_addresses: None,
        first: record.config.networks.get("bridge").map(Address::of).unwrap_or_default(),
        networks: endpoints(engine, record),
    }
}

/// `{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}],"81/tcp":null}`: null for one that is only exposed.
fn ports(record: &Record<Config>) -> Map<String, Value> {
    let place =
        |port: &Mapping| json!({ "HostIp": port.address.to_string(), "HostPort": port.host.to_string() });
    let entry = |(port, protocol, published): (u16, Protocol, Vec<Mapping>)| {
        let places: Vec<Value> = published.iter().map(place).collect();
        (format!("{port}/{protocol}"), if places.is_empty() { Value::Null } else { places.into() })
    };
    shown(&record.config, record.state.status).into_iter().map(entry).collect()
}

/// A mount as tables and inspect show it.
pub fn mount_point(mount: &MountPoint) -> Value {
    let mut point = json!({
        "Type": if mount.volume.is_some() { "volume" } else { "bind" },
        "Source": mount.source,
        "Destination": mount.destination,
        "Mode": mount.mode,
        "RW": mount.writable,
        "Propagation": match mount.volume {
            Some(_) => "",
            None if mount.slave => "rslave",
            None => "rprivate",
        },
    });
    if let Some(name) = &mount.volume {
        point["Name"] = json!(name);
        point["Driver"] = json!("local");
    }
    point
}

fn graph_driver(container: &Container, config: &Config) -> Value {
    let layers: Vec<String> = config.layers.iter().rev().map(|path| path.display().to_string()).collect();
    json!({
        "Name": "overlay2",
        "Data": {
            "LowerDir": layers.join(":"),
            "MergedDir": container.folder.join("rootfs"),
            "UpperDir": container.folder.join("upper"),
            "WorkDir": container.folder.join("work"),
        },
    })
}

/// Every field of a host configuration, with what dockerd writes where nothing was asked for.
const HOST_CONFIG: &str = r#"{
    "AutoRemove": false, "Binds": null, "BlkioDeviceReadBps": [], "BlkioDeviceReadIOps": [],
    "BlkioDeviceWriteBps": [], "BlkioDeviceWriteIOps": [], "BlkioWeight": 0, "BlkioWeightDevice": [],
    "CapAdd": null, "CapDrop": null, "Cgroup": "", "CgroupParent": "", "CgroupnsMode": "private",
    "ConsoleSize": [0, 0], "ContainerIDFile": "", "CpuCount": 0, "CpuPercent": 0, "CpuPeriod": 0,
    "CpuQuota": 0, "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0, "CpuShares": 0, "CpusetCpus": "",
    "CpusetMems": "", "DeviceCgroupRules": null, "DeviceRequests": null, "Devices": [], "Dns": [],
    "DnsOptions": [], "DnsSearch": [], "ExtraHosts": null, "GroupAdd": null, "IOMaximumBandwidth": 0,
    "IOMaximumIOps": 0, "IpcMode": "private", "Isolation": "", "Links": null,
    "LogConfig": {"Config": {}, "Type": "json-file"}, "MaskedPaths": null, "Memory": 0,
    "MemoryReservation": 0, "MemorySwap": 0, "MemorySwappiness": null, "NanoCpus": 0,
    "NetworkMode": "bridge", "OomKillDisable": false, "OomScoreAdj": 0, "PidMode": "", "PidsLimit": null,
    "PortBindings": {}, "Privileged": false, "PublishAllPorts": false, "ReadonlyPaths": null,
    "ReadonlyRootfs": false, "RestartPolicy": {"MaximumRetryCount": 0, "Name": "no"}, "Runtime": "canoa",
    "SecurityOpt": null, "ShmSize": 67108864, "UTSMode": "", "Ulimits": null, "UsernsMode": "",
    "VolumeDriver": "", "VolumesFrom": null
}"#;

/// The host configuration with every field there, as dockerd writes it.
fn host_config(config: &Config) -> Value {
    let mut all: Value = serde_json::from_str(HOST_CONFIG).unwrap_or_default();
    // Where a client writes "" or 0 for "as usual", what is usual is shown.
    let usual = ["CgroupnsMode", "IpcMode", "Runtime", "ShmSize"];
    let given = serde_json::to_value(config.host()).unwrap_or_default();
    for (key, value) in given.as_object().into_iter().flatten() {
        let left_open = value.is_null() || *value == json!("") || *value == json!(0);
        if !(left_open && usual.contains(&key.as_str())) {
            all[key] = value.clone();
        }
    }
    // What clients write for "as usual".
    for (key, written) in [("MemorySwappiness", json!(-1)), ("PidsLimit", json!(0))] {
        if all[key] == written {
            all[key] = Value::Null;
        }
    }
    all["NetworkMode"] = json!(config.network_mode());
    if all["LogConfig"]["Type"].as_str().is_none_or(str::is_empty) {
        all["LogConfig"] = json!({"Config": {}, "Type": "json-file"});
    }
    // A limit on memory alone limits swap, too: to as much again.
    if let (Some(memory @ 1..), Some(0)) = (all["Memory"].as_i64(), all["MemorySwap"].as_i64()) {
        all["MemorySwap"] = json!(memory.saturating_mul(2));
    }
    all
}
