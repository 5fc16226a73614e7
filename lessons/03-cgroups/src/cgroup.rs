//! A container's control group, whichever version the machine has.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use namespaces::{Error, Result, in_user_namespace, step};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::geteuid;

use crate::layout::Layout;
use crate::limits::Limits;
use crate::statistics::Statistics;
use crate::{files, group_name, v1, v2};

/// The group of one container.
#[derive(Debug)]
pub struct Cgroup {
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    V1(v1::Groups),
    V2(v2::Group),
    /// An ordinary user to whom the machine has delegated no group. They have no limits, and
    /// asked for none.
    None,
}

impl Cgroup {
    /// Makes the group `parent/name` with these limits, and `parent` where it isn't there.
    ///
    /// `parent` begins at the group below which this user may make some ([`crate::Layout`]): `/canoa`.
    ///
    /// # Errors
    /// When a name is none, when limits are wanted which this machine doesn't give to this user, or
    /// has no controller for. Nothing is left behind then. Without limits, a user who may not make
    /// groups gets none.
    pub fn create(parent: &str, name: &str, limits: &Limits) -> Result<Cgroup> {
        let inside = group_name::path(parent, name)?;
        limits.check()?;
        let made = match Layout::of_this_machine()? {
            Layout::V1(homes) => v1::Groups::create(homes, &inside, limits).map(Inner::V1),
            Layout::V2(home) => v2::Group::create(&home, &inside, limits).map(Inner::V2),
            Layout::None => {
                Err(Error::new("make cgroup", inside.display(), "this machine has no cgroups mounted"))
            }
        };
        match made {
            Ok(inner) => Ok(Cgroup { inner }),
            // Not for root: without a group there would be no rules for devices, and root can make some.
            Err(error) if !limits.wanted() && not_allowed(&error) && !can_make_devices() => {
                Ok(Cgroup { inner: Inner::None })
            }
            Err(error) => {
                remove_parent(parent)?;
                Err(match not_allowed(&error) {
                    true => error.hint(
                        "limits need a cgroup, and this user may make none: run as root, or have one \
                         delegated (`cargo taller doctor` tells how)",
                    ),
                    false => error,
                })
            }
        }
    }

    /// The group `parent/name` that was made before; where there is none, one that does nothing.
    pub fn open(parent: &str, name: &str) -> Result<Cgroup> {
        let inside = group_name::path(parent, name)?;
        let inner = match Layout::of_this_machine()? {
            Layout::V1(homes) => v1::Groups::open(homes, &inside)?.map(Inner::V1),
            Layout::V2(home) => v2::Group::open(&home, &inside)?.map(Inner::V2),
            Layout::None => None,
        };
        Ok(Cgroup { inner: inner.unwrap_or(Inner::None) })
    }

    /// As [`Cgroup::open`], for a group in which this process lives. It is found by the process: an
    /// ordinary user may have made it from another delegated group than the one we are in now.
    pub fn of(pid: i32, parent: &str, name: &str) -> Result<Cgroup> {
        let inside = group_name::path(parent, name)?;
        let inner = match Layout::around(pid, &inside)? {
            Layout::V1(groups) => v1::Groups::at(groups)?.map(Inner::V1),
            Layout::V2(group) => Some(Inner::V2(v2::Group::at(group)?)),
            Layout::None => None,
        };
        Ok(Cgroup { inner: inner.unwrap_or(Inner::None) })
    }

    /// Sets other limits while its processes run. What isn't given stays as it is; so do the rules
    /// for devices.
    ///
    /// # Errors
    /// As [`Cgroup::create`]; and the kernel refuses a limit of memory that it can't reach by taking
    /// back what it can.
    pub fn update(&self, limits: &Limits) -> Result<()> {
        limits.check()?;
        let limits = Limits { devices: vec![], ..limits.clone() };
        match &self.inner {
            Inner::V1(groups) => groups.limit(&limits),
            Inner::V2(group) => group.limit(&limits),
            Inner::None => Err(without_group("set limit")),
        }
    }

    // ANCHOR: birthplace
    /// Where a child can be born into the group: with the second version, `CLONE_INTO_CGROUP`
    /// makes it so at no cost ([`namespaces::Isolation::born_in`]).
    pub fn birthplace(&self) -> Option<BorrowedFd<'_>> {
        match &self.inner {
            Inner::V2(group) => Some(group.birthplace()),
            Inner::V1(_) | Inner::None => None,
        }
    }
    // ANCHOR_END: birthplace

    /// Joins the group; called in the child. With the second version it was born there.
    ///
    /// Why the child itself: when *another* process moves it, the kernel waits until no processor
    /// can still see the old state (an RCU grace period), 5 to 17 ms after an idle moment. For a
    /// thread that moves itself it need not wait.
    pub fn enter(&self) -> Result<()> {
        match &self.inner {
            Inner::V1(groups) => groups.enter(),
            Inner::V2(_) | Inner::None => Ok(()),
        }
    }

    /// The processes in it, by pid.
    pub fn processes(&self) -> Result<Vec<i32>> {
        match &self.inner {
            Inner::V1(groups) => groups.processes(),
            Inner::V2(group) => group.processes(),
            Inner::None => Ok(vec![]),
        }
    }

    /// What it has used.
    pub fn statistics(&self) -> Result<Statistics> {
        match &self.inner {
            Inner::V1(groups) => groups.statistics(),
            Inner::V2(group) => group.statistics(),
            Inner::None => Ok(Statistics::default()),
        }
    }

    /// How many of its processes the kernel has killed for want of memory.
    pub fn oom_kills(&self) -> Result<u64> {
        match &self.inner {
            Inner::V1(groups) => groups.oom_kills(),
            Inner::V2(group) => group.oom_kills(),
            Inner::None => Ok(0),
        }
    }

    /// Stops all its processes, and returns when they have stopped; or lets them go on.
    ///
    /// # Errors
    /// When one doesn't stop within two seconds (it may hang in the kernel). Then all go on.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        match &self.inner {
            Inner::V1(groups) => groups.freeze(frozen),
            Inner::V2(group) => group.freeze(frozen),
            Inner::None => Err(without_group("freeze")),
        }
    }

    /// Whether its processes are stopped.
    pub fn is_frozen(&self) -> Result<bool> {
        match &self.inner {
            Inner::V1(groups) => groups.is_frozen(),
            Inner::V2(group) => group.is_frozen(),
            Inner::None => Ok(false),
        }
    }

    /// Kills all its processes.
    pub fn kill(&self) -> Result<()> {
        match &self.inner {
            Inner::V1(groups) => groups.kill(),
            Inner::V2(group) => group.kill(),
            Inner::None => Ok(()),
        }
    }

    /// Removes the group; its processes must have ended. Repeating it is no error.
    pub fn remove(&self) -> Result<()> {
        match &self.inner {
            Inner::V1(groups) => groups.remove(),
            Inner::V2(group) => group.remove(),
            Inner::None => Ok(()),
        }
    }

    /// This control file, if it has it: of the first version in this controller's tree, or of the
    /// second.
    pub(crate) fn file(&self, controller: &str, v1: &str, v2: &str) -> Option<PathBuf> {
        let file = match &self.inner {
            Inner::V1(groups) => groups.file(controller, v1),
            Inner::V2(group) => Some(group.file(v2)),
            Inner::None => None,
        };
        file.filter(|file| file.is_file())
    }

    pub(crate) fn read(&self, controller: &str, v1: &str, v2: &str) -> Result<Option<String>> {
        self.file(controller, v1, v2).map(|file| files::read(&file)).transpose()
    }
}

fn without_group(step: &str) -> Error {
    let why =
        "this container has no cgroup, since its user may make none: `cargo taller doctor` tells the way out";
    Error::new(step, "", why)
}

/// Removes the parent of all groups, if none is left in it and it isn't the top (`/`).
pub fn remove_parent(parent: &str) -> Result<()> {
    for home in Layout::of_this_machine()?.homes() {
        // Refused (ENOTEMPTY, EBUSY) while a container is in there, which is as it should be.
        let _ = std::fs::remove_dir(home.join(parent.trim_start_matches('/')));
    }
    Ok(())
}

// ANCHOR: own_namespace
/// From now on this process sees its own group as the root of all groups: it is called after
/// [`Cgroup::enter`], since the group in which one is at that moment becomes the root.
///
/// Source: [cgroup_namespaces(7)](https://man7.org/linux/man-pages/man7/cgroup_namespaces.7.html).
pub fn own_namespace() -> Result<()> {
    step("make cgroup namespace", "", || unshare(CloneFlags::CLONE_NEWCGROUP))
}
// ANCHOR_END: own_namespace

fn can_make_devices() -> bool {
    geteuid().is_root() && !in_user_namespace()
}

fn not_allowed(error: &Error) -> bool {
    matches!(error.errno, libc::EACCES | libc::EPERM | libc::EROFS)
}
