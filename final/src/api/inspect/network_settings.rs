//! `NetworkSettings`: a container's networks, addresses and ports.

use std::collections::{BTreeMap, HashMap};

use lifecycle::record::Record;
use network::publish::{Mapping, Protocol};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::engine::Engine;
use crate::engine::config::Config;
use crate::engine::endpoints::{Endpoint, names_of};
use crate::engine::ports::shown;

/// All of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NetworkSettings {
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

/// A container's place on one network.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EndpointSettings {
    #[serde(rename = "IPAMConfig")]
    ipam_config: Option<Value>,
    links: Option<Vec<String>>,
    aliases: Option<Vec<String>>,
    mac_address: String,
    driver_opts: Option<HashMap<String, String>>,
    gw_priority: i64,
    #[serde(rename = "NetworkID")]
    network_id: String,
    #[serde(rename = "EndpointID")]
    endpoint_id: String,
    gateway: String,
    #[serde(rename = "IPAddress")]
    ip_address: String,
    #[serde(rename = "IPPrefixLen")]
    ip_prefix_len: u8,
    #[serde(rename = "IPv6Gateway")]
    ipv6_gateway: String,
    #[serde(rename = "GlobalIPv6Address")]
    global_ipv6_address: String,
    #[serde(rename = "GlobalIPv6PrefixLen")]
    global_ipv6_prefix_len: u8,
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
    let settings = |endpoint: &Endpoint| {
        let address = Address::of(endpoint);
        EndpointSettings {
            ipam_config: endpoint.wanted.map(|address| json!({ "IPv4Address": address.to_string() })),
            links: (!endpoint.links.is_empty()).then(|| endpoint.links.clone()),
            aliases: (!endpoint.aliases.is_empty()).then(|| endpoint.aliases.clone()),
            // While it doesn't run, the one that was asked for.
            mac_address: endpoint.mac.or(endpoint.wanted_mac).map(mac_text).unwrap_or_default(),
            driver_opts: None,
            gw_priority: 0,
            network_id: endpoint.network.clone(),
            endpoint_id: address.endpoint_id,
            gateway: address.gateway,
            ip_address: address.ip_address,
            ip_prefix_len: address.ip_prefix_len,
            ipv6_gateway: address.ipv6_gateway,
            global_ipv6_address: address.global_ipv6_address,
            global_ipv6_prefix_len: address.global_ipv6_prefix_len,
            dns_names: named(endpoint).then(|| names_of(record, endpoint)),
        }
    };
    all.iter().map(|(name, endpoint)| (name.clone(), settings(endpoint))).collect()
}

impl NetworkSettings {
    /// As it is now.
    pub fn of(engine: &Engine, record: &Record<Config>) -> NetworkSettings {
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
