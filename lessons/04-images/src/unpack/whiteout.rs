//! Whiteouts: how a layer takes away what a lower one has.
//!
//! In the archive they are empty files with a reserved name; in an overlay they are a character
//! device 0/0 of the hidden name, and an attribute of a folder. Both hide what *lower* layers
//! have, never what this layer has, whichever comes first in the archive.
//!
//! | archive | means | overlay |
//! |---|---|---|
//! | `a/.wh.x` | there is no `a/x` any more | device 0/0 `a/x` |
//! | `a/.wh..wh..opq` | `a` begins empty | `trusted.overlay.opaque=y` on `a` |
//!
//! Making a device needs a privilege, but this one device everybody may make, in a user namespace
//! too, since Linux 5.8.
//! [overlayfs](https://docs.kernel.org/filesystems/overlayfs.html#whiteouts-and-opaque-directories)

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use nix::sys::stat::{Mode, SFlag, mknodat};

use super::Trouble;
use super::inside::{Inside, WHITEOUT, kind_of, open_itself};

/// What a name beginning with `.wh.` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whiteout<'a> {
    /// There is no such name any more.
    Of(&'a OsStr),
    /// The folder begins empty.
    Opaque,
    /// Book-keeping of aufs, the file system that had this form first: nothing to do.
    Aufs,
}

impl<'a> Whiteout<'a> {
    /// Of an entry's last component; `None` for an ordinary name.
    pub(super) fn parse(name: &'a OsStr) -> Result<Option<Whiteout<'a>>, Trouble> {
        let Some(hidden) = name.as_bytes().strip_prefix(b".wh.") else { return Ok(None) };
        match hidden {
            b".wh..opq" => Ok(Some(Whiteout::Opaque)),
            _ if hidden.starts_with(b".wh.") => Ok(Some(Whiteout::Aufs)),
            b"" | b"." | b".." => Err(Trouble::Archive("a whiteout of no name".to_owned())),
            _ => Ok(Some(Whiteout::Of(OsStr::from_bytes(hidden)))),
        }
    }
}

/// Whether a folder of an overlay's upper or lower layers hides what is below it: to be asked of a folder
/// that nobody else may have made.
pub fn is_opaque(folder: &std::path::Path) -> bool {
    let Ok(folder) = std::fs::File::open(folder) else { return false };
    let names = ["trusted.overlay.opaque", "user.overlay.opaque"];
    crate::xattr::all(&folder)
        .unwrap_or_default()
        .iter()
        .any(|(name, value)| names.iter().any(|wanted| name == wanted) && value == b"y")
}

impl Inside {
    // ANCHOR: whiteout
    /// Does in `folder` what the whiteout asks for.
    pub(super) fn white_out(&self, folder: &OwnedFd, whiteout: Whiteout<'_>) -> Result<(), Trouble> {
        // ANCHOR: ex-04-4
        // 1. Opaque is an attribute of the folder itself; aufs' book-keeping is nothing to us.
        let name = match whiteout {
            Whiteout::Of(name) => name,
            Whiteout::Opaque => return self.make_opaque(folder),
            Whiteout::Aufs => return Ok(()),
        };
        match kind_of(folder, name)? {
            // 2. Where this layer has nothing of the hidden name, a character device 0/0 takes its place.
            None => Ok(mknodat(folder, name, SFlag::S_IFCHR, Mode::empty(), 0)?),
            // 3. A folder of this layer stays, and is opaque: it replaces the lower one, instead of being
            //    merged with it.
            Some(libc::S_IFDIR) => self.make_opaque(&open_itself(folder, name)?),
            // 4. Anything else of this layer stays as it is: it hides the lower one already.
            Some(WHITEOUT | _) => Ok(()),
        }
        // ANCHOR_END: ex-04-4
    }
    // ANCHOR_END: whiteout

    pub(super) fn make_opaque(&self, folder: &OwnedFd) -> Result<(), Trouble> {
        Ok(crate::xattr::set(folder, self.opaque, b"y")?)
    }
}
