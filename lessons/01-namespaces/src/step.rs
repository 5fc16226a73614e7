//! Steps: the words in which a container's life is told.
//!
//! Everything that an engine asks of the kernel is a *step*: it has a stable name, it is done
//! on something, and it works or it fails with an errno. [`step`] does it and says so: as an
//! event for whoever listens ([`tracing`]), and, when it fails, as an error which a person can
//! act on: `mount proc on /proc: Operation not permitted (os error 1)`.
//!
//! A child that was just cloned has nobody to tell but its parent. There the same function
//! sends the step through the socket between the two ([`crate::channel`]), and the parent
//! emits the event with the child's own file and line.

use std::fmt::Display;
use std::io;
use std::os::fd::RawFd;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Instant;

use crate::channel::{self, Message};

/// Result of the lessons' kernel work.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A step that failed: what was being done, on what, and why.
///
/// It is plain data, so that it can cross from a child to its parent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{step}{}{on}: {}", if on.is_empty() { "" } else { " " }, self.reason())]
pub struct Error {
    /// The step's stable name, a verb and its object: `mount proc`, `pivot root`.
    pub step: String,
    /// What it was done on: a path, an interface, a process. May be empty.
    pub on: String,
    /// The kernel's answer (`errno`), or 0 where it was not the kernel that refused.
    pub errno: i32,
    /// The reason, where it isn't the kernel's, or the way out, where there is one.
    pub hint: String,
}

impl Error {
    /// The exit code that shells and Docker give to it: 127 for a program that isn't there, 126
    /// for one that can't be run, 125 for everything that went wrong before.
    // ANCHOR: exit_code
    pub fn exit_code(&self) -> i32 {
        match (self.step.as_str(), self.errno) {
            ("exec", libc::ENOENT | libc::ENOTDIR) => 127,
            ("exec", _) => 126,
            _ => 125,
        }
    }
    // ANCHOR_END: exit_code

    /// An error whose reason is not an errno but a sentence.
    pub fn new(step: impl Into<String>, on: impl Display, reason: impl Display) -> Self {
        Error { step: step.into(), on: on.to_string(), errno: 0, hint: reason.to_string() }
    }

    /// The same error with the way out added.
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hint = hint.to_string();
        self
    }

    fn reason(&self) -> String {
        match (self.errno, self.hint.as_str()) {
            (0, hint) => hint.to_owned(),
            (errno, "") => io::Error::from_raw_os_error(errno).to_string(),
            (errno, hint) => format!("{}: {hint}", io::Error::from_raw_os_error(errno)),
        }
    }
}

/// What a step's action may fail with: anything that the operating system answered.
pub trait Errno {
    /// The errno, or 0 where there is none; and the reason in words in that case.
    fn errno(&self) -> (i32, String);
}

impl Errno for nix::Error {
    fn errno(&self) -> (i32, String) {
        (*self as i32, String::new())
    }
}

impl Errno for io::Error {
    fn errno(&self) -> (i32, String) {
        match self.raw_os_error() {
            Some(errno) => (errno, String::new()),
            None => (0, self.to_string()),
        }
    }
}

/// Does one step, and tells it.
///
/// `name` is stable (tools and the book refer to it), `on` says what it is done on. The caller's
/// file and line go with the event, so that a reader of the story finds the code which did it.
///
/// # Errors
/// The action's own, with the step's name and object around it.
// ANCHOR: step
#[track_caller]
pub fn step<T, E: Errno>(
    name: &'static str,
    on: impl Display,
    action: impl FnOnce() -> Result<T, E>,
) -> Result<T> {
    let caller = Location::caller();
    let start = Instant::now();
    let result = action();
    tell(name, &on, start.elapsed().as_micros() as u64, caller);
    result.map_err(|error| {
        let (errno, hint) = error.errno();
        Error { step: name.to_owned(), on: on.to_string(), errno, hint }
    })
}
// ANCHOR_END: step

/// In a cloned child: the socket to its parent. It is the whole process's, so that a thread which the
/// child makes for a step speaks through it as well. -1 in whoever is no such child.
static PARENT: AtomicI32 = AtomicI32::new(-1);

/// Whether the parent wants to hear the steps that went well, too.
static WANTED: AtomicBool = AtomicBool::new(false);

/// From now on this process is a child that tells its steps to its parent through `socket`.
pub(crate) fn tell_parent(socket: RawFd, steps: bool) {
    WANTED.store(steps, Ordering::Relaxed);
    PARENT.store(socket, Ordering::Relaxed);
}

/// Whether this process is such a child, and its parent's end of the socket is closed.
pub(crate) fn parent_is_gone() -> bool {
    match PARENT.load(Ordering::Relaxed) {
        -1 => false,
        socket => channel::is_closed(socket),
    }
}

/// Whether anybody listens to steps. In the parent: is there a subscriber for them?
pub(crate) fn wanted() -> bool {
    tracing::enabled!(target: "step", tracing::Level::DEBUG)
}

fn tell(name: &str, on: &impl Display, micros: u64, caller: &Location<'_>) {
    match PARENT.load(Ordering::Relaxed) {
        -1 => emit(name, on, micros, caller.file(), caller.line()),
        _ if !WANTED.load(Ordering::Relaxed) => {}
        // Telling is never worth failing for: should the parent be gone, the child ends anyhow.
        socket => {
            let message = Message::Step {
                name: name.to_owned(),
                on: on.to_string(),
                micros,
                file: caller.file().to_owned(),
                line: caller.line(),
            };
            let _ = channel::send(socket, &message);
        }
    }
}

/// The event itself, emitted in the parent.
pub(crate) fn emit(name: &str, on: &impl Display, micros: u64, file: &str, line: u32) {
    tracing::debug!(target: "step", name, on = %on, micros, file, line);
}
