//! The host's forwarding switch, and putting it back.

use std::collections::BTreeMap;
use std::fs;

use network::forwarding;

use crate::lab::{Test, canoa0};

pub const TESTS: &[Test] = &[
    ("forwarding_is_switched_on_once_and_put_back_as_it_was", restored),
    ("forwarding_that_was_on_is_left_on", was_on),
];

/// Every IPv4 switch of every interface, and the main one.
fn sysctls() -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([("ip_forward".to_owned(), forwards())]);
    for interface in fs::read_dir("/proc/sys/net/ipv4/conf").unwrap().flatten() {
        for file in fs::read_dir(interface.path()).unwrap().flatten() {
            if let Ok(value) = fs::read_to_string(file.path()) {
                all.insert(file.path().display().to_string(), value);
            }
        }
    }
    all
}

fn forwards() -> String {
    fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap().trim().to_owned()
}

fn restored() {
    // A new namespace may start with the first one's settings.
    fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
    canoa0();
    // Somebody's own choices, which the main switch sweeps away in both directions.
    fs::write("/proc/sys/net/ipv4/conf/all/accept_redirects", "0").unwrap();
    fs::write("/proc/sys/net/ipv4/conf/lo/forwarding", "1").unwrap();
    let found = sysctls();
    let before = forwarding::enable().unwrap().expect("it was off");
    assert_eq!(forwards(), "1");
    assert_eq!(forwarding::enable().unwrap(), None, "the second time there is nothing to say");
    // What is kept survives a crash, as JSON.
    let before = serde_json::from_str(&serde_json::to_string(&before).unwrap()).unwrap();
    forwarding::restore(&before).unwrap();
    assert_eq!(sysctls(), found);
}

fn was_on() {
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    assert_eq!(forwarding::enable().unwrap(), None);
    assert_eq!(forwards(), "1");
}
