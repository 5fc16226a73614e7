//! thin
use std::fmt;

use crate::{Credentials, Digest, Error, Image, Platform, Reference, Result, Store};

/// How to pull.
#[derive(Debug, Clone, Default)]
pub struct PullOptions {
    /// For which machine; the host's own unless given.
    pub platform: Option<Platform>,
    /// For a registry that asks for a login.
    pub credentials: Option<Credentials>,
}

/// A pulled image.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// The image.
    pub image: Image,
    /// The digest by which the registry knows the name: of the index, or of the manifest.
    pub digest: Digest,
    /// Whether the name means another image than before.
    pub newer: bool,
}

/// What happens to one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The layer's short id: 12 digits of its digest.
    pub id: String,
    /// What happens to it.
    pub status: Status,
}

/// The stages of a layer, in Docker's words.
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
        /// In how many seconds.
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
            Status::Retrying { seconds } => return write!(f, "Retrying in {seconds} seconds"),
            Status::VerifyingChecksum => "Verifying Checksum",
            Status::DownloadComplete => "Download complete",
            Status::Extracting { .. } => "Extracting",
            Status::PullComplete => "Pull complete",
            Status::AlreadyExists => "Already exists",
        })
    }
}

/// Pulls an image.
///
/// # Errors
/// Each of [`Error`]'s.
pub fn pull(
    store: &Store,
    reference: &Reference,
    options: &PullOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Pulled> {
    let _ = (store, options, progress);
    Err(Error::NoSuchImage(reference.familiar()))
}
