//! What a pull tells while it works, in Docker's words.

use std::fmt;

/// What happens to one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The layer's short id: 12 digits of its digest.
    pub id: String,
    /// What happens to it.
    pub status: Status,
}

impl Progress {
    /// Says it on standard error: each stage once, and not how far the long ones have come.
    pub fn tell(self) {
        if !matches!(self.status, Status::Downloading { .. } | Status::Extracting { .. }) {
            eprintln!("{}: {}", self.id, self.status);
        }
    }
}

/// The stages of a layer. Its [`fmt::Display`] is what Docker's stream says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It will be pulled.
    PullingFsLayer,
    /// Bytes come in.
    Downloading {
        /// So far.
        current: u64,
        /// Of how many.
        total: u64,
    },
    /// The download was cut, and will be tried again.
    Retrying {
        /// In how many seconds, rounded up.
        seconds: u64,
    },
    /// The digest is compared.
    VerifyingChecksum,
    /// All bytes are here, and right.
    DownloadComplete,
    /// The files are made.
    Extracting {
        /// Compressed bytes read so far.
        current: u64,
        /// Of how many.
        total: u64,
    },
    /// The layer is here.
    PullComplete,
    /// The layer was here.
    AlreadyExists,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::PullingFsLayer => "Pulling fs layer",
            Status::Downloading { .. } => "Downloading",
            Status::Retrying { seconds: 1 } => "Retrying in 1 second",
            Status::Retrying { seconds } => return write!(f, "Retrying in {seconds} seconds"),
            Status::VerifyingChecksum => "Verifying Checksum",
            Status::DownloadComplete => "Download complete",
            Status::Extracting { .. } => "Extracting",
            Status::PullComplete => "Pull complete",
            Status::AlreadyExists => "Already exists",
        })
    }
}
