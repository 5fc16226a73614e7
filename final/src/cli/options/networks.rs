//! The networks of a container, and whom it asks for names: `--network`, `--ip`, `--dns`, `--add-host`.

use std::collections::HashMap;

use bollard_stubs::models::{EndpointIpamConfig, EndpointSettings, HostConfig};
use clap::Args;

use crate::cli::failure::Failure;

/// Flags about networks.
#[derive(Debug, Clone, Default, Args)]
pub struct Networks {
    /// Network: bridge, host, none, container:NAME, one of your own; or name=sea,alias=db,ip=10.5.0.7
    #[arg(long, alias = "net", value_name = "NETWORK")]
    network: Vec<String>,
    /// Another name for the container on its (first) network
    #[arg(long, alias = "net-alias", value_name = "NAME")]
    network_alias: Vec<String>,
    /// Its address on its (first) network
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<String>,
    /// Its hardware address on its (first) network: 02:42:ac:1d:00:02
    #[arg(long, value_name = "ADDRESS")]
    mac_address: Option<String>,
    /// Another container on its (first) network, and what it calls that one: db:database
    #[arg(long, value_name = "CONTAINER[:NAME]")]
    link: Vec<String>,
    /// Name server to ask
    #[arg(long, value_name = "ADDRESS")]
    dns: Vec<String>,
    /// Domain in which names are looked for; . for none
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    /// Option of the resolver: ndots:1
    #[arg(long, alias = "dns-opt", value_name = "OPTION")]
    dns_option: Vec<String>,
    /// A line of /etc/hosts: name:address, or name:host-gateway
    #[arg(long, value_name = "NAME:ADDRESS")]
    add_host: Vec<String>,
}

impl Networks {
    /// What goes into the host configuration.
    pub(super) fn apply(&self, host: &mut HostConfig) {
        let given = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        host.dns = given(&self.dns);
        host.dns_search = given(&self.dns_search);
        host.dns_options = given(&self.dns_option);
        host.extra_hosts = given(&self.add_host);
        host.links = given(&self.link);
    }

    /// The first network, and what is wanted on each.
    pub(super) fn endpoints(&self) -> Result<(String, HashMap<String, EndpointSettings>), Failure> {
        let mut places = self.network.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()?;
        if places.is_empty() {
            places.push(Place { name: "default".to_owned(), ..Place::default() });
        }
        let place = &mut places[0];
        let first = place.name.clone();
        place.aliases.extend(self.network_alias.iter().cloned());
        if self.ip.is_some() {
            place.ip.clone_from(&self.ip);
        }
        if self.mac_address.is_some() {
            place.mac.clone_from(&self.mac_address);
        }
        let mut all = HashMap::new();
        for Place { name, aliases, ip, mac } in places {
            let settings = EndpointSettings { mac_address: mac, ..endpoint(aliases, ip) };
            let settings = match name == first && !self.link.is_empty() && name != "default" {
                true => EndpointSettings { links: Some(self.link.clone()), ..settings },
                false => settings,
            };
            if all.insert(name.clone(), settings).is_some() {
                let words = format!("network {name:?} is specified multiple times");
                return Err(Failure::new(words).code(125));
            }
        }
        Ok((first, all))
    }
}

/// A place on a network as the API has it.
pub fn endpoint(aliases: Vec<String>, ip: Option<String>) -> EndpointSettings {
    let ipam = ip.map(|ip| EndpointIpamConfig { ipv4_address: Some(ip), ..EndpointIpamConfig::default() });
    EndpointSettings {
        aliases: (!aliases.is_empty()).then_some(aliases),
        ipam_config: ipam,
        ..EndpointSettings::default()
    }
}

/// What is wanted on one network.
#[derive(Debug, Clone, Default)]
struct Place {
    name: String,
    aliases: Vec<String>,
    ip: Option<String>,
    mac: Option<String>,
}

/// `sea`, or `name=sea,alias=db,ip=10.5.0.7,mac-address=02:42:0a:05:00:07`.
fn parse(text: &str) -> Result<Place, Failure> {
    let mut place = Place::default();
    if !text.contains('=') {
        return Ok(Place { name: text.to_owned(), ..place });
    }
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("name", value)) => place.name = value.to_owned(),
            Some(("alias", value)) => place.aliases.push(value.to_owned()),
            Some(("ip", value)) => place.ip = Some(value.to_owned()),
            Some(("mac-address", value)) => place.mac = Some(value.to_owned()),
            _ => {
                let words = format!(
                    "--network {text:?}: {part:?} is neither name=…, alias=…, ip=… nor mac-address=…"
                );
                return Err(Failure::new(words).code(125));
            }
        }
    }
    match place.name.is_empty() {
        true => Err(Failure::new(format!("--network {text:?}: the name is missing: name=…")).code(125)),
        false => Ok(place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(network: &[&str], alias: &[&str], ip: Option<&str>) -> Networks {
        let words = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect();
        let (network, network_alias) = (words(network), words(alias));
        Networks { network, network_alias, ip: ip.map(str::to_owned), ..Networks::default() }
    }

    #[test]
    fn an_alias_and_an_address_are_for_the_first_network() {
        let given = networks(&["sea", "name=lake,alias=x,ip=10.6.0.7"], &["db"], Some("10.5.0.7"));
        let (first, all) = given.endpoints().unwrap();
        let place = |name: &str| {
            let place = &all[name];
            let ip = place.ipam_config.as_ref().and_then(|ipam| ipam.ipv4_address.clone());
            (place.aliases.clone().unwrap_or_default(), ip.unwrap_or_default())
        };
        assert_eq!((first.as_str(), all.len()), ("sea", 2));
        assert_eq!(place("sea"), (vec!["db".to_owned()], "10.5.0.7".to_owned()));
        assert_eq!(place("lake"), (vec!["x".to_owned()], "10.6.0.7".to_owned()));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for network in ["alias=x", "name=", "name=sea,colour=red", "sea,x=y"] {
            networks(&[network], &[], None).endpoints().unwrap_err();
        }
        networks(&["sea", "sea"], &[], None).endpoints().unwrap_err();
    }
}
