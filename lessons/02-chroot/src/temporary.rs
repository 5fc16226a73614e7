//! Where a run's files are: the folder that was named, or a borrowed one that is gone afterwards.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use namespaces::{IdMaps, Isolation, Result, step};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{geteuid, mkdtemp};

use crate::borrow;

/// A folder to run in.
#[derive(Debug)]
pub enum Root {
    /// Somebody's own, which stays.
    Named(PathBuf),
    /// Borrowed for the time being, and removed when this is dropped.
    Temporary {
        /// In the folder for temporary files, with a name that nobody can know beforehand.
        folder: PathBuf,
        /// Says that it is in use. The kernel gives it back however we end, so a folder whose lock can
        /// be had is a dead one's.
        lock: Flock<File>,
    },
}

impl Root {
    /// The folder of this name, or a borrowed one.
    ///
    /// # Errors
    /// Those of [`borrow::into`]; `make folder`.
    pub fn new(named: Option<&OsStr>) -> Result<Root> {
        if let Some(folder) = named {
            return Ok(Root::Named(folder.into()));
        }
        Self::sweep();
        let root = Self::temporary()?;
        borrow::set_mode(root.path(), 0o755)?;
        borrow::into(root.path())?;
        Ok(root)
    }

    /// Removes what others of this user have left behind who were killed.
    pub fn sweep() {
        for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
            let ours =
                entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == geteuid().as_raw());
            if ours
                && entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes())
                && let Ok(Some(_lock)) = lock(&entry.path())
            {
                remove(&entry.path());
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Root::Named(folder) | Root::Temporary { folder, .. } => folder,
        }
    }

    fn temporary() -> Result<Root> {
        let pattern = std::env::temp_dir().join(format!("{PREFIX}XXXXXX"));
        loop {
            let folder = step("make folder", pattern.display(), || mkdtemp(&pattern))?;
            // `None`: somebody who sweeps just now has taken it for a dead one's.
            if let Some(lock) = step("lock", folder.display(), || lock(&folder))? {
                return Ok(Root::Temporary { folder, lock });
            }
        }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if let Root::Temporary { folder, .. } = self {
            remove(folder);
        }
    }
}

const PREFIX: &str = "canoa-lesson-";

/// The folder's lock, or `None` if somebody has it, or has had it and removed the folder.
fn lock(folder: &Path) -> nix::Result<Option<Flock<File>>> {
    let opened =
        OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(folder);
    let Ok(file) = opened else { return Ok(None) };
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(folder.exists().then_some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno),
    }
}

fn remove(folder: &Path) {
    if fs::remove_dir_all(folder).is_ok() || geteuid().is_root() {
        return;
    }
    // An ordinary user may not remove what other ids of their range have made in there. Root of a user
    // namespace that has the whole range may.
    let _ = Isolation::none()
        .users(IdMaps::for_me())
        .spawn(|| step("remove", folder.display(), || fs::remove_dir_all(folder)).and(Err(done())))
        .and_then(|child| child.release());
}

/// A child ends with an error, or by becoming another program: there is no third way.
fn done() -> namespaces::Error {
    namespaces::Error::new("remove", "", "done")
}
