//! The lessons' own network: it comes with the first container and goes with the last.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, id};

use network::Network;

use crate::lab::{self, Netns, Test, bridge_of};
use crate::read;

pub const TESTS: &[Test] = &[
    ("a_network_comes_with_the_first_container_and_goes_with_the_last", comes_and_goes),
    ("a_network_keeps_out_of_the_way_of_the_hosts_own", out_of_the_way),
    ("a_network_clears_away_what_the_killed_have_left", killed),
    ("a_network_that_can_not_be_made_leaves_nothing", failed),
    ("programs_that_join_and_leave_at_once_leave_nothing", at_once),
];

const NAME: &str = "canoa-lessons";

/// What a second process does: it comes and goes, again and again.
pub fn join_and_leave(dir: &str) {
    let network = Network::at(Path::new(dir), NAME);
    for _ in 0..15 {
        let interface = network.join(&id().to_string(), lives).unwrap();
        Netns::new().attach(&interface).unwrap();
        // As long as we are here, so is the network.
        std::thread::sleep(std::time::Duration::from_millis(u64::from(id() % 7)));
        assert!(read::link(NAME).is_some() && !read::rules().is_empty() && forwards() == "1");
        network.leave(&id().to_string()).unwrap();
    }
}

fn lives(process: &str) -> bool {
    Path::new("/proc").join(process).exists()
}

fn forwards() -> String {
    fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap().trim().to_owned()
}

fn nothing_is_left(dir: &Path) {
    assert!(read::link(NAME).is_none());
    assert_eq!(read::rules(), [""; 0]);
    assert_eq!(forwards(), "0");
    assert!(!dir.exists());
}

fn comes_and_goes() {
    fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
    let around = tempfile::tempdir().unwrap();
    let dir = around.path().join("network");
    let network = Network::at(&dir, NAME);
    let first = network.join("one", |_| true).unwrap();
    let second = network.join("two", |_| true).unwrap();
    assert_eq!(first.address.to_string(), "172.29.0.2/16");
    assert_eq!(second.address.to_string(), "172.29.0.3/16");
    assert_eq!((first.gateway, first.bridge.as_str()), (Some(Ipv4Addr::new(172, 29, 0, 1)), NAME));
    Netns::new().attach(&first).unwrap();
    assert_eq!(read::rules(), ["canoa-lessons/masquerade-canoa-lessons"]);
    assert_eq!(forwards(), "1");

    network.leave("one").unwrap();
    assert!(read::link(NAME).is_some(), "somebody is still there");
    network.leave("two").unwrap();
    nothing_is_left(&dir);
    network.leave("two").unwrap();
}

fn out_of_the_way() {
    bridge_of("lan0", "172.29.7.1/24").ensure().unwrap();
    let around = tempfile::tempdir().unwrap();
    let network = Network::at(&around.path().join("network"), NAME);
    assert_eq!(network.join(&id().to_string(), lives).unwrap().address.to_string(), "172.28.0.2/16");
    // The note is kept to: the network's own route doesn't make it move.
    assert_eq!(network.join(&id().to_string(), lives).unwrap().address.to_string(), "172.28.0.2/16");
}

fn killed() {
    let around = tempfile::tempdir().unwrap();
    let network = Network::at(&around.path().join("network"), NAME);
    let first = network.join("killed", |_| true).unwrap();
    let second = network.join("lives", |_| true).unwrap();
    // Only "lives" does; and a container that asks for itself is not its own dead.
    let lives = |owner: &str| owner == "lives";
    assert_eq!(network.join("new", lives).unwrap().address, first.address);
    assert_eq!(network.join("lives", |_| false).unwrap().address, second.address);
}

fn failed() {
    fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
    let around = tempfile::tempdir().unwrap();
    let dir = around.path().join("network");
    // Somebody has a bridge of this name: it is not ours to take away.
    bridge_of(NAME, "10.9.0.1/16").ensure().unwrap();
    let error = Network::at(&dir, NAME).join("one", |_| true).unwrap_err().to_string();
    assert!(error.contains("10.9.0.1/16"), "{error}");
    assert_eq!(read::addresses(NAME).len(), 1);
    assert_eq!((read::rules(), forwards()), (vec![], "0".into()));
}

fn at_once() {
    fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
    let around = tempfile::tempdir().unwrap();
    let dir = around.path().join("network");
    let start = |_| lab::helper(&format!("join {}", dir.display())).spawn().unwrap();
    let processes: Vec<Child> = (0..4).map(start).collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    nothing_is_left(&dir);
}
