//! Networks: which there are, and who has which address.
//!
//! The engine decides (bridge, subnet, address, MAC), with lesson 5's tools; the monitor lays the
//! cable. A bridge is made when the first container needs it, not when the engine starts: a machine
//! that runs none is left as it is.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::Ipv4Net;
use lifecycle::record::{new_id, now, replace};
use network::{Addresses, Bridge, bridge, forwarding, nat, subnet};
use serde::{Deserialize, Serialize};

use super::containers::Container;
use super::error::{Error, Result, blocking};
use super::{Engine, Settings};

/// The nftables table that is ours.
const TABLE: &str = "canoa";

/// One network: `networks/ID/network.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Its bridge, chosen at its first use.
    pub bridge: Option<Bridge>,
}

/// A container's place on a network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Endpoint {
    /// The network's id.
    pub network: String,
    /// This place's own id, new for each run; empty while it doesn't run.
    pub id: String,
    /// Its address with the subnet's prefix.
    pub address: Option<Ipv4Net>,
    /// The way out.
    pub gateway: Option<Ipv4Addr>,
    /// Its hardware address.
    pub mac: Option<[u8; 6]>,
}

/// All networks.
#[derive(Debug)]
pub struct Networks {
    root: PathBuf,
    all: Mutex<BTreeMap<String, Network>>,
    /// Bridges whose NAT and forwarding this engine has seen to since its start.
    ready: Mutex<Vec<String>>,
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
        let networks = Networks { root, all: Mutex::new(all), ready: Mutex::default() };
        for (name, driver) in [("bridge", "bridge"), ("host", "host"), ("none", "null")] {
            if networks.find(name).is_err() {
                let id = new_id().map_err(|error| Error::internal("drawing an id", error))?;
                let (name, driver) = (name.to_owned(), driver.to_owned());
                networks.save(Network { version: 1, id, name, driver, created_at: now(), bridge: None })?;
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

    /// Gives a container that is about to start its place on its network.
    pub async fn connect(&self, engine: &Arc<Engine>, container: &Arc<Container>) -> Result<()> {
        let mode = container.with(|record| record.config.network_mode());
        let network = self.find(&mode)?;
        let (engine, container) = (engine.clone(), container.clone());
        blocking(move || {
            let mut endpoint = Endpoint { network: network.id.clone(), ..Endpoint::default() };
            if network.driver == "bridge" {
                endpoint = engine.networks.lease(&engine.settings, &network, &container.id)?;
            }
            engine.events.network("connect", &network.id, &network.name, &container.id);
            engine.containers.change(&container, |record| {
                record.config.networks = BTreeMap::from([(network.name.clone(), endpoint)]);
            })
        })
        .await
    }

    /// Takes it back. What can't be taken back now is at the engine's next start.
    pub async fn disconnect(&self, engine: &Arc<Engine>, container: &Arc<Container>) {
        let (engine, container) = (engine.clone(), container.clone());
        let done = blocking(move || {
            let mut left = Vec::new();
            container.with(|record| {
                let connected = record.config.networks.iter().filter(|(_, endpoint)| !endpoint.id.is_empty());
                left.extend(connected.map(|(name, endpoint)| (name.clone(), endpoint.network.clone())));
            });
            for (name, id) in &left {
                if let Ok(network) = engine.networks.find(id)
                    && let Some(addresses) = engine.networks.addresses(&network)?
                {
                    addresses.release(&container.id)?;
                }
                engine.events.network("disconnect", id, name, &container.id);
            }
            if left.is_empty() {
                return Ok(());
            }
            engine.containers.change(&container, |record| {
                for endpoint in record.config.networks.values_mut() {
                    *endpoint = Endpoint { network: endpoint.network.clone(), ..Endpoint::default() };
                }
            })
        });
        if let Err(error) = done.await {
            tracing::warn!("giving an address back: {error}");
        }
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
        let bridges: Vec<Bridge> = self.all().into_iter().filter_map(|network| network.bridge).collect();
        in_netns(settings, || {
            for bridge in &bridges {
                // The bridge first: it looks whether it is really ours, and not another engine's.
                bridge.remove()?;
                nat::remove(TABLE, bridge)?;
            }
            before.as_ref().map_or(Ok(()), forwarding::restore)
        })?;
        let _ = fs::remove_file(noted);
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }

    fn lease(&self, settings: &Settings, network: &Network, owner: &str) -> Result<Endpoint> {
        let bridge = self.bridge(settings, network)?;
        let addresses = self.open_addresses(network, &bridge)?;
        let address = addresses.take(owner)?;
        let subnet = Ipv4Net::new(address, bridge.gateway.prefix_len())
            .map_err(|error| Error::internal("taking an address", error))?;
        Ok(Endpoint {
            network: network.id.clone(),
            id: new_id().map_err(|error| Error::internal("drawing an id", error))?,
            address: Some(subnet),
            gateway: Some(bridge.gateway.addr()),
            mac: Some(bridge::mac_of(address)),
        })
    }

    /// The network's bridge, there and in order.
    fn bridge(&self, settings: &Settings, network: &Network) -> Result<Bridge> {
        // One at a time: two first containers must not choose two subnets.
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.find(&network.id)?;
        let bridge = match known.bridge {
            Some(bridge) => bridge,
            None => {
                let subnet = in_netns(settings, || subnet::choose_subnet(&subnet::candidates()))?;
                let gateway = subnet.hosts().next().unwrap_or(subnet.addr());
                let gateway = Ipv4Net::new(gateway, subnet.prefix_len())
                    .map_err(|error| Error::internal("choosing a subnet", error))?;
                let bridge = Bridge { name: "canoa0".to_owned(), gateway };
                self.save(Network { bridge: Some(bridge.clone()), ..known })?;
                bridge
            }
        };
        let first = !ready.contains(&network.id);
        let changed = in_netns(settings, || {
            bridge.ensure()?;
            if !first {
                return Ok(None);
            }
            nat::ensure(TABLE, &bridge)?;
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
        Ok(bridge)
    }

    fn addresses(&self, network: &Network) -> Result<Option<Addresses>> {
        network.bridge.as_ref().map(|bridge| self.open_addresses(network, bridge)).transpose()
    }

    fn open_addresses(&self, network: &Network, bridge: &Bridge) -> Result<Addresses> {
        let folder = self.root.join(&network.id).join("leases");
        Ok(Addresses::open(&folder, bridge.gateway.trunc(), bridge.gateway.addr())?)
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

fn in_netns<T: Send>(
    settings: &Settings,
    action: impl FnOnce() -> namespaces::Result<T> + Send,
) -> Result<T> {
    Ok(match &settings.netns {
        Some(netns) => network::namespace::in_namespace(netns.as_fd(), action)?,
        None => action()?,
    })
}
