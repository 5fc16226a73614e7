//! What /proc and /sys would give away, covered.
//!
//! Not all of /proc knows namespaces: `/proc/kcore` is the host's memory, `/proc/sysrq-trigger`
//! reboots it. Files are covered with /dev/null, folders with an empty tmpfs, and what may be read
//! but not written is mounted read-only onto itself.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use namespaces::{Error, Result, step};
use nix::errno::Errno;
use nix::sys::stat::{SFlag, fstat, makedev};

use crate::inside;
use crate::mount_api::{fsconfig, fsmount, fsopen, move_mount, open_tree, set_attributes};

/// Docker's list of what is covered.
pub const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// Docker's list of what can't be written.
pub const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Covers this path, if the kernel has it.
// ANCHOR: mask
pub(crate) fn mask(root: &OwnedFd, path: &Path) -> Result<()> {
    // ANCHOR: ex-02-4
    // 1. What isn't there needs no cover: kernels differ.
    let Some(target) = open_if_there(root, path)? else { return Ok(()) };
    // 2. Over a folder comes a folder that is empty, over anything else the null device. Which of
    //    both it is, the descriptor is asked (`st_mode`), and not the path once more.
    let stat = step("look at", path.display(), || fstat(&target))?;
    let cover = if stat.st_mode & libc::S_IFMT == libc::S_IFDIR {
        step("make mount", "empty tmpfs", empty_folder)?
    } else {
        dev_null(root)?
    };
    // 3. Hang it up there.
    step("mask", path.display(), || move_mount(&cover, &target))
    // ANCHOR_END: ex-02-4
}
// ANCHOR_END: mask

/// Mounts this path onto itself, read-only.
// ANCHOR: make_read_only
pub(crate) fn make_read_only(root: &OwnedFd, path: &Path) -> Result<()> {
    let Some(target) = open_if_there(root, path)? else { return Ok(()) };
    step("make read-only", path.display(), || {
        let copy = open_tree(Some(target.as_fd()), Path::new(""), true)?;
        set_attributes(&copy, libc::MOUNT_ATTR_RDONLY, true)?;
        move_mount(&copy, &target)
    })
}
// ANCHOR_END: make_read_only

fn open_if_there(root: &OwnedFd, path: &Path) -> Result<Option<OwnedFd>> {
    step("open", path.display(), || match inside::open_plain(root.as_fd(), path) {
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => Ok(None),
        other => other.map(Some),
    })
}

fn empty_folder() -> nix::Result<OwnedFd> {
    let context = fsopen("tmpfs")?;
    fsconfig(&context, "size", Some("0"))?;
    fsconfig(&context, "nr_inodes", Some("1"))?;
    fsmount(&context, libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV)
}

/// A copy of the container's /dev/null, if it is the real one: an image could have put something
/// else there, and the mask would give access to it (CVE-2025-31133).
fn dev_null(root: &OwnedFd) -> Result<OwnedFd> {
    let null = step("open", "/dev/null", || inside::open_plain(root.as_fd(), Path::new("/dev/null")))?;
    let stat = step("look at", "/dev/null", || fstat(&null))?;
    let is_device = SFlag::from_bits_truncate(stat.st_mode & libc::S_IFMT) == SFlag::S_IFCHR;
    if !is_device || stat.st_rdev != makedev(1, 3) {
        return Err(Error::new("mask with", "/dev/null", "it isn't the null device"));
    }
    step("copy mount of", "/dev/null", || open_tree(Some(null.as_fd()), Path::new(""), false))
}
