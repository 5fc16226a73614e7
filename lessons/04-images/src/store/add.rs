//! Adding: everything is made in `tmp/`, and is in its place only when it is whole.

use std::fs::{self, File};
use std::io::Write;
use std::sync::PoisonError;

use tempfile::{NamedTempFile, TempDir};

use super::{Store, lock, sync_folder};
use crate::{Digest, Error, Result};

impl Store {
    /// While this is held, no sweep takes what no image names yet.
    ///
    /// # Errors
    /// The lock file can't be opened.
    pub fn guard(&self) -> Result<Guard> {
        let (file, path) = self.lock_file("lock")?;
        file.lock_shared().map_err(Error::io("locking", &path))?;
        Ok(Guard(file))
    }

    /// Waits until nobody in this process makes this blob or layer, and makes others wait.
    pub(crate) fn claim(&self, digest: &Digest) -> Claim<'_> {
        let mut claimed = lock(&self.claimed);
        while claimed.contains(digest) {
            claimed = self.released.wait(claimed).unwrap_or_else(PoisonError::into_inner);
        }
        claimed.insert(digest.clone());
        Claim { store: self, digest: digest.clone() }
    }

    /// A file in `tmp/`, gone when it is dropped.
    pub(crate) fn temporary_file(&self) -> Result<NamedTempFile> {
        let tmp = self.root.join("tmp");
        NamedTempFile::new_in(&tmp).map_err(Error::io("creating a file in", &tmp))
    }

    /// A folder in `tmp/`, gone when it is dropped.
    pub(crate) fn temporary_folder(&self) -> Result<TempDir> {
        let tmp = self.root.join("tmp");
        TempDir::new_in(&tmp).map_err(Error::io("creating a folder in", &tmp))
    }

    // ANCHOR: add_blob
    /// Gives a whole and checked file its final name.
    pub(crate) fn add_blob(&self, file: NamedTempFile, digest: &Digest) -> Result<()> {
        let path = self.blob_path(digest);
        file.as_file().sync_all().map_err(Error::io("syncing", &path))?;
        file.persist(&path).map_err(|error| error.error).map_err(Error::io("naming", &path))?;
        sync_folder(&self.root.join("blobs/sha256"))
    }
    // ANCHOR_END: add_blob

    /// Gives a whole and checked layer its final name.
    pub(crate) fn add_layer(&self, folder: TempDir, diff_id: &Digest, size: u64) -> Result<()> {
        let path = self.layer_path(diff_id);
        // One call for thousands of files: syncing each would take minutes.
        let opened = File::open(folder.path()).map_err(Error::io("opening", folder.path()))?;
        namespaces::step("sync layer", path.display(), || sync_filesystem(&opened))?;

        let mut file = self.temporary_file()?;
        file.as_file_mut()
            .write_all(size.to_string().as_bytes())
            .map_err(Error::io("writing", file.path()))?;
        file.as_file().sync_all().map_err(Error::io("syncing", file.path()))?;
        let size_path = path.with_added_extension("size");
        file.persist(&size_path).map_err(|error| error.error).map_err(Error::io("naming", &size_path))?;

        match fs::rename(folder.path(), &path) {
            Ok(()) => {
                let _ = folder.keep();
            }
            // Another process was faster; its layer hashed to the same diffID.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EEXIST | libc::ENOTEMPTY)) => {}
            Err(error) => return Err(Error::io("naming", &path)(error)),
        }
        sync_folder(&self.root.join("layers"))
    }
}

/// See [`Store::guard`].
pub struct Guard(#[expect(dead_code, reason = "closing the file is what gives the lock back")] File);

/// See [`Store::claim`].
pub(crate) struct Claim<'a> {
    store: &'a Store,
    digest: Digest,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        lock(&self.store.claimed).remove(&self.digest);
        self.store.released.notify_all();
    }
}

fn sync_filesystem(on_it: &File) -> nix::Result<()> {
    nix::unistd::syncfs(on_it)
}
