//! The veth pair: what a container has, whom it reaches, and that nothing stays behind.

use std::io::{IoSlice, Read, Write};
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::time::Duration;

use ipnet::Ipv4Net;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, recv, sendmsg, setsockopt, socket,
};
use nix::sys::time::TimeVal;
use std::os::fd::{AsFd, AsRawFd};

use crate::lab::{Netns, Test, bridge_of, canoa0, interface};
use crate::read;

pub const TESTS: &[Test] = &[
    ("a_container_gets_its_address_its_mac_and_its_default_route", configured),
    ("two_containers_reach_each_other_by_tcp", tcp),
    ("two_containers_reach_each_other_by_udp", udp),
    ("two_containers_reach_each_other_by_ping", ping),
    ("a_container_reaches_the_host_at_the_bridges_address_and_is_reached", host),
    ("nothing_is_left_of_a_container_when_its_namespace_dies", gone),
    ("an_address_can_be_used_again_at_once", reused),
    ("the_former_owner_of_an_address_does_not_get_it_back_by_sending", former_owner),
    ("many_containers_are_plugged_in_at_once", many),
    ("a_bridge_that_is_not_there_is_an_error_with_a_way_out", no_bridge),
    ("an_attach_that_fails_inside_leaves_nothing", half_attached),
    ("an_attach_whose_name_is_taken_inside_leaves_the_other_alone", name_taken),
    ("a_name_that_is_none_is_refused", bad_names),
    ("the_default_route_goes_to_the_newest_gateway_and_back_when_it_is_unplugged", second_cable),
    ("an_interface_without_a_gateway_leaves_the_default_route_alone", no_gateway),
    ("unplugging_what_is_not_there_is_fine_and_a_next_that_is_not_there_is_an_error", unplugged_twice),
];

fn configured() {
    let container = Netns::on(&canoa0(), [172, 29, 0, 2]);
    container.run(|| {
        let eth0 = read::link("eth0").unwrap();
        assert!(eth0.up);
        assert_eq!(eth0.mac, [0x02, 0x42, 172, 29, 0, 2]);
        assert_eq!(read::addresses("eth0"), ["172.29.0.2/16".parse::<Ipv4Net>().unwrap()]);
        assert_eq!(read::default_gateways(), [std::net::Ipv4Addr::new(172, 29, 0, 1)]);
        assert!(read::link("lo").unwrap().up);
    });
    let cables = read::cables();
    assert_eq!(cables.len(), 1, "{cables:?}");
    let cable = read::link(&cables[0]).unwrap();
    assert!(cable.up, "ex-05-2: the cable's end outside is down: nothing comes through: {cable:?}");
    let bridge = read::link("canoa0").unwrap().index;
    assert_eq!(cable.bridge, Some(bridge), "ex-05-2: the cable's end outside is no port of the bridge");
}

fn tcp() {
    let bridge = canoa0();
    let one = Netns::on(&bridge, [172, 29, 0, 2]);
    let two = Netns::on(&bridge, [172, 29, 0, 3]);
    let listener = two.run(|| TcpListener::bind("0.0.0.0:80").unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, from) = listener.accept().unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        (text, from.ip())
    });
    one.run(|| std::net::TcpStream::connect("172.29.0.3:80").unwrap().write_all(b"hola").unwrap());
    assert_eq!(server.join().unwrap(), ("hola".to_owned(), IpAddr::from([172, 29, 0, 2])));
}

fn udp() {
    let bridge = canoa0();
    let one = Netns::on(&bridge, [172, 29, 0, 2]).run(|| UdpSocket::bind("0.0.0.0:53").unwrap());
    let two = Netns::on(&bridge, [172, 29, 0, 3]).run(|| UdpSocket::bind("0.0.0.0:53").unwrap());
    one.send_to(b"hola", "172.29.0.3:53").unwrap();
    two.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut buffer = [0; 16];
    let (length, from) = two.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], from), (&b"hola"[..], "172.29.0.2:53".parse().unwrap()));
}

/// One echo request (RFC 792): type 8, code 0, checksum, id, sequence. Whether an answer came.
fn pings(to: [u8; 4]) -> bool {
    let socket =
        socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Icmp).unwrap();
    setsockopt(&socket, ReceiveTimeout, &TimeVal::new(2, 0)).unwrap();
    let mut request = [8, 0, 0, 0, 0x0c, 0xa0, 0, 1];
    let sum: u32 = request.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    request[2..4].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    let [a, b, c, d] = to;
    let address = SockaddrIn::new(a, b, c, d, 0);
    sendmsg(socket.as_raw_fd(), &[IoSlice::new(&request)], &[], MsgFlags::empty(), Some(&address)).unwrap();
    let mut packet = [0; 128];
    match recv(socket.as_raw_fd(), &mut packet, MsgFlags::empty()) {
        // The IPv4 header comes first, with the sender at 12; then the echo reply, type 0.
        Ok(length) => length >= 28 && packet[12..16] == to && packet[20] == 0,
        Err(_) => false,
    }
}

fn ping() {
    let bridge = canoa0();
    let one = Netns::on(&bridge, [172, 29, 0, 2]);
    let _two = Netns::on(&bridge, [172, 29, 0, 3]);
    assert!(one.run(|| pings([172, 29, 0, 3])), "the other container");
    assert!(one.run(|| pings([172, 29, 0, 1])), "the gateway");
    assert!(!one.run(|| pings([172, 29, 0, 4])), "nobody");
}

fn host() {
    let container = Netns::on(&canoa0(), [172, 29, 0, 2]);
    let on_host = read::serve(TcpListener::bind("172.29.0.1:8080").unwrap());
    assert!(container.run(|| read::reaches([172, 29, 0, 1], 8080)));
    assert_eq!(on_host.join().unwrap(), IpAddr::from([172, 29, 0, 2]));
    let inside = read::serve(container.run(|| TcpListener::bind("0.0.0.0:80").unwrap()));
    assert!(read::reaches([172, 29, 0, 2], 80));
    assert_eq!(inside.join().unwrap(), IpAddr::from([172, 29, 0, 1]));
}

fn gone() {
    let container = Netns::on(&canoa0(), [172, 29, 0, 2]);
    assert_eq!(read::cables().len(), 1);
    drop(container);
    read::soon("the cable is gone", || read::cables().is_empty());
}

fn reused() {
    let bridge = canoa0();
    let friend = Netns::on(&bridge, [172, 29, 0, 3]);
    for turn in 0..5 {
        // The friend's ARP cache has the MAC of the one before: it is the same. And that one is
        // not quite dead: until the kernel gets to it, its interface still answers.
        let container = Netns::on(&bridge, [172, 29, 0, 2]);
        let server = read::serve(container.run(|| TcpListener::bind("0.0.0.0:80").unwrap()));
        assert!(friend.run(|| read::reaches([172, 29, 0, 2], 80)), "turn {turn}");
        server.join().unwrap();
        drop(container);
    }
}

fn former_owner() {
    let bridge = canoa0();
    let friend = Netns::on(&bridge, [172, 29, 0, 3]);
    let former = Netns::on(&bridge, [172, 29, 0, 2]);
    let newest = Netns::on(&bridge, [172, 29, 0, 2]);
    // The bridge sees the same MAC address come from another port than before. (The answer
    // doesn't arrive either.)
    assert!(!former.run(|| pings([172, 29, 0, 3])));
    let server = read::serve(newest.run(|| TcpListener::bind("0.0.0.0:80").unwrap()));
    assert!(friend.run(|| read::reaches([172, 29, 0, 2], 80)));
    server.join().unwrap();
}

/// A second network, and the interface of a container on it.
fn eth1() -> network::Interface {
    let other = bridge_of("br-other", "172.28.0.1/16");
    other.ensure().unwrap();
    network::Interface { name: "eth1".into(), ..interface(&other, [172, 28, 0, 9]) }
}

fn second_cable() {
    let container = Netns::on(&canoa0(), [172, 29, 0, 2]);
    let first = [std::net::Ipv4Addr::new(172, 29, 0, 1)];
    container.attach(&eth1()).unwrap();
    container.run(|| {
        assert_eq!(read::default_gateways(), [std::net::Ipv4Addr::new(172, 28, 0, 1)]);
        assert_eq!(read::addresses("eth1"), ["172.28.0.9/16".parse::<Ipv4Net>().unwrap()]);
    });
    network::detach(container.as_fd(), "eth1", Some(("eth0", first[0]))).unwrap();
    container.run(|| {
        assert!(read::link("eth1").is_none());
        assert_eq!(read::default_gateways(), first);
    });
    read::soon("its cable is gone", || read::cables().len() == 1);
}

fn no_gateway() {
    let container = Netns::on(&canoa0(), [172, 29, 0, 2]);
    container.attach(&network::Interface { gateway: None, ..eth1() }).unwrap();
    container.run(|| {
        assert_eq!(read::default_gateways(), [std::net::Ipv4Addr::new(172, 29, 0, 1)]);
        assert!(read::link("eth1").unwrap().up);
    });
}

fn unplugged_twice() {
    let container = Netns::on(&canoa0(), [172, 29, 0, 2]);
    network::detach(container.as_fd(), "eth0", None).unwrap();
    network::detach(container.as_fd(), "eth0", None).unwrap();
    container.run(|| assert_eq!(read::default_gateways(), [std::net::Ipv4Addr::LOCALHOST; 0]));
    let next = Some(("eth7", [172, 29, 0, 1].into()));
    let error = network::detach(container.as_fd(), "eth0", next).unwrap_err();
    assert!(error.to_string().contains("eth7"), "{error}");
}

fn many() {
    let bridge = canoa0();
    let containers: Vec<Netns> = std::thread::scope(|scope| {
        let bridge = &bridge;
        let threads: Vec<_> =
            (2..22).map(|last| scope.spawn(move || Netns::on(bridge, [172, 29, 0, last]))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(read::cables().len(), 20);
    assert!(containers[0].run(|| pings([172, 29, 0, 21])));
}

fn no_bridge() {
    let bridge = canoa0();
    bridge.remove().unwrap();
    let error = Netns::new().attach(&interface(&bridge, [172, 29, 0, 2])).unwrap_err();
    assert_eq!(error.errno, nix::libc::ENODEV, "{error}");
    assert!(error.to_string().contains("canoa0") && error.to_string().contains("restart"), "{error}");
}

fn half_attached() {
    let bridge = canoa0();
    let container = Netns::new();
    let mut interface = interface(&bridge, [172, 29, 0, 2]);
    // No way leads to such a gateway: the last of all requests is refused.
    interface.gateway = Some([10, 9, 8, 7].into());
    let error = container.attach(&interface).unwrap_err();
    assert_eq!(error.errno, nix::libc::ENETUNREACH, "{error}");
    assert!(error.to_string().contains("default route by 10.9.8.7"), "{error}");
    assert_eq!(read::cables(), [""; 0]);
    assert!(container.run(|| read::link("eth0")).is_none());
    interface.gateway = Some(bridge.gateway.addr());
    container.attach(&interface).unwrap();
}

fn name_taken() {
    let bridge = canoa0();
    let container = Netns::on(&bridge, [172, 29, 0, 2]);
    let error = container.attach(&interface(&bridge, [172, 29, 0, 3])).unwrap_err();
    assert_eq!(error.errno, nix::libc::EEXIST, "{error}");
    assert_eq!(read::cables().len(), 1);
    assert_eq!(container.run(|| read::addresses("eth0")), ["172.29.0.2/16".parse::<Ipv4Net>().unwrap()]);
}

fn bad_names() {
    let bridge = canoa0();
    for name in ["", "sixteen-letters!", "a/b", "a b", "..", "a%d", "a\0b"] {
        let mut interface = interface(&bridge, [172, 29, 0, 2]);
        interface.name = name.into();
        let error = Netns::new().attach(&interface).expect_err(name).to_string();
        assert!(error.contains("1 to 15 bytes"), "{error}");
        interface.name = "eth0".into();
        interface.bridge = name.into();
        Netns::new().attach(&interface).expect_err(name);
        assert_eq!(read::cables(), [""; 0], "{name:?}");
        crate::lab::bridge_of(name, "10.29.0.1/16").ensure().expect_err(name);
    }
    let names: Vec<String> = read::links().into_iter().map(|link| link.name).collect();
    assert!(!names.iter().any(|name| name.starts_with('a')), "{names:?}");
}
