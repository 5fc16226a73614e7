//! `HostConfig`: what was asked for, with every field there.

use serde_json::{Value, json};

use crate::api::order::Ordered;
use crate::engine::config::Config;

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
pub fn host_config(config: &Config) -> Ordered {
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
    // Where nothing was said, what is masked and read-only in a container is shown.
    for (key, usual) in
        [("MaskedPaths", &rootfs::mask::MASKED[..]), ("ReadonlyPaths", &rootfs::mask::READ_ONLY)]
    {
        if all[key].is_null() && all["Privileged"] == false {
            all[key] = json!(usual);
        }
    }
    Ordered { kind: "HostConfig", value: all }
}
