//! Who is on which network: containers' addresses, and what they are called there.
//!
//! An endpoint is a container's place on a network. While the container doesn't run it is only a
//! wish (the network, aliases, perhaps an address); with each run it gets an address. A container that
//! runs may be plugged into another network, and unplugged: its monitor lays the cable.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use bollard_stubs::models::EndpointSettings;
use ipnet::Ipv4Net;
use lifecycle::record::{Record, new_id};
use network::dns::zone;
use network::{Interface, Zone, bridge};
use serde::{Deserialize, Serialize};

use super::config::Config;
use super::containers::Container;
use super::error::{Error, Result, blocking};
use super::networks::{Network, Networks};
use super::{Engine, files, monitor};
use crate::bundle::Request;

/// A container's place on a network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Endpoint {
    /// The network's id.
    pub network: String,
    /// This place's own id, new for each run; empty while it doesn't run.
    pub id: String,
    /// Its address with the subnet's prefix.
    pub address: Option<Ipv4Net>,
    /// The way out, if one leads out of the network.
    pub gateway: Option<Ipv4Addr>,
    /// Its hardware address.
    pub mac: Option<[u8; 6]>,
    /// The name of its interface inside: `eth0`.
    #[serde(default)]
    pub interface: String,
    /// What else the container is called on this network.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The address that it was asked to have (`--ip`).
    #[serde(default)]
    pub wanted: Option<Ipv4Addr>,
}

impl Endpoint {
    /// The wish alone, as it is while the container doesn't run.
    fn at_rest(&self) -> Endpoint {
        let Endpoint { network, aliases, wanted, .. } = self.clone();
        Endpoint { network, aliases, wanted, ..Endpoint::default() }
    }

    /// Reads a wish as clients write it.
    ///
    /// # Errors
    /// Something in it makes no sense on this network, or isn't there yet.
    pub fn wanted(network: &Network, settings: &EndpointSettings) -> Result<Endpoint> {
        let aliases = settings.aliases.clone().unwrap_or_default();
        if let Some(bad) = aliases.iter().find(|alias| !zone::is_name(alias)) {
            return Err(Error::invalid(format!("invalid network alias {bad:?}")));
        }
        if !aliases.is_empty() && !network.has_names() {
            return Err(Error::invalid(
                "network-scoped alias is supported only for containers in user defined networks",
            ));
        }
        let ip = settings.ipam_config.as_ref().and_then(|ipam| ipam.ipv4_address.as_deref());
        let wanted = ip.filter(|text| !text.is_empty()).map(|text| {
            text.parse::<Ipv4Addr>().map_err(|_| Error::invalid(format!("invalid IPv4 address: {text}")))
        });
        let wanted = wanted.transpose()?;
        if wanted.is_some() && !network.has_names() {
            return Err(Error::invalid(
                "user specified IP address is supported on user defined networks only",
            ));
        }
        if wanted.is_some() && !network.chosen {
            return Err(Error::invalid(
                "user specified IP address is supported only when connecting to networks with user \
                 configured subnets",
            ));
        }
        Ok(Endpoint { network: network.id.clone(), aliases, wanted, ..Endpoint::default() })
    }
}

/// The network whose gateway is the way out: the first by name of those that lead out.
pub fn way_out(networks: &BTreeMap<String, Endpoint>) -> Option<(&str, &Endpoint)> {
    let out = networks.iter().find(|(_, endpoint)| !endpoint.id.is_empty() && endpoint.gateway.is_some());
    out.map(|(name, endpoint)| (name.as_str(), endpoint))
}

/// What a container is called on a network, its name first.
pub fn names_of(record: &Record<Config>, endpoint: &Endpoint) -> Vec<String> {
    let mut all = vec![record.name.clone()];
    all.extend(endpoint.aliases.iter().cloned());
    all.push(record.id[..12].to_owned());
    all.push(files::hostname(record));
    let mut seen = std::collections::HashSet::new();
    all.retain(|name| zone::is_name(name) && seen.insert(name.clone()));
    all
}

impl Networks {
    /// The networks of a container for its name server; none, if it is on none where containers are
    /// known by name.
    pub fn zones(&self, networks: &BTreeMap<String, Endpoint>) -> Vec<Zone> {
        let on: Vec<Network> =
            networks.values().filter_map(|endpoint| self.find(&endpoint.network).ok()).collect();
        match on.iter().any(Network::has_names) {
            true => on.iter().map(|network| self.zone(network)).collect(),
            false => vec![],
        }
    }

    /// The interfaces of a container, in the order of their names.
    pub fn interfaces(&self, networks: &BTreeMap<String, Endpoint>) -> Result<Vec<Interface>> {
        let out = way_out(networks).map(|(name, _)| name);
        let mut all = Vec::new();
        for (name, endpoint) in networks {
            let network = self.find(&endpoint.network)?;
            if let (Some(bridge), Some(address), Some(mac)) = (network.bridge, endpoint.address, endpoint.mac)
            {
                let gateway = endpoint.gateway.filter(|_| out == Some(name.as_str()));
                let (name, bridge) = (endpoint.interface.clone(), bridge.name);
                all.push(Interface { name, bridge, address, gateway, mac });
            }
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// Gives a container that is about to start its places on its networks, all or none.
    pub async fn connect(&self, engine: &Arc<Engine>, container: &Arc<Container>) -> Result<()> {
        let (engine, container) = (engine.clone(), container.clone());
        blocking(move || {
            let (mode, wishes) =
                container.with(|record| (record.config.network_mode(), record.config.networks.clone()));
            // The one that was named first is eth0.
            let mut wishes: Vec<(String, Endpoint)> = wishes.into_iter().collect();
            wishes.sort_by_key(|(name, _)| *name != mode);
            let mut places = BTreeMap::new();
            for (number, (name, wish)) in wishes.iter().enumerate() {
                match engine.networks.lease(&engine, wish, &container.id, &format!("eth{number}")) {
                    Ok(endpoint) => drop(places.insert(name.clone(), endpoint)),
                    Err(error) => {
                        for endpoint in places.values() {
                            engine.networks.give_back(endpoint, &container.id)?;
                        }
                        return Err(error);
                    }
                }
            }
            for (name, endpoint) in &places {
                engine.events.network("connect", &endpoint.network, name, &container.id);
            }
            let networks = places.clone();
            engine.containers.change(&container, |record| record.config.networks = networks)?;
            engine.networks.write_names(&engine, places.values())
        })
        .await
    }

    /// Takes them back. What can't be taken back now is at the engine's next start.
    pub async fn disconnect(&self, engine: &Arc<Engine>, container: &Arc<Container>) {
        let (engine, container) = (engine.clone(), container.clone());
        let done = blocking(move || {
            let mut left = container.with(|record| record.config.networks.clone());
            left.retain(|_, endpoint| !endpoint.id.is_empty());
            if left.is_empty() {
                return Ok(());
            }
            for (name, endpoint) in &left {
                engine.networks.give_back(endpoint, &container.id)?;
                engine.events.network("disconnect", &endpoint.network, name, &container.id);
            }
            engine.containers.change(&container, |record| {
                for endpoint in record.config.networks.values_mut() {
                    *endpoint = endpoint.at_rest();
                }
            })?;
            engine.networks.write_names(&engine, left.values())
        });
        if let Err(error) = done.await {
            tracing::warn!("giving an address back: {error}");
        }
    }

    /// `network connect`: puts a container on one more network; one that runs at once.
    ///
    /// # Errors
    /// It is there already, or shares its network with somebody.
    pub async fn plug(
        &self,
        engine: &Arc<Engine>,
        network: &Network,
        container: &Arc<Container>,
        settings: &EndpointSettings,
    ) -> Result<()> {
        let _operation = container.operation.lock().await;
        check_private(network, container)?;
        let wish = Endpoint::wanted(network, settings)?;
        let (engine, network, container) = (engine.clone(), network.clone(), container.clone());
        blocking(move || {
            let running = container.is_running();
            let mut networks = container.with(|record| record.config.networks.clone());
            if running && networks.contains_key(&network.name) {
                return Err(Error::forbidden(format!(
                    "endpoint with name {} already exists in network {}",
                    container.name(),
                    network.name
                )));
            }
            let mut endpoint = wish;
            if running {
                let taken = |name: &str| networks.values().any(|other| other.interface == name);
                let interface = (0..).map(|number| format!("eth{number}")).find(|name| !taken(name));
                endpoint = engine.networks.lease(
                    &engine,
                    &endpoint,
                    &container.id,
                    &interface.unwrap_or_default(),
                )?;
            }
            networks.insert(network.name.clone(), endpoint.clone());
            if running && let Err(error) = engine.networks.lay(&engine, &container, &networks, &endpoint) {
                engine.networks.give_back(&endpoint, &container.id)?;
                return Err(error);
            }
            engine.containers.change(&container, |record| record.config.networks = networks)?;
            engine.networks.write_names(&engine, [&endpoint].into_iter())?;
            if running {
                engine.events.network("connect", &network.id, &network.name, &container.id);
                files::network_changed(&engine, &container)?;
            }
            Ok(())
        })
        .await
    }

    /// `network disconnect`: takes a container off a network; one that runs at once.
    ///
    /// # Errors
    /// It isn't on it.
    pub async fn unplug(
        &self,
        engine: &Arc<Engine>,
        network: &Network,
        container: &Arc<Container>,
    ) -> Result<()> {
        let _operation = container.operation.lock().await;
        let (engine, network, container) = (engine.clone(), network.clone(), container.clone());
        blocking(move || {
            if network.driver == "host" {
                return Err(Error::invalid(
                    "container cannot be disconnected from host network or connected to host network",
                ));
            }
            let mut networks = container.with(|record| record.config.networks.clone());
            let Some(endpoint) = networks.remove(&network.name) else {
                return Err(Error::forbidden(format!(
                    "container {} is not connected to network {}",
                    container.name(),
                    network.name
                )));
            };
            let runs = !endpoint.id.is_empty();
            if runs {
                let next = way_out(&networks).and_then(|(_, next)| {
                    Some((next.interface.clone(), next.gateway?)).filter(|_| endpoint.gateway.is_some())
                });
                let interface = endpoint.interface.clone();
                let zones = engine.networks.zones(&networks);
                let request = Request::Unplug { interface, next, zones };
                // Without an interface (`none`) there is nothing to unplug.
                if !endpoint.interface.is_empty() {
                    monitor::tell(&engine.socket(&container.id), &request)?;
                }
                engine.networks.give_back(&endpoint, &container.id)?;
            }
            engine.containers.change(&container, |record| record.config.networks = networks)?;
            engine.networks.write_names(&engine, [&endpoint].into_iter())?;
            if runs {
                engine.events.network("disconnect", &network.id, &network.name, &container.id);
                files::network_changed(&engine, &container)?;
            }
            Ok(())
        })
        .await
    }

    /// Writes the names of all networks down: an engine that comes back has perhaps missed something.
    pub fn write_all_names(&self, engine: &Engine) -> Result<()> {
        self.all().iter().try_for_each(|network| self.write_names_of(engine, network))
    }

    /// The container is called something else now.
    pub fn renamed(&self, engine: &Engine, container: &Container) -> Result<()> {
        let networks = container.with(|record| record.config.networks.clone());
        self.write_names(engine, networks.values())
    }

    fn write_names<'a>(&self, engine: &Engine, changed: impl Iterator<Item = &'a Endpoint>) -> Result<()> {
        for endpoint in changed {
            if let Ok(network) = self.find(&endpoint.network) {
                self.write_names_of(engine, &network)?;
            }
        }
        Ok(())
    }

    fn write_names_of(&self, engine: &Engine, network: &Network) -> Result<()> {
        let _changing = self.changing();
        // It may have been removed meanwhile, and its folder with it.
        if !network.has_names() || self.find(&network.id).is_err() {
            return Ok(());
        }
        let mut entries: Vec<zone::Entry> = Vec::new();
        for container in engine.containers.all() {
            container.with(|record| {
                let endpoint = record.config.networks.get(&network.name);
                let here = endpoint.filter(|endpoint| endpoint.network == network.id);
                if let Some((endpoint, address)) =
                    here.and_then(|endpoint| Some((endpoint, endpoint.address?)))
                {
                    entries.push((address.addr(), names_of(record, endpoint)));
                }
            });
        }
        entries.sort();
        Ok(zone::write(&self.zone(network).file, &entries)?)
    }

    /// Takes an address on a network for the wish.
    fn lease(&self, engine: &Engine, wish: &Endpoint, owner: &str, interface: &str) -> Result<Endpoint> {
        let _changing = self.changing();
        let network = self.find(&wish.network)?;
        if network.driver != "bridge" {
            let id = new_id().map_err(|error| Error::internal("drawing an id", error))?;
            return Ok(Endpoint { id, ..wish.at_rest() });
        }
        let (network, bridge) = self.bridge(&engine.settings, &network)?;
        let Some(addresses) = self.addresses(&network)? else {
            return Err(Error::internal("taking an address", "the network has no subnet"));
        };
        let address = match wish.wanted {
            Some(address) => {
                let taken = |error: namespaces::Error| match error.to_string() {
                    words if words.contains("has it") => {
                        Error::forbidden(format!("Address already in use: {words}"))
                    }
                    words => Error::invalid(words),
                };
                addresses.release(owner)?;
                addresses.take_this(owner, address).map_err(taken)?;
                address
            }
            None => addresses.take(owner)?,
        };
        let length = bridge.gateway.prefix_len();
        Ok(Endpoint {
            id: new_id().map_err(|error| Error::internal("drawing an id", error))?,
            address: Some(
                Ipv4Net::new(address, length).map_err(|error| Error::internal("taking an address", error))?,
            ),
            gateway: Some(bridge.gateway.addr()).filter(|_| !network.internal),
            mac: Some(bridge::mac_of(address)),
            interface: interface.to_owned(),
            ..wish.at_rest()
        })
    }

    fn give_back(&self, endpoint: &Endpoint, owner: &str) -> Result<()> {
        if let Ok(network) = self.find(&endpoint.network)
            && let Some(addresses) = self.addresses(&network)?
        {
            addresses.release(owner)?;
        }
        Ok(())
    }

    /// Lets the monitor lay the cable to one of the container's networks.
    fn lay(
        &self,
        engine: &Engine,
        container: &Container,
        networks: &BTreeMap<String, Endpoint>,
        endpoint: &Endpoint,
    ) -> Result<()> {
        let all = self.interfaces(networks)?;
        let interface = all.into_iter().find(|one| one.name == endpoint.interface);
        let interface =
            interface.ok_or_else(|| Error::internal("connecting", "the network has no bridge"))?;
        monitor::tell(
            &engine.socket(&container.id),
            &Request::Plug { interface, zones: self.zones(networks) },
        )
    }
}

/// A container that has the host's network or another's, or wants none, can't have one more.
fn check_private(network: &Network, container: &Container) -> Result<()> {
    let mode = container.with(|record| record.config.network_mode());
    if network.driver == "host" {
        return Err(Error::invalid(
            "container cannot be disconnected from host network or connected to host network",
        ));
    }
    if mode == "host" || mode.starts_with("container:") {
        return Err(Error::invalid(
            "container sharing network namespace with another container or host cannot be connected to any \
             other network",
        ));
    }
    let none = container.with(|record| record.config.networks.contains_key("none"));
    if network.driver == "null" || none {
        return Err(Error::invalid(
            "container cannot be connected to multiple networks with one of the networks in private (none) mode",
        ));
    }
    Ok(())
}

/// The container whose network this one shares (`--network container:NAME`), if it does.
///
/// # Errors
/// It is no more.
pub fn shares_with(engine: &Engine, config: &Config) -> Result<Option<Arc<Container>>> {
    let mode = config.network_mode();
    mode.strip_prefix("container:").map(|name| engine.containers.find(name)).transpose()
}

/// The network namespace of that one, which must run.
pub fn shared_network(engine: &Engine, config: &Config) -> Result<Option<PathBuf>> {
    let Some(other) = shares_with(engine, config)? else { return Ok(None) };
    let cannot = |_| Error::conflict(format!("cannot join network of a non running container: {}", other.id));
    let process = other.process().map_err(cannot)?;
    Ok(Some(format!("/proc/{}/ns/net", process.pid).into()))
}

/// The addresses of a container, one for each of its networks.
pub fn addresses(networks: &BTreeMap<String, Endpoint>) -> Vec<IpAddr> {
    networks.values().filter_map(|endpoint| Some(endpoint.address?.addr().into())).collect()
}
