//! Naming a process so that it can't be mistaken for another.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::signal::Signal;

use crate::step::{self, Error, Result, step};

/// A process by pid *and* start time.
///
/// The kernel gives a pid to somebody else once its process has ended. Whoever writes a pid down
/// writes down when that process began as well, and compares it before acting on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// In the pid namespace of whoever asks.
    pub pid: i32,
    /// Clock ticks after boot: field 22 of `/proc/PID/stat`.
    pub start_time: u64,
}

impl Process {
    /// The process that has this pid now.
    ///
    /// # Errors
    /// `ENOENT` when there is none.
    pub fn with_pid(pid: i32) -> Result<Process> {
        step("look up process", pid, || stat(pid).map(|Stat { start_time, .. }| Process { pid, start_time }))
    }

    /// The process whose pid somebody has written.
    ///
    /// # Errors
    /// When it is no pid, or there is none with it.
    pub fn parse(text: &OsStr) -> Result<Process> {
        match text.to_str().and_then(|text| text.parse().ok()).filter(|pid| *pid > 0) {
            Some(pid) => Process::with_pid(pid),
            None => Err(Error::new("look up process", text.display(), "a pid is a number from 1 on")),
        }
    }

    // ANCHOR: is_alive
    /// Whether this very process still runs. A zombie has ended: it only waits for its parent to
    /// ask how.
    pub fn is_alive(&self) -> bool {
        stat(self.pid).is_ok_and(|now| now.start_time == self.start_time && !matches!(now.state, 'Z' | 'X'))
    }
    // ANCHOR_END: is_alive

    /// The pid of its parent.
    ///
    /// # Errors
    /// `ESRCH` when it has ended.
    pub fn parent(&self) -> Result<i32> {
        step("look up parent of", self.pid, || match stat(self.pid) {
            Ok(now) if now.start_time == self.start_time => Ok(now.parent),
            _ => Err(Errno::ESRCH),
        })
    }

    /// A descriptor of it, or `None` if it has ended (also when another has its pid now).
    pub fn open(&self) -> Result<Option<OwnedFd>> {
        step("open process", self.pid, || match pidfd_open(self.pid) {
            Err(Errno::ESRCH) => Ok(None),
            Err(errno) => Err(io::Error::from(errno)),
            // The descriptor is had first, and the time compared then: were it the other way
            // round, the pid could change hands between the two.
            Ok(pidfd) => match stat(self.pid) {
                Ok(now) if now.start_time == self.start_time => Ok(Some(pidfd)),
                Ok(_) => Ok(None),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            },
        })
    }

    /// Sends it a signal; `false` if it has ended.
    pub fn signal(&self, signal: i32) -> Result<bool> {
        let Some(pidfd) = self.open()? else { return Ok(false) };
        step("signal", self.pid, || send_signal(pidfd.as_fd(), signal))
    }
}

/// Sends a signal by descriptor; `false` if the process has ended: [pidfd_send_signal(2)].
///
/// [pidfd_send_signal(2)]: https://man7.org/linux/man-pages/man2/pidfd_send_signal.2.html
pub(crate) fn send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> nix::Result<bool> {
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a valid descriptor, no siginfo, no flags.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, no_info, 0) };
    match Errno::result(sent) {
        Ok(_) => Ok(true),
        Err(Errno::ESRCH) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// A descriptor of the process with this pid: [pidfd_open(2)].
///
/// [pidfd_open(2)]: https://man7.org/linux/man-pages/man2/pidfd_open.2.html
fn pidfd_open(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: two numbers; the call has no pointers.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: a new descriptor, which nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Of `/proc/PID/stat`, what matters here: see proc_pid_stat(5).
struct Stat {
    /// Field 3: `R`, `S`, …; `Z` for a zombie.
    state: char,
    /// Field 4.
    parent: i32,
    /// Field 22.
    start_time: u64,
}

/// The second field, the program's name in brackets, may hold blanks and brackets itself, so the
/// counting begins behind its last bracket, with field 3.
fn stat(pid: i32) -> io::Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let parse = || {
        let mut fields = text.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let start_time = fields.nth(22 - 5)?.parse().ok()?;
        Some(Stat { state, parent, start_time })
    };
    parse().ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "its stat can't be read"))
}

/// The pid of a process of which we have a descriptor, as /proc tells it.
pub fn pid_of(pidfd: BorrowedFd<'_>) -> Option<i32> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).ok()?;
    info.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())
}

/// From now on the kernel kills this process when its parent dies.
///
/// A change of user or of capabilities takes this back ([prctl(2)]), so it is said again after
/// such a change.
///
/// # Errors
/// When the parent has died already, so that its death can't be heard of any more.
///
/// [prctl(2)]: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
// ANCHOR: die_with_parent
pub fn die_with_parent() -> Result<()> {
    step("die with parent", "", || nix::sys::prctl::set_pdeathsig(Signal::SIGKILL))?;
    // Its pid would tell (`getppid`), were it in our pid namespace. Its end of the socket tells.
    if step::parent_is_gone() {
        return Err(Error::new("die with parent", "", "it has died already"));
    }
    Ok(())
}
// ANCHOR_END: die_with_parent

/// From now on, and until it becomes another program, this process's `/proc/PID/fd`, `exe`, `mem` and
/// the like are closed to everybody without `CAP_SYS_PTRACE`.
///
/// A child that enters a container is for a moment among its processes, with descriptors of the host
/// still open. Root in there could reach the host through them (CVE-2016-9962, CVE-2024-21626).
pub fn hide() -> Result<()> {
    step("hide process", "", || nix::sys::prctl::set_dumpable(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_pid_and_start_time() {
        let myself = Process::with_pid(std::process::id() as i32).unwrap();
        assert!(myself.is_alive());
        assert!(!Process { start_time: myself.start_time + 1, ..myself }.is_alive());
    }

    #[test]
    fn a_zombie_does_not_count_as_alive() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let process = Process::with_pid(child.id() as i32).unwrap();
        let ended = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            !process.is_alive()
        });
        assert!(ended && Process::with_pid(process.pid).is_ok(), "it should be a zombie");
        child.wait().unwrap();
    }
}
