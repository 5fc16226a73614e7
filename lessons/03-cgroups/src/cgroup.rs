//! A container's control group, whichever version the machine has.

use std::os::fd::BorrowedFd;
use std::path::Path;

use namespaces::{Error, Result, in_user_namespace, step};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::geteuid;

use crate::layout::Layout;
use crate::limits::Limits;
use crate::{v1, v2};

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

/// What a group has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Bytes of memory, now.
    pub memory: u64,
    /// Nanoseconds of processor time, since it was made.
    pub cpu: u64,
    /// Processes and threads, now.
    pub pids: u64,
}

impl Cgroup {
    /// Makes the group `parent/name` with these limits, and `parent` where it isn't there.
    ///
    /// `parent` begins at the root of the hierarchy: `/canoa`.
    ///
    /// # Errors
    /// When limits are wanted which this machine doesn't give to this user, or has no controller
    /// for. Without any, a user who may not make groups gets none.
    pub fn create(parent: &str, name: &str, limits: &Limits) -> Result<Cgroup> {
        let group = Path::new(parent).join(name);
        let made = match Layout::of_this_machine()? {
            Layout::V1(controllers) => v1::Groups::create(&controllers, &group, limits).map(Inner::V1),
            Layout::V2(root) => v2::Group::create(&root, &group, limits).map(Inner::V2),
            Layout::None => {
                Err(Error::new("make cgroup", group.display(), "this machine has no cgroups mounted"))
            }
        };
        match made {
            Ok(inner) => Ok(Cgroup { inner }),
            // Not for root: without a group there would be no rules for devices, and root can make some.
            Err(error) if !limits.wanted() && not_allowed(&error) && !can_make_devices() => {
                Ok(Cgroup { inner: Inner::None })
            }
            Err(error) if not_allowed(&error) => Err(error.hint(
                "limits need a cgroup, and this user may make none: run as root, or have one delegated \
                 (`cargo taller doctor` tells how)",
            )),
            Err(error) => Err(error),
        }
    }

    /// The group `parent/name` of a container that runs.
    pub fn open(parent: &str, name: &str) -> Result<Cgroup> {
        let group = Path::new(parent).join(name);
        let inner = match Layout::of_this_machine()? {
            Layout::V1(controllers) => v1::Groups::open(&controllers, &group)?.map(Inner::V1),
            Layout::V2(root) => v2::Group::open(&root, &group)?.map(Inner::V2),
            Layout::None => None,
        };
        Ok(Cgroup { inner: inner.unwrap_or(Inner::None) })
    }

    /// Where a child can be born into the group: with the second version, `CLONE_INTO_CGROUP`
    /// makes it so at no cost ([`namespaces::Isolation::born_in`]).
    pub fn birthplace(&self) -> Option<BorrowedFd<'_>> {
        match &self.inner {
            Inner::V2(group) => Some(group.birthplace()),
            Inner::V1(_) | Inner::None => None,
        }
    }

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
    pub fn usage(&self) -> Result<Usage> {
        match &self.inner {
            Inner::V1(groups) => groups.usage(),
            Inner::V2(group) => group.usage(),
            Inner::None => Ok(Usage::default()),
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

    /// Stops all its processes, or lets them go on.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        match &self.inner {
            Inner::V1(groups) => groups.freeze(frozen),
            Inner::V2(group) => group.freeze(frozen),
            Inner::None => Err(Error::new("freeze", "", "this container has no cgroup")),
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
}

/// Removes the parent of all groups, if none is left in it.
pub fn remove_parent(parent: &str) -> Result<()> {
    let folders = match Layout::of_this_machine()? {
        Layout::V1(controllers) => controllers.into_values().collect(),
        Layout::V2(root) => vec![root],
        Layout::None => vec![],
    };
    for folder in folders {
        // Refused (ENOTEMPTY, EBUSY) while a container is in there, which is as it should be.
        let _ = std::fs::remove_dir(folder.join(parent.trim_start_matches('/')));
    }
    Ok(())
}

/// From now on this process sees its own group as the root of all groups: it is called after
/// [`Cgroup::enter`], since the group in which one is at that moment becomes the root.
///
/// Source: [cgroup_namespaces(7)](https://man7.org/linux/man-pages/man7/cgroup_namespaces.7.html).
pub fn own_namespace() -> Result<()> {
    step("make cgroup namespace", "", || unshare(CloneFlags::CLONE_NEWCGROUP))
}

fn can_make_devices() -> bool {
    geteuid().is_root() && !in_user_namespace()
}

fn not_allowed(error: &Error) -> bool {
    matches!(error.errno, libc::EACCES | libc::EPERM | libc::EROFS)
}
