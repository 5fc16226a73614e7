//! Doing something in another network namespace.
//!
//! A network namespace belongs to a *thread*, not to a process: `setns(2)` moves the one that
//! calls it and no other. What a socket was opened in it stays in, wherever its owner goes: so
//! most work needs no more than to go in, open a socket, and come back.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;

use namespaces::{Error, Result, step};
use nix::sched::{CloneFlags, setns};

/// The network namespace of a process. It lives for as long as the descriptor does, also when
/// the last process in it has ended.
pub fn of_process(pid: i32) -> Result<OwnedFd> {
    let path = format!("/proc/{pid}/ns/net");
    step("open network namespace", &path, || File::open(&path)).map(OwnedFd::from)
}

/// The network namespace of the calling thread.
pub fn own() -> Result<OwnedFd> {
    // Not /proc/self: that is the process's first thread.
    let path = "/proc/thread-self/ns/net";
    step("open network namespace", path, || File::open(path)).map(OwnedFd::from)
}

/// Goes into a network namespace, does something there, and comes back: for a program of one
/// thread, and for short work.
///
/// # Errors
/// Those of `action`, and of going and coming back. A thread that could not come back is in the
/// wrong place: it should end.
// ANCHOR: visit
pub fn visit<T>(netns: BorrowedFd<'_>, action: impl FnOnce() -> Result<T>) -> Result<T> {
    let home = own()?;
    enter(netns)?;
    let result = action();
    step("leave network namespace", "", || setns(home.as_fd(), CloneFlags::CLONE_NEWNET))?;
    result
}
// ANCHOR_END: visit

/// Does something in a network namespace on a thread made for it, which ends with it: for a
/// program of several threads, where none may be found in the wrong namespace, whatever happens.
///
/// # Errors
/// Those of `action` and of going there; that no thread can be made; that `action` panicked.
pub fn in_namespace<T: Send>(netns: BorrowedFd<'_>, action: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let there = move || {
            enter(netns)?;
            action()
        };
        let thread = step("start thread", "", || thread::Builder::new().spawn_scoped(scope, there))?;
        thread.join().unwrap_or_else(|_| Err(Error::new("work in network namespace", "", "it panicked")))
    })
}

fn enter(netns: BorrowedFd<'_>) -> Result<()> {
    step("enter network namespace", "", || setns(netns, CloneFlags::CLONE_NEWNET)).map_err(|error| {
        if error.errno == libc::EPERM { error.hint("it takes CAP_SYS_ADMIN") } else { error }
    })
}
