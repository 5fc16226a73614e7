//! The first version: a group in each controller's own tree.
//!
//! Source: the kernel's `Documentation/admin-guide/cgroup-v1/`.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use namespaces::{Error, Result, step};

use crate::cgroup::Usage;
use crate::files;
use crate::limits::{DeviceRule, Limits};

/// One container's groups.
#[derive(Debug)]
pub(crate) struct Groups {
    /// By controller.
    folders: BTreeMap<String, PathBuf>,
    /// The `tasks` file of each tree, opened by the parent: the child may have no right to.
    tasks: Vec<File>,
}

impl Groups {
    pub(crate) fn create(
        controllers: &BTreeMap<String, PathBuf>,
        group: &Path,
        limits: &Limits,
    ) -> Result<Groups> {
        let groups = Groups { folders: folders(controllers, group), tasks: vec![] };
        groups.fill(limits).inspect_err(|_| {
            let _ = groups.remove();
        })
    }

    fn fill(&self, limits: &Limits) -> Result<Groups> {
        for folder in self.distinct() {
            files::make(folder)?;
        }
        self.limit(limits)?;
        Ok(Groups { folders: self.folders.clone(), tasks: self.open_tasks()? })
    }

    pub(crate) fn open(controllers: &BTreeMap<String, PathBuf>, group: &Path) -> Result<Option<Groups>> {
        let mut groups = Groups { folders: folders(controllers, group), tasks: vec![] };
        if !groups.distinct().iter().all(|folder| folder.exists()) {
            return Ok(None);
        }
        groups.tasks = groups.open_tasks()?;
        Ok(Some(groups))
    }

    // ANCHOR: limit
    fn limit(&self, limits: &Limits) -> Result<()> {
        if let Some(memory) = limits.memory {
            let folder = self.controller("memory", "a limit of memory")?;
            files::write(&folder.join("memory.limit_in_bytes"), &memory.to_string())?;
            // There only if the kernel counts swap. It can't be less than the other, so it's second.
            let with_swap = folder.join("memory.memsw.limit_in_bytes");
            if let Some(both) = limits.memory_and_swap.filter(|_| with_swap.exists()) {
                files::write(&with_swap, &both.to_string())?;
            }
        }
        if let Some(cpu) = limits.cpu {
            let folder = self.controller("cpu", "a limit of processor time")?;
            files::write(&folder.join("cpu.cfs_period_us"), &cpu.period.to_string())?;
            files::write(&folder.join("cpu.cfs_quota_us"), &cpu.quota.to_string())?;
        }
        if let Some(pids) = limits.pids {
            files::write(
                &self.controller("pids", "a limit of processes")?.join("pids.max"),
                &pids.to_string(),
            )?;
        }
        for rule in &limits.devices {
            let file = if rule.allow { "devices.allow" } else { "devices.deny" };
            files::write(&self.controller("devices", "rules for devices")?.join(file), &device_line(rule))?;
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
        match self.distinct().first() {
            Some(folder) => files::pids(&folder.join("cgroup.procs")),
            None => Ok(vec![]),
        }
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        let read = |controller: &str, file: &str| match self.folders.get(controller) {
            Some(folder) => files::number(&folder.join(file)),
            None => Ok(0),
        };
        Ok(Usage {
            memory: read("memory", "memory.usage_in_bytes")?,
            cpu: read("cpuacct", "cpuacct.usage")?,
            pids: read("pids", "pids.current")?,
        })
    }

    pub(crate) fn oom_kills(&self) -> Result<u64> {
        match self.folders.get("memory") {
            Some(folder) => files::field(&folder.join("memory.oom_control"), "oom_kill"),
            None => Ok(0),
        }
    }

    pub(crate) fn freeze(&self, frozen: bool) -> Result<()> {
        let state = self.controller("freezer", "to freeze")?.join("freezer.state");
        let wanted = if frozen { "FROZEN" } else { "THAWED" };
        files::write(&state, wanted)?;
        // It says FREEZING until the last process has stopped.
        let start = Instant::now();
        while files::read(&state)?.trim() != wanted {
            if start.elapsed() > Duration::from_secs(5) {
                return Err(Error::new("freeze", state.display(), "some process doesn't stop"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Frozen first: while we go through the list, nobody can fork away from it.
    pub(crate) fn kill(&self) -> Result<()> {
        let _ = self.freeze(true);
        for pid in self.processes()? {
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        // Also when not all had stopped in time: a frozen process doesn't die.
        if self.folders.contains_key("freezer") { self.freeze(false) } else { Ok(()) }
    }

    pub(crate) fn remove(&self) -> Result<()> {
        self.distinct().iter().try_for_each(|folder| files::remove(folder))
    }

    fn controller(&self, name: &str, purpose: &str) -> Result<&PathBuf> {
        self.folders.get(name).ok_or_else(|| {
            Error::new(
                "make cgroup",
                name,
                format!("this kernel has no {name} controller mounted, and {purpose} needs it"),
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

fn folders(controllers: &BTreeMap<String, PathBuf>, group: &Path) -> BTreeMap<String, PathBuf> {
    let inside = group.strip_prefix("/").unwrap_or(group);
    controllers.iter().map(|(name, root)| (name.clone(), root.join(inside))).collect()
}

/// `c 1:3 rwm`; `a` alone means everything.
fn device_line(rule: &DeviceRule) -> String {
    let number = |number: Option<u32>| number.map_or("*".to_owned(), |n| n.to_string());
    match rule.kind {
        'a' => "a".to_owned(),
        kind => format!("{kind} {}:{} {}", number(rule.major), number(rule.minor), rule.access),
    }
}
