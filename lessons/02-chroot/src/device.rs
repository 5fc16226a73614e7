//! /dev: the few devices that every program expects.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use namespaces::{Result, in_user_namespace, step};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, makedev, mknodat};
use nix::unistd::symlinkat;

use crate::inside;
use crate::mount::{Made, Mount};

/// Name, major and minor number: `Documentation/admin-guide/devices.txt` of the kernel.
const DEVICES: [(&str, u64, u64); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Link and target. `ptmx`: a terminal is opened in the container's own devpts, not the host's.
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// How the devices come to be.
#[derive(Debug)]
pub(crate) enum Devices {
    /// By mknod, afterwards.
    Make,
    /// In a user namespace mknod is not allowed, so the host's own are bound there.
    Bind(Vec<Made>),
}

/// What has to be done while the host's /dev is still in sight.
pub(crate) fn prepare() -> Result<Devices> {
    if !in_user_namespace() {
        return Ok(Devices::Make);
    }
    let bind = |name: &str| Mount::bind(format!("/dev/{name}"), format!("/dev/{name}"), false).make();
    DEVICES.iter().map(|(name, ..)| bind(name)).collect::<Result<_>>().map(Devices::Bind)
}

/// Fills the tmpfs that is mounted on /dev.
pub(crate) fn fill(root: &OwnedFd, devices: &Devices) -> Result<()> {
    let dev = step("open", "/dev", || inside::open_plain(root.as_fd(), Path::new("/dev")))?;
    match devices {
        Devices::Bind(mounts) => mounts.iter().try_for_each(|mount| mount.attach(root.as_fd()))?,
        Devices::Make => {
            let mode = Mode::from_bits_truncate(0o666);
            for (name, major, minor) in DEVICES {
                step("make device", name, || {
                    mknodat(&dev, name, SFlag::S_IFCHR, mode, makedev(major, minor))?;
                    // Again, since the umask has taken its share of the first.
                    fchmodat(&dev, name, mode, FchmodatFlags::FollowSymlink)
                })?;
            }
        }
    }
    for (name, target) in LINKS {
        step("link device", name, || symlinkat(target, &dev, name))?;
    }
    Ok(())
}
