//! Published ports. "Outside" is one more namespace, on a network of its own.
//!
//! The attack comes first: two containers that want the same port, and nobody who notices.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use network::publish::{Mapping, Protocol};
use network::{Bridge, Port, Publish, Published, dnat, forwarding, isolation, nat, ports};
use nix::libc;

use crate::lab::{Netns, Test, bridge_of, canoa0, interface};
use crate::{frame, read};

pub const TESTS: &[Test] = &[
    ("attack_nobody_notices_that_two_containers_want_the_same_port", attack),
    ("attack_rules_alone_give_a_port_to_whoever_comes_last", attack_by_rules),
    ("a_port_that_is_taken_is_an_error_before_anything_is_made", taken),
    ("a_port_that_another_program_has_is_an_error_at_whatever_address", taken_by_others),
    ("a_port_is_free_as_soon_as_its_owner_is_gone", free_again),
    ("a_free_port_is_free_for_ipv4_and_ipv6", free_port),
    ("of_a_range_the_first_free_port_is_taken", range),
    ("either_all_ports_are_taken_or_none", all_or_none),
    ("an_address_that_the_host_does_not_have_is_an_error", no_address),
    ("a_published_port_is_reached_by_tcp_from_everywhere", tcp),
    ("a_published_port_is_reached_by_udp_from_everywhere", udp),
    ("outside_comes_by_the_kernel_and_keeps_its_address", by_the_kernel),
    ("a_port_at_one_address_is_published_there_only", one_address),
    ("a_port_of_127_0_0_1_is_out_of_reach_from_outside", localhost_only),
    ("a_packet_to_127_0_0_1_from_outside_never_arrives", martian),
    ("where_the_kernel_may_not_a_proxy_carries_all", proxy_only),
    ("the_proxy_carries_each_direction_to_its_own_end", half_closed),
    ("the_proxy_breaks_off_where_nobody_listens", refused),
    ("nothing_is_left_of_published_ports", nothing_left),
    ("what_the_dead_have_published_is_replaced_or_swept", stale),
    ("a_port_that_was_freed_and_taken_anew_is_not_taken_back_with_the_old_one", taken_anew),
    ("each_networks_ports_go_with_it_and_with_nobody_elses", two_networks),
];

/// What comes back from the container.
#[derive(Debug, PartialEq)]
struct Answer {
    sender: IpAddr,
    text: Vec<u8>,
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    bytes
}

/// In a container: answers each connection to port 80, when it has said all, with its sender's
/// address and what it said; and each packet to port 53 likewise.
fn serve(container: &Netns) {
    let tcp = container.run(|| TcpListener::bind("0.0.0.0:80").unwrap());
    thread::spawn(move || {
        for stream in tcp.incoming() {
            let mut stream = stream.unwrap();
            let mut text = Vec::new();
            let IpAddr::V4(sender) = stream.peer_addr().unwrap().ip() else { panic!() };
            if stream.read_to_end(&mut text).is_ok() {
                let _ = stream.write_all(&sender.octets()).and_then(|()| stream.write_all(&text));
            }
        }
    });
    let udp = container.run(|| UdpSocket::bind("0.0.0.0:53").unwrap());
    thread::spawn(move || {
        let mut packet = vec![0; 65536];
        loop {
            let (length, sender) = udp.recv_from(&mut packet).unwrap();
            let IpAddr::V4(ip) = sender.ip() else { panic!() };
            let _ = udp.send_to(&[&ip.octets(), &packet[..length]].concat(), sender);
        }
    });
}

fn answer(bytes: Vec<u8>) -> Answer {
    let sender: [u8; 4] = bytes[..4].try_into().unwrap();
    Answer { sender: sender.into(), text: bytes[4..].to_vec() }
}

/// Asks by TCP, from where the caller is.
fn ask(to: impl Into<SocketAddr>, text: &[u8]) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&to.into(), Duration::from_secs(3))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut half = stream.try_clone()?;
    let text = text.to_vec();
    let sender = thread::spawn(move || half.write_all(&text).and_then(|()| half.shutdown(Shutdown::Write)));
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    sender.join().unwrap()?;
    if bytes.len() < 4 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(answer(bytes)) }
}

/// Asks by UDP. The socket is connected: it takes an answer from the asked address only.
fn ask_by_udp(to: impl Into<SocketAddr>, text: &[u8]) -> std::io::Result<Answer> {
    let to = to.into();
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(to)?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut packet = vec![0; 65536];
    // A packet may be lost: then it is sent again.
    let mut attempts = 3;
    let length = loop {
        socket.send(text)?;
        attempts -= 1;
        match socket.recv(&mut packet) {
            Err(error) if error.kind() == ErrorKind::WouldBlock && attempts > 0 => {}
            done => break done?,
        }
    };
    packet.truncate(length);
    Ok(answer(packet))
}

fn reserve(publish: &[&str]) -> namespaces::Result<Vec<Port>> {
    let wanted: Vec<_> = publish.iter().flat_map(|one| one.parse::<Publish>().unwrap().bindings()).collect();
    ports::reserve(&wanted)
}

fn publish(bridge: &Bridge, publish: &[&str], container: [u8; 4]) -> Published {
    Published::open(reserve(publish).unwrap(), Some("canoa"), &interface(bridge, container)).unwrap()
}

/// Who takes part in most tests.
struct Town {
    bridge: Bridge,
    server: Netns,
    /// Another container on the same bridge.
    neighbour: Netns,
    /// On a network of its own, to which the host belongs as 192.0.2.1.
    outside: Netns,
}

const HOST: [u8; 4] = [192, 0, 2, 1];
const GATEWAY: [u8; 4] = [172, 29, 0, 1];
const LOCALHOST: [u8; 4] = [127, 0, 0, 1];
const SERVER: [u8; 4] = [172, 29, 0, 2];

fn town() -> Town {
    network::lo_up().unwrap();
    let bridge = canoa0();
    nat::ensure("canoa", &bridge).unwrap();
    forwarding::enable().unwrap();
    let lan = bridge_of("lan0", "192.0.2.1/24");
    lan.ensure().unwrap();
    let server = Netns::on(&bridge, SERVER);
    serve(&server);
    let neighbour = Netns::on(&bridge, [172, 29, 0, 3]);
    Town { bridge, server, neighbour, outside: Netns::on(&lan, [192, 0, 2, 2]) }
}

fn attack() {
    // Lesson 4's container has a network namespace with nothing but lo. What it serves there is its own
    // affair: nobody reaches it, and nobody is told that it is the second one.
    network::lo_up().unwrap();
    let (one, two) = (Netns::new(), Netns::new());
    one.lo_up().unwrap();
    two.lo_up().unwrap();
    let _first = one.run(|| TcpListener::bind("0.0.0.0:80").unwrap());
    let _second = two.run(|| TcpListener::bind("0.0.0.0:80").unwrap());
    assert!(one.run(|| read::reaches(LOCALHOST, 80)));
    assert!(read::is_cut_off(LOCALHOST, 80));
}

fn attack_by_rules() {
    let town = town();
    let port = Mapping { address: [0; 4].into(), host: 8080, port: 80, protocol: Protocol::Tcp };
    dnat::publish("canoa", &town.bridge.name, &[port], SERVER.into()).unwrap();
    let text = random(100);
    assert_eq!(town.outside.run(|| ask((HOST, 8080), &text)).unwrap().text, text);
    // A second one, for a container that isn't even there: no error, and the first has lost its port.
    dnat::publish("canoa", &town.bridge.name, &[port], [172, 29, 0, 99].into()).unwrap();
    town.outside.run(|| ask((HOST, 8080), &text)).unwrap_err();
}

fn taken() {
    let town = town();
    let _first = publish(&town.bridge, &["8080:80"], SERVER);
    let before = (read::rules(), read::links());
    for again in ["8080:81", "127.0.0.1:8080:80", "[::1]:8080:80", "192.0.2.1:8080:80", "8080-8080:80"] {
        let Err(error) = reserve(&["9090:90", again]) else {
            panic!(
                "ex-05-5: port 8080 was given twice (-p {again}): of two that are only bound, both have it"
            )
        };
        assert_eq!(error.errno, libc::EADDRINUSE, "{error}");
        assert!(error.to_string().contains(":8080/tcp"), "{error}");
    }
    // Nothing was made: no rule, no interface, not even the other port is held.
    assert_eq!((read::rules(), read::links()), before);
    drop(TcpListener::bind("0.0.0.0:9090").unwrap());
    // And the first has it as before; TCP, that is: UDP has ports of its own.
    let text = random(100);
    assert_eq!(town.outside.run(|| ask((HOST, 8080), &text)).unwrap().text, text);
    drop(reserve(&["8080:80/udp"]).unwrap());
}

fn taken_by_others() {
    network::lo_up().unwrap();
    for address in ["0.0.0.0", "127.0.0.1", "[::]", "[::1]"] {
        let tcp = TcpListener::bind(format!("{address}:0")).unwrap();
        let port = tcp.local_addr().unwrap().port();
        assert_eq!(reserve(&[&format!("{port}:80")]).unwrap_err().errno, libc::EADDRINUSE, "{address}");
        let udp = UdpSocket::bind(format!("{address}:0")).unwrap();
        let port = udp.local_addr().unwrap().port();
        assert_eq!(reserve(&[&format!("{port}:80/udp")]).unwrap_err().errno, libc::EADDRINUSE, "{address}");
    }
}

fn free_again() {
    let town = town();
    for turn in 0..5 {
        // With a connection that has just been used, and one that is still open.
        let published = publish(&town.bridge, &["8080:80"], SERVER);
        let text = random(100);
        assert_eq!(ask((LOCALHOST, 8080), &text).unwrap().text, text, "turn {turn}");
        let open = TcpStream::connect((Ipv4Addr::LOCALHOST, 8080)).unwrap();
        drop(published);
        assert!(read::is_cut_off(LOCALHOST, 8080));
        drop(open);
    }
}

fn free_port() {
    network::lo_up().unwrap();
    let ports = reserve(&["80", "80/udp", "127.0.0.1::81"]).unwrap();
    let [v4, v6, udp4, udp6, local] = &ports[..] else { panic!("{ports:?}") };
    assert_eq!(v4.mapping.host, v6.mapping.host);
    assert_eq!(udp4.mapping.host, udp6.mapping.host);
    assert_eq!((v4.mapping.address, v6.mapping.address), ([0; 4].into(), [0u16; 8].into()));
    assert_eq!(local.mapping.address, IpAddr::from(LOCALHOST));
    for port in &ports {
        assert!(port.mapping.host >= 1024, "{port:?}");
        let place = (port.mapping.address, port.mapping.host);
        match port.mapping.protocol {
            Protocol::Tcp => drop(TcpListener::bind(place).unwrap_err()),
            Protocol::Udp => drop(UdpSocket::bind(place).unwrap_err()),
        }
    }
}

fn range() {
    network::lo_up().unwrap();
    let other = TcpListener::bind("127.0.0.1:8001").unwrap();
    let ports = reserve(&["8000-8003:80", "8000-8003:81", "8000-8003:82"]).unwrap();
    let got: Vec<u16> =
        ports.iter().filter(|port| port.mapping.address.is_ipv4()).map(|port| port.mapping.host).collect();
    assert_eq!(got, [8000, 8002, 8003]);
    let error = reserve(&["8000-8003:83"]).unwrap_err();
    assert!(error.errno == libc::EADDRINUSE && error.to_string().contains("8003"), "{error}");
    drop(other);
    assert_eq!(reserve(&["8000-8003:83"]).unwrap()[0].mapping.host, 8001);
}

fn all_or_none() {
    network::lo_up().unwrap();
    let _other = TcpListener::bind("127.0.0.1:8005").unwrap();
    reserve(&["8000-8009:9000-9009"]).unwrap_err();
    drop(reserve(&["8000-8004:9000-9004", "8006-8009:9006-9009"]).unwrap());
}

fn no_address() {
    network::lo_up().unwrap();
    for address in ["192.0.2.77", "[2001:db8::7]"] {
        let error = reserve(&[&format!("{address}:8080:80")]).unwrap_err();
        assert_eq!(error.errno, libc::EADDRNOTAVAIL, "{error}");
        assert!(error.to_string().contains(&format!("{address}:8080/tcp")), "{error}");
    }
}

/// From where, and at which address, somebody calls.
fn callers(town: &Town) -> Vec<(&'static str, Option<&Netns>, IpAddr)> {
    vec![
        ("outside", Some(&town.outside), HOST.into()),
        ("the host by its own address", None, HOST.into()),
        ("the host by the bridge's address", None, GATEWAY.into()),
        ("the host by 127.0.0.1", None, LOCALHOST.into()),
        ("the host by another address of its loopback", None, [127, 3, 2, 1].into()),
        ("the host by ::1", None, Ipv6Addr::LOCALHOST.into()),
        ("another container by the gateway", Some(&town.neighbour), GATEWAY.into()),
        ("another container by the host's address", Some(&town.neighbour), HOST.into()),
        ("the container itself by the gateway", Some(&town.server), GATEWAY.into()),
        ("the container itself by the host's address", Some(&town.server), HOST.into()),
    ]
}

fn from<T: Send>(place: Option<&Netns>, action: impl FnOnce() -> T + Send) -> T {
    match place {
        Some(netns) => netns.run(action),
        None => action(),
    }
}

fn tcp() {
    let town = town();
    let _published = publish(&town.bridge, &["8080:80"], SERVER);
    for (who, place, address) in callers(&town) {
        let text = random(100_000);
        let answer =
            from(place, || ask((address, 8080), &text)).unwrap_or_else(|error| panic!("{who}: {error}"));
        assert!(answer.text == text, "{who}: {} bytes", answer.text.len());
    }
}

fn udp() {
    let town = town();
    let _published = publish(&town.bridge, &["5353:53/udp"], SERVER);
    for (who, place, address) in callers(&town) {
        for length in [1, 1000, 9000] {
            let text = random(length);
            let answer = from(place, || ask_by_udp((address, 5353), &text));
            assert!(answer.as_ref().is_ok_and(|answer| answer.text == text), "{who}: {answer:?}");
        }
    }
}

fn by_the_kernel() {
    let town = town();
    let _published = publish(&town.bridge, &["8080:80", "5353:53/udp"], SERVER);
    let outside = IpAddr::from([192, 0, 2, 2]);
    assert_eq!(town.outside.run(|| ask((HOST, 8080), b"who am I")).unwrap().sender, outside);
    assert_eq!(town.outside.run(|| ask_by_udp((HOST, 5353), b"who am I")).unwrap().sender, outside);
    assert_eq!(ask((HOST, 8080), b"who am I").unwrap().sender, IpAddr::from(HOST));
    // By the proxy it is the host.
    assert_eq!(ask((LOCALHOST, 8080), b"who am I").unwrap().sender, IpAddr::from(GATEWAY));
}

fn one_address() {
    let town = town();
    bridge_of("lan1", "198.51.100.1/24").ensure().unwrap();
    let _published = publish(&town.bridge, &["192.0.2.1:8080:80", "192.0.2.1:5353:53/udp"], SERVER);
    let text = random(100);
    assert_eq!(town.outside.run(|| ask((HOST, 8080), &text)).unwrap().text, text);
    assert_eq!(town.outside.run(|| ask_by_udp((HOST, 5353), &text)).unwrap().text, text);
    assert_eq!(town.neighbour.run(|| ask((HOST, 8080), &text)).unwrap().text, text);
    assert!(read::is_cut_off([198, 51, 100, 1], 8080));
    assert!(read::is_cut_off(LOCALHOST, 8080));
    // Another container can have the same port at another address.
    let _other = publish(&town.bridge, &["198.51.100.1:8080:80"], SERVER);
    assert_eq!(ask(([198, 51, 100, 1], 8080), &text).unwrap().text, text);
}

fn localhost_only() {
    let town = town();
    let _published = publish(&town.bridge, &["127.0.0.1:8080:80", "[::1]:8080:80"], SERVER);
    let text = random(100);
    assert_eq!(ask((LOCALHOST, 8080), &text).unwrap().text, text);
    assert_eq!(ask((Ipv6Addr::LOCALHOST, 8080), &text).unwrap().text, text);
    assert!(town.outside.run(|| read::is_cut_off(HOST, 8080)));
    assert!(town.neighbour.run(|| read::is_cut_off(GATEWAY, 8080)));
    assert_eq!(read::elements("canoa"), [] as [(Vec<u8>, Vec<u8>); 0]);
}

fn martian() {
    let town = town();
    let _published = publish(&town.bridge, &["5353:53/udp", "127.0.0.1:5454:53/udp"], SERVER);
    let heard = town.server.run(|| UdpSocket::bind("172.29.0.2:54").unwrap());
    heard.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let _third = publish(&town.bridge, &["5555:54/udp"], SERVER);
    let mut packet = [0; 64];
    let mac = read::link("lan0").unwrap().mac;
    let send = |to: [u8; 4], port: u16, text: &[u8]| {
        town.outside.run(|| frame::send_udp("eth0", &mac, ([192, 0, 2, 2], to, port), text));
    };
    // Made by hand, a packet arrives like any other …
    send(HOST, 5555, b"to the host");
    assert_eq!(heard.recv(&mut packet).unwrap(), 11);
    // … but not if it is sent to an address which no packet outside of a machine may have.
    for to in [LOCALHOST, [127, 3, 2, 1]] {
        for port in [5555, 5353, 5454] {
            send(to, port, b"to 127.0.0.1");
        }
        assert!(heard.recv(&mut packet).is_err(), "{to:?}");
    }
    for interface in ["canoa0", "all", "default", "lan0"] {
        let path = format!("/proc/sys/net/ipv4/conf/{interface}/route_localnet");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "0\n", "{interface}");
    }
}

fn proxy_only() {
    let town = town();
    let ports = reserve(&["8080:80", "5353:53/udp"]).unwrap();
    let _published = Published::open(ports, None, &interface(&town.bridge, SERVER)).unwrap();
    assert_eq!(read::rules(), ["canoa/masquerade-canoa0"]);
    for (who, place, address) in callers(&town) {
        let text = random(5000);
        let answer = from(place, || ask((address, 8080), &text)).unwrap();
        assert_eq!((answer.sender, answer.text == text), (GATEWAY.into(), true), "{who}");
        let answer = from(place, || ask_by_udp((address, 5353), &text)).unwrap();
        assert_eq!((answer.sender, answer.text == text), (GATEWAY.into(), true), "{who}");
    }
}

fn half_closed() {
    let town = town();
    let _published = publish(&town.bridge, &["127.0.0.1:8080:8080"], SERVER);
    let listener = town.server.run(|| TcpListener::bind("0.0.0.0:8080").unwrap());
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, 8080)).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    // The server has said all it will, and still hears.
    server.write_all(b"welcome").unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text, "welcome");
    let long = random(3_000_000);
    let said = long.clone();
    let talker = thread::spawn(move || client.write_all(&said).map(|()| drop(client)));
    let mut heard = Vec::new();
    server.read_to_end(&mut heard).unwrap();
    talker.join().unwrap().unwrap();
    assert!(heard == long, "{} bytes", heard.len());
}

fn refused() {
    let town = town();
    let _published = publish(&town.bridge, &["8081:81", "5454:54/udp"], SERVER);
    let error = ask((LOCALHOST, 8081), b"anybody there?").unwrap_err();
    assert!([ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&error.kind()), "{error:?}");
    ask_by_udp((LOCALHOST, 5454), b"anybody there?").unwrap_err();
    // Once somebody is, it works; also for one who has asked in vain before.
    let _late = read::serve(town.server.run(|| TcpListener::bind("0.0.0.0:81").unwrap()));
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, 8081)).is_ok());
    // A connection that the container breaks off ends with an error, not as if all had been said.
    let listener = town.server.run(|| TcpListener::bind("0.0.0.0:82").unwrap());
    let _more = publish(&town.bridge, &["127.0.0.1:8082:82"], SERVER);
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, 8082)).unwrap();
    let (server, _) = listener.accept().unwrap();
    nix::sys::socket::setsockopt(
        &server,
        nix::sys::socket::sockopt::Linger,
        &libc::linger { l_onoff: 1, l_linger: 0 },
    )
    .unwrap();
    drop(server);
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

fn nothing_left() {
    let town = town();
    let before = std::fs::read_dir("/proc/self/task").unwrap().count();
    for _ in 0..3 {
        let published = publish(&town.bridge, &["8080:80", "192.0.2.1:5353:53/udp", "8000-8009:80"], SERVER);
        assert_eq!(read::elements("canoa").len(), 3);
        drop(published);
        assert_eq!(read::elements("canoa").len(), 0);
        drop(TcpListener::bind("0.0.0.0:8080").unwrap());
        drop(UdpSocket::bind("0.0.0.0:5353").unwrap());
        assert!(town.outside.run(|| read::is_cut_off(HOST, 8080)));
    }
    read::soon("its threads have ended", || std::fs::read_dir("/proc/self/task").unwrap().count() <= before);
    nat::remove("canoa", &town.bridge).unwrap();
    assert_eq!(read::rules(), [""; 0]);
}

fn stale() {
    let town = town();
    let old = [172, 29, 0, 77];
    // As a process leaves it that was killed: its sockets are closed, its elements are there.
    let port =
        |address: [u8; 4], host| Mapping { address: address.into(), host, port: 80, protocol: Protocol::Tcp };
    let left = [port([0; 4], 8080), port(HOST, 8081), port([0; 4], 8082)];
    dnat::publish("canoa", &town.bridge.name, &left, old.into()).unwrap();
    assert_eq!(read::elements("canoa").len(), 3);
    let published = publish(&town.bridge, &["8080:80", "192.0.2.1:8081:80"], SERVER);
    let text = random(100);
    for port in [8080, 8081] {
        assert_eq!(town.outside.run(|| ask((HOST, port), &text)).unwrap().text, text);
    }
    assert_eq!(read::elements("canoa").len(), 3, "the third is still there");
    dnat::sweep("canoa", &town.bridge.name, |address| address == Ipv4Addr::from(SERVER)).unwrap();
    assert_eq!(read::elements("canoa").len(), 2);
    assert_eq!(town.outside.run(|| ask((HOST, 8080), &text)).unwrap().text, text);
    // Swept by mistake, or by somebody else: taking back what is gone is fine, and takes nothing else.
    dnat::publish("canoa", &town.bridge.name, &left[2..], old.into()).unwrap();
    dnat::withdraw("canoa", &town.bridge.name, &[port([0; 4], 9999), port([0; 4], 8082)], old.into())
        .unwrap();
    assert_eq!(read::elements("canoa").len(), 2);
    drop(published);
    assert_eq!(read::elements("canoa").len(), 0);
    // Nothing there at all.
    nat::remove("canoa", &town.bridge).unwrap();
    dnat::sweep("canoa", &town.bridge.name, |_| false).unwrap();
    dnat::withdraw("canoa", &town.bridge.name, &left, old.into()).unwrap();
}

fn taken_anew() {
    // The first container has ended, its rules are still there when the second takes the port.
    let town = town();
    let mut first = publish(&town.bridge, &["8080:80", "8081:81"], [172, 29, 0, 77]);
    first.free();
    let _second = publish(&town.bridge, &["8080:80"], SERVER);
    drop(first);
    let text = random(100);
    assert_eq!(town.outside.run(|| ask((HOST, 8080), &text)).unwrap().text, text);
    assert_eq!(read::elements("canoa").len(), 1);
}

fn two_networks() {
    let town = town();
    let other = bridge_of("br-2f01c3", "172.28.0.1/16");
    other.ensure().unwrap();
    nat::ensure("canoa", &other).unwrap();
    for bridge in [&town.bridge, &other] {
        isolation::ensure("canoa", bridge, false).unwrap();
    }
    let there = Netns::new();
    there.attach(&interface(&other, [172, 28, 0, 2])).unwrap();
    serve(&there);
    let _one = publish(&town.bridge, &["8080:80"], SERVER);
    let two = publish(&other, &["9090:80"], [172, 28, 0, 2]);
    let text = random(100);
    // Also from one network to a port of the other.
    assert!(there.run(|| read::is_cut_off(SERVER, 80)), "there is a wall between them");
    for (place, port) in [(&town.outside, 8080), (&town.outside, 9090), (&there, 8080), (&town.server, 9090)]
    {
        assert_eq!(place.run(|| ask((HOST, port), &text)).unwrap().text, text, "{port}");
    }
    drop(two);
    nat::remove("canoa", &other).unwrap();
    isolation::remove("canoa", &other).unwrap();
    assert!(read::rules().iter().all(|rule| !rule.contains("br-2f01c3")), "{:?}", read::rules());
    assert_eq!(town.outside.run(|| ask((HOST, 8080), &text)).unwrap().text, text);
    nat::remove("canoa", &town.bridge).unwrap();
    isolation::remove("canoa", &town.bridge).unwrap();
    assert_eq!(read::rules(), [""; 0], "no table either");
}
