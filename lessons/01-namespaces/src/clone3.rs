//! The system call that makes a process, and namespaces around it: [clone3(2)].
//!
//! `fork` is a clone without flags. With `CLONE_NEW…` flags the child is born inside new
//! namespaces; with `CLONE_PIDFD` the parent gets a descriptor that names the child for good
//! (a pid may be given to somebody else once its process has ended); with `CLONE_INTO_CGROUP`
//! the child is born inside a cgroup of the second version.
//!
//! [clone3(2)]: https://man7.org/linux/man-pages/man2/clone3.2.html

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::sched::CloneFlags;
use nix::unistd::Pid;

use crate::{Error, Result};

/// From `linux/sched.h`; the constant in `libc` is too narrow for it.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Which of the two processes we are, after the call.
pub(crate) enum Cloned {
    /// The new one.
    Child,
    /// The one that called.
    Parent { pid: Pid, pidfd: OwnedFd },
}

/// Makes a child that goes on from here with a copy of this process's memory, as after a fork.
// ANCHOR: clone3
pub(crate) fn clone3(namespaces: CloneFlags, cgroup: Option<BorrowedFd<'_>>) -> nix::Result<Cloned> {
    // ANCHOR: ex-01-1
    // 1. Write down what is wanted, in a `libc::clone_args` of zeros: the namespaces, and a pidfd,
    //    with the place where the kernel is to put it. At its end the child sends us SIGCHLD.
    let mut pidfd: libc::c_int = -1;
    // SAFETY: clone_args is plain numbers; zero means "nothing asked for" in each of them.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = namespaces.bits() as u64 | libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    // 2. Where a cgroup is given: born inside it.
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // 3. The call. libc has no function for it: `libc::syscall` takes its number, `SYS_clone3`, where
    //    the arguments are, and their size.
    let size = size_of_val(&args);
    // SAFETY: without CLONE_VM and with stack 0 this is a fork: the child gets copies of memory
    // and stack. The caller is single-threaded (`single_threaded`), so no lock can be left
    // behind locked by a thread that the child doesn't have.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size) };
    // 4. -1 is an error. Else two processes come back from it: 0 is the answer to the child, and the
    //    parent gets the child's pid.
    match nix::errno::Errno::result(pid)? {
        0 => Ok(Cloned::Child),
        pid => {
            // SAFETY: the kernel has just put a new descriptor there, which nobody else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Cloned::Parent { pid: Pid::from_raw(pid as i32), pidfd })
        }
    }
    // ANCHOR_END: ex-01-1
}
// ANCHOR_END: clone3

/// Refuses to clone a process that has several threads.
///
/// Only the calling thread lives on in the child. Whatever the others held at that moment, an
/// allocator's lock for instance, stays locked there for ever. The kernel itself refuses
/// `unshare(CLONE_NEWUSER)` and `setns` to a user namespace for such a process.
pub(crate) fn single_threaded() -> Result<()> {
    let mut threads = count_threads()?;
    // A thread that was joined is over, but the kernel shows it for a moment more.
    for _ in 0..50 {
        if threads == 1 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
        threads = count_threads()?;
    }
    match threads {
        1 => Ok(()),
        more => Err(Error::new(
            "clone",
            "",
            format!(
                "this process has {more} threads, and a child would get only one of them: clone from a process of its own"
            ),
        )),
    }
}

fn count_threads() -> Result<usize> {
    fs::read_dir("/proc/self/task").map(Iterator::count).map_err(|error: io::Error| Error {
        step: "count threads in".into(),
        on: "/proc/self/task".into(),
        errno: error.raw_os_error().unwrap_or(0),
        hint: "is /proc mounted?".into(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use nix::sys::wait::{Id, WaitPidFlag, waitid};

    use super::*;
    use crate::process::{pid_of, send_signal};

    /// What the kernel shows of the child, before it ends.
    struct Seen {
        /// Those of its namespaces that aren't ours.
        new: CloneFlags,
        /// How it says that it has ended.
        exit_signal: String,
        /// Of which process the descriptor is.
        named: Option<i32>,
        pid: Pid,
    }

    const KINDS: [(&str, CloneFlags); 6] = [
        ("user", CloneFlags::CLONE_NEWUSER),
        ("mnt", CloneFlags::CLONE_NEWNS),
        ("pid", CloneFlags::CLONE_NEWPID),
        ("uts", CloneFlags::CLONE_NEWUTS),
        ("ipc", CloneFlags::CLONE_NEWIPC),
        ("net", CloneFlags::CLONE_NEWNET),
    ];

    fn clone_with(namespaces: CloneFlags) -> Seen {
        let cloned = clone3(namespaces, None).expect(
            "ex-01-1: clone3 refuses. (In clone3 the exit signal has a field of its own; among the flags, where \
             clone(2) has it, it is an invalid argument.)",
        );
        let Cloned::Parent { pid, pidfd } = cloned else {
            // SAFETY: calls that are always allowed; other threads' locks are none of their business.
            unsafe {
                libc::alarm(20);
                libc::pause();
                libc::_exit(0)
            }
        };
        let name = |pid: &str, kind| fs::read_link(format!("/proc/{pid}/ns/{kind}")).expect("namespace");
        let is_new = |kind| name(&pid.to_string(), kind) != name("self", kind);
        // Field 38 of proc_pid_stat(5); the last bracket ends field 2.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("stat");
        let fields = stat.rsplit(')').next().expect("fields");
        let seen = Seen {
            new: KINDS.iter().filter(|(kind, _)| is_new(kind)).map(|(_, flag)| *flag).collect(),
            exit_signal: fields.split_whitespace().nth(38 - 3).expect("field 38").to_owned(),
            named: pid_of(pidfd.as_fd()),
            pid,
        };
        send_signal(pidfd.as_fd(), libc::SIGKILL).expect("ex-01-1: the descriptor names the child");
        // (__WALL: also one that doesn't say by SIGCHLD that it has ended.)
        waitid(Id::PIDFd(pidfd.as_fd()), WaitPidFlag::WEXITED | WaitPidFlag::__WALL).expect("its end");
        seen
    }

    /// An ordinary user may have the others together with a user namespace.
    fn allowed(namespaces: CloneFlags) -> CloneFlags {
        if nix::unistd::geteuid().is_root() { namespaces } else { namespaces | CloneFlags::CLONE_NEWUSER }
    }

    #[test]
    fn the_child_has_the_namespaces_that_were_asked_for_and_shares_the_others() {
        for wanted in [
            CloneFlags::empty(),
            allowed(CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWNET),
            allowed(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWIPC),
        ] {
            let new = clone_with(wanted).new;
            assert_eq!(new, wanted, "ex-01-1: the child's namespaces that aren't ours");
        }
    }

    #[test]
    fn the_child_is_named_by_a_descriptor_and_says_by_sigchld_that_it_has_ended() {
        let seen = clone_with(CloneFlags::empty());
        assert_eq!(seen.named, Some(seen.pid.as_raw()), "ex-01-1: the process that the pidfd names");
        assert_eq!(
            seen.exit_signal,
            libc::SIGCHLD.to_string(),
            "ex-01-1: the signal that its end sends us (field 38 of /proc/{}/stat)",
            seen.pid
        );
    }
}
