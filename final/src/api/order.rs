//! The order of fields in answers.
//!
//! Docker's answers are Go's structs, whose fields have an order of their own; `docker inspect` prints
//! it, and so does `{{json .HostConfig}}`. serde_json's maps are sorted by key, which is right for Go's
//! maps. So answers that are put together as [`Value`] go out through [`Ordered`], which knows the
//! structs by the path that leads to them.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

/// An answer whose structs are written in Docker's order. Fields that aren't in the list come last.
#[derive(Debug)]
pub struct Ordered {
    /// What it is: where the paths of [`STRUCTS`] begin.
    pub kind: &'static str,
    /// The answer.
    pub value: Value,
}

/// Docker's structs. In a path a list is passed over, and `*` stands for each key of a map.
const STRUCTS: &[(&str, &str)] = &[
    (
        "HostConfig",
        "Binds ContainerIDFile LogConfig NetworkMode PortBindings RestartPolicy AutoRemove VolumeDriver \
         VolumesFrom ConsoleSize Annotations CapAdd CapDrop CgroupnsMode Dns DnsOptions DnsSearch ExtraHosts \
         GroupAdd IpcMode Cgroup Links OomScoreAdj PidMode Privileged PublishAllPorts ReadonlyRootfs \
         SecurityOpt StorageOpt Tmpfs UTSMode UsernsMode ShmSize Sysctls Runtime Isolation CpuShares Memory \
         NanoCpus CgroupParent BlkioWeight BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps \
         BlkioDeviceReadIOps BlkioDeviceWriteIOps CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime \
         CpusetCpus CpusetMems Devices DeviceCgroupRules DeviceRequests MemoryReservation MemorySwap \
         MemorySwappiness OomKillDisable PidsLimit Ulimits CpuCount CpuPercent IOMaximumIOps \
         IOMaximumBandwidth Mounts MaskedPaths ReadonlyPaths Init",
    ),
    ("HostConfig.LogConfig", "Type Config"),
    ("HostConfig.RestartPolicy", "Name MaximumRetryCount"),
    ("HostConfig.PortBindings.*", "HostIp HostPort"),
    ("HostConfig.Devices", "PathOnHost PathInContainer CgroupPermissions"),
    ("HostConfig.DeviceRequests", "Driver Count DeviceIDs Capabilities Options"),
    ("HostConfig.Ulimits", "Name Hard Soft"),
    (
        "HostConfig.Mounts",
        "Type Source Target ReadOnly Consistency BindOptions VolumeOptions ImageOptions TmpfsOptions",
    ),
    (
        "HostConfig.Mounts.BindOptions",
        "Propagation NonRecursive CreateMountpoint ReadOnlyNonRecursive ReadOnlyForceRecursive",
    ),
    ("HostConfig.Mounts.VolumeOptions", "NoCopy Labels Subpath DriverConfig"),
    ("HostConfig.Mounts.VolumeOptions.DriverConfig", "Name Options"),
    ("HostConfig.Mounts.TmpfsOptions", "SizeBytes Mode Options"),
    (
        "Image",
        "Id RepoTags RepoDigests Parent Comment Created DockerVersion Author Config Architecture Variant Os \
         OsVersion Size VirtualSize GraphDriver RootFS Metadata",
    ),
    (
        "Image.Config",
        "Hostname Domainname User AttachStdin AttachStdout AttachStderr ExposedPorts Tty OpenStdin StdinOnce \
         Env Cmd Healthcheck ArgsEscaped Image Volumes WorkingDir Entrypoint OnBuild Labels StopSignal \
         StopTimeout Shell",
    ),
    ("Image.Config.Healthcheck", "Test Interval Timeout StartPeriod StartInterval Retries"),
    ("Image.GraphDriver", "Data Name"),
    ("Image.RootFS", "Type Layers"),
    (
        "Exec",
        "ID Running ExitCode ProcessConfig OpenStdin OpenStderr OpenStdout CanRemove ContainerID DetachKeys Pid",
    ),
    ("Exec.ProcessConfig", "tty entrypoint arguments privileged user"),
    (
        "Network",
        "Name Id Created Scope Driver EnableIPv4 EnableIPv6 IPAM Internal Attachable Ingress ConfigFrom \
         ConfigOnly Containers Options Labels",
    ),
    ("Network.IPAM", "Driver Options Config"),
    ("Network.IPAM.Config", "Subnet IPRange Gateway AuxiliaryAddresses"),
    ("Network.Containers.*", "Name EndpointID MacAddress IPv4Address IPv6Address"),
];

impl Serialize for Ordered {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Part { path: self.kind.to_owned(), value: &self.value }.serialize(to)
    }
}

/// A part of an answer, and how one comes to it.
struct Part<'a> {
    path: String,
    value: &'a Value,
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Array(items) => {
                to.collect_seq(items.iter().map(|value| Part { path: self.path.clone(), value }))
            }
            Value::Object(fields) => self.object(fields, to),
            other => other.serialize(to),
        }
    }
}

impl Part<'_> {
    fn object<S: Serializer>(&self, fields: &Map<String, Value>, to: S) -> Result<S::Ok, S::Error> {
        let known = STRUCTS.iter().find(|(path, _)| *path == self.path);
        let order: Vec<&str> = known.map(|(_, order)| order.split(' ').collect()).unwrap_or_default();
        let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
        // Stable: what has no place stays in the order of its keys.
        sorted.sort_by_key(|(key, _)| order.iter().position(|name| name == key).unwrap_or(order.len()));
        let mut map = to.serialize_map(Some(fields.len()))?;
        for (key, value) in sorted {
            let step = if known.is_some() { key } else { "*" };
            map.serialize_entry(key, &Part { path: format!("{}.{step}", self.path), value })?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn structs_have_dockers_order_and_maps_are_sorted() {
        let value = json!({
            "Zz": 1, "Aa": 2, "Labels": {"b": 1, "a": 2}, "Name": "n", "Id": "i",
            "Containers": {"c": {"MacAddress": "m", "Name": "n", "EndpointID": "e"}},
            "IPAM": {"Config": [{"Gateway": "g", "Subnet": "s"}], "Driver": "d"},
        });
        let expected = r#"{"Name":"n","Id":"i","IPAM":{"Driver":"d","Config":[{"Subnet":"s","Gateway":"g"}]},"Containers":{"c":{"Name":"n","EndpointID":"e","MacAddress":"m"}},"Labels":{"a":2,"b":1},"Aa":2,"Zz":1}"#;
        assert_eq!(serde_json::to_string(&Ordered { kind: "Network", value }).unwrap(), expected);
    }
}
