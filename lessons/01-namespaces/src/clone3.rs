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
    let mut pidfd: libc::c_int = -1;
    // SAFETY: clone_args is plain numbers; zero means "nothing asked for" in each of them.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = namespaces.bits() as u64 | libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: without CLONE_VM and with stack 0 this is a fork: the child gets copies of memory
    // and stack. The caller is single-threaded (`single_threaded`), so no lock can be left
    // behind locked by a thread that the child doesn't have.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of_val(&args)) };
    match nix::errno::Errno::result(pid)? {
        0 => Ok(Cloned::Child),
        pid => {
            // SAFETY: the kernel has just put a new descriptor there, which nobody else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Cloned::Parent { pid: Pid::from_raw(pid as i32), pidfd })
        }
    }
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
