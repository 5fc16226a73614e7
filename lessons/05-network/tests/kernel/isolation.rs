//! Walls between networks: who reaches whom by way of the host.

use std::net::TcpListener;

use network::{Bridge, forwarding, isolation, nat};

use crate::lab::{Netns, Test, bridge_of, canoa0};
use crate::read;

pub const TESTS: &[Test] = &[
    ("containers_of_two_networks_reach_each_other_until_there_are_walls", walls),
    ("a_wall_does_not_keep_containers_from_their_own_network_the_host_and_outside", inside_and_out),
    ("nothing_leads_out_of_an_internal_network_nor_into_it", internal),
    ("a_wall_is_put_up_once_and_changed_when_the_network_is_another", once),
    ("the_last_wall_takes_the_table_along_and_the_others_stay", removed),
];

fn other() -> Bridge {
    let bridge = bridge_of("br-other", "172.28.0.1/16");
    bridge.ensure().unwrap();
    bridge
}

/// Whether `from` reaches a server that is listening at this address in `to`.
fn reaches(from: &Netns, to: &Netns, address: [u8; 4]) -> bool {
    let listener = to.run(|| TcpListener::bind("0.0.0.0:80").unwrap());
    let reached = from.run(|| read::reaches(address, 80));
    drop(listener);
    reached
}

/// The same, when it shouldn't.
fn is_cut_off(from: &Netns, to: &Netns, address: [u8; 4]) -> bool {
    let _listener = to.run(|| TcpListener::bind("0.0.0.0:80").unwrap());
    from.run(|| read::is_cut_off(address, 80))
}

fn walls() {
    forwarding::enable().unwrap();
    let (one, two) = (canoa0(), other());
    let (here, there) = (Netns::on(&one, [172, 29, 0, 2]), Netns::on(&two, [172, 28, 0, 2]));
    assert!(reaches(&here, &there, [172, 28, 0, 2]), "without a wall they do");
    isolation::ensure("canoa", &one, false).unwrap();
    isolation::ensure("canoa", &two, false).unwrap();
    assert!(is_cut_off(&here, &there, [172, 28, 0, 2]));
    assert!(is_cut_off(&there, &here, [172, 29, 0, 2]));
    // A third that comes later is walled off from both, though their rules were there before.
    let third = bridge_of("br-third", "172.27.0.1/16");
    third.ensure().unwrap();
    let newest = Netns::on(&third, [172, 27, 0, 2]);
    isolation::ensure("canoa", &third, false).unwrap();
    assert!(is_cut_off(&here, &newest, [172, 27, 0, 2]));
    assert!(is_cut_off(&newest, &there, [172, 28, 0, 2]));
}

fn inside_and_out() {
    forwarding::enable().unwrap();
    let (one, two) = (canoa0(), other());
    let lan = bridge_of("lan0", "192.0.2.1/24");
    lan.ensure().unwrap();
    for bridge in [&one, &two] {
        isolation::ensure("canoa", bridge, false).unwrap();
        nat::ensure("canoa", bridge).unwrap();
    }
    let container = Netns::on(&one, [172, 29, 0, 2]);
    let friend = Netns::on(&one, [172, 29, 0, 3]);
    let outside = Netns::on(&lan, [192, 0, 2, 2]);
    assert!(reaches(&container, &friend, [172, 29, 0, 3]), "its own network");
    assert!(reaches(&container, &outside, [192, 0, 2, 2]), "outside");
    let host = read::serve(TcpListener::bind("172.29.0.1:80").unwrap());
    assert!(container.run(|| read::reaches([172, 29, 0, 1], 80)), "the host");
    host.join().unwrap();
}

fn internal() {
    forwarding::enable().unwrap();
    let (one, two) = (canoa0(), other());
    let lan = bridge_of("lan0", "192.0.2.1/24");
    lan.ensure().unwrap();
    isolation::ensure("canoa", &one, true).unwrap();
    isolation::ensure("canoa", &two, false).unwrap();
    let container = Netns::on(&one, [172, 29, 0, 2]);
    let friend = Netns::on(&one, [172, 29, 0, 3]);
    let other = Netns::on(&two, [172, 28, 0, 2]);
    let outside = Netns::on(&lan, [192, 0, 2, 2]);
    assert!(is_cut_off(&container, &outside, [192, 0, 2, 2]));
    assert!(is_cut_off(&outside, &container, [172, 29, 0, 2]));
    assert!(is_cut_off(&container, &other, [172, 28, 0, 2]));
    assert!(is_cut_off(&other, &container, [172, 29, 0, 2]));
    assert!(reaches(&container, &friend, [172, 29, 0, 3]), "its own network");
}

fn once() {
    let bridge = canoa0();
    for _ in 0..3 {
        isolation::ensure("canoa", &bridge, false).unwrap();
        assert_eq!(read::rules(), ["canoa/isolate-canoa0"]);
    }
    isolation::ensure("canoa", &bridge, true).unwrap();
    assert_eq!(read::rules(), ["canoa/isolate-canoa0", "canoa/isolate-canoa0"]);
    isolation::ensure("canoa", &bridge, false).unwrap();
    assert_eq!(read::rules(), ["canoa/isolate-canoa0"]);
}

fn removed() {
    let (one, two) = (canoa0(), other());
    for bridge in [&one, &two] {
        nat::ensure("canoa", bridge).unwrap();
        isolation::ensure("canoa", bridge, false).unwrap();
    }
    isolation::remove("canoa", &one).unwrap();
    isolation::remove("canoa", &one).unwrap();
    nat::remove("canoa", &one).unwrap();
    assert_eq!(read::rules(), ["canoa/isolate-br-other", "canoa/masquerade-br-other"]);
    // It can be put up again: nothing of it was left in the set.
    isolation::ensure("canoa", &one, false).unwrap();
    isolation::remove("canoa", &one).unwrap();
    nat::remove("canoa", &two).unwrap();
    isolation::remove("canoa", &two).unwrap();
    assert_eq!(read::rules(), [""; 0], "no table either");
}
