//! A child in the foreground: it has the terminal, and what we are told is meant for it.
//!
//! Whoever starts a container by hand sees one program. So `Ctrl-C` and `kill` have to reach what
//! runs inside, and we have to outlive it, to clean up behind it.
//!
//! The terminal belongs to one *process group* at a time, the foreground: only its members may read
//! from it, and they get the signals of `Ctrl-C` and `Ctrl-Z`. A shell makes a group of each command.
//! A program in a new pid namespace that stays in ours can't even name it, since the group's leader
//! lives outside: it reads as 0. (dash notes the group at its start and gives the terminal back to it
//! at its end; for 0 that fails, and its exit code was 2 whatever one had typed.) So the child leads a
//! group of its own, and we join it, to hear what it hears.
//!
//! Source: [credentials(7)](https://man7.org/linux/man-pages/man7/credentials.7.html), "Process group
//! ID"; [tcsetpgrp(3)](https://man7.org/linux/man-pages/man3/tcsetpgrp.3.html).

use std::fs;
use std::io::stdin;

use nix::sys::signal::{Signal, killpg, raise};
use nix::sys::wait::WaitStatus;
use nix::unistd::{Pid, getpgrp, setpgid, tcgetpgrp, tcsetpgrp};

use crate::child::{Child, Status};
use crate::signals::{Caught, FORWARDED, Signals};
use crate::step::{Result, step};

/// Our place in the foreground, to be lent to a child. Dropped, it takes the terminal back.
#[derive(Debug)]
pub struct Foreground {
    signals: Signals,
    /// Our own group, if there is a terminal and it has it.
    group: Option<Pid>,
}

impl Foreground {
    /// From now on signals don't end this process: [`Foreground::wait`] passes them on. So it is made
    /// before whatever has to be cleaned up.
    pub fn new() -> Result<Self> {
        // CHLD says that the child has stopped or ended. With TTOU the kernel stops whoever touches
        // a terminal from the background, as we shall to get it back.
        let more = [Signal::SIGCHLD, Signal::SIGTSTP, Signal::SIGTTOU];
        let signals = Signals::catch(FORWARDED.into_iter().chain(more))?;
        let has_terminal = tcgetpgrp(stdin()).is_ok_and(|foreground| foreground == getpgrp());
        Ok(Foreground { signals, group: has_terminal.then(getpgrp) })
    }

    /// Called in the child: a process group of its own, which has the terminal.
    pub fn enter(&self) -> Result<()> {
        if self.group.is_none() {
            return Ok(());
        }
        step("make process group", "", || setpgid(Pid::from_raw(0), Pid::from_raw(0)))?;
        // (TTOU is still blocked here.)
        step("take terminal", "", || tcsetpgrp(stdin(), getpgrp()))
    }

    /// Waits for the child's end, and passes on what is sent to us meanwhile.
    pub fn wait(&self, child: &Child) -> Result<Status> {
        self.join(child);
        loop {
            let Caught { signal, from_kernel } = self.signals.wait()?;
            match signal {
                libc::SIGCHLD => match child.look()? {
                    WaitStatus::Exited(_, code) => return Ok(Status::Exited(code)),
                    WaitStatus::Signaled(_, signal, _) => return Ok(Status::Signaled(signal as i32)),
                    WaitStatus::Stopped(..) => self.stop(child)?,
                    _ => {}
                },
                libc::SIGTTOU => {}
                libc::SIGTSTP if minds(child.pid(), signal) => {}
                libc::SIGTSTP => self.stop(child)?,
                // To PID 1 of a pid namespace comes only that for which it has a handler. Anybody else
                // would have been ended by it: so that is what we do, or `Ctrl-C` would have no effect
                // on `run sleep 1000`.
                _ if is_init(child.pid()) && !minds(child.pid(), signal) => {
                    child.signal(libc::SIGKILL)?;
                }
                // From the terminal it went to the whole group.
                _ if from_kernel && self.group.is_some() => {}
                _ => {
                    child.signal(signal)?;
                }
            }
        }
    }

    /// Into the child's group. (It can't be done by a *session leader*, which nobody but a terminal's
    /// own program is: then `Ctrl-C` is between the terminal and the child.)
    fn join(&self, child: &Child) {
        if self.group.is_some() {
            let _ = setpgid(Pid::from_raw(0), child.pid());
        }
    }

    /// Back to our own group, and the terminal with us.
    fn leave(&self) {
        if let Some(group) = self.group {
            let _ = setpgid(Pid::from_raw(0), group);
            let _ = tcsetpgrp(stdin(), group);
        }
    }

    /// `Ctrl-Z`. For our shell the job is us: when we stop, it has its prompt again, and `fg` and `bg`
    /// let us go on.
    fn stop(&self, child: &Child) -> Result<()> {
        let Some(group) = self.group else { return Ok(()) };
        self.leave();
        step("stop", "", || raise(Signal::SIGSTOP))?;
        if tcgetpgrp(stdin()).is_ok_and(|foreground| foreground == group) {
            step("give terminal to", child.pid(), || tcsetpgrp(stdin(), child.pid()))?;
            self.join(child);
        }
        step("continue", child.pid(), || killpg(child.pid(), Signal::SIGCONT))
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Whether a process has a handler for this signal, has blocked it to fetch it itself, or ignores it.
fn minds(pid: Pid, signal: i32) -> bool {
    let has = |set: &str| u64::from_str_radix(&field(pid, set), 16).unwrap_or(0) >> (signal - 1) & 1 == 1;
    ["SigBlk:", "SigIgn:", "SigCgt:"].into_iter().any(has)
}

/// Whether it is the first of its pid namespace, and that one isn't ours: `NSpid` has its pid in each,
/// from ours to its own.
fn is_init(pid: Pid) -> bool {
    let pids = field(pid, "NSpid:");
    pids.split_whitespace().skip(1).last() == Some("1")
}

/// A line of `/proc/PID/status`, without its name.
fn field(pid: Pid, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    value.unwrap_or_default().trim().to_owned()
}
