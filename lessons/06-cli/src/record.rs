//! The record: what is known of a container while no process of it lives.
//!
//! A container is more than a process: it has a name, it can be started again, and somebody will
//! ask how it ended. All that is one folder for each container, with a file in it that a person
//! can read: `containers/ID/container.json`. The kernel's objects come and go; the record stays
//! until `rm`.
//!
//! What can go wrong is a crash in the middle. So a record comes into being whole (made in a
//! folder with a temporary name, then renamed), changes whole (temporary file, renamed over the
//! old one) and goes whole (renamed away, then deleted). What a crash leaves under a temporary name
//! is swept away at the next start.

mod store;

use std::fs::File;
use std::io;
use std::path::PathBuf;

use namespaces::Process;
use serde::{Deserialize, Serialize};

pub use store::{Records, replace};

/// The format that this code writes. A newer one is refused, never misread.
pub const VERSION: u32 = 1;

/// Everything that is known of one container. `C` is what it was asked to be: the engine keeps
/// Docker's create body there, lesson 6's small tool its own few flags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record<C> {
    /// The format of this file: [`VERSION`].
    pub version: u32,
    /// 64 hexadecimal digits, for ever the same.
    pub id: String,
    /// Unique among the living; people may change it.
    pub name: String,
    /// When it was created: RFC 3339, UTC, nanoseconds.
    pub created_at: String,
    /// What it was asked to be.
    pub config: C,
    /// What has become of it.
    pub state: State,
}

/// What has become of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// In one word.
    pub status: Status,
    /// Its PID 1 as the host sees it, while there is one.
    #[serde(with = "process", default)]
    pub process: Option<Process>,
    /// How the last run ended: its own code, or 128 + the signal. 0 before the first.
    pub exit_code: i32,
    /// Why the last start failed, or empty.
    pub error: String,
    /// Whether the kernel killed something in it for want of memory.
    pub oom_killed: bool,
    /// The last start, RFC 3339, or none yet.
    pub started_at: Option<String>,
    /// The last end, RFC 3339, or none yet.
    pub finished_at: Option<String>,
}

/// A container's state in one word, Docker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Made, never started.
    #[default]
    Created,
    /// Its PID 1 lives.
    Running,
    /// Frozen.
    Paused,
    /// Between an exit and the next start by its restart policy.
    Restarting,
    /// It ran, and ended.
    Exited,
    /// Half removed.
    Dead,
}

impl Status {
    /// The word itself: `running`.
    pub fn word(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Restarting => "restarting",
            Status::Exited => "exited",
            Status::Dead => "dead",
        }
    }
}

/// How a record writes lesson 1's [`Process`] down, which itself knows nothing of JSON:
/// `{"pid":4242,"start_time":1234567}`. For `#[serde(with = …)]`.
pub mod process {
    use namespaces::Process;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Written {
        pid: i32,
        start_time: u64,
    }

    #[expect(missing_docs, clippy::missing_errors_doc, reason = "serde asks for exactly these two")]
    pub fn serialize<S: Serializer>(process: &Option<Process>, to: S) -> Result<S::Ok, S::Error> {
        process.map(|Process { pid, start_time }| Written { pid, start_time }).serialize(to)
    }

    #[expect(missing_docs, clippy::missing_errors_doc, reason = "serde asks for exactly these two")]
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Process>, D::Error> {
        let written = Option::<Written>::deserialize(from)?;
        Ok(written.map(|Written { pid, start_time }| Process { pid, start_time }))
    }
}

/// What can go wrong with records.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another container has that name.
    #[error(
        "the name {name} is in use by container {id}: remove or rename that container, or choose another"
    )]
    NameTaken {
        /// The name asked for.
        name: String,
        /// Who has it.
        id: String,
    },
    /// Nothing has that name or id.
    #[error("no such container: {0}")]
    NotFound(String),
    /// The beginning of more than one id.
    #[error("{0} is the beginning of several containers' ids: give more digits")]
    Ambiguous(String),
    /// The file system refused a step.
    #[error(transparent)]
    Step(#[from] namespaces::Error),
    /// A record that isn't one.
    #[error("reading {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Result of working with records.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The place, among `(id, name)` pairs, of what a person calls `wanted`: an exact id wins, then a
/// name, then the only id that begins so.
pub fn find<'a>(all: impl Iterator<Item = (&'a str, &'a str)>, wanted: &str) -> Result<usize> {
    let wanted = wanted.strip_prefix('/').unwrap_or(wanted);
    let not_found = || Error::NotFound(wanted.to_owned());
    if wanted.is_empty() {
        return Err(not_found());
    }
    let mut named = None;
    let mut begins = Vec::new();
    for (position, (id, name)) in all.enumerate() {
        if id == wanted {
            return Ok(position);
        }
        if name == wanted {
            named = Some(position);
        } else if id.starts_with(wanted) {
            begins.push(position);
        }
    }
    match (named, begins.as_slice()) {
        (Some(position), _) => Ok(position),
        (None, [only]) => Ok(*only),
        (None, []) => Err(not_found()),
        (None, _) => Err(Error::Ambiguous(wanted.to_owned())),
    }
}

/// Whether people may name a container so: Docker's rule, `[a-zA-Z0-9][a-zA-Z0-9_.-]+`. It also
/// keeps names out of paths and out of the way of flags: no slash, no dot or dash at the beginning.
pub fn is_name(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    first && rest && (2..=255).contains(&text.len())
}

/// A new id: 64 hexadecimal digits from the kernel's random numbers.
///
/// # Errors
/// `/dev/urandom` can't be read.
pub fn new_id() -> io::Result<String> {
    let mut bytes = [0u8; 32];
    io::Read::read_exact(&mut File::open("/dev/urandom")?, &mut bytes)?;
    let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    // The first twelve digits become the hostname. A name of digits only would be taken for a
    // number or an address by some programs; Docker draws again, and so do we.
    if id[..12].bytes().all(|byte| byte.is_ascii_digit()) { new_id() } else { Ok(id) }
}

/// Now: RFC 3339, UTC, always nine digits after the point, so that texts sort as times do.
pub fn now() -> String {
    format!("{:.9}", jiff::Timestamp::now())
}

#[cfg(test)]
mod tests;
