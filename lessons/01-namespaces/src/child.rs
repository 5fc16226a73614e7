//! A child of ours: first paused, then running, then ended.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::channel::{self, Message};
use crate::process::send;
use crate::step::{Result, emit, step};

/// A process that exists, with its namespaces, and waits.
///
/// Meanwhile its parent sets up what only a parent can: id maps, limits, a network interface.
/// Dropped without a release, it ends.
#[derive(Debug)]
#[must_use = "the child waits until it is released; dropped, it ends"]
pub struct PausedChild {
    /// Both are there until the release takes them.
    inner: Option<(Child, OwnedFd)>,
}

impl PausedChild {
    pub(crate) fn new(pid: Pid, pidfd: OwnedFd, socket: OwnedFd) -> Self {
        PausedChild { inner: Some((Child { pid, pidfd }, socket)) }
    }

    /// Its pid, as its parent sees it.
    pub fn pid(&self) -> Pid {
        self.inner.as_ref().map_or(Pid::from_raw(0), |(child, _)| child.pid)
    }

    /// Lets it run, and waits until it has become another program.
    ///
    /// # Errors
    /// The child's own: the step that failed there, with its errno. The child is gone then.
    pub fn release(mut self) -> Result<Child> {
        let Some((child, socket)) = self.inner.take() else {
            return Err(crate::Error::new("release", "", "the child was released before"));
        };
        step("release", child.pid, || channel::send(socket.as_raw_fd(), &Message::Go))?;
        loop {
            match step("hear from", child.pid, || channel::receive(&socket))? {
                Some(Message::Step { name, on, micros, file, line }) => {
                    emit(&name, &on, micros, &file, line);
                }
                Some(Message::Failed(error)) => {
                    child.wait()?;
                    return Err(error);
                }
                Some(Message::Go) => {}
                // Closed by execve: it runs. (Or it was killed before it got there: then the
                // caller learns that from `wait`.)
                None => return Ok(child),
            }
        }
    }
}

impl Drop for PausedChild {
    fn drop(&mut self) {
        if let Some((child, socket)) = self.inner.take() {
            // It reads the end of file, and goes; it must not stay behind as a zombie.
            drop(socket);
            let _ = child.wait();
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
        step("kill", self.pid, || match send(self.as_fd(), libc::SIGKILL) {
            Err(nix::Error::ESRCH) => Ok(()),
            other => other,
        })?;
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
