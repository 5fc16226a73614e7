//! Addresses and rules that several *processes* change at the same time.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Stdio};

use network::{Addresses, nat};

use crate::lab::{self, Test, bridge_of};
use crate::read;

pub const TESTS: &[Test] = &[
    ("processes_never_get_the_same_address", addresses),
    ("a_process_that_is_killed_leaves_no_half_lease_and_no_lock", killed),
    ("networks_that_come_and_go_at_once_leave_nothing", rules),
];

/// What the second processes do: `take DIR NAME`, `churn DIR NAME`, `nat NUMBER` or `join DIR`.
pub fn helper(argument: &str) {
    match *argument.split(' ').collect::<Vec<_>>() {
        ["take", dir, name] => {
            let addresses = open(Path::new(dir));
            for number in 0..25 {
                println!("{}", addresses.take(&format!("{name}-{number}")).unwrap());
            }
        }
        ["churn", dir, name] => loop {
            let addresses = open(Path::new(dir));
            addresses.take(name).unwrap();
            addresses.release(name).unwrap();
        },
        ["nat", number] => {
            let bridge = bridge_of(&format!("br{number}"), &format!("10.{number}.0.1/16"));
            for _ in 0..20 {
                nat::ensure("canoa", &bridge).unwrap();
                assert!(read::rules().contains(&format!("canoa/masquerade-br{number}")));
                nat::remove("canoa", &bridge).unwrap();
            }
        }
        ["join", dir] => crate::network::join_and_leave(dir),
        _ => panic!("{argument}?"),
    }
}

fn open(dir: &Path) -> Addresses {
    Addresses::open(dir, "10.29.0.0/24".parse().unwrap(), [10, 29, 0, 1].into()).unwrap()
}

fn start(argument: String) -> Child {
    lab::helper(&argument).stdout(Stdio::piped()).spawn().unwrap()
}

fn addresses() {
    let dir = tempfile::tempdir().unwrap();
    let processes: Vec<Child> =
        (0..8).map(|name| start(format!("take {} {name}", dir.path().display()))).collect();
    let mut all: Vec<Ipv4Addr> = Vec::new();
    for process in processes {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success());
        all.extend(
            String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse::<Ipv4Addr>().unwrap()),
        );
    }
    assert_eq!(all.len(), 200);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 200, "each another one");
    assert_eq!(open(dir.path()).owners().unwrap().len(), 200);
}

fn killed() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..20u64 {
        let mut process = start(format!("churn {} doomed", dir.path().display()));
        std::thread::sleep(std::time::Duration::from_micros(5000 + 700 * round));
        process.kill().unwrap();
        process.wait().unwrap();
        let addresses = open(dir.path());
        let owners = addresses.owners().unwrap();
        assert!(owners.values().all(|owner| owner == "doomed"), "{owners:?}");
        // It would hang here, were the dead one's lock still held.
        addresses.reconcile(|owner| owner != "doomed").unwrap();
        assert_eq!(addresses.take("next").unwrap(), Ipv4Addr::new(10, 29, 0, 2));
        addresses.release("next").unwrap();
    }
}

fn rules() {
    let processes: Vec<Child> = (1..5).map(|number| start(format!("nat {number}"))).collect();
    for process in processes {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success());
    }
    assert_eq!(read::rules(), [""; 0]);
}
