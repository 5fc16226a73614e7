//! Signals as something to read, where they would end us otherwise.
//!
//! A signal interrupts a program wherever it is, and most of them end it: then whatever it was about
//! to clean up stays behind. A *blocked* signal waits, and [signalfd(2)] gives it out as data, when
//! the program is ready for it.
//!
//! [signalfd(2)]: https://man7.org/linux/man-pages/man2/signalfd.2.html

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::step::{Result, step};

/// What people and programs send to another program as such, and would end it if it did nothing.
/// Whoever stands between passes these on.
pub const FORWARDED: [Signal; 6] =
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGUSR2];

/// The signals that have come to us. From the moment that this is made none of them ends us, so we
/// live until we have cleaned up.
#[derive(Debug)]
pub struct Signals(SignalFd);

/// A signal that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caught {
    /// Its number.
    pub signal: i32,
    /// Whether the kernel has sent it, as it does to all of a terminal's foreground at `Ctrl-C`.
    pub from_kernel: bool,
}

impl Signals {
    /// Made *before* the child whose signals these are, so that none is lost in between. (Its
    /// program begins with no signal blocked: [`crate::exec`].)
    pub fn catch(signals: impl IntoIterator<Item = Signal>) -> Result<Signals> {
        let signals: SigSet = signals.into_iter().collect();
        step("block signals", "", || signals.thread_block())?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Signals(step("watch signals", "", || SignalFd::with_flags(&signals, flags))?))
    }

    /// The next one that has come; `None` when there is none.
    pub fn next(&self) -> Result<Option<Caught>> {
        let info = step("read signal", "", || self.0.read_signal())?;
        Ok(info.map(|info| Caught {
            signal: info.ssi_signo as i32,
            from_kernel: info.ssi_code == libc::SI_KERNEL,
        }))
    }

    /// Waits for the next one.
    pub fn wait(&self) -> Result<Caught> {
        loop {
            if let Some(caught) = self.next()? {
                return Ok(caught);
            }
            let mut ours = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            step("wait for signal", "", || match poll(&mut ours, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => Ok(()),
                Err(errno) => Err(errno),
            })?;
        }
    }
}

/// It polls as readable when a signal has come.
impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
