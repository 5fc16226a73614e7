//! What comes from outside and makes no sense: an error that names it, never a panic.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use network::dns::zone::{self, Zone, Zones};
use network::names::{Resolver, hosts, parse_extra_host, resolv_conf, servers};
use network::publish::{host_address, host_ports};
use network::{Addresses, Network};
use proptest::prelude::*;

fn open(dir: &Path) -> Addresses {
    Addresses::open(dir, "10.0.0.0/24".parse().unwrap(), [10, 0, 0, 1].into()).unwrap()
}

#[test]
fn an_owner_that_can_be_nobodys_name_is_refused_and_takes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let addresses = open(dir.path());
    for owner in ["", "a\0b", &"x".repeat(5000)] {
        let error = addresses.take(owner).unwrap_err().to_string();
        assert!(error.contains("take address 10.0.0.2"), "{error}");
        addresses.take_this(owner, [10, 0, 0, 7].into()).unwrap_err();
        assert!(addresses.owners().unwrap().is_empty());
    }
    // What looks like a path is a name like others: a lease's link leads nowhere.
    addresses.take("../../etc/passwd").unwrap();
    assert_eq!(addresses.owners().unwrap().into_values().collect::<Vec<_>>(), ["../../etc/passwd"]);
}

#[test]
fn the_smallest_and_the_largest_subnets_give_what_they_have() {
    let given = |subnet: &str, gateway: [u8; 4]| -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let addresses = Addresses::open(dir.path(), subnet.parse().unwrap(), gateway.into()).unwrap();
        (0..3)
            .filter_map(|n| addresses.take(&n.to_string()).ok())
            .map(|address| address.to_string())
            .collect()
    };
    assert_eq!(given("10.0.0.1/32", [10, 0, 0, 1]), [""; 0]);
    assert_eq!(given("10.0.0.0/31", [10, 0, 0, 0]), ["10.0.0.1"]);
    assert_eq!(given("10.0.0.0/30", [10, 0, 0, 1]), ["10.0.0.2"]);
    assert_eq!(given("0.0.0.0/0", [0, 0, 0, 1]), ["0.0.0.2", "0.0.0.3", "0.0.0.4"]);
    assert_eq!(given("255.255.255.252/30", [255, 255, 255, 253]), ["255.255.255.254"]);
}

#[test]
fn a_range_gives_nothing_outside_of_its_subnet() {
    let dir = tempfile::tempdir().unwrap();
    let addresses = open(dir.path());
    let error = addresses.within("192.168.0.0/30".parse().unwrap()).take("a").unwrap_err().to_string();
    assert!(error.contains("192.168.0.0/30"), "{error}");
    let addresses = open(dir.path()).within("0.0.0.0/0".parse().unwrap());
    assert_eq!(addresses.take("a").unwrap(), Ipv4Addr::new(10, 0, 0, 2));
}

#[test]
fn a_network_whose_note_is_damaged_says_which() {
    let around = tempfile::tempdir().unwrap();
    let dir = around.path().join("network");
    fs::create_dir(&dir).unwrap();
    for note in
        ["", "{", "null!", "{\"name\":\"canoa0\"}", "{\"name\":\"canoa0\",\"gateway\":\"10.0.0.1/99\"}"]
    {
        fs::write(dir.join("bridge.json"), note).unwrap();
        for error in [
            Network::at(&dir, "canoa-test").join("one", |_| true).unwrap_err(),
            Network::at(&dir, "canoa-test").leave("one").unwrap_err(),
        ] {
            assert!(error.to_string().contains("network/bridge.json"), "{note}: {error}");
        }
    }
}

#[test]
fn a_zone_whose_file_is_no_text_keeps_what_was_known() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("names");
    fs::write(&file, "172.29.0.2 web\n").unwrap();
    let mut zones = Zones::new(vec![Zone { name: "sea".into(), file: file.clone(), leads_out: false }]);
    assert_eq!(zones.addresses("web"), Some(vec![[172, 29, 0, 2].into()]));
    fs::write(&file, b"\xff\xfe 172.29.0.3 other\n").unwrap();
    assert_eq!(zones.addresses("web"), Some(vec![[172, 29, 0, 2].into()]));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(zones.addresses("other"), None);
}

/// Text as it may stand in a file of the host's, or be typed by somebody.
fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        "(?s).{0,60}",
        "((nameserver|search|domain|options|#)[ \t]{0,2}[0-9a-f.:%]{0,20}[\n ]{0,2}){0,6}",
    ]
}

proptest! {
    #[test]
    fn whatever_the_host_has_the_resolver_gets_lines_that_it_knows(text in words()) {
        for line in resolv_conf(&text, &Resolver::default()).lines() {
            match line.split_once(' ') {
                Some(("nameserver", address)) => {
                    let address: IpAddr = address.parse().unwrap();
                    prop_assert!(!address.is_loopback());
                }
                Some(("search" | "options", rest)) => prop_assert!(!rest.is_empty()),
                _ => prop_assert!(false, "{line:?}"),
            }
        }
        prop_assert!(!servers(&text).is_empty());
    }

    #[test]
    fn an_extra_host_is_one_line_or_refused(text in "(?s).{0,30}|[a-z# \n]{0,4}[:=][0-9a-f.:\\[\\]]{0,12}") {
        if let Ok((name, address)) = parse_extra_host(&text, None) {
            let before = hosts("me", "", &[], &[]).lines().count();
            let file = hosts("me", "", &[], &[(name.clone(), address)]);
            prop_assert_eq!(file.lines().count(), before + 1);
            let words: Vec<&str> = file.lines().last().unwrap().split_whitespace().collect();
            prop_assert_eq!(words, [address.to_string(), name]);
        }
    }

    #[test]
    fn no_text_makes_a_port_or_an_address_panic(text in "(?s).{0,30}|[0-9:\\[\\].-]{0,12}") {
        if let Ok(Some(ports)) = host_ports(&text) {
            prop_assert!(0 < ports.first && ports.first <= ports.last);
        }
        let _ = host_address(&text);
    }

    #[test]
    fn names_that_are_names_are_found_again_whatever_is_asked(
        names in prop::collection::vec("[a-zA-Z0-9_-]{1,12}", 1..4),
        last in 2..250u8,
        asked in "(?s).{0,40}",
    ) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("names");
        let address = Ipv4Addr::new(172, 29, 0, last);
        zone::write(&file, &[(address, names.clone())]).unwrap();
        let mut zones = Zones::new(vec![Zone { name: "sea".into(), file, leads_out: true }]);
        for name in &names {
            prop_assert!(zone::is_name(name));
            prop_assert_eq!(zones.addresses(name), Some(vec![address]));
            prop_assert_eq!(zones.addresses(&format!("{name}.SEA")), Some(vec![address]));
        }
        let _ = (zones.addresses(&asked), zone::is_name(&asked), zone::parse(&asked));
    }
}
