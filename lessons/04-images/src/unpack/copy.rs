//! Copying in: an archive's entries into a tree that is there already, as `docker cp` does.
//!
//! What differs from a layer: there are no whiteouts, the entries go below some folder of the tree
//! (and still can't leave the tree), what is there may be in the way, and everything may be for
//! another owner than the archive says.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::inside::{Inside, kind_of};
use super::{Trouble, Unpacker, relative};
use crate::archive::{Archive, Entry, Kind};
use crate::compression::decompress;
use crate::ownership::Rights;
use crate::{Error, Result};

/// How to copy.
#[derive(Debug, Clone)]
pub struct Copy {
    /// The folder that gets the entries, a path inside the tree.
    pub into: PathBuf,
    /// Leave out the first part of each name: the archive's top gets the name `into`.
    pub strip: bool,
    /// Refuse to put a folder where something else is, and the other way round.
    pub same_kind: bool,
    /// Who gets everything, by uid and gid, instead of the owners that the archive names.
    pub owner: Option<(u32, u32)>,
    /// What this process may do.
    pub rights: Rights,
}

impl Copy {
    /// Copies the archive `reader` (compressed or not) into the tree below `root`, which may be open in any
    /// way, `O_PATH` too. What came before an error stays.
    ///
    /// # Errors
    /// As [`super::unpack`].
    pub fn copy(&self, reader: impl Read, root: BorrowedFd<'_>) -> Result<()> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io { doing: "copying to", path, source }
        };
        let root: OwnedFd = root.try_clone_to_owned().map_err(failed(&self.into))?;
        let mut unpacker = Unpacker {
            inside: Inside::at(root, self.rights.opaque()),
            folders: BTreeMap::new(),
            rights: self.rights,
            size: 0,
            entries: 0,
            kept: 0,
        };
        let reader = decompress(reader).map_err(failed(&self.into))?;
        let mut archive = Archive::new(reader);
        let name = "archive";
        loop {
            let entry =
                archive.entry().map_err(|error| Trouble::from_archive(error).at(name, Path::new("")))?;
            let Some(entry) = entry else { break };
            let path = entry.path.clone();
            self.one(&mut unpacker, entry, &mut archive).map_err(|trouble| trouble.at(name, &path))?;
        }
        unpacker.finish(name).map(drop)
    }

    fn one(
        &self,
        unpacker: &mut Unpacker,
        mut entry: Entry,
        archive: &mut Archive<impl Read>,
    ) -> Result<(), Trouble> {
        let Some(path) = self.place(&entry.path)? else {
            // The folder itself, which is there.
            return Ok(());
        };
        // A name that means something else in layers.
        if path.file_name().is_some_and(|name| name.as_bytes().starts_with(b".wh.")) {
            return Err(Trouble::Archive("names beginning with .wh. are reserved for layers".to_owned()));
        }
        if entry.kind == Kind::HardLink {
            let target = self.place(&entry.link)?;
            entry.link =
                target.ok_or_else(|| Trouble::Archive("a hard link to the folder itself".to_owned()))?;
        }
        if self.same_kind {
            self.check_kind(unpacker, &path, entry.kind)?;
        }
        if let Some((uid, gid)) = self.owner {
            (entry.uid, entry.gid) = (uid, gid);
        }
        entry.path = path;
        unpacker.make(&entry, archive)
    }

    /// Where an entry of this name goes; `None` for the folder itself.
    fn place(&self, name: &Path) -> Result<Option<PathBuf>, Trouble> {
        let below: PathBuf = relative(name)?.components().skip(usize::from(self.strip)).collect();
        let place = relative(&self.into.join(&below))?;
        let itself = below.as_os_str().is_empty() && !self.strip;
        Ok(if itself || place.as_os_str().is_empty() { None } else { Some(place) })
    }

    fn check_kind(&self, unpacker: &Unpacker, path: &Path, kind: Kind) -> Result<(), Trouble> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
        let parent = match unpacker.inside.find_folder(parent) {
            Err(nix::Error::ENOENT) => return Ok(()),
            found => found?,
        };
        let in_the_way = kind_of(&parent, OsStr::new(name))?;
        let shown = crate::error::clean(path.display());
        match (in_the_way, kind) {
            (None, _) | (Some(libc::S_IFDIR), Kind::Directory) => Ok(()),
            (Some(libc::S_IFDIR), _) => {
                Err(Trouble::Archive(format!("cannot overwrite directory \"/{shown}\" with non-directory")))
            }
            (Some(_), Kind::Directory) => {
                Err(Trouble::Archive(format!("cannot overwrite non-directory \"/{shown}\" with directory")))
            }
            _ => Ok(()),
        }
    }
}
