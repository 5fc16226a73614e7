//! The writable layer of one container: the folders that its overlay needs.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use namespaces::{Result, step};

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
pub struct WritableLayer(PathBuf);

impl WritableLayer {
    /// One for this process, beside the images: on the same file system, where there is room.
    pub fn new(store: &Store) -> Self {
        WritableLayer(store.root().join(format!("container-{}", std::process::id())))
    }

    /// Its overlay over these layers.
    pub fn over(&self, lower: &[PathBuf]) -> Result<Overlay> {
        Overlay::in_folder(&self.0, lower.to_vec())
    }

    /// Where the container may have its root.
    pub fn rootfs(&self) -> PathBuf {
        self.0.join("rootfs")
    }
}

impl Drop for WritableLayer {
    fn drop(&mut self) {
        // The overlay's own folder in `work` has no permissions, and not everybody is root.
        let _ = fs::set_permissions(self.0.join("work/work"), Permissions::from_mode(0o700));
        let _ = fs::remove_dir_all(&self.0);
    }
}
