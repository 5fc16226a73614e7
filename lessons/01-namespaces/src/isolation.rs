//! What a new process is isolated from, and how it is made.

use std::convert::Infallible;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::sched::CloneFlags;
use nix::unistd::geteuid;

use crate::channel::{self, Message};
use crate::child::PausedChild;
use crate::clone3::{Cloned, clone3, single_threaded};
use crate::idmap::IdMaps;
use crate::process::{die_with_parent, hide};
use crate::step::{self, Result, step};

/// Which namespaces a process gets for itself; the rest it shares with its parent.
///
/// Source: [namespaces(7)](https://man7.org/linux/man-pages/man7/namespaces.7.html).
#[derive(Debug, Clone)]
pub struct Isolation<'a> {
    namespaces: CloneFlags,
    id_maps: Option<IdMaps>,
    cgroup: Option<BorrowedFd<'a>>,
}

impl<'a> Isolation<'a> {
    /// No namespace of its own: the child is an ordinary one.
    pub fn none() -> Self {
        Isolation { namespaces: CloneFlags::empty(), id_maps: None, cgroup: None }
    }

    /// What a container has for itself: its mounts, processes, host name, System V IPC and network.
    ///
    /// Whoever isn't root gets a user namespace as well: in there the same user is root, and may
    /// have all the others. The cgroup namespace is not among these: its root is the group in
    /// which the process is when it makes it, so the child does that after it has joined its group.
    // ANCHOR: container
    pub fn container() -> Self {
        let mut isolation = Self::none();
        isolation.namespaces = CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWNET;
        if geteuid().is_root() { isolation } else { isolation.users(IdMaps::for_me()) }
    }
    // ANCHOR_END: container

    /// Shares these after all: `--network host` is a container without `CLONE_NEWNET`.
    pub fn without(mut self, namespaces: CloneFlags) -> Self {
        self.namespaces -= namespaces;
        self
    }

    /// A user namespace of its own, in which these ids are known.
    pub fn users(mut self, id_maps: IdMaps) -> Self {
        self.namespaces |= CloneFlags::CLONE_NEWUSER;
        self.id_maps = Some(id_maps);
        self
    }

    /// Born inside this cgroup (lesson 3), if it is one of version 2. With none it is born in its
    /// parent's, and has to move.
    pub fn born_in(mut self, cgroup: Option<BorrowedFd<'a>>) -> Self {
        self.cgroup = cgroup;
        self
    }

    /// Makes the process, which then waits: [`PausedChild`]. Once released it calls `run`, which
    /// ends by becoming another program ([`crate::exec`]) or with an error.
    ///
    /// # Errors
    /// `clone` when this process has several threads, or with the kernel's answer (`EPERM`
    /// without privilege, `ENOSPC` with too many namespaces); `write uid_map` and the like.
    // ANCHOR: spawn
    pub fn spawn(&self, run: impl FnOnce() -> Result<Infallible>) -> Result<PausedChild> {
        single_threaded()?;
        let (ours, theirs) = step("make socket pair", "", channel::pair)?;
        let steps_wanted = step::wanted();

        match step("clone", self.describe(), || clone3(self.namespaces, self.cgroup))? {
            Cloned::Child => {
                drop(ours);
                // A panic must not unwind into the caller's code: that is the parent's.
                let ended = catch_unwind(AssertUnwindSafe(|| child(&theirs, steps_wanted, run)));
                // SAFETY: _exit is always allowed; it leaves out what belongs to the parent
                // (buffers of output not yet written, exit handlers).
                unsafe { libc::_exit(if ended.is_ok() { 1 } else { 101 }) }
            }
            Cloned::Parent { pid, pidfd } => {
                drop(theirs);
                let paused = PausedChild::new(pid, pidfd, ours);
                // The maps can only be written from outside, and before anything else in there
                // can work: until then all of the child's ids read as "nobody".
                if let Some(id_maps) = &self.id_maps {
                    id_maps.write(pid)?;
                }
                Ok(paused)
            }
        }
    }
    // ANCHOR_END: spawn

    fn describe(&self) -> String {
        let names: Vec<String> = self
            .namespaces
            .iter_names()
            .map(|(name, _)| name.trim_start_matches("CLONE_NEW").to_lowercase())
            .collect();
        if names.is_empty() { String::new() } else { format!("with new namespaces {}", names.join(", ")) }
    }
}

/// The child's life until it becomes another program. It comes back only when it failed.
// ANCHOR: child
fn child(parent: &OwnedFd, steps_wanted: bool, run: impl FnOnce() -> Result<Infallible>) {
    // ANCHOR: ex-01-3
    // 1. From here on the steps of this process are told to the parent, through the socket.
    step::tell_parent(parent.as_raw_fd(), steps_wanted);
    let ready = || {
        // 2. Should the parent die, so does the child, by the kernel's hand, whatever it is doing then.
        die_with_parent()?;
        // 3. Wait. Anything else than `Message::Go` is an error: the parent has died.
        let Ok(Some(Message::Go)) = channel::receive(parent) else {
            return Err(step::Error::new("wait for release", "", "the parent has died"));
        };
        // 4. Hide. Not before: the maps could not be written for a process that isn't dumpable. And
        //    soon there may be others around us who are no friends.
        hide()
    };
    // 5. If all that went well, `run`. From there it comes back only with an error, as from here:
    //    that is the last thing which the parent hears.
    let Err(error) = ready().and_then(|()| run());
    let _ = channel::send(parent.as_raw_fd(), &Message::Failed(error));
    // ANCHOR_END: ex-01-3
}
// ANCHOR_END: child
