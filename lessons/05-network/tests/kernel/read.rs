//! What the kernel says about its network, asked apart from the lesson's own code.

use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use ipnet::Ipv4Net;
use netlink_bindings::nftables;
use netlink_packet_route::RouteNetlinkMessage::{self, GetAddress, GetLink, GetRoute};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use network::netlink::{Netlink, Request};

/// An interface, as far as the tests look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    pub name: String,
    pub mac: Vec<u8>,
    pub up: bool,
    /// The index of the bridge whose port it is.
    pub bridge: Option<u32>,
}

pub fn links() -> Vec<Link> {
    let found = Netlink::open().unwrap().list(GetLink(LinkMessage::default())).unwrap();
    let link = |message| {
        let RouteNetlinkMessage::NewLink(message) = message else { panic!("not a link: {message:?}") };
        let up = message.header.flags.contains(LinkFlags::Up);
        let mut link =
            Link { index: message.header.index, name: String::new(), mac: vec![], up, bridge: None };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Address(mac) => link.mac = mac,
                LinkAttribute::Controller(index) => link.bridge = Some(index),
                _ => {}
            }
        }
        link
    };
    found.into_iter().map(link).collect()
}

pub fn link(name: &str) -> Option<Link> {
    links().into_iter().find(|link| link.name == name)
}

/// The host's ends of cables.
pub fn cables() -> Vec<String> {
    links().into_iter().map(|link| link.name).filter(|name| name.starts_with("ve")).collect()
}

/// The IPv4 addresses of an interface.
pub fn addresses(name: &str) -> Vec<Ipv4Net> {
    let index = link(name).unwrap_or_else(|| panic!("there is no interface {name}")).index;
    let found = Netlink::open().unwrap().list(GetAddress(AddressMessage::default())).unwrap();
    let address = |message| match message {
        RouteNetlinkMessage::NewAddress(message) if message.header.index == index => {
            message.attributes.iter().find_map(|attribute| match attribute {
                AddressAttribute::Local(IpAddr::V4(address)) => {
                    Some(Ipv4Net::new(*address, message.header.prefix_len).unwrap())
                }
                _ => None,
            })
        }
        _ => None,
    };
    found.into_iter().filter_map(address).collect()
}

/// Where the default routes go.
pub fn default_gateways() -> Vec<Ipv4Addr> {
    let found = Netlink::open().unwrap().list(GetRoute(RouteMessage::default())).unwrap();
    let gateway = |message| match message {
        RouteNetlinkMessage::NewRoute(route) if route.header.destination_prefix_length == 0 => {
            route.attributes.into_iter().find_map(|attribute| match attribute {
                RouteAttribute::Gateway(RouteAddress::Inet(gateway)) => Some(gateway),
                _ => None,
            })
        }
        _ => None,
    };
    found.into_iter().filter_map(gateway).collect()
}

/// Tables and their rules, as `table/chain` once for each rule; a table without any as `table`.
pub fn rules() -> Vec<String> {
    let mut socket = netlink_socket2::NetlinkSocket::new();
    let mut found = Vec::new();
    let tables = nftables::Request::new().op_gettable_dump(&nftables::Nfgenmsg::new());
    let mut answers = socket.request(&tables).unwrap();
    while let Some(answer) = answers.recv() {
        found.push(answer.unwrap().1.get_name().unwrap().to_str().unwrap().to_owned());
    }
    let rules = nftables::Request::new().op_getrule_dump(&nftables::Nfgenmsg::new());
    let mut answers = socket.request(&rules).unwrap();
    while let Some(answer) = answers.recv() {
        let (_, rule) = answer.unwrap();
        let (table, chain) = (rule.get_table().unwrap(), rule.get_chain().unwrap());
        found.retain(|name| name != table.to_str().unwrap());
        found.push(format!("{}/{}", table.to_str().unwrap(), chain.to_str().unwrap()));
    }
    found.sort();
    found
}

/// The elements of all maps of a table, as bytes: key and value.
pub fn elements(table: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let header = nftables::Nfgenmsg { nfgen_family: nix::libc::AF_INET as u8, ..nftables::Nfgenmsg::new() };
    let mut socket = netlink_socket2::NetlinkSocket::new();
    let mut maps = Vec::new();
    let mut answers = socket.request(&nftables::Request::new().op_getset_dump(&header)).unwrap();
    while let Some(answer) = answers.recv() {
        let (_, map) = answer.unwrap();
        if map.get_table().unwrap().to_str() == Ok(table) {
            maps.push(map.get_name().unwrap().to_owned());
        }
    }
    let mut found = Vec::new();
    for map in maps {
        let mut request = nftables::Request::new().op_getsetelem_dump(&header);
        request.encode().push_table_bytes(table.as_bytes()).push_set(&map);
        let mut answers = socket.request(&request).unwrap();
        while let Some(answer) = answers.recv() {
            for element in answer.unwrap().1.get_elements().into_iter().flatten().flatten() {
                let nftables::SetelemListElemAttrs::Elem(element) = element;
                let key = element.get_key().unwrap().get_value().unwrap().to_vec();
                // A set's elements have no value, and are none of a map's.
                if let Ok(value) = element.get_data() {
                    found.push((key, value.get_value().unwrap().to_vec()));
                }
            }
        }
    }
    found
}

/// Waits for something that the kernel does in its own time.
pub fn soon(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(10), "after ten seconds still not so: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// For what should happen, and may take its time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// For what shouldn't: if it could, it would in some milliseconds.
const SOON: Duration = Duration::from_secs(1);

/// Answers one connection, and says who it came from.
pub fn serve(listener: TcpListener) -> thread::JoinHandle<IpAddr> {
    thread::spawn(move || listener.accept().unwrap().1.ip())
}

/// Opens a connection; whether somebody took it.
pub fn reaches(address: [u8; 4], port: u16) -> bool {
    TcpStream::connect_timeout(&(address, port).into(), PATIENCE).is_ok()
}

/// Opens a connection; whether nobody took it.
pub fn is_cut_off(address: [u8; 4], port: u16) -> bool {
    TcpStream::connect_timeout(&(address, port).into(), SOON).is_err()
}

/// Takes an address from an interface.
pub fn delete_address(name: &str, address: Ipv4Net) {
    let mut message = AddressMessage::default();
    message.header.family = netlink_packet_route::AddressFamily::Inet;
    message.header.prefix_len = address.prefix_len();
    message.header.index = link(name).unwrap().index;
    message.attributes.push(AddressAttribute::Local(IpAddr::V4(address.addr())));
    send(RouteNetlinkMessage::DelAddress(message));
}

/// Sets an interface down.
pub fn set_down(name: &str) {
    let mut message = LinkMessage::default();
    message.header.index = link(name).unwrap().index;
    message.header.change_mask = LinkFlags::Up;
    send(RouteNetlinkMessage::SetLink(message));
}

fn send(message: RouteNetlinkMessage) {
    Netlink::open().unwrap().send(vec![Request::change("changing the lab", message)]).unwrap();
}
