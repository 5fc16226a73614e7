//! One network for all containers of this user's tool, kept by lesson 5's [`Network`].

use std::path::Path;

use anyhow::Result;
use namespaces::{Process, in_user_namespace};
use network::namespace::of_process;
use network::publish::Binding;
use network::{Interface, Network, Port, Published, ports};

use super::first_of;

/// Its bridge and its nftables table.
const NAME: &str = "canoa-lesson-6";
/// Its notes: gone after a reboot, as it is itself.
const NOTES: &str = "/run/canoa-lesson-06";

/// Does something with an interface on the network, which is there for so long. An ordinary user
/// has no bridge: no interface, then, but `lo`.
pub fn around<T>(action: impl FnOnce(Vec<Interface>) -> Result<T>) -> Result<T> {
    if in_user_namespace() {
        return action(vec![]);
    }
    let network = Network::at(Path::new(NOTES), NAME);
    let owner = name(Process::with_pid(std::process::id() as i32)?);
    let interface = network.join(&owner, lives)?;
    let outcome = action(vec![interface]);
    first_of(outcome, network.leave(&owner))
}

/// Takes ports of the host, and says which they are where nobody chose one.
pub fn reserve(wanted: &[Binding]) -> namespaces::Result<Vec<Port>> {
    let ports = ports::reserve(wanted)?;
    for got in ports.iter().map(|port| port.mapping) {
        let meant = |wish: &&Binding| (wish.port, wish.protocol) == (got.port, got.protocol);
        if wanted.iter().filter(meant).any(|wish| wish.host.is_none()) {
            eprintln!("lesson-06: {got}");
        }
    }
    Ok(ports)
}

/// Lets ports of the host lead to the container with this first process, until what it gives is dropped:
/// by its interface, or from within where it has none.
pub fn publish(
    ports: Vec<Port>,
    interface: Option<&Interface>,
    process: i32,
) -> namespaces::Result<Published> {
    match interface {
        Some(interface) => Published::open(ports, Some(NAME), interface),
        None => Published::inside(ports, of_process(process)?),
    }
}

/// Who has an address: not the container, but the program that looks after it. If it is killed,
/// its container dies with it, and whoever comes next sees from the name that it is gone.
fn name(process: Process) -> String {
    format!("{}-{}", process.pid, process.start_time)
}

fn lives(owner: &str) -> bool {
    let numbers = owner.split_once('-').and_then(|(pid, time)| Some((pid.parse().ok()?, time.parse().ok()?)));
    numbers.is_some_and(|(pid, start_time)| Process { pid, start_time }.is_alive())
}
