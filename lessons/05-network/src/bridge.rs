//! The bridge: a switch made of software.
//!
//! What is plugged into it are *ports*: the host's ends of the containers' cables. The bridge is
//! an interface of the host, too; with an address, it is the host's own place on the network, and
//! the gateway by which the containers leave it.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use namespaces::{Error, Result, step};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};
use serde::{Deserialize, Serialize};

use crate::link;
use crate::netlink::{Netlink, Request};

/// A bridge in the network namespace of whoever calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bridge {
    /// The interface's name, at most 15 bytes: `canoa0`.
    pub name: String,
    /// Its address, which is the containers' gateway, and the size of the subnet: `172.29.0.1/16`.
    pub gateway: Ipv4Net,
}

impl Bridge {
    /// Makes the bridge, or whatever is missing of it: a second call changes nothing.
    ///
    /// # Errors
    /// The name belongs to an interface that is no bridge, or to a bridge with another address:
    /// it is left as it is. After another failure, a bridge that was made here is gone again.
    pub fn ensure(&self) -> Result<()> {
        link::check_name(&self.name)?;
        let mut netlink = Netlink::open()?;
        let made = match link::find(&mut netlink, &self.name)? {
            Some(_) => false,
            None => self.create(&mut netlink)?,
        };
        self.complete(&mut netlink).inspect_err(|_| {
            if made {
                let _ = self.delete(&mut netlink);
            }
        })
    }

    /// Takes the bridge away, and with it its address and routes. There being none is no error.
    ///
    /// # Errors
    /// What has this name is not ours: it is left as it is.
    pub fn remove(&self) -> Result<()> {
        let mut netlink = Netlink::open()?;
        if let Some(found) = link::find(&mut netlink, &self.name)? {
            self.check_ours(&mut netlink, &found)?;
            self.delete(&mut netlink)?;
        }
        Ok(())
    }

    /// Makes the bridge, and nothing else of it yet. False: somebody else was faster.
    // ANCHOR: create
    fn create(&self, netlink: &mut Netlink) -> Result<bool> {
        // ANCHOR: ex-05-1
        // 1. A message about a link of this name, with two more attributes.
        let mut bridge = link::named(&self.name);
        // 2. Its MAC address, which belongs to the gateway's IP address. Without one of its own a
        //    bridge takes on the lowest one among its ports, so that it changes as containers come
        //    and go, and everybody's ARP cache is wrong for a while.
        bridge.attributes.push(LinkAttribute::Address(mac_of(self.gateway.addr()).to_vec()));
        // 3. What kind of link it is to be.
        bridge.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]));
        // 4. Send it, as the step "create bridge": make a new link, which must not exist yet.
        let request = Request::create("making it", RouteNetlinkMessage::NewLink(bridge));
        match step("create bridge", &self.name, || netlink.send(vec![request])) {
            Ok(()) => Ok(true),
            // 5. That it exists is no error: somebody else was faster since we looked.
            Err(error) if error.errno == libc::EEXIST => Ok(false),
            Err(error) => Err(error),
        }
        // ANCHOR_END: ex-05-1
    }
    // ANCHOR_END: create

    /// Gives the bridge its address, if it has none, and sets it up.
    fn complete(&self, netlink: &mut Netlink) -> Result<()> {
        let Some(found) = link::find(netlink, &self.name)? else {
            return Err(Error::new("create bridge", &self.name, "somebody has just removed it"));
        };
        let index = found.header.index;
        let mut requests = Vec::new();
        if !self.check_ours(netlink, &found)? {
            requests.push(link::address(index, self.gateway));
        }
        requests.push(link::up(index));
        match step("configure bridge", &self.name, || netlink.send(requests)) {
            // The address: somebody else was faster, and check_ours told us that it is ours.
            Err(error) if error.errno == libc::EEXIST => Ok(()),
            done => done,
        }
    }

    /// Whether the bridge has its address already; without any it may still get it.
    fn check_ours(&self, netlink: &mut Netlink, found: &LinkMessage) -> Result<bool> {
        if !link::is_bridge(found) {
            let way_out = "there is an interface of this name which is not a bridge: choose another name";
            return Err(Error::new("create bridge", &self.name, way_out));
        }
        let mut addresses = link::addresses(netlink)?;
        addresses.retain(|(index, _)| *index == found.header.index);
        match addresses.first() {
            None => Ok(false),
            Some(_) if addresses.iter().any(|(_, address)| *address == self.gateway) => Ok(true),
            Some((_, other)) => Err(Error::new(
                "create bridge",
                &self.name,
                format!(
                    "there is a bridge of this name with the address {other} instead of {}: \
                     choose another name, or remove it (ip link delete {})",
                    self.gateway, self.name
                ),
            )),
        }
    }

    fn delete(&self, netlink: &mut Netlink) -> Result<()> {
        let request = Request::change("deleting it", RouteNetlinkMessage::DelLink(link::named(&self.name)));
        match step("delete bridge", &self.name, || netlink.send(vec![request])) {
            Err(error) if error.errno == libc::ENODEV => Ok(()),
            done => done,
        }
    }
}

/// The MAC address that belongs to an IPv4 address: `02:42`, then its four bytes.
///
/// `02` marks it as one that no manufacturer gave out. With it derived from the address, a
/// container that inherits the address of one that has just gone inherits its place in the
/// neighbours' ARP caches as well, and they needn't notice.
pub fn mac_of(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x02, 0x42, a, b, c, d]
}
