//! The messages about interfaces, addresses and routes that this lesson sends.
//!
//! The kernel calls an interface a *link*, and knows it by its index; a name is only its label.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;
use namespaces::{Error, Result, step};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::net::if_::if_nametoindex;

use crate::netlink::{Netlink, Request};

/// The loopback interface is the first one of every network namespace.
pub(crate) const LOOPBACK: u32 = 1;

/// Refuses what is no name for an interface, before the kernel could take it for something else:
/// it makes `a0` of `a%d`, and a NUL would end the name before its end.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let bad = |letter: char| letter.is_whitespace() || letter.is_control() || "/:%".contains(letter);
    if name.is_empty() || name.len() >= libc::IFNAMSIZ || name.contains(bad) || [".", ".."].contains(&name) {
        let rule = "not a name for an interface: 1 to 15 bytes, without spaces and /:%";
        return Err(Error::new("name interface", format!("{name:?}"), rule));
    }
    Ok(())
}

/// A message about the link of this name.
pub(crate) fn named(name: &str) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.attributes.push(LinkAttribute::IfName(name.to_owned()));
    link
}

/// The link of this name, if there is one.
pub(crate) fn find(netlink: &mut Netlink, name: &str) -> Result<Option<LinkMessage>> {
    let found = step("find interface", name, || netlink.get(RouteNetlinkMessage::GetLink(named(name))))?;
    Ok(match found {
        Some(RouteNetlinkMessage::NewLink(link)) => Some(link),
        _ => None,
    })
}

/// The index of the link of this name, in the network namespace of the calling thread.
///
/// By the old way, an ioctl on any socket (netdevice(7), `SIOCGIFINDEX`): 3 µs where rtnetlink
/// takes 100, to tell everything that it knows of the interface.
pub(crate) fn index(name: &str) -> Result<u32> {
    step("find interface", name, || if_nametoindex(name))
}

/// Whether a link is a bridge.
pub(crate) fn is_bridge(link: &LinkMessage) -> bool {
    link.attributes.iter().any(|attribute| match attribute {
        LinkAttribute::LinkInfo(info) => info.contains(&LinkInfo::Kind(InfoKind::Bridge)),
        _ => false,
    })
}

/// Tells a bridge behind which of its ports a MAC address is, instead of letting it learn that.
///
/// `sticky`: it is there, whatever comes from elsewhere with this address as its sender.
pub(crate) fn behind_port(port: u32, mac: [u8; 6]) -> Request {
    let mut entry = NeighbourMessage::default();
    entry.header.family = AddressFamily::Bridge;
    entry.header.ifindex = port;
    // Without ARP, so to say: it neither ages nor is it looked for.
    entry.header.state = NeighbourState::Noarp;
    entry.header.flags = NeighbourFlags::Controller | NeighbourFlags::Sticky;
    entry.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.to_vec()));
    Request::set("telling the bridge its MAC address", RouteNetlinkMessage::NewNeighbour(entry))
}

/// Sets a link up.
pub(crate) fn up(index: u32) -> Request {
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    Request::change("setting it up", RouteNetlinkMessage::SetLink(link))
}

/// Gives a link an address; the route to its subnet comes with it.
pub(crate) fn address(index: u32, address: Ipv4Net) -> Request {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = address.prefix_len();
    message.header.index = index;
    message.attributes = vec![
        AddressAttribute::Address(IpAddr::V4(address.addr())),
        AddressAttribute::Local(IpAddr::V4(address.addr())),
        AddressAttribute::Broadcast(address.broadcast()),
    ];
    Request::create(format!("adding the address {address}"), RouteNetlinkMessage::NewAddress(message))
}

/// Sends whatever has no better way to this gateway, and no longer to another.
pub(crate) fn default_route(index: u32, gateway: Ipv4Addr) -> Request {
    let mut route = RouteMessage::default();
    route.header.address_family = AddressFamily::Inet;
    route.header.table = RouteHeader::RT_TABLE_MAIN;
    route.header.protocol = RouteProtocol::Boot;
    route.header.scope = RouteScope::Universe;
    route.header.kind = RouteType::Unicast;
    route.attributes = vec![RouteAttribute::Gateway(RouteAddress::Inet(gateway)), RouteAttribute::Oif(index)];
    Request::set(format!("adding the default route by {gateway}"), RouteNetlinkMessage::NewRoute(route))
}

/// All IPv4 addresses of this network namespace, with the index of their link.
pub(crate) fn addresses(netlink: &mut Netlink) -> Result<Vec<(u32, Ipv4Net)>> {
    let mut request = AddressMessage::default();
    request.header.family = AddressFamily::Inet;
    let all = step("list addresses", "", || netlink.list(RouteNetlinkMessage::GetAddress(request)))?;
    Ok(all
        .into_iter()
        .filter_map(|message| {
            let RouteNetlinkMessage::NewAddress(message) = message else { return None };
            let local = message.attributes.iter().find_map(|attribute| match attribute {
                AddressAttribute::Local(IpAddr::V4(local)) => Some(*local),
                _ => None,
            })?;
            Some((message.header.index, Ipv4Net::new(local, message.header.prefix_len).ok()?))
        })
        .collect())
}

/// The destinations of all IPv4 routes of this network namespace, whatever their table.
pub(crate) fn destinations(netlink: &mut Netlink) -> Result<Vec<Ipv4Net>> {
    let mut request = RouteMessage::default();
    request.header.address_family = AddressFamily::Inet;
    let all = step("list routes", "", || netlink.list(RouteNetlinkMessage::GetRoute(request)))?;
    Ok(all
        .into_iter()
        .filter_map(|message| {
            let RouteNetlinkMessage::NewRoute(route) = message else { return None };
            let to = route.attributes.iter().find_map(|attribute| match attribute {
                RouteAttribute::Destination(RouteAddress::Inet(to)) => Some(*to),
                _ => None,
            });
            // A default route has no destination.
            Ipv4Net::new(to.unwrap_or(Ipv4Addr::UNSPECIFIED), route.header.destination_prefix_length).ok()
        })
        .collect())
}
