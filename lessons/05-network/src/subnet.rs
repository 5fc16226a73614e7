//! Choosing a network's addresses, so that none of the host's own routes are hidden.
//!
//! A bridge with 192.168.0.1/16 on a laptop whose printer is 192.168.1.7 makes the printer
//! unreachable: the kernel takes the route that fits closest. A VPN, Docker and podman have
//! routes as well; so one looks before one chooses.

use ipnet::Ipv4Net;
use namespaces::{Error, Result};

use crate::link;
use crate::netlink::Netlink;

/// The private ranges (RFC 1918) to choose from, in this order; without those that Docker
/// (172.17.0.0/16) and podman (10.88.0.0/16) take first, though they be free just now.
pub fn candidates() -> Vec<Ipv4Net> {
    let in_172 = (18..=29).rev().map(|second| [172, second]);
    let in_10 = (29..=60).map(|second| [10, second]);
    in_172.chain(in_10).map(|[a, b]| Ipv4Net::new_assert([a, b, 0, 0].into(), 16)).collect()
}

/// The first of the candidates which overlaps with no route and no address of the host.
///
/// # Errors
/// All are in use.
pub fn choose_subnet(candidates: &[Ipv4Net]) -> Result<Ipv4Net> {
    let used = used()?;
    let free = candidates.iter().find(|candidate| !used.iter().any(|used| overlap(candidate, used)));
    free.copied().ok_or_else(|| {
        let tried = candidates.iter().map(Ipv4Net::to_string).collect::<Vec<_>>().join(", ");
        let way_out = "each overlaps with a route of this machine (ip route): name a free one";
        Error::new("choose subnet", tried, way_out)
    })
}

/// Whether a route or an address of the host lies in this subnet, or around it.
pub fn route_in_use(subnet: Ipv4Net) -> Result<bool> {
    Ok(used()?.iter().any(|used| overlap(&subnet, used)))
}

/// What the host uses: its routes, and the addresses of interfaces that are down (they have no
/// route until they are up). A default route is for whatever is nobody's: it takes nothing.
fn used() -> Result<Vec<Ipv4Net>> {
    let mut netlink = Netlink::open()?;
    let mut used = link::destinations(&mut netlink)?;
    used.retain(|destination| destination.prefix_len() > 0);
    used.extend(link::addresses(&mut netlink)?.into_iter().map(|(_, address)| address));
    Ok(used)
}

fn overlap(one: &Ipv4Net, other: &Ipv4Net) -> bool {
    one.contains(&other.network()) || other.contains(&one.network())
}
