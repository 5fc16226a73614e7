//! The writable layer of one container: the folders that its overlay needs.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use namespaces::{Result, step};
use tempfile::TempDir;

use crate::{Overlay, Store};

impl Overlay {
    /// These layers with a writable one in `folder`: `upper` and `work` are made there if need be,
    /// and `rootfs`, an empty folder where the container may have its root.
    pub fn in_folder(folder: &Path, lower: Vec<PathBuf>) -> Result<Overlay> {
        let make = |name| {
            let path = folder.join(name);
            step("make folder", path.display(), || fs::create_dir_all(&path)).map(|()| path)
        };
        make("rootfs")?;
        Ok(Overlay { lower, upper: make("upper")?, work: make("work")? })
    }
}

/// The writable layer of a container that nobody starts a second time: gone when this is.
#[derive(Debug)]
pub struct WritableLayer(TempDir);

impl WritableLayer {
    /// One beside the images: on the same file system, where there is room.
    pub fn new(store: &Store) -> Result<Self> {
        step("make folder in", store.root().display(), || {
            tempfile::Builder::new().prefix("container-").tempdir_in(store.root())
        })
        .map(WritableLayer)
    }

    /// Its overlay over these layers.
    pub fn over(&self, lower: &[PathBuf]) -> Result<Overlay> {
        Overlay::in_folder(self.folder(), lower.to_vec())
    }

    /// Its folder, with room for what else belongs to this container.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// Where the container may have its root.
    pub fn rootfs(&self) -> PathBuf {
        self.folder().join("rootfs")
    }
}

impl Drop for WritableLayer {
    fn drop(&mut self) {
        // The overlay's own folder in `work` has no permissions, and not everybody is root.
        let _ = fs::set_permissions(self.folder().join("work/work"), Permissions::from_mode(0o700));
    }
}
