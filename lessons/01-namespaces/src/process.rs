//! Naming a process so that it can't be mistaken for another.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::signal::Signal;

use crate::step::{Result, step};

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
        step("look up process", pid, || Ok::<_, io::Error>(Process { pid, start_time: start_time(pid)? }))
    }

    /// A descriptor of it, or `None` if it has ended (also when another has its pid now).
    pub fn open(&self) -> Result<Option<OwnedFd>> {
        step("open process", self.pid, || match pidfd_open(self.pid) {
            Err(Errno::ESRCH) => Ok(None),
            Err(errno) => Err(io::Error::from(errno)),
            // The descriptor is had first, and the time compared then: were it the other way
            // round, the pid could change hands between the two.
            Ok(pidfd) => match start_time(self.pid) {
                Ok(time) if time == self.start_time => Ok(Some(pidfd)),
                Ok(_) => Ok(None),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            },
        })
    }

    /// Sends it a signal; `false` if it has ended.
    pub fn signal(&self, signal: i32) -> Result<bool> {
        let Some(pidfd) = self.open()? else { return Ok(false) };
        step("signal", self.pid, || {
            // SAFETY: a valid descriptor, no siginfo, no flags.
            let sent = unsafe {
                libc::syscall(
                    libc::SYS_pidfd_send_signal,
                    pidfd.as_raw_fd(),
                    signal,
                    std::ptr::null::<libc::siginfo_t>(),
                    0,
                )
            };
            match Errno::result(sent) {
                Ok(_) => Ok(true),
                Err(Errno::ESRCH) => Ok(false),
                Err(errno) => Err(errno),
            }
        })
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

/// Field 22 of `/proc/PID/stat`. The second field, the program's name in brackets, may hold
/// blanks and brackets itself, so the counting begins behind its last bracket.
fn start_time(pid: i32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    stat.rsplit_once(')')
        .and_then(|(_, fields)| fields.split_whitespace().nth(22 - 3))
        .and_then(|field| field.parse().ok())
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "no start time in its stat"))
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
/// [prctl(2)]: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
pub fn die_with_parent() -> Result<()> {
    step("die with parent", "", || nix::sys::prctl::set_pdeathsig(Signal::SIGKILL))
}
