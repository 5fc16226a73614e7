//! Networks: which there are, and what of them is in the kernel.
//!
//! The engine decides (bridge, subnet), with lesson 5's tools. A bridge is made when the first
//! container needs it, or when somebody makes a network, not when the engine starts: a machine that
//! runs none is left as it is. Who is on which network is in `endpoints.rs`.

mod choose;
mod kernel;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ipnet::Ipv4Net;
use lifecycle::record::{new_id, now, replace};
use network::{Addresses, Bridge, Zone};
use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::{Engine, Settings, names};

/// The nftables table that is ours.
pub const TABLE: &str = "canoa";

/// Whether a network's containers get out (`-o`); `choose.rs` has the other options.
const MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";

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
    /// As it was given: whoever has no swarm may attach containers to any network.
    #[serde(default)]
    pub attachable: bool,
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
    /// `--attachable`
    pub attachable: bool,
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
        network.range =
            wanted.range.as_deref().map(|text| choose::parse_range(text, &network)).transpose()?;
        network.name.clone_from(&wanted.name);
        network.internal = wanted.internal;
        network.attachable = wanted.attachable;
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
