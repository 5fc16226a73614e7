//! Our own program, as the monitors are started from it: read-only.
//!
//! A monitor's child is for a moment, and with `--init` for long, a process inside the container
//! whose `/proc/PID/exe` is this program's file on the host. Root in a container could open it for
//! writing there, and whoever starts canoa next would run what was written (CVE-2019-5736). So the
//! monitors are started from a bind mount of the file that can't be written through: made once,
//! detached, known by its descriptor alone. (A copy in memory would cost ten megabytes each time.)

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use namespaces::step;
use rootfs::mount_api::{open_tree, set_attributes};

/// The mount, or nothing where the kernel refused it.
#[derive(Debug)]
pub struct OwnBinary(Option<OwnedFd>);

impl OwnBinary {
    /// Makes it. It lives as long as this does.
    pub fn seal() -> OwnBinary {
        let path = Path::new("/proc/self/exe");
        let sealed = step("copy mount of", path.display(), || {
            let mount = open_tree(None, path, false)?;
            set_attributes(&mount, libc::MOUNT_ATTR_RDONLY, false)?;
            Ok::<_, nix::Error>(mount)
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
            None => PathBuf::from("/proc/self/exe"),
        }
    }
}
