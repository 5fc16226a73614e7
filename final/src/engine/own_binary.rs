//! Our own program, as the monitors are started from it: read-only.
//!
//! A monitor's child is for a moment, and with `--init` for long, a process inside the container
//! whose `/proc/PID/exe` is this program's file on the host. Root in a container could open it for
//! writing there, and whoever starts canoa next would run what was written (CVE-2019-5736). So the
//! monitors are started from a bind mount of the file that can't be written through: made once,
//! detached, known by its descriptor alone. (A copy in memory would cost ten megabytes each time.)

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use namespaces::step;
use rootfs::mount_api::{open_tree, set_attributes};

const EXE: &str = "/proc/self/exe";

/// The mount, or nothing where the kernel refused it.
#[derive(Debug)]
pub struct OwnBinary(Option<OwnedFd>);

impl OwnBinary {
    /// Makes it. It lives as long as this does.
    pub fn seal() -> OwnBinary {
        // By its path, and not by /proc/self/exe: without root we are in another mount namespace
        // than the one in which this program was started, and the kernel copies only from our own.
        let sealed = step("copy mount of", EXE, || {
            let mount = open_tree(None, &fs::read_link(EXE)?, false)?;
            set_attributes(&mount, libc::MOUNT_ATTR_RDONLY, false)?;
            // The path may lead to another file by now: a newer build.
            let (copy, ours) = (File::from(mount.try_clone()?).metadata()?, fs::metadata(EXE)?);
            match (copy.dev(), copy.ino()) == (ours.dev(), ours.ino()) {
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
}
