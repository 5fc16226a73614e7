//! PID 1: the first process of a pid namespace has duties.
//!
//! - Whoever loses its parent becomes its child, and has to be waited for ("reaped"), or the dead
//!   pile up as zombies.
//! - The kernel does not end it by a signal for which it has no handler, so `Ctrl-C` and `docker
//!   stop` seem broken for a program that never expected to be PID 1.
//! - When it ends, the kernel kills all others in the namespace.
//!
//! [`init`] takes these duties and lets the program be an ordinary process. Docker does this
//! with `--init`.
//!
//! Source: [pid_namespaces(7)](https://man7.org/linux/man-pages/man7/pid_namespaces.7.html).

use std::convert::Infallible;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::SigSet;
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, setpgid};

use crate::command::close_range;
use crate::step::{Result, step};

/// Becomes an init: `run` goes on in a child, and this process forwards signals to it and reaps.
///
/// It never comes back in PID 1, which ends with the child's exit code.
// ANCHOR: init
pub fn init(run: impl FnOnce() -> Result<Infallible>) -> Result<Infallible> {
    // 1. Blocked signals wait in a queue. Before the fork, so that none is lost in between.
    let every_signal = SigSet::all();
    step("block signals", "", || every_signal.thread_block())?;

    // SAFETY: single-threaded, as every child of a spawn is.
    match step("fork", "init's child", || unsafe { fork() })? {
        ForkResult::Child => {
            // 2. A group of its own, in the terminal's foreground, as a shell would start it.
            step("make process group", "", || setpgid(Pid::from_raw(0), Pid::from_raw(0)))?;
            to_foreground();
            run()
        }
        ForkResult::Parent { child } => {
            // 3. Let go of everything: our copy of the socket would keep the parent waiting for "exec
            //    has succeeded", our copy of a pipe its reader waiting for the end. And what we hold
            //    of the host could be had at /proc/1/fd by whoever is root in here.
            let _ = let_go();
            // 4. From now on it lives for the child.
            let code = look_after(child, &every_signal);
            // SAFETY: always allowed; the buffers in our memory belong to the parent.
            unsafe { libc::_exit(code) }
        }
    }
}

/// PID 1's work: passes signals on to the child, and reaps. It comes back when the child has ended,
/// with its exit code.
fn look_after(child: Pid, signals: &SigSet) -> i32 {
    // ANCHOR: ex-01-4
    loop {
        // 1. Wait for the next signal of the queue.
        match wait_for(signals) {
            // 2. Somebody has ended: the child, or an orphan. The queue holds one SIGCHLD and no second,
            //    however many have ended meanwhile. So: reap, without waiting, until there is nobody.
            //    If the child was among them, that was all: its exit code, or 128 and its signal.
            libc::SIGCHLD => loop {
                match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                    Ok(WaitStatus::Exited(pid, code)) if pid == child => return code,
                    Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => return 128 + signal as i32,
                    Ok(WaitStatus::StillAlive) | Err(_) => break,
                    Ok(_) => {}
                }
            },
            // 3. Urgent data on a socket: never meant for a program as such.
            libc::SIGURG => {}
            // 4. All others are meant for the child.
            signal => forward(child, signal),
        }
    }
    // ANCHOR_END: ex-01-4
}

/// Closes every descriptor, and has /dev/null for 0, 1 and 2.
fn let_go() -> Result<()> {
    step("close descriptors", "from 3", || close_range(3, 0))?;
    let null = step("open", "/dev/null", || {
        nix::fcntl::open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())
    })?;
    for target in 0..=2 {
        step("connect descriptor", target, || {
            // SAFETY: nobody in this process uses what was at 0, 1 or 2 any more.
            Errno::result(unsafe { libc::dup2(null.as_raw_fd(), target) })
        })?;
    }
    Ok(())
}

/// The next signal that waits in the queue. (By number: `nix` has no names for the real-time ones.)
fn wait_for(signals: &SigSet) -> i32 {
    // SAFETY: a valid set; nothing is asked for in the second place.
    unsafe { libc::sigwaitinfo(signals.as_ref(), std::ptr::null_mut()) }
}

fn forward(child: Pid, signal: i32) {
    // SAFETY: numbers only. It may fail when the child has just ended; SIGCHLD tells that. An
    // interrupted wait (-1) fails here as well, which is right: there is nothing to forward.
    unsafe { libc::kill(child.as_raw(), signal) };
}

// ANCHOR_END: init

/// Gives the terminal, if there is one, to our process group. All signals are still blocked here,
/// so that the kernel doesn't stop us with SIGTTOU for asking from the background.
fn to_foreground() {
    let _ = nix::unistd::tcsetpgrp(std::io::stdin(), nix::unistd::getpid());
}
