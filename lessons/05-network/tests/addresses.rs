//! The allocator. What several processes do to it at once is in `kernel/shared.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::thread;

use ipnet::Ipv4Net;
use network::Addresses;
use proptest::prelude::*;
use tempfile::TempDir;

fn network(subnet: &str, gateway: [u8; 4]) -> (TempDir, Addresses) {
    let dir = tempfile::tempdir().unwrap();
    let addresses = Addresses::open(dir.path(), subnet.parse().unwrap(), gateway.into()).unwrap();
    (dir, addresses)
}

#[test]
fn the_lowest_free_address_is_given_and_never_the_gateways() {
    let (_dir, addresses) = network("172.29.0.0/16", [172, 29, 0, 1]);
    assert_eq!(addresses.take("a").unwrap(), Ipv4Addr::new(172, 29, 0, 2));
    assert_eq!(addresses.take("b").unwrap(), Ipv4Addr::new(172, 29, 0, 3));
    addresses.release("a").unwrap();
    assert_eq!(addresses.take("c").unwrap(), Ipv4Addr::new(172, 29, 0, 2));
}

#[test]
fn an_owner_that_asks_again_gets_what_it_has() {
    let (_dir, addresses) = network("172.29.0.0/16", [172, 29, 0, 1]);
    let address = addresses.take("a").unwrap();
    assert_eq!(addresses.take("a").unwrap(), address);
    addresses.take_this("a", address).unwrap();
    assert_eq!(addresses.owners().unwrap(), BTreeMap::from([(address, "a".to_owned())]));
}

#[test]
fn a_full_subnet_is_an_error_that_names_it_and_a_release_makes_room() {
    // Six hosts, one of which is the gateway.
    let (_dir, addresses) = network("10.0.0.8/29", [10, 0, 0, 9]);
    let given: BTreeSet<u8> = (0..5).map(|n| addresses.take(&format!("c{n}")).unwrap().octets()[3]).collect();
    assert_eq!(given, (10..=14).collect(), "neither 8, the network's, nor 15, the broadcast address");
    let error = addresses.take("one-more").unwrap_err().to_string();
    assert!(error.contains("10.0.0.8/29") && error.contains("taken"), "{error}");
    addresses.release("c3").unwrap();
    addresses.take("one-more").unwrap();
}

#[test]
fn an_address_that_is_asked_for_is_given_unless_it_is_no_containers_or_taken() {
    let (_dir, addresses) = network("10.0.0.0/24", [10, 0, 0, 1]);
    addresses.take_this("a", [10, 0, 0, 7].into()).unwrap();
    let refused =
        |owner: &str, address: [u8; 4]| addresses.take_this(owner, address.into()).unwrap_err().to_string();
    assert!(refused("b", [10, 0, 0, 7]).contains("10.0.0.7: a has it"));
    assert!(refused("a", [10, 0, 0, 8]).contains("has 10.0.0.7 already"));
    for address in [[10, 0, 0, 0], [10, 0, 0, 255], [10, 0, 0, 1]] {
        assert!(refused("b", address).contains("take another"));
    }
    assert!(refused("b", [10, 0, 1, 7]).contains("not in the network's subnet 10.0.0.0/24"));
    assert_eq!(addresses.owners().unwrap().len(), 1);
}

#[test]
fn with_a_range_only_its_addresses_are_given_and_another_may_still_be_asked_for() {
    let (_dir, addresses) = network("10.0.0.0/24", [10, 0, 0, 1]);
    let addresses = addresses.within("10.0.0.128/30".parse().unwrap());
    // Its ends are addresses like others: they aren't the subnet's.
    let given: Vec<u8> = (0..4).map(|n| addresses.take(&format!("c{n}")).unwrap().octets()[3]).collect();
    assert_eq!(given, [128, 129, 130, 131]);
    assert!(addresses.take("more").unwrap_err().to_string().contains("10.0.0.128/30"));
    addresses.take_this("more", [10, 0, 0, 7].into()).unwrap();
}

#[test]
fn reconcile_frees_what_the_dead_had_and_nothing_else() {
    let (_dir, addresses) = network("10.0.0.0/24", [10, 0, 0, 1]);
    let (alive, dead) = (addresses.take("alive").unwrap(), addresses.take("dead").unwrap());
    assert_eq!(addresses.reconcile(|owner| owner == "alive").unwrap(), [dead]);
    assert_eq!(addresses.owners().unwrap().into_keys().collect::<Vec<_>>(), [alive]);
    addresses.release("dead").unwrap();
}

#[test]
fn files_that_are_no_leases_are_left_alone() {
    let (dir, addresses) = network("10.0.0.0/24", [10, 0, 0, 1]);
    fs::write(dir.path().join("README"), "hola").unwrap();
    fs::write(dir.path().join("10.0.0.9"), "hola").unwrap();
    addresses.reconcile(|_| false).unwrap();
    assert!(addresses.owners().unwrap().is_empty());
    assert!(dir.path().join("README").exists() && dir.path().join("10.0.0.9").exists());
}

#[test]
fn a_file_in_place_of_the_folder_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("leases");
    fs::write(&path, "").unwrap();
    let error = Addresses::open(&path, "10.0.0.0/24".parse().unwrap(), [10, 0, 0, 1].into()).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
}

#[test]
fn threads_that_take_and_release_at_once_never_share_an_address() {
    let (_dir, addresses) = network("10.0.0.0/28", [10, 0, 0, 1]);
    // Who has what just now, as the threads themselves know it.
    let held = std::sync::Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for name in 0..8 {
            let (addresses, held) = (&addresses, &held);
            scope.spawn(move || {
                let owner = format!("thread-{name}");
                for _ in 0..200 {
                    let address = addresses.take(&owner).unwrap_or_else(|error| {
                        panic!("ex-05-3: somebody took it between the look and the lease: is the lock held until then? {error}")
                    });
                    let before = held.lock().unwrap().insert(address, owner.clone());
                    assert_eq!(before, None, "{address} has two owners");
                    held.lock().unwrap().remove(&address);
                    // Twice, as when an engine and a monitor both clean up: the second must not
                    // take what somebody else has just got.
                    thread::scope(|scope| {
                        scope.spawn(|| addresses.release(&owner).unwrap());
                        addresses.release(&owner).unwrap();
                    });
                }
            });
        }
    });
    assert!(addresses.owners().unwrap().is_empty());
}

/// What can happen to a network's addresses.
#[derive(Debug, Clone)]
enum Happening {
    Take(u8),
    TakeThis(u8, u8),
    Release(u8),
    Reconcile(u8),
}

fn happening() -> impl Strategy<Value = Happening> {
    let owner = 0..6u8;
    prop_oneof![
        4 => owner.clone().prop_map(Happening::Take),
        2 => (owner.clone(), 0..32u8).prop_map(|(owner, last)| Happening::TakeThis(owner, last)),
        2 => owner.clone().prop_map(Happening::Release),
        1 => owner.prop_map(Happening::Reconcile),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_address_ever_has_two_owners_and_none_is_lost(
        length in 24..=30u8,
        happenings in prop::collection::vec(happening(), 1..40),
    ) {
        let subnet = Ipv4Net::new([10, 0, 0, 0].into(), length).unwrap();
        let gateway = Ipv4Addr::new(10, 0, 0, 1);
        let dir = tempfile::tempdir().unwrap();
        let mut model: BTreeMap<Ipv4Addr, String> = BTreeMap::new();
        let usable: BTreeSet<Ipv4Addr> = subnet.hosts().filter(|address| *address != gateway).collect();
        for happening in happenings {
            // Opened anew each time: nothing is remembered but what is on disk.
            let addresses = Addresses::open(dir.path(), subnet, gateway).unwrap();
            let has = |model: &BTreeMap<Ipv4Addr, String>, owner: &str| {
                model.iter().find(|(_, name)| *name == owner).map(|(address, _)| *address)
            };
            match happening {
                Happening::Take(owner) => {
                    let owner = owner.to_string();
                    let expected = has(&model, &owner)
                        .or_else(|| usable.iter().find(|address| !model.contains_key(address)).copied());
                    prop_assert_eq!(addresses.take(&owner).ok(), expected);
                    model.extend(expected.map(|address| (address, owner)));
                }
                Happening::TakeThis(owner, last) => {
                    let (owner, address) = (owner.to_string(), Ipv4Addr::new(10, 0, 0, last));
                    let free = usable.contains(&address) && !model.contains_key(&address);
                    let had = has(&model, &owner);
                    let expected = had == Some(address) || (had.is_none() && free);
                    prop_assert_eq!(addresses.take_this(&owner, address).is_ok(), expected);
                    if expected {
                        model.insert(address, owner);
                    }
                }
                Happening::Release(owner) => {
                    addresses.release(&owner.to_string()).unwrap();
                    model.retain(|_, name| *name != owner.to_string());
                }
                Happening::Reconcile(last) => {
                    let lives = |owner: &str| owner.parse::<u8>().unwrap() <= last;
                    addresses.reconcile(lives).unwrap();
                    model.retain(|_, name| lives(name));
                }
            }
            prop_assert_eq!(addresses.owners().unwrap(), model.clone());
        }
    }
}
