//! A child of ours: first paused, then running, then ended.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::channel::{self, Message};
use crate::process::send_signal;
use crate::step::{Error, Result, emit, step};

/// A process that exists, with its namespaces, and waits.
///
/// Meanwhile its parent sets up what only a parent can: id maps, limits, a network interface.
/// Dropped without a release, it ends.
#[derive(Debug)]
#[must_use = "the child waits until it is released; dropped, it ends"]
pub struct PausedChild {
    pid: Pid,
    socket: OwnedFd,
    /// It is there until the release gives it to the caller.
    pidfd: Option<OwnedFd>,
}

impl PausedChild {
    pub(crate) fn new(pid: Pid, pidfd: OwnedFd, socket: OwnedFd) -> Self {
        PausedChild { pid, socket, pidfd: Some(pidfd) }
    }

    /// Its pid, as its parent sees it.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Lets it run, and waits until it has become another program.
    ///
    /// # Errors
    /// The child's own: the step that failed there, with its errno. The child is gone then.
    // ANCHOR: release
    pub fn release(mut self) -> Result<Child> {
        step("release", self.pid, || channel::send(self.socket.as_raw_fd(), &Message::Go))?;
        loop {
            match step("hear from", self.pid, || channel::receive(&self.socket))? {
                Some(Message::Step { name, on, micros, file, line }) => {
                    emit(&name, &on, micros, &file, line);
                }
                Some(Message::Failed(error)) => return Err(error),
                Some(Message::Go) => {}
                // Closed by execve: it runs. (Or it was killed before it got there: then the
                // caller learns that from `wait`.)
                None => break,
            }
        }
        let pidfd = self.pidfd.take().ok_or_else(|| Error::new("release", self.pid, "it is gone"))?;
        Ok(Child { pid: self.pid, pidfd })
    }
    // ANCHOR_END: release
}

impl Drop for PausedChild {
    fn drop(&mut self) {
        // Whatever it is doing, whether it was released or not; and it must not stay behind as a
        // zombie.
        if let Some(pidfd) = self.pidfd.take() {
            let child = Child { pid: self.pid, pidfd };
            let _ = child.kill();
        }
    }
}

/// A process that runs its program.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    pidfd: OwnedFd,
}

impl Child {
    /// Its pid, as its parent sees it.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Ends it at once, and waits for that.
    pub fn kill(&self) -> Result<Status> {
        step("kill", self.pid, || send_signal(self.as_fd(), libc::SIGKILL))?;
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(&self) -> Result<Status> {
        step("wait for", self.pid, || {
            loop {
                match waitid(Id::PIDFd(self.pidfd.as_fd()), WaitPidFlag::WEXITED) {
                    Ok(WaitStatus::Exited(_, code)) => return Ok(Status::Exited(code)),
                    Ok(WaitStatus::Signaled(_, signal, _)) => return Ok(Status::Signaled(signal as i32)),
                    Ok(_) | Err(nix::Error::EINTR) => continue,
                    Err(errno) => return Err(errno),
                }
            }
        })
    }

    /// What has become of it, without waiting: whether it has ended or stopped.
    pub(crate) fn look(&self) -> Result<WaitStatus> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG;
        step("look at", self.pid, || waitid(Id::PIDFd(self.pidfd.as_fd()), flags))
    }

    /// Sends it a signal; `false` if it has ended.
    pub fn signal(&self, signal: i32) -> Result<bool> {
        step("signal", self.pid, || send_signal(self.pidfd.as_fd(), signal))
    }
}

/// The descriptor that names the process; it polls as readable when the process has ended.
impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
}

impl Status {
    /// The exit code as shells and Docker tell it: a signal is 128 + its number.
    pub fn code(self) -> i32 {
        match self {
            Status::Exited(code) => code,
            Status::Signaled(signal) => 128 + signal,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Exited(code) => write!(f, "exit code {code}"),
            Status::Signaled(signal) => write!(f, "signal {signal}"),
        }
    }
}
