//! thin
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// The layers of an image as one tree, with a writable folder on top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// The image's layers, the lowest first.
    pub lower: Vec<PathBuf>,
    /// Where writes go.
    pub upper: PathBuf,
    /// The overlay's own work folder: empty, beside `upper` on the same file system.
    pub work: PathBuf,
}

impl Overlay {
    /// Mounts it, detached: the descriptor is the only way to it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn mount(&self) -> namespaces::Result<OwnedFd> {
        Err(namespaces::Error::new("mount overlay", "", "not yet"))
    }
}
