//! What a process has for standard input, output and error, and what its monitor holds of it.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use namespaces::{Result, step};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{fchown, pipe2, setsid};

use crate::log::Stream;
use crate::pty::{self, Size};

/// How the process is to be connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdio {
    /// As its parent is: nobody in between.
    Inherit,
    /// Through pipes.
    Pipes {
        /// Whether there is an input at all; else it is /dev/null.
        input: bool,
    },
    /// Through a terminal of its own.
    Terminal {
        /// Whether somebody may type.
        input: bool,
        /// Set before the program begins to draw.
        size: Option<Size>,
    },
}

/// The child's side, to be put in place by the child.
#[derive(Debug)]
pub(crate) enum Inner {
    Inherit,
    Pipes { input: File, output: OwnedFd, error: OwnedFd },
    Terminal { size: Option<Size>, socket: OwnedFd },
}

/// The parent's side, before the child runs.
#[derive(Debug)]
pub(crate) enum Outer {
    Inherit,
    Pipes { input: Option<File>, output: File, error: File },
    Terminal { input: bool, socket: OwnedFd },
}

/// The parent's side, when it runs.
#[derive(Debug, Default)]
pub struct Ends {
    /// What is written here the process reads.
    pub input: Option<File>,
    /// What the process says.
    pub outputs: Vec<(Stream, File)>,
    /// Whether all this is one terminal.
    pub terminal: bool,
}

impl Stdio {
    /// Both sides.
    pub(crate) fn make(self) -> Result<(Inner, Outer)> {
        Ok(match self {
            Stdio::Inherit => (Inner::Inherit, Outer::Inherit),
            Stdio::Pipes { input } => {
                let (theirs, ours) = if input {
                    let (read, write) = pipe()?;
                    (File::from(read), Some(not_blocking(write.into())?))
                } else {
                    (step("open", "/dev/null", || File::open("/dev/null"))?, None)
                };
                let ((output, their_output), (error, their_error)) = (pipe()?, pipe()?);
                (
                    Inner::Pipes { input: theirs, output: their_output, error: their_error },
                    Outer::Pipes { input: ours, output: output.into(), error: error.into() },
                )
            }
            Stdio::Terminal { input, size } => {
                let (ours, theirs) = pty::handover()?;
                (Inner::Terminal { size, socket: theirs }, Outer::Terminal { input, socket: ours })
            }
        })
    }
}

fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    step("make pipe", "", || pipe2(OFlag::O_CLOEXEC))
}

/// A monitor serves many: it must not be kept waiting by a program that doesn't read its input.
fn not_blocking(file: File) -> Result<File> {
    step("set not to block", "", || fcntl(&file, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)))?;
    Ok(file)
}

impl Inner {
    /// Puts it in place of 0, 1 and 2. In the child, inside the container, while it still is root:
    /// the program's user becomes the owner, so that `/dev/stdout` can be opened by name.
    // ANCHOR: install
    pub(crate) fn install(&self, uid: u32, first: bool) -> Result<()> {
        let owner = Some(nix::unistd::Uid::from_raw(uid));
        let place = |file: &dyn AsFd, target: i32| -> Result<()> {
            // Not an error: in a user namespace with one id there are no other owners.
            let _ = fchown(file.as_fd(), owner, None);
            step("connect descriptor", target, || duplicate(file.as_fd().as_raw_fd(), target))
        };
        match self {
            Inner::Inherit => Ok(()),
            Inner::Pipes { input, output, error } => {
                step("make session", "", setsid)?;
                place(input, 0)?;
                place(output, 1)?;
                place(error, 2)
            }
            Inner::Terminal { size, socket } => {
                step("make session", "", setsid)?;
                let (master, slave) = pty::open()?;
                if first {
                    pty::be_console(&slave)?;
                }
                if let Some(size) = size {
                    pty::resize(&master, *size)?;
                }
                step("hand over terminal", "", || pty::send_descriptor(socket, b"terminal", &master))?;
                pty::control(&slave)?;
                place(&slave, 0)?;
                place(&slave, 1)?;
                place(&slave, 2)
            }
        }
    }
    // ANCHOR_END: install
}

fn duplicate(from: i32, to: i32) -> nix::Result<()> {
    // SAFETY: what was at 0, 1 or 2 before is used by nobody in this child any more.
    nix::errno::Errno::result(unsafe { libc::dup2(from, to) }).map(drop)
}

impl Outer {
    /// Once the child runs: a terminal is there only now.
    pub(crate) fn ends(self) -> Result<Ends> {
        Ok(match self {
            Outer::Inherit => Ends::default(),
            Outer::Pipes { input, output, error } => Ends {
                input,
                outputs: vec![(Stream::Stdout, output), (Stream::Stderr, error)],
                terminal: false,
            },
            Outer::Terminal { input, socket } => {
                let (_, master) = pty::receive_descriptor(&socket)?;
                let master = not_blocking(master.into())?;
                let copy = step("copy descriptor", "", || master.try_clone())?;
                Ends { input: input.then_some(copy), outputs: vec![(Stream::Stdout, master)], terminal: true }
            }
        })
    }
}
