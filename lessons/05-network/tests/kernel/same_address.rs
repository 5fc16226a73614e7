//! The attack that this lesson begins with: two containers with the same address.
//!
//! A container of lesson 4 has a network namespace with nothing in it but `lo`. Somebody plugs two
//! of them into one bridge, by hand, and chooses an address for each.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;

use network::Addresses;

use crate::lab::{self, Netns, Test, bridge_of};
use crate::read;

pub const TESTS: &[Test] = &[
    ("two_containers_that_have_the_same_address_disturb_each_other", attack),
    ("the_allocator_gives_each_another_and_both_are_reached", defeated),
    ("an_address_stays_its_owners_when_who_took_it_was_killed", after_a_crash),
    ("an_address_has_one_owner_when_many_processes_ask_for_it_at_once", at_once),
];

/// Whether `from` reaches the server that listens in `to`: that one, and no other at this address.
fn reaches(from: &Netns, to: &Netns, address: [u8; 4]) -> bool {
    let listener = to.run(|| TcpListener::bind("0.0.0.0:80").unwrap());
    listener.set_nonblocking(true).unwrap();
    from.run(|| read::reaches(address, 80)) && listener.accept().is_ok()
}

fn attack() {
    let bridge = bridge_of("canoa0", "172.29.0.1/16");
    bridge.ensure().unwrap();
    let friend = Netns::on(&bridge, [172, 29, 0, 3]);
    let first = Netns::new();
    assert_eq!(first.run(read::links).len(), 1, "lesson 4's container has lo, and nothing else");
    first.attach(&lab::interface(&bridge, [172, 29, 0, 2])).unwrap();
    assert!(reaches(&friend, &first, [172, 29, 0, 2]), "all is well with one");
    // Nobody objects to the second: not the kernel, not the bridge. And the first is cut off.
    let second = Netns::on(&bridge, [172, 29, 0, 2]);
    assert!(!reaches(&friend, &first, [172, 29, 0, 2]), "the second gets what is for the first");
    assert!(reaches(&friend, &second, [172, 29, 0, 2]));
}

fn open(dir: &Path) -> Addresses {
    Addresses::open(dir, "10.29.0.0/24".parse().unwrap(), [10, 29, 0, 1].into()).unwrap()
}

fn defeated() {
    let dir = tempfile::tempdir().unwrap();
    let addresses = open(dir.path());
    let bridge = bridge_of("canoa0", "10.29.0.1/24");
    bridge.ensure().unwrap();
    let friend = Netns::on(&bridge, [10, 29, 0, 99]);
    let containers: Vec<(Ipv4Addr, Netns)> = ["one", "two"]
        .into_iter()
        .map(|owner| {
            let address = addresses.take(owner).unwrap();
            (address, Netns::on(&bridge, address.octets()))
        })
        .collect();
    assert_ne!(containers[0].0, containers[1].0);
    for (address, container) in &containers {
        assert!(reaches(&friend, container, address.octets()), "{address}");
    }
    // Who insists on the address of another is refused.
    let refused = addresses.take_this("three", containers[0].0).unwrap_err().to_string();
    assert!(refused.contains("one has it"), "{refused}");
}

fn after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    // It takes address after address, says each, and is killed in the middle of it.
    let mut process =
        lab::helper(&format!("take {} doomed", dir.path().display())).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
    let first: Ipv4Addr = said.next().unwrap().unwrap().parse().unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    // Its containers may live on: what it took isn't given to anybody else.
    let addresses = open(dir.path());
    let before = addresses.owners().unwrap();
    assert_eq!(before[&first], "doomed-0");
    let next = addresses.take("next").unwrap();
    assert!(!before.contains_key(&next), "{next} has an owner: {before:?}");
    // Only who knows that they don't live frees it.
    addresses.reconcile(|owner| owner == "next").unwrap();
    assert_eq!(addresses.take("last").unwrap(), first);
}

fn at_once() {
    let dir = tempfile::tempdir().unwrap();
    let start = |name: u8| {
        let argument = format!("take {} {name}", dir.path().display());
        lab::helper(&argument).stdout(Stdio::piped()).spawn().unwrap()
    };
    let processes: Vec<_> = (0..6).map(start).collect();
    let mut owners: BTreeMap<Ipv4Addr, usize> = BTreeMap::new();
    for (number, process) in processes.into_iter().enumerate() {
        let output = process.wait_with_output().unwrap();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let before = owners.insert(line.parse().unwrap(), number);
            assert_eq!(before, None, "{line} was given twice");
        }
    }
    assert_eq!(owners.len(), 6 * 25);
}
