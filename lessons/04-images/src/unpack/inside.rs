//! Paths that stay inside: resolved by the kernel, relative to the layer's folder.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::Trouble;
use crate::xattr::proc_path;

/// The deepest that folders of a layer may lie, below the file system's root. Programs that walk
/// the tree (ours as well) hold a descriptor for each level, and have 1024.
const DEEPEST: usize = 256;

/// The layer's folder.
pub(super) struct Inside {
    root: OwnedFd,
    /// The attribute of an opaque folder.
    pub(super) opaque: &'static OsStr,
}

/// What is to be made where something may be in the way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// A folder: one that is there will do.
    ForAFolder,
    /// Anything else.
    ForAnything,
}

/// What was in the way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Was {
    Nothing,
    /// A whiteout of this layer.
    Whiteout,
    /// A folder, which stays.
    Folder,
    /// Something else, which is gone now.
    Replaced,
}

impl Inside {
    pub(super) fn open(root: &Path, opaque: &'static str) -> io::Result<Inside> {
        Ok(Inside::at(fs::File::open(root)?.into(), opaque))
    }

    /// As [`Inside::open`], of a folder that is open.
    pub(super) fn at(root: OwnedFd, opaque: &'static str) -> Inside {
        Inside { root, opaque: OsStr::new(opaque) }
    }

    // ANCHOR: inside
    /// The folder at this path, if there is one. Links on the way are followed, inside.
    pub(super) fn find_folder(&self, path: &Path) -> nix::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        // Lesson 2's: `/` and `..`, also those of symbolic links, mean this root, as after a chroot.
        let found = rootfs::inside::open(&self.root, path)?;
        match fstat(&found)?.st_mode & libc::S_IFMT {
            libc::S_IFDIR => Ok(found),
            _ => Err(nix::Error::ENOTDIR),
        }
    }

    /// The same, but a link in the last place is not followed.
    pub(super) fn find_folder_itself(&self, path: &Path) -> nix::Result<OwnedFd> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return self.find_folder(path);
        };
        open_folder_itself(&self.find_folder(parent)?, name)
    }
    // ANCHOR_END: inside

    /// The folder at this path, made where it is missing: archives may leave parents out.
    pub(super) fn folder(&self, path: &Path) -> Result<OwnedFd, Trouble> {
        match self.find_folder(path) {
            // Not there, or a whiteout of this layer is: from the parent on, then.
            Err(nix::Error::ENOENT | nix::Error::ENOTDIR) => {}
            other => return Ok(other?),
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(nix::Error::ENOENT.into());
        };
        let parent = self.folder(parent)?;
        match kind_of(&parent, name)? {
            Some(kind) if kind != WHITEOUT => {
                Err(Trouble::Archive("something on the way to it is no folder".to_owned()))
            }
            _ => self.make_folder(&parent, name),
        }
    }

    /// Makes a folder, or takes the one that is there. In place of a whiteout of this layer it
    /// is opaque: what is below stays hidden, and only what this layer puts into it is seen.
    pub(super) fn make_folder(&self, parent: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Trouble> {
        let was = self.make_way(parent, name, Way::ForAFolder)?;
        if was != Was::Folder {
            not_too_deep(parent)?;
            mkdirat(parent, name, Mode::S_IRWXU)?;
        }
        let folder = open_folder_itself(parent, name)?;
        if was != Was::Folder {
            // By chmod, since mkdir's mode is subject to our umask.
            fs::set_permissions(proc_path(&folder), fs::Permissions::from_mode(0o755))?;
        }
        if was == Was::Whiteout {
            self.make_opaque(&folder)?;
        }
        Ok(folder)
    }

    /// Removes what has this name, if it is in the way.
    pub(super) fn make_way(&self, parent: &OwnedFd, name: &OsStr, way: Way) -> Result<Was, Trouble> {
        // The kernel would refuse these as well; a name with a slash can't come from a path.
        if name.as_bytes().len() > 255 {
            return Err(nix::Error::ENAMETOOLONG.into());
        }
        match kind_of(parent, name)? {
            None => Ok(Was::Nothing),
            Some(libc::S_IFDIR) if way == Way::ForAFolder => Ok(Was::Folder),
            Some(libc::S_IFDIR) => {
                // It opens each level by descriptor and follows no link.
                fs::remove_dir_all(proc_path(parent).join(name))?;
                Ok(Was::Replaced)
            }
            Some(kind) => {
                unlinkat(parent, name, UnlinkatFlags::NoRemoveDir)?;
                Ok(if kind == WHITEOUT { Was::Whiteout } else { Was::Replaced })
            }
        }
    }
}

/// A character device 0/0, in [`kind_of`]'s answer; no file type has this number.
pub(super) const WHITEOUT: u32 = u32::MAX;

/// The file type of what has this name, links not followed; `None` if there is nothing.
pub(super) fn kind_of(parent: &OwnedFd, name: &OsStr) -> nix::Result<Option<u32>> {
    match fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(nix::Error::ENOENT) => Ok(None),
        Err(errno) => Err(errno),
        Ok(found) => match found.st_mode & libc::S_IFMT {
            libc::S_IFCHR if found.st_rdev == 0 => Ok(Some(WHITEOUT)),
            kind => Ok(Some(kind)),
        },
    }
}

/// What has this name, itself: not what a link leads to, and not a device opened.
pub(super) fn open_itself(parent: &OwnedFd, name: &OsStr) -> nix::Result<OwnedFd> {
    openat(parent, name, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())
}

fn open_folder_itself(parent: &OwnedFd, name: &OsStr) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

/// Paths in an archive are bounded, but each may begin at a link that leads far down already.
fn not_too_deep(parent: impl AsFd) -> Result<(), Trouble> {
    let too_deep = || Trouble::Archive(format!("folders more than {DEEPEST} deep"));
    match fs::read_link(proc_path(parent)) {
        Ok(path) if path.components().count() <= DEEPEST => Ok(()),
        Ok(_) => Err(too_deep()),
        Err(error) if error.raw_os_error() == Some(libc::ENAMETOOLONG) => Err(too_deep()),
        Err(error) => Err(error.into()),
    }
}
