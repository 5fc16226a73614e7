//! The second version: one group, all controllers.
//!
//! Source: the kernel's [`Documentation/admin-guide/cgroup-v2.rst`](https://docs.kernel.org/admin-guide/cgroup-v2.html).

mod statistics;

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use namespaces::{Error, Result, in_user_namespace, step};

use crate::home::make_room;
use crate::kill::kill_all;
use crate::limits::Limits;
use crate::{device_filter, files, v1};

/// One container's group.
#[derive(Debug)]
pub(crate) struct Group {
    folder: PathBuf,
    /// The folder, opened: where children can be born.
    opened: File,
}

impl Group {
    pub(crate) fn create(home: &Path, inside: &Path, limits: &Limits) -> Result<Group> {
        let folder = home.join(inside);
        files::make(&folder)?;
        let made = pass_controllers_on(home, inside, &needed(limits), pass_on)
            .and_then(|()| Self::at(folder.clone()));
        made.and_then(|group| group.limit(limits).map(|()| group)).inspect_err(|_| {
            let _ = files::remove(&folder);
        })
    }

    pub(crate) fn open(home: &Path, inside: &Path) -> Result<Option<Group>> {
        let folder = home.join(inside);
        if folder.exists() { Self::at(folder).map(Some) } else { Ok(None) }
    }

    pub(crate) fn at(folder: PathBuf) -> Result<Group> {
        let opened = step("open cgroup", folder.display(), || File::open(&folder))?;
        Ok(Group { folder, opened })
    }

    // ANCHOR: limit
    /// Sets what is given; the rest stays as it is.
    pub(crate) fn limit(&self, limits: &Limits) -> Result<()> {
        let set = |file: &str, value: String| files::write(&self.folder.join(file), &value);
        for controller in needed(limits) {
            self.must_have(controller)?;
        }
        if let Some(memory) = limits.memory {
            set("memory.max", memory.to_string())?;
            // Here swap is counted by itself; it is there only if the kernel counts swap.
            if let Some(both) = limits.memory_and_swap.filter(|_| self.file("memory.swap.max").exists()) {
                set("memory.swap.max", both.saturating_sub(memory).to_string())?;
            }
        }
        if let Some(reservation) = limits.memory_reservation {
            set("memory.low", reservation.to_string())?;
        }
        if limits.oom_kill_disable {
            let why = "this version of cgroups always kills: leave it out";
            return Err(Error::new("set limit", "no OOM killer", why));
        }
        if let Some(cpu) = limits.cpu {
            set("cpu.max", format!("{} {}", cpu.quota, cpu.period))?;
        }
        if let Some(shares) = limits.cpu_shares {
            set("cpu.weight", weight(shares).to_string())?;
        }
        for (list, file) in [(&limits.cpus, "cpuset.cpus"), (&limits.memory_nodes, "cpuset.mems")] {
            if let Some(list) = list {
                // The kernel would take what isn't there, and give something else.
                v1::available(list, &self.folder.join(format!("{file}.effective")))?;
                set(file, list.to_string())?;
            }
        }
        if let Some(pids) = limits.pids {
            set("pids.max", pids.to_string())?;
        }
        // There is no device controller any more; a small program in the kernel decides. An
        // ordinary user may not load one, and may not make devices either.
        if !limits.devices.is_empty() && !in_user_namespace() && nix::unistd::geteuid().is_root() {
            step("attach device filter", self.folder.display(), || {
                device_filter::attach(&self.opened, &limits.devices)
            })?;
        }
        Ok(())
    }
    // ANCHOR_END: limit

    pub(crate) fn birthplace(&self) -> BorrowedFd<'_> {
        self.opened.as_fd()
    }

    pub(crate) fn processes(&self) -> Result<Vec<i32>> {
        files::processes(&self.folder)
    }

    // ANCHOR: oom_kills
    pub(crate) fn oom_kills(&self) -> Result<u64> {
        Ok(files::table(&self.folder.join("memory.events"))?.get("oom_kill").copied().unwrap_or(0))
    }
    // ANCHOR_END: oom_kills

    pub(crate) fn freeze(&self, frozen: bool) -> Result<()> {
        let file = self.folder.join("cgroup.freeze");
        files::write(&file, if frozen { "1" } else { "0" })?;
        // A process in the middle of a system call stops a moment later.
        if files::wait_until(|| Ok(self.is_frozen()? == frozen))? {
            return Ok(());
        }
        files::write(&file, "0")?;
        Err(Error::new("freeze", self.folder.display(), "some process doesn't stop: all go on"))
    }

    pub(crate) fn is_frozen(&self) -> Result<bool> {
        Ok(files::table(&self.folder.join("cgroup.events"))?.get("frozen") == Some(&1))
    }

    // ANCHOR: kill
    /// One write kills everybody: nobody can fork away.
    pub(crate) fn kill(&self) -> Result<()> {
        let file = self.folder.join("cgroup.kill");
        match file.exists() {
            true => files::write(&file, "1"),
            // Before Linux 5.14.
            false => kill_all(|frozen| self.freeze(frozen), || self.processes()),
        }
    }
    // ANCHOR_END: kill

    pub(crate) fn remove(&self) -> Result<()> {
        files::remove(&self.folder)
    }

    pub(crate) fn file(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    fn must_have(&self, controller: &str) -> Result<()> {
        let here = files::read(&self.folder.join("cgroup.controllers"))?;
        if here.split_whitespace().any(|name| name == controller) {
            return Ok(());
        }
        let why = "it isn't passed on to our groups: run as root, or have it delegated (`cargo taller doctor` \
                   tells how), or leave out what needs it";
        Err(Error::new("set limit", format!("of the controller {controller}"), why))
    }
}

/// The controllers without which these limits can't be set.
fn needed(limits: &Limits) -> Vec<&'static str> {
    let memory = limits.memory.is_some() || limits.memory_reservation.is_some();
    let cpu = limits.cpu.is_some() || limits.cpu_shares.is_some();
    let cpuset = limits.cpus.is_some() || limits.memory_nodes.is_some();
    let all = [("memory", memory), ("cpu", cpu), ("cpuset", cpuset), ("pids", limits.pids.is_some())];
    all.into_iter().filter(|(_, needed)| *needed).map(|(name, _)| name).collect()
}

/// Shares, 2 to 262,144, as a weight, 1 to 10,000: as the other runtimes convert it.
fn weight(shares: u64) -> u64 {
    1 + (shares.saturating_sub(2) * 9_999) / 262_142
}

/// All that count or limit something.
const CONTROLLERS: [&str; 5] = ["memory", "cpu", "pids", "cpuset", "io"];

/// A group has a controller only if its parent passes it on. `pass_on` has one group pass one
/// controller on to those directly below it; here it is done for all [`CONTROLLERS`], on the way from
/// `home` to the group `home/inside`, and fails only for those that are `needed`.
// ANCHOR: pass_on
fn pass_controllers_on(
    home: &Path,
    inside: &Path,
    needed: &[&str],
    pass_on: impl Fn(&Path, &str) -> Result<()>,
) -> Result<()> {
    // ANCHOR: ex-03-3
    // 1. Go from the top down: `home`, then what is on the way to the parent of our group. (Not our group
    //    itself: its processes live in it, and then it may pass nothing on.)
    let mut parents: Vec<&Path> = inside.ancestors().skip(1).collect();
    parents.reverse();
    for parent in parents {
        let group = home.join(parent);
        // 2. Read which controllers it has, in `cgroup.controllers`, and which it passes on already, in
        //    `cgroup.subtree_control`: words with spaces between.
        let there = files::read(&group.join("cgroup.controllers"))?;
        let passed_on = files::read(&group.join("cgroup.subtree_control"))?;
        // 3. Of all `CONTROLLERS`, pass on those that it has and doesn't pass on yet. A failure is one only
        //    for who is `needed`.
        for controller in CONTROLLERS {
            let has = |list: &str| list.split_whitespace().any(|word| word == controller);
            if !has(&there) || has(&passed_on) {
                continue;
            }
            match pass_on(&group, controller) {
                Err(error) if needed.contains(&controller) => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
    // ANCHOR_END: ex-03-3
}

fn pass_on(group: &Path, controller: &str) -> Result<()> {
    let switch = || files::write(&group.join("cgroup.subtree_control"), &format!("+{controller}"));
    match switch() {
        Err(error) if error.errno == libc::EBUSY => {
            step("make room in", group.display(), || make_room(group))?;
            switch()
        }
        other => other,
    }
}
// ANCHOR_END: pass_on

#[cfg(test)]
mod tests;
