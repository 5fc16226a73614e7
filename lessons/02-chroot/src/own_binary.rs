//! Our own program, as those who enter a container are started from it: read-only.
//!
//! A child of ours is for a moment, and with an init of ours for long, a process inside the container
//! whose `/proc/PID/exe` is this program's file on the host. Root in a container could open it for
//! writing there, and whoever starts the program next would run what was written (CVE-2019-5736). So
//! whoever enters a container is started from a bind mount of the file that can't be written through:
//! made once, detached, known by its descriptor alone. (A copy in memory, which is how runc began,
//! costs ten megabytes each time.)

use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use namespaces::{Result, step};
use nix::sys::statvfs::{FsFlags, statvfs};

use crate::mount_api::{open_tree, set_attributes};

const EXE: &str = "/proc/self/exe";

/// The mount, or nothing where the kernel refused it.
#[derive(Debug)]
pub struct OwnBinary(Option<OwnedFd>);

impl OwnBinary {
    /// Makes it. It lives as long as this does. (Where the kernel refuses, that is told as a warning, and
    /// the file itself is used: a container is worth having without this, too.)
    pub fn seal() -> OwnBinary {
        // By its path, and not by /proc/self/exe: without root we are in another mount namespace
        // than the one in which this program was started, and the kernel copies only from our own.
        let sealed = step("copy mount of", EXE, || {
            let mount = open_tree(None, &fs::read_link(EXE)?, false)?;
            set_attributes(&mount, libc::MOUNT_ATTR_RDONLY, false)?;
            // The path may lead to another file by now: a newer build.
            match same_file(&File::from(mount.try_clone()?).metadata(), &fs::metadata(EXE)) {
                true => Ok(mount),
                false => Err(io::Error::other("its file was replaced meanwhile")),
            }
        });
        match sealed {
            Ok(mount) => OwnBinary(Some(mount)),
            Err(error) => {
                tracing::warn!("containers could write to this program's own file: {error}");
                OwnBinary(None)
            }
        }
    }

    /// The path to execute. The file may have been replaced or deleted since: this one stays.
    pub fn path(&self) -> PathBuf {
        match &self.0 {
            Some(mount) => PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd())),
            None => PathBuf::from(EXE),
        }
    }

    /// The mount's descriptor, for whoever has to put others in their places around it.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(AsFd::as_fd)
    }

    /// Becomes this program again, with the same words, started from such a mount; does nothing if it
    /// was already, or where there can't be one.
    ///
    /// # Errors
    /// The program can't be executed once more.
    pub fn run_from_it() -> Result<()> {
        if is_sealed(Path::new(EXE)) {
            return Ok(());
        }
        let own = OwnBinary::seal();
        if own.0.is_some() { run_again(&own.path()) } else { Ok(()) }
    }

    /// The same from the mount of another process that runs this program: for who may make none, since it
    /// is to enter a user namespace that this process has made.
    ///
    /// # Errors
    /// As [`OwnBinary::run_from_it`].
    pub fn run_from_that_of(pid: i32) -> Result<()> {
        let theirs = PathBuf::from(format!("/proc/{pid}/exe"));
        // Another build of this program may not know what we were asked.
        let usable = is_sealed(&theirs) && same_file(&fs::metadata(&theirs), &fs::metadata(EXE));
        if usable && !is_sealed(Path::new(EXE)) { run_again(&theirs) } else { Ok(()) }
    }
}

/// The flag is the mount's, whatever the file system below it says.
fn is_sealed(exe: &Path) -> bool {
    statvfs(exe).is_ok_and(|seen| seen.flags().contains(FsFlags::ST_RDONLY))
}

fn same_file(one: &io::Result<Metadata>, other: &io::Result<Metadata>) -> bool {
    matches!((one, other), (Ok(one), Ok(other)) if (one.dev(), one.ino()) == (other.dev(), other.ino()))
}

fn run_again(path: &Path) -> Result<()> {
    let mut words = std::env::args_os();
    let mut again = Command::new(path);
    again.arg0(words.next().unwrap_or_default()).args(words);
    step("execute again", path.display(), || Err(again.exec()))
}
