//! Networks: which there are, and what of them is in the kernel.
//!
//! The engine decides (bridge, subnet), with lesson 5's tools. A bridge is made when the first
//! container needs it, or when somebody makes a network, not when the engine starts: a machine that
//! runs none is left as it is. Who is on which network is in `endpoints.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ipnet::Ipv4Net;
use lifecycle::record::{new_id, now, replace};
use network::{Addresses, Bridge, Zone, forwarding, isolation, nat, subnet};
use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::{Engine, Settings, names};

/// The nftables table that is ours.
pub const TABLE: &str = "canoa";

/// Options of a network that are understood (`-o`).
const BRIDGE_NAME: &str = "com.docker.network.bridge.name";
const MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";
const TALK: &str = "com.docker.network.bridge.enable_icc";

/// One network: `networks/ID/network.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Network {
    /// The format of the file.
    pub version: u32,
    /// 64 hexadecimal digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// `bridge`, `host` or `null`.
    pub driver: String,
    /// When it was made.
    pub created_at: String,
    /// Its bridge; that of the network `bridge` is chosen at its first use.
    pub bridge: Option<Bridge>,
    /// Whether somebody has chosen the subnet: then containers may have addresses of their choice.
    #[serde(default)]
    pub chosen: bool,
    /// Where containers' addresses are taken from, if not from the whole subnet.
    #[serde(default)]
    pub range: Option<Ipv4Net>,
    /// Whether nothing leads out of it.
    #[serde(default)]
    pub internal: bool,
    /// As they were given.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// As they were given.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// What somebody wants who makes a network. What is left out is chosen.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// `bridge` or nothing.
    pub driver: String,
    /// `--subnet`
    pub subnet: Option<String>,
    /// `--gateway`
    pub gateway: Option<String>,
    /// `--ip-range`
    pub range: Option<String>,
    /// `--internal`
    pub internal: bool,
    /// `-o`
    pub options: BTreeMap<String, String>,
    /// `--label`
    pub labels: BTreeMap<String, String>,
}

impl Network {
    /// Whether it is one of the three that are always there.
    pub fn is_predefined(&self) -> bool {
        ["bridge", "host", "none"].contains(&self.name.as_str())
    }

    /// Whether containers on it are known by name: on people's own networks, as Docker has it.
    pub fn has_names(&self) -> bool {
        self.driver == "bridge" && !self.is_predefined()
    }
}

/// All networks.
#[derive(Debug)]
pub struct Networks {
    root: PathBuf,
    all: Mutex<BTreeMap<String, Network>>,
    /// Bridges whose rules and forwarding this engine has seen to since its start.
    ready: Mutex<Vec<String>>,
    /// Held by whoever makes or removes a network, takes an address or writes down names: so that no
    /// network is removed under somebody who is just coming.
    changing: Mutex<()>,
}

impl Networks {
    /// Reads the networks below the data root; the three that are always there are made if missing.
    pub fn open(data_root: &Path) -> Result<Networks> {
        let root = data_root.join("networks");
        let io = |doing: &str, error| Error::internal(format!("{doing} {}", root.display()), error);
        fs::create_dir_all(&root).map_err(|error| io("creating", error))?;
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(&root).map_err(|error| io("reading", error))?.flatten() {
            let path = entry.path().join("network.json");
            let Ok(text) = fs::read(&path) else { continue };
            let network: Network = serde_json::from_slice(&text)
                .map_err(|error| Error::internal(format!("reading {}", path.display()), error))?;
            all.insert(network.name.clone(), network);
        }
        let (all, ready, changing) = (Mutex::new(all), Mutex::default(), Mutex::default());
        let networks = Networks { root, all, ready, changing };
        for (name, driver) in [("bridge", "bridge"), ("host", "host"), ("none", "null")] {
            if networks.find(name).is_err() {
                networks.save(Network { name: name.into(), driver: driver.into(), ..Network::fresh()? })?;
            }
        }
        Ok(networks)
    }

    /// All of them, by name.
    pub fn all(&self) -> Vec<Network> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The network of this name, id, or beginning of an id.
    pub fn find(&self, name: &str) -> Result<Network> {
        let all = self.all();
        if let Some(network) = all.iter().find(|network| network.name == name || network.id == name) {
            return Ok(network.clone());
        }
        let mut begins = all.iter().filter(|network| !name.is_empty() && network.id.starts_with(name));
        match (begins.next(), begins.next()) {
            (Some(network), None) => Ok(network.clone()),
            (None, _) => Err(Error::not_found(format!("network {name} not found"))),
            _ => Err(Error::invalid(format!("network {name} is ambiguous: give more digits of its id"))),
        }
    }

    /// Makes a network, with its bridge.
    ///
    /// # Errors
    /// The name is taken, an option isn't known, the addresses make no sense or are in use. Nothing is
    /// left then.
    pub fn create(&self, engine: &Engine, wanted: &Wanted) -> Result<Network> {
        names::check("network", &wanted.name)?;
        match wanted.driver.as_str() {
            "" | "bridge" | "default" => {}
            "host" | "null" | "none" => {
                let driver = &wanted.driver;
                return Err(Error::forbidden(format!(
                    "only one instance of \"{driver}\" network is allowed"
                )));
            }
            other => {
                return Err(Error::not_found(format!(
                    "could not find plugin {other} in v1 plugin registry: plugin not found"
                )));
            }
        }
        let _changing = self.changing();
        if self.all().iter().any(|network| network.name == wanted.name) {
            return Err(Error::conflict(format!("network with name {} already exists", wanted.name)));
        }
        let mut network = Network { driver: "bridge".into(), ..Network::fresh()? };
        network.bridge = Some(self.choose(&engine.settings, wanted, &network.id)?);
        network.chosen = wanted.subnet.is_some();
        network.range = wanted.range.as_deref().map(|text| parse_range(text, &network)).transpose()?;
        network.name.clone_from(&wanted.name);
        network.internal = wanted.internal;
        network.options.clone_from(&wanted.options);
        network.labels.clone_from(&wanted.labels);
        self.save(network.clone())?;
        if let Err(error) = self.bridge(&engine.settings, &network) {
            let _ = self.forget(&engine.settings, &network);
            return Err(error);
        }
        engine.events.of_network("create", &network);
        Ok(network)
    }

    /// Removes a network that nobody is on.
    ///
    /// # Errors
    /// It is always there, or containers that run are on it.
    pub fn remove(&self, engine: &Engine, network: &Network) -> Result<()> {
        if network.is_predefined() {
            let why = format!("{} is a pre-defined network and cannot be removed", network.name);
            return Err(Error::forbidden(why));
        }
        let _changing = self.changing();
        let users = self.users(network)?;
        if !users.is_empty() {
            let named = |id: &String| match engine.containers.find(id) {
                Ok(container) => format!("name:\"{}\" id:\"{}\"", container.name(), &id[..12]),
                Err(_) => format!("id:\"{id}\""),
            };
            let users = users.iter().map(named).collect::<Vec<_>>().join(", ");
            return Err(Error::forbidden(format!(
                "error while removing network: network {} id {} has active endpoints ({users})",
                network.name, network.id
            )));
        }
        self.forget(&engine.settings, network)?;
        engine.events.of_network("destroy", network);
        Ok(())
    }

    /// The containers that are on a network just now: who has an address is.
    pub fn users(&self, network: &Network) -> Result<Vec<String>> {
        Ok(match self.addresses(network)? {
            Some(addresses) => addresses.owners()?.into_values().collect(),
            None => vec![],
        })
    }

    /// Frees the addresses of containers that are no more.
    pub fn reconcile(&self, lives: impl Fn(&str) -> bool) -> Result<()> {
        for network in self.all() {
            if let Some(addresses) = self.addresses(&network)? {
                addresses.reconcile(&lives)?;
            }
        }
        Ok(())
    }

    /// Leaves the host's network as it was found: no bridge, no rule, no switch of ours.
    pub fn take_down(&self, settings: &Settings) -> Result<()> {
        let noted = self.root.join("forwarding.json");
        let before = fs::read(&noted).ok().and_then(|text| serde_json::from_slice(&text).ok());
        for network in self.all() {
            self.unmake(settings, &network)?;
        }
        in_netns(settings, || before.as_ref().map_or(Ok(()), forwarding::restore))?;
        let _ = fs::remove_file(noted);
        Ok(())
    }

    /// The network for a container's name server: its file of names, which doesn't exist where
    /// containers aren't known by name.
    pub fn zone(&self, network: &Network) -> Zone {
        let (name, file) = (network.name.clone(), self.root.join(&network.id).join("names"));
        Zone { name, file, leads_out: !network.internal }
    }

    /// Held while networks, leases and names change.
    pub(super) fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses of a network, if it has chosen its subnet.
    pub(super) fn addresses(&self, network: &Network) -> Result<Option<Addresses>> {
        let Some(bridge) = &network.bridge else { return Ok(None) };
        let folder = self.root.join(&network.id).join("leases");
        let addresses = Addresses::open(&folder, bridge.gateway.trunc(), bridge.gateway.addr())?;
        Ok(Some(match network.range {
            Some(range) => addresses.within(range),
            None => addresses,
        }))
    }

    /// The network with its bridge there and in order.
    pub(super) fn bridge(&self, settings: &Settings, network: &Network) -> Result<(Network, Bridge)> {
        // One at a time: two first containers must not choose two subnets.
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let mut network = self.find(&network.id)?;
        let bridge = match network.bridge.clone() {
            Some(bridge) => bridge,
            None => {
                let bridge = with_first_address("canoa0".to_owned(), self.free_subnet(settings)?)?;
                network.bridge = Some(bridge.clone());
                self.save(network.clone())?;
                bridge
            }
        };
        let first = !ready.contains(&network.id);
        let changed = in_netns(settings, || {
            bridge.ensure()?;
            if !first {
                return Ok(None);
            }
            isolation::ensure(TABLE, &bridge, network.internal)?;
            if network.internal {
                return Ok(None);
            }
            if network.options.get(MASQUERADE).is_none_or(|value| value == "true") {
                nat::ensure(TABLE, &bridge)?;
            }
            if let Some(chain) = nat::forward_is_blocked()? {
                tracing::warn!("containers may not get out: {chain}: allow what comes from {}", bridge.name);
            }
            forwarding::enable()
        })?;
        if let Some(before) = changed {
            tracing::info!("IPv4 forwarding was off and is on now: \"canoa system stop\" restores it");
            let noted = self.root.join("forwarding.json");
            let text = serde_json::to_vec(&before).unwrap_or_default();
            replace(&noted, &text, false)
                .map_err(|error| Error::internal(format!("writing {}", noted.display()), error))?;
        }
        if first {
            ready.push(network.id.clone());
        }
        Ok((network, bridge))
    }

    /// Chooses what of bridge and subnet wasn't given, and checks what was.
    fn choose(&self, settings: &Settings, wanted: &Wanted, id: &str) -> Result<Bridge> {
        let mut name = format!("br-{}", &id[..12]);
        for (key, value) in &wanted.options {
            match (key.as_str(), value.as_str()) {
                (BRIDGE_NAME, value) => value.clone_into(&mut name),
                (MASQUERADE, "true" | "false") | (TALK, "true") => {}
                _ => return Err(Error::unsupported(format!("the network option {key}={value} (-o)"))),
            }
        }
        if self.all().iter().any(|one| one.bridge.as_ref().is_some_and(|bridge| bridge.name == name)) {
            return Err(Error::forbidden(format!("another network has the bridge {name} already")));
        }
        let Some(text) = &wanted.subnet else {
            if wanted.gateway.is_some() || wanted.range.is_some() {
                return Err(Error::invalid("a gateway or a range without a subnet (--subnet)"));
            }
            return with_first_address(name, self.free_subnet(settings)?);
        };
        let subnet = parse_subnet(text)?;
        if self.subnets().iter().any(|other| meet(other, &subnet)) {
            return Err(Error::forbidden(
                "invalid pool request: Pool overlaps with other one on this address space",
            ));
        }
        if in_netns(settings, || subnet::route_in_use(subnet))? {
            return Err(Error::forbidden(format!(
                "{subnet} overlaps with a route of this machine, which would be hidden (ip route): \
                 name another subnet, or none"
            )));
        }
        let Some(text) = &wanted.gateway else { return with_first_address(name, subnet) };
        let gateway = text.parse().map_err(|_| Error::invalid(format!("invalid gateway {text:?}")))?;
        if !subnet.contains(&gateway) || [subnet.network(), subnet.broadcast()].contains(&gateway) {
            return Err(Error::invalid(format!("no matching subnet for gateway {gateway}")));
        }
        Ok(Bridge { name, gateway: with_length(gateway, subnet)? })
    }

    /// One that is neither the host's nor another network's.
    fn free_subnet(&self, settings: &Settings) -> Result<Ipv4Net> {
        let ours = self.subnets();
        let mut candidates = subnet::candidates();
        candidates.retain(|candidate| !ours.iter().any(|other| meet(other, candidate)));
        in_netns(settings, || subnet::choose_subnet(&candidates))
    }

    fn subnets(&self) -> Vec<Ipv4Net> {
        self.all().into_iter().filter_map(|network| Some(network.bridge?.gateway.trunc())).collect()
    }

    /// Takes what is in the kernel of a network away.
    fn unmake(&self, settings: &Settings, network: &Network) -> Result<()> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bridge) = &network.bridge {
            in_netns(settings, || {
                // The bridge first: it looks whether it is really ours, and not another engine's.
                bridge.remove()?;
                nat::remove(TABLE, bridge)?;
                isolation::remove(TABLE, bridge)
            })?;
        }
        ready.retain(|id| *id != network.id);
        Ok(())
    }

    fn forget(&self, settings: &Settings, network: &Network) -> Result<()> {
        self.unmake(settings, network)?;
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&network.name);
        let folder = self.root.join(&network.id);
        // First what makes it a network: half a folder without it is swept by nobody's harm.
        let _ = fs::remove_file(folder.join("network.json"));
        fs::remove_dir_all(&folder)
            .map_err(|error| Error::internal(format!("removing {}", folder.display()), error))
    }

    fn save(&self, network: Network) -> Result<()> {
        let folder = self.root.join(&network.id);
        let failed = |error| Error::internal(format!("writing {}", folder.display()), error);
        fs::create_dir_all(&folder).map_err(failed)?;
        let text =
            serde_json::to_vec_pretty(&network).map_err(|error| Error::internal("writing JSON", error))?;
        replace(&folder.join("network.json"), &text, false)?;
        self.all.lock().unwrap_or_else(PoisonError::into_inner).insert(network.name.clone(), network);
        Ok(())
    }
}

impl Network {
    fn fresh() -> Result<Network> {
        let id = new_id().map_err(|error| Error::internal("drawing an id", error))?;
        Ok(Network { version: 1, id, created_at: now(), ..Network::default() })
    }
}

fn parse_subnet(text: &str) -> Result<Ipv4Net> {
    let invalid = |why: &str| Error::invalid(format!("invalid subnet {text}: {why}"));
    let subnet: Ipv4Net = text.parse().map_err(|_| match text.contains(':') {
        true => Error::unsupported("an IPv6 subnet"),
        false => invalid("write address/length, such as 10.5.0.0/24"),
    })?;
    if subnet.trunc() != subnet {
        return Err(invalid(&format!("it should be {}", subnet.trunc())));
    }
    let first = subnet.network();
    if !(8..=30).contains(&subnet.prefix_len())
        || first.is_loopback()
        || first.is_multicast()
        || first.is_unspecified()
    {
        return Err(invalid("there is no room in it for containers"));
    }
    Ok(subnet)
}

fn parse_range(text: &str, network: &Network) -> Result<Ipv4Net> {
    let range: Ipv4Net = text
        .parse()
        .map_err(|_| Error::invalid(format!("invalid ip-range {text:?}: write 10.5.0.128/25")))?;
    match network.bridge.as_ref().is_some_and(|bridge| bridge.gateway.trunc().contains(&range.trunc())) {
        true => Ok(range.trunc()),
        false => Err(Error::invalid(format!("no matching subnet for range {text}"))),
    }
}

fn with_first_address(name: String, subnet: Ipv4Net) -> Result<Bridge> {
    let first = subnet.hosts().next().unwrap_or(subnet.addr());
    Ok(Bridge { name, gateway: with_length(first, subnet)? })
}

fn with_length(address: std::net::Ipv4Addr, subnet: Ipv4Net) -> Result<Ipv4Net> {
    Ipv4Net::new(address, subnet.prefix_len()).map_err(|error| Error::internal("choosing a subnet", error))
}

fn meet(one: &Ipv4Net, other: &Ipv4Net) -> bool {
    one.contains(&other.network()) || other.contains(&one.network())
}

/// Does something in the network namespace in which the bridges are.
pub(super) fn in_netns<T: Send>(
    settings: &Settings,
    action: impl FnOnce() -> namespaces::Result<T> + Send,
) -> Result<T> {
    Ok(match &settings.netns {
        Some(netns) => network::namespace::in_namespace(netns.as_fd(), action)?,
        None => action()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_that_is_none_is_named() {
        assert_eq!(parse_subnet("10.5.0.0/24").unwrap().to_string(), "10.5.0.0/24");
        let texts = ["", "10.5.0.0", "10.5.0.0/33", "10.5.0.1/24", "10.5.0.0/31", "127.0.0.0/8", "x/24"];
        for text in texts.into_iter().chain(["224.0.0.0/8", "0.0.0.0/0", "10.5.0.0/-1", "10.5.0.0/24/8"]) {
            let error = parse_subnet(text).unwrap_err().message;
            assert!(error.contains(&format!("invalid subnet {text}")), "{error}");
        }
        assert!(parse_subnet("fd00::/64").unwrap_err().message.contains("IPv6"));
    }

    #[test]
    fn a_range_lies_in_its_subnet() {
        let bridge = with_first_address("br".into(), "10.5.0.0/24".parse().unwrap()).unwrap();
        let network = Network { bridge: Some(bridge), ..Network::default() };
        assert_eq!(parse_range("10.5.0.129/25", &network).unwrap().to_string(), "10.5.0.128/25");
        for text in ["10.5.0.0/16", "10.6.0.0/25", "10.5.0.0", "y"] {
            parse_range(text, &network).unwrap_err();
        }
    }
}
