//! How a command ends when it does not end well.

use std::io;

use crate::client;

/// What a command gives back: the exit status, 0 or the container's own.
pub type Outcome = Result<u8, Failure>;

/// Why a command failed, and with which exit status.
#[derive(Debug)]
pub enum Failure {
    /// One line for standard error.
    Said {
        /// 1 in general, 125 where an engine could not run something.
        code: u8,
        /// What, on what, why, and what to do.
        message: String,
    },
    /// Everything has been said already.
    Silent(u8),
    /// Nobody reads our output any more (`canoa logs x | head -1`): an end, not an error.
    BrokenPipe,
}

impl Failure {
    /// A failure with exit status 1.
    pub fn new(message: impl ToString) -> Failure {
        Failure::Said { code: 1, message: message.to_string() }
    }

    /// The same failure with another exit status.
    pub fn code(self, code: u8) -> Failure {
        match self {
            Failure::Said { message, .. } => Failure::Said { code, message },
            other => other,
        }
    }
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Failure {
        Failure::new(error)
    }
}

impl From<io::Error> for Failure {
    /// An error of our own standard output, or of the terminal.
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
            _ => Failure::new(format!("writing the output: {error}")),
        }
    }
}
