//! The whole of a container's file system, and the way into it.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use libc::MOUNT_ATTR_RDONLY;
use namespaces::{Result, step};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::device::{self, Device};
use crate::mount::{Detached, Mount};
use crate::mount_api::{open_tree, set_attributes};
use crate::{mask, pivot, sysctl};

/// A root, and what is mounted in it.
#[derive(Debug)]
pub struct Rootfs {
    root: Root,
    place: PathBuf,
    mounts: Vec<Mount>,
    masked: Vec<PathBuf>,
    read_only_paths: Vec<PathBuf>,
    read_only: bool,
    devices: Vec<Device>,
    sysctls: Vec<(String, String)>,
}

#[derive(Debug)]
enum Root {
    /// A folder of the host.
    Folder,
    /// A detached mount, such as lesson 4's overlay.
    Mount(OwnedFd),
}

impl Rootfs {
    /// A folder of the host as root, and the mounts, masks and devices that Docker gives.
    pub fn folder(folder: impl Into<PathBuf>) -> Result<Self> {
        Rootfs::just(folder).with_defaults()
    }

    /// A folder of the host as root, and nothing in it but what is there.
    pub fn just(folder: impl Into<PathBuf>) -> Self {
        Rootfs::bare(Root::Folder, folder.into())
    }

    /// The mounts, masks and devices that Docker gives.
    pub fn with_defaults(mut self) -> Result<Self> {
        self.mounts.extend(default_mounts()?);
        Ok(self.mask(mask::MASKED.map(PathBuf::from)).read_only_paths(mask::READ_ONLY.map(PathBuf::from)))
    }

    /// A detached mount as root. `place` is any empty folder: in the container's own mount
    /// namespace, and only there, the root is hung up on it for a moment.
    pub fn mount(root: OwnedFd, place: impl Into<PathBuf>) -> Self {
        Rootfs::bare(Root::Mount(root), place.into())
    }

    fn bare(root: Root, place: PathBuf) -> Self {
        Rootfs {
            root,
            place,
            mounts: vec![],
            masked: vec![],
            read_only_paths: vec![],
            read_only: false,
            devices: vec![],
            sysctls: vec![],
        }
    }

    /// Mounts these as well, after those before them.
    pub fn mounts(mut self, mounts: impl IntoIterator<Item = Mount>) -> Self {
        self.mounts.extend(mounts);
        self
    }

    /// Covers these paths.
    pub fn mask(mut self, paths: impl IntoIterator<Item = PathBuf>) -> Self {
        self.masked.extend(paths);
        self
    }

    /// Takes the right to write from these paths.
    pub fn read_only_paths(mut self, paths: impl IntoIterator<Item = PathBuf>) -> Self {
        self.read_only_paths.extend(paths);
        self
    }

    /// Takes the right to write from the root itself; what is mounted in it keeps its own.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Makes these devices as well.
    pub fn devices(mut self, devices: impl IntoIterator<Item = Device>) -> Self {
        self.devices.extend(devices);
        self
    }

    /// Sets these parameters of the kernel, before /proc/sys can't be written any more.
    pub fn sysctls(mut self, sysctls: impl IntoIterator<Item = (String, String)>) -> Self {
        self.sysctls.extend(sysctls);
        self
    }

    /// Goes in, for good. Called in the child, in its new mount namespace.
    ///
    /// Everything is *made* while the host is in sight, and *hung up* when it no longer is: so
    /// that nothing which an image holds can lead a mount astray to the host, there is no host.
    // ANCHOR: enter
    pub fn enter(&self) -> Result<()> {
        // 1. What we mount is nobody else's business.
        pivot::cut_propagation()?;
        // 2. Make every mount, detached.
        let made = self.mounts.iter().map(Mount::make).collect::<Result<Vec<Detached>>>()?;
        let devices = device::prepare()?;
        let copy;
        let root = match &self.root {
            Root::Mount(mount) => mount,
            Root::Folder => {
                copy = step("copy mount of", self.place.display(), || open_tree(None, &self.place, true))?;
                &copy
            }
        };
        // 3. Change the root. The host is gone.
        pivot::pivot(root, &self.place)?;
        // 4. Hang the mounts up.
        let root = step("open", "/", open_root)?;
        for mount in &made {
            mount.attach(&root)?;
            // At once: a volume may come to lie over it, and that is a folder of the host.
            if mount.is_new_at("/dev") {
                device::fill(&root, &devices, &self.devices)?;
            }
        }
        // 5. Cover what /proc and /sys would give away.
        sysctl::set(&root, &self.sysctls)?;
        self.read_only_paths.iter().try_for_each(|path| mask::make_read_only(&root, path))?;
        self.masked.iter().try_for_each(|path| mask::mask(&root, path))?;
        if self.read_only {
            step("make read-only", "/", || set_attributes(&open_root()?, MOUNT_ATTR_RDONLY, false))?;
        }
        Ok(())
    }
    // ANCHOR_END: enter
}

fn open_root() -> nix::Result<OwnedFd> {
    open(Path::new("/"), OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
}

/// The file systems that a Linux program expects, with Docker's options.
///
/// Source: the [runtime specification for Linux](https://github.com/opencontainers/runtime-spec/blob/v1.2.0/config-linux.md#default-filesystems).
pub fn default_mounts() -> Result<Vec<Mount>> {
    [
        ("/proc", "proc", "nosuid,noexec,nodev"),
        ("/sys", "sysfs", "nosuid,noexec,nodev,ro"),
        ("/dev", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"),
        ("/dev/pts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"),
        ("/dev/mqueue", "mqueue", "nosuid,noexec,nodev"),
        ("/dev/shm", "tmpfs", "nosuid,noexec,nodev,mode=1777,size=65536k"),
    ]
    .map(|(target, fs_type, words)| {
        let words: Vec<String> = words.split(',').map(String::from).collect();
        Mount::from_words(Path::new(target), fs_type, Path::new(fs_type), &words)
    })
    .into_iter()
    .collect()
}
