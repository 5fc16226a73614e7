//! The bridge, and the choice of its addresses.

use std::sync::Barrier;
use std::thread;

use ipnet::Ipv4Net;
use network::subnet::{candidates, choose_subnet, route_in_use};

use crate::lab::{Netns, Test, bridge_of, canoa0};
use crate::read;

pub const TESTS: &[Test] = &[
    ("a_bridge_is_up_and_has_the_gateways_address", made),
    ("ensuring_a_bridge_again_changes_nothing", again),
    ("a_bridge_that_many_make_at_once_is_there_for_all_of_them", at_once),
    ("a_bridge_keeps_its_mac_when_containers_come", stable_mac),
    ("a_bridge_without_an_address_is_completed", completed),
    ("a_name_that_another_interface_has_is_refused_and_left_alone", not_a_bridge),
    ("a_bridge_with_another_address_is_refused_and_left_alone", another_address),
    ("removing_a_bridge_can_be_repeated", removed),
    ("a_subnet_that_the_host_uses_is_not_chosen", subnet_in_use),
];

fn made() {
    canoa0();
    let link = read::link("canoa0").unwrap();
    assert!(link.up);
    assert_eq!(
        link.mac,
        [0x02, 0x42, 172, 29, 0, 1],
        "ex-05-1: this MAC address isn't the one that belongs to the gateway's IP address"
    );
    assert_eq!(read::addresses("canoa0"), ["172.29.0.1/16".parse::<Ipv4Net>().unwrap()]);
}

fn again() {
    let bridge = canoa0();
    let before = (read::links(), read::addresses("canoa0"));
    bridge.ensure().unwrap();
    assert_eq!((read::links(), read::addresses("canoa0")), before);
}

fn at_once() {
    for _ in 0..20 {
        let bridge = bridge_of("canoa0", "172.29.0.1/16");
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    let made = bridge.ensure();
                    assert!(made.is_ok(), "ex-05-1: that somebody else was faster is no error: {made:?}");
                });
            }
        });
        assert_eq!(read::addresses("canoa0"), [bridge.gateway]);
        bridge.remove().unwrap();
    }
}

fn stable_mac() {
    let bridge = canoa0();
    let before = read::link("canoa0").unwrap().mac;
    // Such a low MAC would be the bridge's, were it to choose.
    let mut interface = crate::lab::interface(&bridge, [172, 29, 0, 2]);
    interface.mac = [0x02, 0, 0, 0, 0, 1];
    let containers: Vec<_> = (0..4).map(|_| Netns::new()).collect();
    for container in &containers {
        container.attach(&interface).unwrap();
    }
    assert_eq!(read::link("canoa0").unwrap().mac, before);
}

fn completed() {
    // As it is when a first attempt died in the middle.
    let bridge = canoa0();
    read::delete_address("canoa0", bridge.gateway);
    assert_eq!(read::addresses("canoa0"), []);
    bridge.ensure().unwrap();
    assert_eq!(read::addresses("canoa0"), [bridge.gateway]);
}

fn not_a_bridge() {
    let bridge = bridge_of("lo", "172.29.0.1/16");
    let error = bridge.ensure().unwrap_err().to_string();
    assert!(error.contains("lo") && error.contains("not a bridge"), "{error}");
    bridge.remove().unwrap_err();
    assert_eq!(read::addresses("lo"), []);
    assert!(!read::link("lo").unwrap().up);
}

fn another_address() {
    canoa0();
    let other = bridge_of("canoa0", "10.29.0.1/16");
    let error = other.ensure().unwrap_err().to_string();
    assert!(error.contains("172.29.0.1/16") && error.contains("10.29.0.1/16"), "{error}");
    other.remove().unwrap_err();
    assert_eq!(read::addresses("canoa0").len(), 1);
}

fn removed() {
    let bridge = canoa0();
    bridge.remove().unwrap();
    assert!(read::link("canoa0").is_none());
    bridge.remove().unwrap();
}

fn subnet_in_use() {
    let first = "172.29.0.0/16".parse().unwrap();
    assert_eq!(choose_subnet(&candidates()).unwrap(), first);
    assert!(!route_in_use(first).unwrap());
    // A part of it is enough to be in its way.
    bridge_of("lan0", "172.29.7.1/24").ensure().unwrap();
    assert!(route_in_use(first).unwrap());
    let second = "172.28.0.0/16".parse().unwrap();
    assert_eq!(choose_subnet(&candidates()).unwrap(), second);
    // An interface which is down has no route to its subnet, and will have one when it is up.
    bridge_of("lan1", "172.16.0.1/12").ensure().unwrap();
    read::set_down("lan1");
    assert_eq!(choose_subnet(&candidates()).unwrap().to_string(), "10.29.0.0/16");
    let error = choose_subnet(&[first, second]).unwrap_err().to_string();
    assert!(error.contains("172.29.0.0/16, 172.28.0.0/16"), "{error}");
}
