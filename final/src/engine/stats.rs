//! What a container uses at this moment: its control group's numbers, its network's, the machine's.

use std::fs;

use cgroups::{Cgroup, Statistics};
use namespaces::Process;
use nix::unistd::{SysconfVar, sysconf};

use super::Engine;
use super::containers::Container;
use super::error::Result;
use super::processes;

/// One look.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// When: RFC 3339.
    pub read: String,
    /// The group's numbers.
    pub group: Statistics,
    /// Nanoseconds that all processors of the machine have worked or rested.
    pub machine: u64,
    /// How many there are.
    pub processors: u64,
    /// The machine's memory, in bytes.
    pub memory: u64,
    /// Its network interfaces; none where it uses the host's.
    pub interfaces: Vec<Interface>,
}

/// A network interface's counters, as /proc/net/dev has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// `eth0`
    pub name: String,
    /// Received: bytes, packets, errors, dropped.
    pub received: [u64; 4],
    /// Sent: the same.
    pub sent: [u64; 4],
}

/// Looks; `None`: it doesn't run.
///
/// # Errors
/// A control file can't be read.
pub fn look(engine: &Engine, container: &Container) -> Result<Option<Sample>> {
    let Ok(process) = container.process() else { return Ok(None) };
    let group = Cgroup::of(process.pid, &engine.settings.cgroup_parent, &container.id)
        .and_then(|group| group.statistics());
    let mut group = match group {
        Ok(group) => group,
        // It has ended in this moment.
        Err(_) if !process.is_alive() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if group == Statistics::default() {
        // Its user may make no control group: then its processes are counted one by one.
        group = processes::used(process)?;
    }
    let shares = container.with(|record| record.config.network_mode() == "host");
    Ok(Some(Sample {
        read: lifecycle::record::now(),
        group,
        machine: machine(),
        processors: sysconf(SysconfVar::_NPROCESSORS_ONLN).ok().flatten().unwrap_or(1) as u64,
        memory: memory(),
        interfaces: if shares { Vec::new() } else { interfaces(process) },
    }))
}

fn machine() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100) as u64;
    // proc_stat(5): user, nice, system, idle, iowait, irq, softirq.
    let numbers = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).take(7);
    let sum: u64 = numbers.filter_map(|number| number.parse::<u64>().ok()).sum();
    sum.saturating_mul(1_000_000_000 / ticks)
}

fn memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// The network namespace of a process, as the kernel shows it beside the process.
fn interfaces(process: Process) -> Vec<Interface> {
    let text = fs::read_to_string(format!("/proc/{}/net/dev", process.pid)).unwrap_or_default();
    read_interfaces(&text)
}

fn read_interfaces(text: &str) -> Vec<Interface> {
    let interface = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let numbers: Vec<u64> = numbers.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let four = |from: usize| numbers.get(from..from + 4)?.try_into().ok();
        Some(Interface { name: name.trim().to_owned(), received: four(0)?, sent: four(8)? })
    };
    text.lines().filter_map(interface).filter(|one| one.name != "lo").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_as_the_kernel_writes_them() {
        let text = "Inter-|   Receive                                                |  Transmit\n \
                    face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n    \
                    lo:      84       1    0    0    0     0          0         0       84       1    0    0    0     0       0          0\n  \
                    eth0:    1226      13    2    3    0     0          0         0      446       5    6    7    0     0       0          0\n";
        let eth0 = Interface { name: "eth0".into(), received: [1226, 13, 2, 3], sent: [446, 5, 6, 7] };
        assert_eq!(read_interfaces(text), [eth0]);
    }
}
