//! The first version: a group in each controller's own tree.
//!
//! Source: the kernel's `Documentation/admin-guide/cgroup-v1/`.

mod statistics;

pub(crate) use statistics::numbers;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use namespaces::{Error, Result, step};

use crate::kill::kill_all;
use crate::limits::Limits;
use crate::number_list::NumberList;
use crate::{DeviceRule, files};

/// The limit of memory and swap together.
const WITH_SWAP: &str = "memory.memsw.limit_in_bytes";

/// One container's groups.
#[derive(Debug)]
pub(crate) struct Groups {
    /// By controller.
    folders: BTreeMap<String, PathBuf>,
    /// The `tasks` file of each tree, opened by the parent: the child may have no right to.
    tasks: Vec<File>,
}

impl Groups {
    pub(crate) fn create(homes: BTreeMap<String, PathBuf>, inside: &Path, limits: &Limits) -> Result<Groups> {
        let cpuset = homes.get("cpuset").cloned();
        let mut groups = Groups { folders: below(homes, inside), tasks: vec![] };
        let filled = groups.fill(cpuset.as_deref(), inside, limits);
        filled.inspect_err(|_| drop(groups.remove()))?;
        Ok(groups)
    }

    fn fill(&mut self, cpuset: Option<&Path>, inside: &Path, limits: &Limits) -> Result<()> {
        for folder in self.distinct() {
            files::make(folder)?;
        }
        if let Some(home) = cpuset {
            inherit_cpuset(home, inside)?;
        }
        self.limit(limits)?;
        self.tasks = self.open_tasks()?;
        Ok(())
    }

    /// Those that are there: a group may lack in a tree that was mounted later.
    pub(crate) fn open(homes: BTreeMap<String, PathBuf>, inside: &Path) -> Result<Option<Groups>> {
        Self::at(below(homes, inside))
    }

    pub(crate) fn at(mut folders: BTreeMap<String, PathBuf>) -> Result<Option<Groups>> {
        folders.retain(|_, folder| folder.exists());
        if folders.is_empty() {
            return Ok(None);
        }
        let mut groups = Groups { folders, tasks: vec![] };
        groups.tasks = groups.open_tasks()?;
        Ok(Some(groups))
    }

    // ANCHOR: limit
    /// Sets what is given; the rest stays as it is.
    pub(crate) fn limit(&self, limits: &Limits) -> Result<()> {
        let set =
            |controller, file, value: String| files::write(&self.controller(controller)?.join(file), &value);
        if limits.wanted() {
            // It is there only if the kernel counts swap.
            let with_swap = self.file("memory", WITH_SWAP).map(|file| files::number(&file)).transpose()?;
            for (controller, file, value) in lines(limits, with_swap.flatten()) {
                set(controller, file, value.to_string())?;
            }
        }
        for (list, file) in [(&limits.cpus, "cpuset.cpus"), (&limits.memory_nodes, "cpuset.mems")] {
            if let Some(list) = list {
                let file = self.controller("cpuset")?.join(file);
                available(list, &file)?;
                files::write(&file, &list.to_string())?;
            }
        }
        for rule in &limits.devices {
            let file = if rule.allow { "devices.allow" } else { "devices.deny" };
            set("devices", file, device_line(rule))?;
        }
        Ok(())
    }
    // ANCHOR_END: limit

    // ANCHOR: enter
    /// Moves the calling thread (the only one) into every group: `0` means "myself".
    pub(crate) fn enter(&self) -> Result<()> {
        self.tasks.iter().try_for_each(|mut tasks| step("join cgroup", "", || tasks.write_all(b"0")))
    }
    // ANCHOR_END: enter

    pub(crate) fn processes(&self) -> Result<Vec<i32>> {
        self.distinct().first().map_or(Ok(vec![]), |folder| files::processes(folder))
    }

    pub(crate) fn oom_kills(&self) -> Result<u64> {
        let Some(folder) = self.folders.get("memory") else { return Ok(0) };
        Ok(files::table(&folder.join("memory.oom_control"))?.get("oom_kill").copied().unwrap_or(0))
    }

    pub(crate) fn freeze(&self, frozen: bool) -> Result<()> {
        let state = self.controller("freezer")?.join("freezer.state");
        let wanted = if frozen { "FROZEN" } else { "THAWED" };
        // It says FREEZING until the last process has stopped; to say it again makes it look again.
        let reached = files::wait_until(|| {
            files::write(&state, wanted)?;
            Ok(files::read(&state)?.trim() == wanted)
        });
        match reached {
            Ok(true) => Ok(()),
            Ok(false) => {
                files::write(&state, "THAWED")?;
                Err(Error::new("freeze", state.display(), "some process doesn't stop: all go on"))
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) fn is_frozen(&self) -> Result<bool> {
        match self.folders.get("freezer") {
            Some(folder) => Ok(files::read(&folder.join("freezer.state"))?.trim() != "THAWED"),
            None => Ok(false),
        }
    }

    /// No file does it here.
    pub(crate) fn kill(&self) -> Result<()> {
        // Where nobody has mounted the freezer, we try our best without.
        let has_freezer = self.folders.contains_key("freezer");
        let freeze = |frozen| if has_freezer { self.freeze(frozen) } else { Ok(()) };
        kill_all(freeze, || self.processes())
    }

    pub(crate) fn remove(&self) -> Result<()> {
        self.distinct().iter().try_for_each(|folder| files::remove(folder))
    }

    pub(crate) fn file(&self, controller: &str, file: &str) -> Option<PathBuf> {
        self.folders.get(controller).map(|folder| folder.join(file))
    }

    fn controller(&self, name: &str) -> Result<&PathBuf> {
        self.folders.get(name).ok_or_else(|| {
            Error::new(
                "set limit",
                format!("of the controller {name}"),
                format!(
                    "it isn't mounted here: mount it (mkdir /sys/fs/cgroup/{name}; mount -t cgroup -o {name} \
                     {name} /sys/fs/cgroup/{name}), or leave out what needs it"
                ),
            )
        })
    }

    /// Two controllers may share a tree (`cpu,cpuacct`): each folder once.
    fn distinct(&self) -> Vec<&PathBuf> {
        let mut folders: Vec<&PathBuf> = self.folders.values().collect();
        folders.sort();
        folders.dedup();
        folders
    }

    fn open_tasks(&self) -> Result<Vec<File>> {
        let open = |folder: &&PathBuf| {
            let path = folder.join("tasks");
            step("open", path.display(), || OpenOptions::new().write(true).open(&path))
        };
        self.distinct().iter().map(open).collect()
    }
}

/// What is to be written for these limits, in this order: the controller, the file in its tree, the
/// value. `with_swap` is what stands in [`WITH_SWAP`] now; `None` where the kernel doesn't count swap.
// ANCHOR: lines
fn lines(limits: &Limits, with_swap: Option<u64>) -> Vec<(&'static str, &'static str, u64)> {
    // ANCHOR: ex-03-2
    let mut lines = vec![];
    // 1. Memory goes to `memory.limit_in_bytes`; memory and swap together to `WITH_SWAP`, where the
    //    kernel counts it. The kernel takes no line that makes the two together less than the memory
    //    alone. So on the way up `WITH_SWAP` is the first of the two, and on the way down the second.
    if let Some(memory) = limits.memory {
        lines.push(("memory", "memory.limit_in_bytes", memory));
        if let (Some(now), Some(both)) = (with_swap, limits.memory_and_swap) {
            let first = now < memory;
            lines.insert(if first { 0 } else { 1 }, ("memory", WITH_SWAP, both));
        }
    }
    // 2. The reservation is `memory.soft_limit_in_bytes`, and no killing a 1 in `memory.oom_control`.
    lines.extend(limits.memory_reservation.map(|bytes| ("memory", "memory.soft_limit_in_bytes", bytes)));
    if limits.oom_kill_disable {
        lines.push(("memory", "memory.oom_control", 1));
    }
    // 3. Processor time: `cpu.cfs_period_us` and `cpu.cfs_quota_us`; shares are `cpu.shares`.
    if let Some(cpu) = limits.cpu {
        lines.push(("cpu", "cpu.cfs_period_us", cpu.period));
        lines.push(("cpu", "cpu.cfs_quota_us", cpu.quota));
    }
    lines.extend(limits.cpu_shares.map(|shares| ("cpu", "cpu.shares", shares)));
    // 4. Processes: `pids.max`. What isn't given gets no line.
    lines.extend(limits.pids.map(|pids| ("pids", "pids.max", pids)));
    lines
    // ANCHOR_END: ex-03-2
}
// ANCHOR_END: lines

fn below(homes: BTreeMap<String, PathBuf>, inside: &Path) -> BTreeMap<String, PathBuf> {
    homes.into_iter().map(|(name, home)| (name, home.join(inside))).collect()
}

/// A new group of this controller has no processors and no memory, and takes no process until it
/// has: it gets what the one above it has.
fn inherit_cpuset(home: &Path, inside: &Path) -> Result<()> {
    let mut above = home.to_owned();
    for part in inside {
        let group = above.join(part);
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if files::read(&group.join(file))?.trim().is_empty() {
                files::write(&group.join(file), files::read(&above.join(file))?.trim())?;
            }
        }
        above = group;
    }
    Ok(())
}

/// Whether the kernel has those: what a group was born with is in the file.
pub(crate) fn available(wanted: &NumberList, file: &Path) -> Result<()> {
    let text = files::read(file)?;
    let have: NumberList = text.parse().map_err(|reason| Error::new("read", file.display(), reason))?;
    let missing = wanted.without(&have);
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Error::new(
            "set limit",
            format!("{} to {wanted}", file.file_name().unwrap_or_default().display()),
            format!("there is no {missing} here: choose among {have}"),
        )),
    }
}

/// `c 1:3 rwm`; `a` alone means everything.
fn device_line(rule: &DeviceRule) -> String {
    let number = |number: Option<u32>| number.map_or("*".to_owned(), |n| n.to_string());
    match rule.kind {
        'a' if rule.major.or(rule.minor).is_none() => "a".to_owned(),
        kind => format!("{kind} {}:{} {}", number(rule.major), number(rule.minor), rule.access),
    }
}

#[cfg(test)]
mod tests;
