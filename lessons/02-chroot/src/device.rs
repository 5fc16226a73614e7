//! /dev: the few devices that every program expects, and those of the host that were asked for.
//!
//! A device is a name for two numbers: whoever may make one can reach any disk of the host. So
//! making them takes `CAP_MKNOD`, a filter of the control group (lesson 3) says which of them may
//! be opened, and a user namespace may make none.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use namespaces::{Error, Result, in_user_namespace, step};
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, fstatat, major, makedev, minor, mknodat};
use nix::unistd::{Gid, Uid, fchownat, symlinkat};

use crate::inside::{self, Kind};
use crate::mount_api::{move_mount, open_tree};

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

/// A device to be made inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its place inside.
    pub path: PathBuf,
    /// Whether it is one of blocks, such as a disk, and not of characters.
    pub block: bool,
    /// Its first number, which says who drives it.
    pub major: u64,
    /// Its second number, which says which one of those.
    pub minor: u64,
    /// Who may read and write it.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

impl Device {
    /// What this device of the host would be at that place inside.
    ///
    /// # Errors
    /// There is none, or it is something else.
    pub fn of_host(host: &Path, inside: &Path) -> Result<Device> {
        let found = step("look at device", host.display(), || fs::metadata(host))?;
        let (kind, number) = (found.file_type(), found.rdev());
        if !kind.is_block_device() && !kind.is_char_device() {
            return Err(Error::new("look at device", host.display(), "not a device node"));
        }
        Ok(Device {
            path: inside.to_owned(),
            block: kind.is_block_device(),
            major: major(number),
            minor: minor(number),
            mode: found.mode() & 0o7777,
            uid: found.uid(),
            gid: found.gid(),
        })
    }

    /// All devices of the host in a folder and below it, at the same places below another. Left out is
    /// what a container has of its own: terminals, shared memory, message queues.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn all_of_host(folder: &Path, inside: &Path) -> Result<Vec<Device>> {
        let entries = step("read folder", folder.display(), || fs::read_dir(folder))?;
        let mut all = vec![];
        for entry in entries.flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && !["pts", "shm", "fd", "mqueue"].iter().any(|own| name == *own) {
                all.extend(Device::all_of_host(&path, &inside.join(&name))?);
            } else if (kind.is_block_device() || kind.is_char_device()) && name != "console" {
                // One that has gone meanwhile is no concern of ours.
                all.extend(Device::of_host(&path, &inside.join(&name)));
            }
        }
        Ok(all)
    }

    fn make(&self, root: &OwnedFd) -> Result<()> {
        let (Some(folder), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Err(Error::new("make device", self.path.display(), "this is no place for a device"));
        };
        let folder = inside::open_or_make(root, folder, Kind::Folder, false)?;
        let mode = Mode::from_bits_truncate(self.mode);
        let kind = if self.block { SFlag::S_IFBLK } else { SFlag::S_IFCHR };
        let number = makedev(self.major, self.minor);
        step("make device", self.path.display(), || match mknodat(&folder, name, kind, mode, number) {
            // The very same is there already: every container has some.
            Err(Errno::EEXIST) => {
                let found = fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
                let same = found.st_rdev == number && found.st_mode & libc::S_IFMT == kind.bits();
                if same { Ok(()) } else { Err(Errno::EEXIST) }
            }
            Err(errno) => Err(errno),
            Ok(()) => {
                let (uid, gid) = (Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)));
                fchownat(&folder, name, uid, gid, AtFlags::AT_SYMLINK_NOFOLLOW)?;
                // Again, since the umask has taken its share of the first.
                fchmodat(&folder, name, mode, FchmodatFlags::FollowSymlink)
            }
        })
    }
}

/// How the devices come to be.
#[derive(Debug)]
pub(crate) enum Devices {
    /// By mknod, afterwards.
    Make,
    /// In a user namespace mknod is not allowed, so the host's own are bound there.
    Bind(Vec<(PathBuf, OwnedFd)>),
}

/// What has to be done while the host's /dev is still in sight.
pub(crate) fn prepare() -> Result<Devices> {
    if !in_user_namespace() {
        return Ok(Devices::Make);
    }
    let copy = |(name, ..): &(&str, u64, u64)| {
        let path = Path::new("/dev").join(name);
        let mount = step("copy mount of", path.display(), || open_tree(None, &path, false))?;
        Ok((path, mount))
    };
    DEVICES.iter().map(copy).collect::<Result<_>>().map(Devices::Bind)
}

/// Fills the tmpfs that is mounted on /dev, and adds those that were asked for.
pub(crate) fn fill(root: &OwnedFd, devices: &Devices, more: &[Device]) -> Result<()> {
    let dev = step("open", "/dev", || inside::open_plain(root.as_fd(), Path::new("/dev")))?;
    match devices {
        Devices::Bind(mounts) => {
            for (path, mount) in mounts {
                let target = inside::open_or_make(root, path, Kind::File, true)?;
                step("mount on", path.display(), || move_mount(mount, &target))?;
            }
        }
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
    // (The host's own ptmx would be in the way of ours, and it opens the host's terminals.)
    more.iter()
        .filter(|device| device.path != Path::new("/dev/ptmx"))
        .try_for_each(|device| device.make(root))
}
