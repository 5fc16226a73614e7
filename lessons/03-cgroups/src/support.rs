//! Which limits this machine gives to this user.

use namespaces::Result;

use crate::{Cgroup, Limits, NumberList, remove_parent};

/// Found out by making a group and looking at what is in it: what a kernel could do and what this
/// user may use of it are two things.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Support {
    /// Memory.
    pub memory: bool,
    /// Memory and swap together.
    pub swap: bool,
    /// A reservation of memory.
    pub reservation: bool,
    /// No killing at the limit of memory.
    pub oom_kill_disable: bool,
    /// A quota of processor time.
    pub cpu_quota: bool,
    /// Shares of it.
    pub cpu_shares: bool,
    /// A choice of processors and memory nodes.
    pub cpuset: bool,
    /// A number of processes.
    pub pids: bool,
    /// To stop all processes of a group.
    pub freeze: bool,
    /// The processors that there are to choose from.
    pub cpus: NumberList,
    /// The memory nodes.
    pub memory_nodes: NumberList,
}

impl Support {
    /// Looks, in a group `parent/name` that is removed again.
    pub fn of_this_machine(parent: &str, name: &str) -> Result<Support> {
        let group = Cgroup::create(parent, name, &Limits::default())?;
        let support = Support::of(&group);
        group.remove()?;
        remove_parent(parent)?;
        support
    }

    fn of(group: &Cgroup) -> Result<Support> {
        // The controller and its file with the first version, and with the second.
        let has = |controller, v1, v2| group.file(controller, v1, v2).is_some();
        let list = |v1, v2| -> Result<NumberList> {
            let text = group.read("cpuset", v1, v2)?.unwrap_or_default();
            Ok(text.parse().unwrap_or_default())
        };
        Ok(Support {
            memory: has("memory", "memory.limit_in_bytes", "memory.max"),
            swap: has("memory", "memory.memsw.limit_in_bytes", "memory.swap.max"),
            reservation: has("memory", "memory.soft_limit_in_bytes", "memory.low"),
            oom_kill_disable: has("memory", "memory.oom_control", ""),
            cpu_quota: has("cpu", "cpu.cfs_quota_us", "cpu.max"),
            cpu_shares: has("cpu", "cpu.shares", "cpu.weight"),
            cpuset: has("cpuset", "cpuset.cpus", "cpuset.cpus"),
            pids: has("pids", "pids.max", "pids.max"),
            freeze: has("freezer", "freezer.state", "cgroup.freeze"),
            cpus: list("cpuset.cpus", "cpuset.cpus.effective")?,
            memory_nodes: list("cpuset.mems", "cpuset.mems.effective")?,
        })
    }
}
