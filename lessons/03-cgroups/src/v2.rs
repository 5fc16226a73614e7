//! The second version: one group, all controllers.
//!
//! Source: the kernel's [`Documentation/admin-guide/cgroup-v2.rst`](https://docs.kernel.org/admin-guide/cgroup-v2.html).

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use namespaces::{Error, Result, in_user_namespace, step};

use crate::cgroup::Usage;
use crate::limits::Limits;
use crate::{device_filter, files};

/// One container's group.
#[derive(Debug)]
pub(crate) struct Group {
    folder: PathBuf,
    /// The folder, opened: where children can be born.
    opened: File,
}

impl Group {
    pub(crate) fn create(root: &Path, group: &Path, limits: &Limits) -> Result<Group> {
        let inside = group.strip_prefix("/").unwrap_or(group);
        let folder = root.join(inside);
        files::make(&folder)?;
        let made = enable_controllers(root, inside).and_then(|()| Self::at(folder.clone()));
        made.and_then(|group| group.limit(limits).map(|()| group)).inspect_err(|_| {
            let _ = files::remove(&folder);
        })
    }

    pub(crate) fn open(root: &Path, group: &Path) -> Result<Option<Group>> {
        let folder = root.join(group.strip_prefix("/").unwrap_or(group));
        if folder.exists() { Self::at(folder).map(Some) } else { Ok(None) }
    }

    fn at(folder: PathBuf) -> Result<Group> {
        let opened = step("open cgroup", folder.display(), || File::open(&folder))?;
        Ok(Group { folder, opened })
    }

    // ANCHOR: limit
    fn limit(&self, limits: &Limits) -> Result<()> {
        let set = |file: &str, value: String| {
            files::write(&self.folder.join(file), &value).map_err(|error| match error.errno {
                libc::ENOENT => error.hint("the controller isn't available here: see cgroup.controllers"),
                _ => error,
            })
        };
        if let Some(memory) = limits.memory {
            set("memory.max", memory.to_string())?;
            // Here swap is counted by itself; it is there only if the kernel counts swap.
            if let Some(both) =
                limits.memory_and_swap.filter(|_| self.folder.join("memory.swap.max").exists())
            {
                set("memory.swap.max", both.saturating_sub(memory).to_string())?;
            }
        }
        if let Some(cpu) = limits.cpu {
            set("cpu.max", format!("{} {}", cpu.quota, cpu.period))?;
        }
        if let Some(pids) = limits.pids {
            set("pids.max", pids.to_string())?;
        }
        // There is no device controller any more; a small program in the kernel decides. An
        // ordinary user may not load one, and may not make devices either.
        if !limits.devices.is_empty() && !in_user_namespace() {
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
        files::pids(&self.folder.join("cgroup.procs"))
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        let read = |file: &str| {
            let path = self.folder.join(file);
            if path.exists() { files::number(&path) } else { Ok(0) }
        };
        Ok(Usage {
            memory: read("memory.current")?,
            cpu: files::field(&self.folder.join("cpu.stat"), "usage_usec")?.saturating_mul(1000),
            pids: read("pids.current")?,
        })
    }

    pub(crate) fn oom_kills(&self) -> Result<u64> {
        let events = self.folder.join("memory.events");
        if events.exists() { files::field(&events, "oom_kill") } else { Ok(0) }
    }

    pub(crate) fn freeze(&self, frozen: bool) -> Result<()> {
        files::write(&self.folder.join("cgroup.freeze"), if frozen { "1" } else { "0" })
    }

    /// One write kills everybody (Linux 5.14): nobody can fork away.
    pub(crate) fn kill(&self) -> Result<()> {
        files::write(&self.folder.join("cgroup.kill"), "1")
    }

    pub(crate) fn remove(&self) -> Result<()> {
        files::remove(&self.folder)
    }
}

/// A group has a controller only if its parent passes it on, from the top down.
fn enable_controllers(root: &Path, inside: &Path) -> Result<()> {
    let mut parents: Vec<&Path> = inside.ancestors().skip(1).collect();
    parents.reverse();
    for parent in parents {
        let folder = root.join(parent);
        let there = files::read(&folder.join("cgroup.controllers"))?;
        let passed_on = files::read(&folder.join("cgroup.subtree_control"))?;
        for controller in ["memory", "cpu", "pids"] {
            let has = |list: &str| list.split_whitespace().any(|word| word == controller);
            if has(&there) && !has(&passed_on) {
                files::write(&folder.join("cgroup.subtree_control"), &format!("+{controller}")).map_err(|error| {
                    match error.errno {
                        libc::EBUSY => Error::new(
                            "pass on controller",
                            folder.display(),
                            "processes are in this group, and a group with processes can't pass controllers on",
                        ),
                        _ => error,
                    }
                })?;
            }
        }
    }
    Ok(())
}
