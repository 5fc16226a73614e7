//! The cable: a veth pair.
//!
//! Two interfaces which are born together and die together: what is sent into one comes out of
//! the other. One end stays in the host, as a port of the bridge; the other is the container's
//! `eth0`. When the container's namespace dies, its end dies, and so does ours.

use std::fs::File;
use std::io::Read;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use ipnet::Ipv4Net;
use namespaces::{Result, step};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo};
use serde::{Deserialize, Serialize};

use crate::link;
use crate::namespace::visit;
use crate::netlink::{Netlink, Request};

/// An interface of a container: everything that has to be decided before it can be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name inside, at most 15 bytes: `eth0`.
    pub name: String,
    /// The bridge on the host to which its other end belongs.
    pub bridge: String,
    /// Address and the length of the subnet's prefix: `172.29.0.2/16`.
    pub address: Ipv4Net,
    /// Where the default route goes: the bridge's address. None: no route leads out by this one.
    pub gateway: Option<Ipv4Addr>,
    /// MAC address: [`crate::bridge::mac_of`] the address.
    pub mac: [u8; 6],
}

/// Gives the network namespace an interface that is plugged into the bridge; `lo` is set up too.
///
/// Called from the host's side. The calling thread goes into the namespace for a moment, to open
/// a socket there, and comes back.
///
/// # Errors
/// Nothing of the interface is left after one.
pub fn attach(netns: BorrowedFd<'_>, interface: &Interface) -> Result<()> {
    link::check_name(&interface.name)?;
    let mut host = Netlink::open()?;
    let bridge = link::index(&interface.bridge)
        .map_err(|error| error.hint("the network's bridge is gone: restart the engine, or make it again"))?;
    let host_end = plug(&mut host, bridge, netns, interface)?;
    configure(&mut host, &host_end, netns, interface).inspect_err(|_| {
        let delete = RouteNetlinkMessage::DelLink(link::named(&host_end));
        let _ = step("delete veth", &host_end, || host.send(vec![Request::change("deleting it", delete)]));
    })
}

/// Sets `lo` up in the calling thread's own network namespace: all that a container without a
/// network has, and needs to talk to itself.
pub fn lo_up() -> Result<()> {
    let mut here = Netlink::open()?;
    step("set interface up", "lo", || here.send(vec![link::up(link::LOOPBACK)]))
}

/// Makes the pair, each end where it belongs, and gives the name of the host's end.
///
/// All of it is one message. Making both ends here and moving one would take 17 ms instead of a
/// quarter: the kernel waits until nobody can still be using the interface that moves.
// ANCHOR: plug
fn plug(host: &mut Netlink, bridge: u32, netns: BorrowedFd<'_>, interface: &Interface) -> Result<String> {
    // ANCHOR: ex-05-2
    // 1. The end inside: its name and MAC address, and the descriptor of the namespace where it is
    //    to be born.
    let mut inside = link::named(&interface.name);
    inside.attributes.push(LinkAttribute::Address(interface.mac.to_vec()));
    inside.attributes.push(LinkAttribute::NetNsFd(netns.as_raw_fd()));

    // 2. The end outside has a random name. Somebody may have it already (EEXIST): then, another
    //    one, three attempts in all.
    let mut attempts = 3;
    loop {
        let name = random_name()?;
        // 3. It is born up, as a port of the bridge.
        let mut outside = link::named(&name);
        outside.header.flags = LinkFlags::Up;
        outside.header.change_mask = LinkFlags::Up;
        outside.attributes.push(LinkAttribute::Controller(bridge));
        // 4. The kind of link is veth, and what is to be known of it is its other end.
        outside.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(inside.clone()))),
        ]));
        // 5. Send it, as the step "create veth": the kernel makes both ends, or none.
        let request = Request::create("making the pair", RouteNetlinkMessage::NewLink(outside));
        let on = format!("{} ({name} on {})", interface.name, interface.bridge);
        attempts -= 1;
        match step("create veth", on, || host.send(vec![request])) {
            Ok(()) => return Ok(name),
            Err(error) if error.errno == libc::EEXIST && attempts > 0 => {}
            Err(error) => return Err(error),
        }
    }
    // ANCHOR_END: ex-05-2
}
// ANCHOR_END: plug

/// What remains to be done outside, and then, in one send, inside: `lo` up, the address, up, the
/// default route. Each needs what stands before it.
// ANCHOR: configure
fn configure(host: &mut Netlink, host_end: &str, netns: BorrowedFd<'_>, interface: &Interface) -> Result<()> {
    let (mut inside, index) = visit(netns, || Ok((Netlink::open()?, link::index(&interface.name)?)))?;
    // A bridge learns from what it sees, and it may have seen this MAC address lately: the last
    // container with this IP address had it, and for some 30 ms after its end the kernel is still
    // busy taking its interface away, which goes on answering. So the bridge is told.
    let port = link::index(host_end)?;
    step("tell bridge", &interface.bridge, || host.send(vec![link::behind_port(port, interface.mac)]))?;
    let mut requests =
        vec![link::up(link::LOOPBACK), link::address(index, interface.address), link::up(index)];
    requests.extend(interface.gateway.map(|gateway| link::default_route(index, gateway)));
    step("configure interface", &interface.name, || inside.send(requests))
}
// ANCHOR_END: configure

/// Takes an interface away from a network namespace, and its cable with it. The default route goes
/// the same way; `next` is where it leads from now on: the name of another interface in there, and
/// the gateway that it reaches. That the interface is gone already is fine.
pub fn detach(netns: BorrowedFd<'_>, name: &str, next: Option<(&str, Ipv4Addr)>) -> Result<()> {
    visit(netns, || {
        let mut inside = Netlink::open()?;
        let delete = RouteNetlinkMessage::DelLink(link::named(name));
        match step("delete veth", name, || inside.send(vec![Request::change("deleting it", delete)])) {
            Err(error) if error.errno == libc::ENODEV => {}
            done => done?,
        }
        let Some((by, gateway)) = next else { return Ok(()) };
        let route = link::default_route(link::index(by)?, gateway);
        step("configure interface", by, || inside.send(vec![route]))
    })
}

/// `ve` and eight hexadecimal digits: within the kernel's 15 bytes (`IFNAMSIZ` less the NUL).
fn random_name() -> Result<String> {
    let mut random = [0; 4];
    let path = "/dev/urandom";
    step("read random bytes", path, || File::open(path)?.read_exact(&mut random))?;
    Ok(format!("ve{:08x}", u32::from_ne_bytes(random)))
}
