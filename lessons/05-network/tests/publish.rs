//! What people write after `-p`.

#![allow(clippy::unwrap_used)]

use std::net::IpAddr;

use network::publish::{BadPublish, Binding, PortRange, Protocol, Publish};
use proptest::prelude::*;

fn parse(text: &str) -> Result<Publish, BadPublish> {
    text.parse()
}

/// As a line: `address host port/protocol`, for each binding.
fn lines(text: &str) -> Vec<String> {
    let line = |binding: Binding| {
        let address = binding.address.map_or("any".to_owned(), |address| address.to_string());
        let host = binding.host.map_or("free".to_owned(), |host| host.to_string());
        format!("{address} {host} {}/{}", binding.port, binding.protocol)
    };
    parse(text).unwrap().bindings().map(line).collect()
}

#[test]
fn every_form_that_docker_understands_is_understood() {
    assert_eq!(lines("8080:80"), ["any 8080 80/tcp"]);
    assert_eq!(lines("127.0.0.1:8080:80/udp"), ["127.0.0.1 8080 80/udp"]);
    assert_eq!(lines("80"), ["any free 80/tcp"]);
    assert_eq!(lines("80/UDP"), ["any free 80/udp"]);
    assert_eq!(lines(":80"), ["any free 80/tcp"]);
    assert_eq!(lines("0:80"), ["any free 80/tcp"]);
    assert_eq!(lines("127.0.0.1::80"), ["127.0.0.1 free 80/tcp"]);
    assert_eq!(lines("[::1]:8080:80"), ["::1 8080 80/tcp"]);
    assert_eq!(lines("[::1]::80"), ["::1 free 80/tcp"]);
    assert_eq!(lines("[2001:db8::7]:53:53/udp"), ["2001:db8::7 53 53/udp"]);
    assert_eq!(lines("1-65535").len(), 65535);
}

#[test]
fn ranges_of_the_same_length_go_together_and_one_port_takes_the_first_that_is_free() {
    assert_eq!(lines("8000-8002:9000-9002"), ["any 8000 9000/tcp", "any 8001 9001/tcp", "any 8002 9002/tcp"]);
    assert_eq!(lines("8000-8002:80"), ["any 8000-8002 80/tcp"]);
    assert_eq!(lines("9000-9001/udp"), ["any free 9000/udp", "any free 9001/udp"]);
    assert_eq!(lines("65534-65535:65534-65535"), ["any 65534 65534/tcp", "any 65535 65535/tcp"]);
}

#[test]
fn what_is_no_port_is_refused_and_named() {
    let container = |text: &str| BadPublish::ContainerPort(text.to_owned());
    for text in
        ["abc", "80a", "+80", "-1", "0", "65536", "99999999999999999999", "8 0", "80-79", "1-2-3", "٣", "-"]
    {
        assert_eq!(parse(text).unwrap_err(), container(text), "{text}");
        assert_eq!(parse(&format!("8080:{text}")).unwrap_err(), container(text), "{text}");
    }
    for text in ["abc", "+80", "65536", "0-5", "9-8", " 80", "80\0"] {
        assert_eq!(parse(&format!("{text}:80")).unwrap_err(), BadPublish::HostPort(text.to_owned()));
    }
}

#[test]
fn what_is_missing_or_makes_no_sense_is_said() {
    for text in ["", ":", "8080:", "127.0.0.1:8080:", "/tcp"] {
        assert_eq!(parse(text).unwrap_err(), BadPublish::NoPort(text.to_owned()), "{text}");
    }
    for proto in ["", "sctp", "tcp/udp", "x"] {
        let error = parse(&format!("80/{proto}")).unwrap_err();
        assert_eq!(error, BadPublish::Protocol(proto.to_owned()));
    }
    for address in
        ["localhost", "256.0.0.1", "1.2.3", "[127.0.0.1]", "[::1", "::1]", "[]", "[fe80::1%eth0]", "a:b"]
    {
        assert_eq!(parse(&format!("{address}:1:1")).unwrap_err(), BadPublish::Address(address.to_owned()));
    }
    let error = parse("8000-8003:80-81").unwrap_err().to_string();
    assert_eq!(error, "invalid ranges specified for container and host Ports: 80-81 and 8000-8003");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,40}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_text_of_its_own_letters_makes_it_panic(text in r"[0-9:\[\]./\-tcpud]{0,24}") {
        if let Ok(publish) = parse(&text) {
            prop_assert!(publish.container.first > 0 && publish.container.first <= publish.container.last);
            prop_assert!(publish.bindings().count() == publish.container.count());
        }
    }

    #[test]
    fn what_is_written_is_what_is_understood(
        address: Option<IpAddr>,
        (first, more) in (1..60000u16, 0..5000u16),
        host in proptest::option::of(1..60000u16),
        udp: bool,
    ) {
        let container = PortRange { first, last: first + more };
        let host = host.map(|host| PortRange { first: host, last: host + more });
        let protocol = if udp { Protocol::Udp } else { Protocol::Tcp };
        let written = format!(
            "{}:{}:{container}/{protocol}",
            address.map_or(String::new(), |one| if one.is_ipv6() { format!("[{one}]") } else { one.to_string() }),
            host.map_or(String::new(), |host| host.to_string()),
        );
        let publish = parse(&written).unwrap();
        prop_assert_eq!(&publish, &Publish { address, host, container, protocol });
        for (place, binding) in publish.bindings().enumerate() {
            prop_assert_eq!(usize::from(binding.port), usize::from(first) + place);
            let wanted = host.map(|host| usize::from(host.first) + place);
            prop_assert_eq!(binding.host.map(|host| usize::from(host.first)), wanted);
        }
    }
}
