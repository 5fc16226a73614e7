//! The kernel's way in: a packet to a published port is sent on to the container.
//!
//! Its destination is rewritten (*DNAT*) before the host chooses its way, and what comes back is
//! turned around again: masquerading, the other way about. No process is in between.
//!
//! ```text
//! table ip canoa {
//!     map ports-canoa0 {
//!         type inet_proto . inet_service : ipv4_addr . inet_service
//!         elements = { tcp . 8080 : 172.29.0.2 . 80 }
//!     }
//!     map ports-at-canoa0 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service }
//!     chain publish-canoa0 {
//!         type nat hook prerouting priority dstnat
//!         iifname != @bridges fib daddr type local ip daddr != 127.0.0.0/8
//!             dnat to ip daddr . meta l4proto . th dport map @ports-at-canoa0
//!         …the same with                 meta l4proto . th dport map @ports-canoa0
//!     }
//!     chain publish-here-canoa0 { type nat hook output priority dstnat; … }
//! }
//! ```
//!
//! A port is an element of a map, not a rule of its own: to add one takes a tenth of a millisecond, and
//! a packet is looked up once, however many ports there are. The rules are the network's, and come with
//! its first published port.
//!
//! What is left to [`crate::proxy`], on purpose:
//!
//! - **127.0.0.1.** The kernel refuses to let a packet from 127.0.0.1 out of any interface but `lo`.
//!   `route_localnet` would allow it; but then whoever sits at that interface (containers, which may
//!   make any packet they like) reaches what the host keeps to itself at 127.0.0.1: CVE-2020-8558.
//!   A packet *to* 127.0.0.1 which arrives from outside must not be rewritten either: that happens
//!   before the kernel looks whether such a packet may be.
//! - **`[::1]` and all of IPv6.** The containers have IPv4 addresses only.
//! - **What comes from a bridge of ours.** From the same one, be it a container that calls itself by the
//!   host's address (*hairpin*): the answer would go straight to it, past the host, with the wrong sender;
//!   and on a machine where netfilter looks at bridged packets (`br_netfilter`) the call wouldn't even
//!   arrive, as a bridge doesn't send a packet back to where it came from. From another one: what passes
//!   between networks is dropped ([`crate::isolation`]), and whoever publishes a port wants it reached.

use std::net::{IpAddr, Ipv4Addr};

use namespaces::{Result, step};

use crate::isolation::BRIDGES;
use crate::nat::way_out;
use crate::nftables::map::{Element, Key, Seen, elements};
use crate::nftables::{Batch, chains};
use crate::publish::{Mapping, Protocol};

/// Sends what comes for these ports to the container. Who calls this has the ports (their sockets):
/// an element that is there already is left over from somebody who died, and replaced.
///
/// Ports at which there is nothing to rewrite (see above) are passed over.
// ANCHOR: publish
pub fn publish(table: &str, bridge: &str, ports: &[Mapping], container: Ipv4Addr) -> Result<()> {
    let elements: Vec<_> = ports.iter().filter_map(|port| element(bridge, port, container)).collect();
    if elements.is_empty() {
        return Ok(());
    }
    let mut attempts = 4;
    loop {
        let mut batch = Batch::new(table, None);
        for (map, element) in &elements {
            batch.add_element(map, element);
        }
        attempts -= 1;
        match step("publish ports", container, || batch.commit()) {
            Err(error) if error.errno == libc::ENOENT && attempts > 0 => make(table, bridge)?,
            Err(error) if [libc::EEXIST, libc::EBUSY].contains(&error.errno) && attempts > 0 => {
                retain(table, bridge, |there| elements.iter().all(|(_, ours)| ours.0 != there.0))?;
            }
            done => return done.map_err(way_out),
        }
    }
}
// ANCHOR_END: publish

/// Takes this container's ports back. That they are gone already, or somebody else's by now, is fine.
///
/// It takes 10 to 20 ms: the kernel waits until nobody can still be looking at what is deleted. Whoever
/// waits for the container's end should be told of it before.
pub fn withdraw(table: &str, bridge: &str, ports: &[Mapping], container: Ipv4Addr) -> Result<()> {
    let ours: Vec<_> = ports.iter().filter_map(|port| element(bridge, port, container)).collect();
    if ours.is_empty() {
        return Ok(());
    }
    retain(table, bridge, |there| ours.iter().all(|(_, one)| one != there))
}

/// Takes back the ports of all containers that no longer live: an engine that starts knows which do.
pub fn sweep(table: &str, bridge: &str, lives: impl Fn(Ipv4Addr) -> bool) -> Result<()> {
    retain(table, bridge, |(_, value)| address_in(value).is_some_and(&lives))
}

/// What this network has in the table: chains, maps.
pub(crate) fn names(bridge: &str) -> ([String; 2], [String; 2]) {
    let named = |what: &str| format!("{what}-{}", bridge);
    ([named("publish"), named("publish-here")], [named("ports"), named("ports-at")])
}

/// Makes maps, chains and rules, if they aren't there.
fn make(table: &str, bridge: &str) -> Result<()> {
    let ([arriving, sent], [any, at]) = names(bridge);
    loop {
        let (chains, generation) = step("list nftables chains", table, chains).map_err(way_out)?;
        if chains.iter().any(|chain| chain.table == table && chain.name == arriving) {
            return Ok(());
        }
        let mut batch = Batch::new(table, Some(generation));
        batch.add_table();
        batch.add_interface_set(BRIDGES);
        batch.add_interface(BRIDGES, bridge);
        batch.add_map(&any, Key::Port, 2);
        batch.add_map(&at, Key::AddressAndPort, 3);
        let comment = format!("published ports of containers on {bridge}");
        for (chain, seen) in [(&arriving, Seen::Arriving), (&sent, Seen::Sent)] {
            batch.add_destination_nat_chain(chain, seen);
            for map in [(at.as_str(), Key::AddressAndPort), (any.as_str(), Key::Port)] {
                batch.add_redirect(chain, seen, map, BRIDGES, &comment);
            }
        }
        match step("redirect published ports", bridge, || batch.commit()) {
            // Somebody has changed the rules since we looked: perhaps it was the same change.
            Err(error) if error.errno == libc::ERESTART => continue,
            done => return done.map_err(way_out),
        }
    }
}

/// Deletes the elements that aren't to be kept.
fn retain(table: &str, bridge: &str, keep: impl Fn(&Element) -> bool) -> Result<()> {
    let (_, maps) = names(bridge);
    for map in maps {
        loop {
            let listed = step("list published ports", &map, || elements(table, &map));
            let (mut there, generation) = listed.map_err(way_out)?;
            there.retain(|element| !keep(element));
            if there.is_empty() {
                break;
            }
            // An element is deleted by its key. That it still has the value that we have seen, and is
            // not another container's by now, is sure as long as nothing at all has changed.
            let mut batch = Batch::new(table, Some(generation));
            for (key, _) in &there {
                batch.delete_element(&map, key);
            }
            match step("withdraw ports", &map, || batch.commit()) {
                Err(error) if error.errno == libc::ERESTART => continue,
                done => break done.map_err(way_out)?,
            }
        }
    }
    Ok(())
}

/// The map that a port belongs to, and its element there; none, if it is not the kernel's to carry.
fn element(bridge: &str, port: &Mapping, container: Ipv4Addr) -> Option<(String, Element)> {
    let IpAddr::V4(address) = port.address else { return None };
    if address.is_loopback() {
        return None;
    }
    let (_, [any, at]) = names(bridge);
    let protocol = match port.protocol {
        Protocol::Tcp => libc::IPPROTO_TCP,
        Protocol::Udp => libc::IPPROTO_UDP,
    };
    // Each part takes four bytes.
    let number = |port: u16| [port.to_be_bytes(), [0, 0]].concat();
    let protocol_and_port = [vec![protocol as u8, 0, 0, 0], number(port.host)].concat();
    let value = [container.octets().to_vec(), number(port.port)].concat();
    Some(match address.is_unspecified() {
        true => (any, (protocol_and_port, value)),
        false => (at, ([address.octets().to_vec(), protocol_and_port].concat(), value)),
    })
}

fn address_in(value: &[u8]) -> Option<Ipv4Addr> {
    let bytes: [u8; 4] = value.get(..4)?.try_into().ok()?;
    Some(bytes.into())
}
