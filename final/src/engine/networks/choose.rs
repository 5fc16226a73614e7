//! Which bridge and which addresses a new network has: those that were asked for, checked, or free ones.

use ipnet::Ipv4Net;
use network::{Bridge, subnet};

use super::super::Settings;
use super::super::error::{Error, Result};
use super::kernel::in_netns;
use super::{MASQUERADE, Network, Networks, Wanted};

/// Options of a network that are understood (`-o`), beside [`MASQUERADE`].
const BRIDGE_NAME: &str = "com.docker.network.bridge.name";
const TALK: &str = "com.docker.network.bridge.enable_icc";

impl Networks {
    /// Chooses what of bridge and subnet wasn't given, and checks what was.
    pub(super) fn choose(&self, settings: &Settings, wanted: &Wanted, id: &str) -> Result<Bridge> {
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
    pub(super) fn free_subnet(&self, settings: &Settings) -> Result<Ipv4Net> {
        let ours = self.subnets();
        let mut candidates = subnet::candidates();
        candidates.retain(|candidate| !ours.iter().any(|other| meet(other, candidate)));
        in_netns(settings, || subnet::choose_subnet(&candidates))
    }

    fn subnets(&self) -> Vec<Ipv4Net> {
        self.all().into_iter().filter_map(|network| Some(network.bridge?.gateway.trunc())).collect()
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

pub(super) fn parse_range(text: &str, network: &Network) -> Result<Ipv4Net> {
    let range: Ipv4Net = text
        .parse()
        .map_err(|_| Error::invalid(format!("invalid ip-range {text:?}: write 10.5.0.128/25")))?;
    match network.bridge.as_ref().is_some_and(|bridge| bridge.gateway.trunc().contains(&range.trunc())) {
        true => Ok(range.trunc()),
        false => Err(Error::invalid(format!("no matching subnet for range {text}"))),
    }
}

pub(super) fn with_first_address(name: String, subnet: Ipv4Net) -> Result<Bridge> {
    let first = subnet.hosts().next().unwrap_or(subnet.addr());
    Ok(Bridge { name, gateway: with_length(first, subnet)? })
}

fn with_length(address: std::net::Ipv4Addr, subnet: Ipv4Net) -> Result<Ipv4Net> {
    Ipv4Net::new(address, subnet.prefix_len()).map_err(|error| Error::internal("choosing a subnet", error))
}

fn meet(one: &Ipv4Net, other: &Ipv4Net) -> bool {
    one.contains(&other.network()) || other.contains(&one.network())
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
