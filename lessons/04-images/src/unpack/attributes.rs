//! Owner, mode, extended attributes and time, in this order.

use std::ffi::OsString;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use nix::fcntl::AtFlags;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchownat};

use super::Trouble;
use crate::archive::{Entry, Kind};
use crate::ownership::Ownership;
use crate::xattr::proc_path;

pub(super) struct Attributes {
    uid: u32,
    gid: u32,
    mode: u32,
    xattrs: Vec<(OsString, Vec<u8>)>,
    /// None: left as it is.
    mtime: Option<TimeSpec>,
}

impl Attributes {
    pub(super) fn of(entry: &Entry) -> Attributes {
        Attributes {
            uid: entry.uid,
            gid: entry.gid,
            mode: entry.mode,
            xattrs: entry.xattrs.iter().filter(|(name, _)| crate::xattr::is_kept(name)).cloned().collect(),
            mtime: Some(TimeSpec::new(entry.mtime.0, entry.mtime.1)),
        }
    }

    /// What they take in memory, roughly: names and values.
    pub(super) fn bytes(&self) -> usize {
        self.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// Of a folder that the archive doesn't mention.
    pub(super) fn of_a_folder() -> Attributes {
        Attributes { uid: 0, gid: 0, mode: 0o755, xattrs: Vec::new(), mtime: None }
    }

    // ANCHOR: apply
    /// Gives them to what `made` stands for (opened with `O_PATH`).
    ///
    /// The order matters: to change a file's owner takes setuid, setgid and file capabilities
    /// away from it, and each change touches its time.
    pub(super) fn apply(&self, made: &OwnedFd, kind: Kind, ownership: Ownership) -> Result<(), Trouble> {
        if ownership == Ownership::Kept {
            let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
            fchownat(made.as_fd(), "", Some(uid), Some(gid), AtFlags::AT_EMPTY_PATH).map_err(|errno| {
                match errno {
                    nix::Error::EINVAL => Trouble::Archive(format!(
                        "its owner {}:{} is not mapped in this user namespace: add ids to /etc/subuid and /etc/subgid",
                        self.uid, self.gid
                    )),
                    errno => errno.into(),
                }
            })?;
        }
        // A symbolic link has no mode of its own.
        if kind != Kind::Symlink {
            fs::set_permissions(proc_path(made), fs::Permissions::from_mode(self.mode))?;
        }
        for (name, value) in &self.xattrs {
            match crate::xattr::set(made, name, value).map_err(|error| error.raw_os_error()) {
                // The file system has none; user.* is for files and folders only; and who can't
                // give files away can't give them capabilities either.
                Ok(()) | Err(Some(libc::ENOTSUP)) => {}
                Err(Some(libc::EPERM)) if name.as_bytes().starts_with(b"user.") => {}
                Err(Some(libc::EPERM)) if ownership == Ownership::Ours => {}
                Err(errno) => return Err(nix::Error::from_raw(errno.unwrap_or(libc::EIO)).into()),
            }
        }
        if let Some(time) = &self.mtime {
            // By its name in its own folder this would need the folder again; by the descriptor's
            // name under /proc, a symbolic link is the link itself.
            utimensat(nix::fcntl::AT_FDCWD, &proc_path(made), time, time, UtimensatFlags::FollowSymlink)?;
        }
        Ok(())
    }
    // ANCHOR_END: apply
}
