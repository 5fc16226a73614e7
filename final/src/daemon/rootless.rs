//! An engine without root.
//!
//! As an ordinary user the daemon goes into a user namespace, where it is root, and into a mount
//! namespace of that one. It stays in the host's network, where it pulls images; bridges and
//! containers are in one network namespace more, which it holds by descriptor. Everything else is
//! the same code.
//!
//! Containers outlive the daemon, and these namespaces with them: the next daemon finds a living
//! monitor and joins its. With none there is nothing to join, and they are made anew.

mod uplink;

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use lifecycle::record::Records;
use namespaces::{CloneFlags, Namespaces, Process, become_root};
use network::namespace::of_process;
use nix::sched::unshare;
use nix::unistd::geteuid;

/// Does all that, and gives the network namespace; `None` for root, who needs nothing of it.
/// Called while this process has one thread.
///
/// # Errors
/// When this machine doesn't let this user have user namespaces.
pub fn enter(data_root: &Path, exec_root: &Path) -> Result<Option<OwnedFd>> {
    if geteuid().is_root() {
        return Ok(None);
    }
    let monitor = living_monitor(data_root);
    let netns = match monitor {
        Some(monitor) => {
            let namespaces = Namespaces::of(monitor)?;
            namespaces
                .join(CloneFlags::CLONE_NEWUSER)
                .context("joining the user namespace of running containers")?;
            namespaces.join(CloneFlags::CLONE_NEWNS)?;
            of_process(monitor.pid)?
        }
        None => {
            become_root().context("running as an ordinary user")?;
            network_namespace().context("making a network namespace")?
        }
    };
    uplink::ensure(exec_root, &netns, monitor.is_some());
    Ok(Some(netns))
}

/// When nothing runs any more: what served the containers ends.
pub fn leave(exec_root: &Path) {
    uplink::end(exec_root);
}

/// The monitor of some container that runs: its parent.
fn living_monitor(data_root: &Path) -> Option<Process> {
    let containers = data_root.join("containers");
    // Only looked at, not made: the folder may not be there yet.
    if !containers.is_dir() {
        return None;
    }
    let records: Records<serde_json::Value> = Records::open(containers).ok()?;
    records.list().ok()?.into_iter().find_map(|record| {
        let process = record.state.process.filter(|process| process.is_alive())?;
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).ok()?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())?;
        Process::with_pid(parent).ok().filter(|_| process.is_alive())
    })
}

/// A new one, in which `lo` is up. A thread makes it and ends: this process itself stays where it
/// is, since there would be no way back.
fn network_namespace() -> Result<OwnedFd> {
    let made = std::thread::spawn(|| -> io::Result<OwnedFd> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        network::lo_up().map_err(io::Error::other)?;
        Ok(fs::File::open("/proc/thread-self/ns/net")?.into())
    });
    Ok(made.join().map_err(|_| anyhow!("the thread that makes it ended"))??)
}
