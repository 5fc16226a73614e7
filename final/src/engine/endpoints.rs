//! Who is on which network: containers' addresses, and what they are called there.
//!
//! An endpoint is a container's place on a network. While the container doesn't run it is only a
//! wish (the network, aliases, perhaps an address); with each run it gets an address. A container that
//! runs may be plugged into another network, and unplugged: its monitor lays the cable.

mod names;
mod plug;

pub use names::names_of;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use bollard_stubs::models::EndpointSettings;
use ipnet::Ipv4Net;
use lifecycle::record::new_id;
use network::dns::zone;
use network::{Interface, bridge};
use serde::{Deserialize, Serialize};

use super::Engine;
use super::config::Config;
use super::containers::Container;
use super::error::{Error, Result, blocking};
use super::networks::{Network, Networks};

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
    /// The hardware address that it was asked to have (`--mac-address`).
    #[serde(default)]
    pub wanted_mac: Option<[u8; 6]>,
    /// Other containers on this network, and what this one alone calls them: `db:database` (`--link`).
    #[serde(default)]
    pub links: Vec<String>,
}

impl Endpoint {
    /// The wish alone, as it is while the container doesn't run.
    fn at_rest(&self) -> Endpoint {
        let Endpoint { network, aliases, wanted, wanted_mac, links, .. } = self.clone();
        Endpoint { network, aliases, wanted, wanted_mac, links, ..Endpoint::default() }
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
        let mac = settings.mac_address.as_deref().filter(|text| !text.is_empty());
        let wanted_mac = mac.map(parse_mac).transpose()?;
        if wanted_mac.is_some() && network.driver != "bridge" {
            return Err(Error::invalid("conflicting options: mac-address and the network mode"));
        }
        let links = settings.links.clone().unwrap_or_default();
        if !links.is_empty() && !network.has_names() {
            return Err(Error::unsupported("--link on a network that isn't one of your own"));
        }
        if let Some(bad) = links.iter().find(|link| !zone::is_name(names::alias_of(link))) {
            return Err(Error::invalid(format!("bad format for links: {bad}")));
        }
        let network = network.id.clone();
        Ok(Endpoint { network, aliases, wanted, wanted_mac, links, ..Endpoint::default() })
    }
}

/// `02:42:ac:1d:00:02`, with dashes too: the address of one interface, not of a group of them.
fn parse_mac(text: &str) -> Result<[u8; 6]> {
    let invalid = || Error::invalid(format!("invalid MAC address: {text}"));
    let pairs: Vec<&str> = text.split([':', '-']).collect();
    let byte = |pair: &&str| match pair.len() {
        2 if !pair.starts_with('+') => u8::from_str_radix(pair, 16).map_err(|_| invalid()),
        _ => Err(invalid()),
    };
    let bytes = pairs.iter().map(byte).collect::<Result<Vec<u8>>>()?;
    let mac: [u8; 6] = bytes.try_into().map_err(|_| invalid())?;
    // The lowest bit of the first byte says that it is a group's; nobody is at address zero.
    if mac[0] & 1 == 1 || mac == [0; 6] { Err(invalid()) } else { Ok(mac) }
}

/// The network whose gateway is the way out: the first by name of those that lead out.
pub fn way_out(networks: &BTreeMap<String, Endpoint>) -> Option<(&str, &Endpoint)> {
    let out = networks.iter().find(|(_, endpoint)| !endpoint.id.is_empty() && endpoint.gateway.is_some());
    out.map(|(name, endpoint)| (name.as_str(), endpoint))
}

impl Networks {
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
            for endpoint in places.values() {
                engine.events.network("connect", &engine.networks.find(&endpoint.network)?, &container.id);
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
            for endpoint in left.values() {
                engine.networks.give_back(endpoint, &container.id)?;
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
            mac: Some(wish.wanted_mac.unwrap_or_else(|| bridge::mac_of(address))),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hardware_address_is_six_bytes_and_no_groups() {
        assert_eq!(parse_mac("02:42:ac:1D:00:02").unwrap(), [2, 0x42, 0xac, 0x1d, 0, 2]);
        assert_eq!(parse_mac("02-42-ac-1d-00-02").unwrap()[5], 2);
        for wrong in
            ["", "02:42", "02:42:ac:1d:00:0", "+2:42:ac:1d:00:02", "03:00:00:00:00:01", "00:00:00:00:00:00"]
        {
            assert!(parse_mac(wrong).unwrap_err().message.contains("invalid MAC address"), "{wrong}");
        }
    }
}
