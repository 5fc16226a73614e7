//! Entering a container that runs: [setns(2)].
//!
//! `exec` starts one more process in a container. It doesn't make namespaces, it joins those of
//! another process.
//!
//! [setns(2)]: https://man7.org/linux/man-pages/man2/setns.2.html

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use nix::sched::{CloneFlags, setns};

use crate::process::Process;
use crate::step::{Error, Result, step};

/// The namespaces of a running process, to be joined.
#[derive(Debug)]
pub struct Namespaces {
    process: Process,
    pidfd: OwnedFd,
    /// Those that are not ours already. (To join one's own user namespace is an error.)
    others: CloneFlags,
}

impl Namespaces {
    /// Those of this process.
    ///
    /// # Errors
    /// When it has ended.
    pub fn of(process: Process) -> Result<Self> {
        let pidfd = process.open()?.ok_or_else(|| {
            Error::new("join", process.pid, "the process has ended: its container isn't running")
        })?;
        let mut others = CloneFlags::empty();
        for (file, flag) in KINDS {
            let theirs = inode(process.pid, file)?;
            if theirs != inode_of_self(file)? {
                others |= flag;
            }
        }
        Ok(Namespaces { process, pidfd, others })
    }

    /// From now on the *children* of this process are born in that pid namespace; the process
    /// itself stays in its own, since a pid never changes.
    // ANCHOR: enter
    pub fn for_children(&self) -> Result<()> {
        self.join(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID)
    }

    /// Joins all the others. Called in the child, which was born in the pid namespace.
    pub fn enter(&self) -> Result<()> {
        self.join(self.others - CloneFlags::CLONE_NEWUSER - CloneFlags::CLONE_NEWPID)
    }

    /// Joins those of `wanted` that aren't ours already.
    pub fn join(&self, wanted: CloneFlags) -> Result<()> {
        // ANCHOR: ex-01-6
        // 1. Leave out what is ours already: to join one's own user namespace is an error (EINVAL).
        let wanted = wanted & self.others;
        // 2. The user namespace comes first, by itself: it gives the right to the others.
        let user = wanted & CloneFlags::CLONE_NEWUSER;
        for flags in [user, wanted - user] {
            // 3. One call with a pidfd joins several at once, all or none (Linux 5.8). Where nothing is
            //    wanted there is no call to make: without flags it is an error, too.
            if !flags.is_empty() {
                step("join namespaces of", self.process.pid, || setns(&self.pidfd, flags))?;
            }
        }
        Ok(())
        // ANCHOR_END: ex-01-6
    }
    // ANCHOR_END: enter
}

const KINDS: [(&str, CloneFlags); 7] = [
    ("user", CloneFlags::CLONE_NEWUSER),
    ("mnt", CloneFlags::CLONE_NEWNS),
    ("pid", CloneFlags::CLONE_NEWPID),
    ("uts", CloneFlags::CLONE_NEWUTS),
    ("ipc", CloneFlags::CLONE_NEWIPC),
    ("net", CloneFlags::CLONE_NEWNET),
    ("cgroup", CloneFlags::CLONE_NEWCGROUP),
];

/// A namespace's name: two processes with the same inode here share it.
fn inode(pid: i32, kind: &str) -> Result<u64> {
    let path = format!("/proc/{pid}/ns/{kind}");
    step("read namespace", &path, || fs::metadata(&path).map(|metadata| metadata.ino()))
}

fn inode_of_self(kind: &str) -> Result<u64> {
    inode(std::process::id() as i32, kind)
}
