//! The log: what a container has said, one JSON object a line.
//!
//! The format is Docker's json-file: `{"log":"hola\n","stream":"stdout","time":"…"}`. The monitor
//! writes it ([`LogWriter`]); whoever asks for logs reads it ([`LogReader`]), also while it grows, also
//! when the container is long gone. Writer and readers share nothing but the files: one, or a row of
//! them where the log is kept within bounds ([`Bounds`]).

mod files;
mod read;
mod write;

use serde::{Deserialize, Serialize};

pub use files::Bounds;
pub use read::{LogReader, Wanted, follow};
pub use write::LogWriter;

/// The longest text of one entry, in bytes. A longer line becomes several entries, of which only
/// the last ends in a newline: that is how a reader knows that a line is only a part (Docker's
/// number, too).
pub const LONGEST: usize = 16 * 1024;

/// Where a text came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output, and everything from a terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// `stdout`, `stderr`.
    pub fn name(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What was said, with its newline; without one it is only part of a line.
    pub log: String,
    /// Where.
    pub stream: Stream,
    /// When: RFC 3339, UTC, nanoseconds.
    pub time: String,
}

#[cfg(test)]
mod tests;
