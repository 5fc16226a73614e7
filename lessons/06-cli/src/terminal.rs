//! The terminal of the person who types: raw mode, and its size.
//!
//! A terminal usually cooks what is typed: it echoes, collects a line, and makes signals of
//! Ctrl-C and Ctrl-Z. With `run -it` all of that is the business of the terminal *inside* the
//! container, so the outer one has to pass every byte on untouched: raw mode. A terminal that is
//! left raw is of no use to the shell that comes after us, so it is restored on every way out:
//! by [`RawMode`]'s drop (also while a panic unwinds), and by a handler for the signals that
//! would end us without unwinding.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use namespaces::{Error, Result, step};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

/// The signals that end a program which does not handle them, and that a person may well send.
const DEADLY: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

/// What a signal handler needs to restore the terminal: it may neither allocate nor lock.
struct Saved {
    fd: i32,
    modes: libc::termios,
}

/// The terminal to restore, or null. The box behind it lives as long as the program: a handler
/// may be looking at it just now.
static SAVED: AtomicPtr<Saved> = AtomicPtr::new(ptr::null_mut());

/// A terminal in raw mode; dropping it restores the modes from before.
#[derive(Debug)]
pub struct RawMode {
    /// Our own copy, so that the terminal can be restored even when somebody closed the first.
    terminal: OwnedFd,
    before: Termios,
}

impl RawMode {
    /// Switches `terminal` to raw mode (termios(3), `cfmakeraw`).
    ///
    /// Signals that already have a handler keep it: whoever handles them has to drop this.
    ///
    /// # Errors
    /// Not a terminal (`ENOTTY`), or one that has gone.
    // ANCHOR: enter
    pub fn enter(terminal: BorrowedFd<'_>) -> Result<RawMode> {
        let terminal =
            terminal.try_clone_to_owned().map_err(|error| Error::new("copy terminal", "", error))?;
        let before = step("read terminal modes", "", || tcgetattr(&terminal))?;
        restore_on_signals(&terminal, &before)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        // From here on the drop of `guard` restores, whatever happens.
        let guard = RawMode { terminal, before };
        step("switch terminal to raw mode", "", || tcsetattr(&guard.terminal, SetArg::TCSANOW, &raw))?;
        Ok(guard)
    }
    // ANCHOR_END: enter

    /// Restores the modes from before; the same as dropping it.
    pub fn leave(self) {}
}

// ANCHOR: drop
impl Drop for RawMode {
    fn drop(&mut self) {
        SAVED.store(ptr::null_mut(), Ordering::SeqCst);
        // TCSADRAIN: what the container has written is drawn in the modes it was written for.
        // A terminal that has gone has nothing left to restore.
        let _ = tcsetattr(&self.terminal, SetArg::TCSADRAIN, &self.before);
    }
}
// ANCHOR_END: drop

/// The size of the terminal behind `fd` in characters, `(rows, columns)`; `None` when it is no
/// terminal, or one that does not know (a serial line says 0 × 0).
pub fn size(fd: impl AsFd) -> Option<(u16, u16)> {
    let mut size = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: TIOCGWINSZ writes one winsize, for which there is room; all zeroes is a valid one.
    let size = unsafe {
        if libc::ioctl(fd.as_fd().as_raw_fd(), libc::TIOCGWINSZ, size.as_mut_ptr()) != 0 {
            return None;
        }
        size.assume_init()
    };
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// Restores the terminal before a signal ends the program.
fn restore_on_signals(terminal: &OwnedFd, before: &Termios) -> Result<()> {
    let saved = Saved { fd: terminal.as_raw_fd(), modes: before.clone().into() };
    SAVED.store(Box::into_raw(Box::new(saved)), Ordering::SeqCst);
    // SA_RESETHAND: after the handler the signal has its old, deadly meaning again.
    let action = SigAction::new(SigHandler::Handler(restore), SaFlags::SA_RESETHAND, SigSet::empty());
    for signal in DEADLY {
        // SAFETY: `restore` calls only what signal-safety(7) allows.
        let former = unsafe { step("handle signal", signal, || sigaction(signal, &action))? };
        if !matches!(former.handler(), SigHandler::SigDfl) {
            // SAFETY: this puts back the handler that was there a moment ago.
            unsafe { step("handle signal", signal, || sigaction(signal, &former))? };
        }
    }
    Ok(())
}

extern "C" fn restore(signal: libc::c_int) {
    let saved = SAVED.load(Ordering::SeqCst);
    // SAFETY: `saved` is null or a box that is never freed. tcsetattr and raise are on the list
    // of signal-safety(7). The raised signal stays pending until this handler returns.
    unsafe {
        if let Some(saved) = saved.as_ref() {
            libc::tcsetattr(saved.fd, libc::TCSANOW, &saved.modes);
        }
        libc::raise(signal);
    }
}

#[cfg(test)]
mod tests {
    use nix::pty::openpty;
    use nix::sys::termios::LocalFlags;

    use super::*;

    fn cooked(terminal: &OwnedFd) -> bool {
        tcgetattr(terminal).unwrap().local_flags.contains(LocalFlags::ICANON | LocalFlags::ECHO)
    }

    #[test]
    fn raw_mode_is_restored_when_the_guard_is_dropped() {
        let pty = openpty(None, None).unwrap();
        assert!(cooked(&pty.slave));
        let guard = RawMode::enter(pty.slave.as_fd()).unwrap();
        assert!(!cooked(&pty.slave));
        guard.leave();
        assert!(cooked(&pty.slave));
    }

    #[test]
    fn raw_mode_is_restored_by_a_panic() {
        let pty = openpty(None, None).unwrap();
        let panicked = std::panic::catch_unwind(|| {
            let _guard = RawMode::enter(pty.slave.as_fd()).unwrap();
            panic!("on purpose");
        });
        assert!(panicked.is_err());
        assert!(cooked(&pty.slave));
    }

    #[test]
    fn what_is_no_terminal_has_neither_size_nor_raw_mode() {
        let null = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(size(&null), None);
        assert_eq!(RawMode::enter(null.as_fd()).unwrap_err().errno, libc::ENOTTY);
    }

    #[test]
    fn the_size_is_rows_then_columns() {
        let winsize = nix::pty::Winsize { ws_row: 33, ws_col: 101, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&winsize), None).unwrap();
        assert_eq!(size(&pty.slave), Some((33, 101)));
    }
}
