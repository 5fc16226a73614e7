//! Unpacking a layer: from an archive to a folder, whatever its author had in mind.
//!
//! An archive is a list of wishes: "make `etc/passwd`, with these bytes, for this owner". A
//! hostile one wishes for `../../etc/passwd`; or for a symbolic link `x` to `/etc` and then for
//! `x/passwd`; or for a hard link to `/etc/shadow`. Looking at the strings stops the first only.
//! So every path is resolved by the kernel, by `openat2` with `RESOLVE_IN_ROOT`, as if the
//! layer's folder were the whole machine: a link to `/etc` is then the layer's own `etc`.
//!
//! A layer also takes away: an entry `.wh.x` says that there is no `x` any more ([`whiteout`]
//! does those).
//!
//! [OCI layer](https://github.com/opencontainers/image-spec/blob/main/layer.md),
//! [openat2(2)](https://man7.org/linux/man-pages/man2/openat2.2.html)

mod attributes;
pub mod copy;
mod inside;
mod whiteout;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstatat, makedev, mknodat};
use nix::unistd::{linkat, mkfifoat, symlinkat};

use self::attributes::Attributes;
use self::inside::{Inside, Way};
use self::whiteout::Whiteout;
pub use self::whiteout::is_opaque;
use crate::archive::{Archive, Entry, Kind};
use crate::error::clean;
use crate::ownership::Rights;
use crate::{Error, Result};

/// The most entries of a layer: real ones have some hundred thousand. An entry without content takes 512
/// bytes of zeros, which compress to nothing, and on disk an inode, of which there are only so many.
const MOST_ENTRIES: u64 = 2_000_000;

/// The most that all folders' attributes may take, in bytes: they are kept to the end.
const ATTRIBUTES_LIMIT: usize = 64 << 20;

/// Unpacks the uncompressed archive `reader` into the empty folder `into`, and returns how many
/// bytes its files have.
///
/// `layer` is the layer's name in errors. What was unpacked before an error stays in the folder:
/// the caller throws it away.
///
/// # Errors
/// [`Error::Layer`]: the archive is damaged, or wishes for something outside. [`Error::Io`]: the
/// operating system refuses.
pub fn unpack(reader: impl Read, into: &Path, layer: &str, rights: Rights) -> Result<u64> {
    let mut unpacker = Unpacker {
        inside: Inside::open(into, rights.opaque()).map_err(Error::io("opening", into))?,
        folders: BTreeMap::new(),
        rights,
        size: 0,
        entries: 0,
        kept: 0,
    };
    // The root itself, unless the archive says otherwise.
    unpacker.folders.insert(PathBuf::new(), Attributes::of_a_folder());

    let mut archive = Archive::new(reader);
    loop {
        let entry = archive.entry().map_err(|error| Trouble::from_archive(error).at(layer, Path::new("")))?;
        let Some(entry) = entry else { break };
        unpacker.make(&entry, &mut archive).map_err(|trouble| trouble.at(layer, &entry.path))?;
    }
    unpacker.finish(layer)
}

struct Unpacker {
    inside: Inside,
    /// Attributes of folders come last, the deepest first: making a file changes its folder's
    /// time, and a folder nobody may write to would take no files.
    folders: BTreeMap<PathBuf, Attributes>,
    rights: Rights,
    size: u64,
    entries: u64,
    /// Bytes of the attributes in `folders`.
    kept: usize,
}

impl Unpacker {
    // ANCHOR: make
    fn make(&mut self, entry: &Entry, content: &mut Archive<impl Read>) -> Result<(), Trouble> {
        self.entries += 1;
        if self.entries > MOST_ENTRIES {
            return Err(Trouble::Archive(format!("more than {MOST_ENTRIES} entries")));
        }
        let path = relative(&entry.path)?;
        let Some(name) = path.file_name() else {
            return match entry.kind {
                Kind::Directory => self.keep(PathBuf::new(), entry),
                _ => Err(Trouble::Archive("the root is a folder".to_owned())),
            };
        };
        let parent = self.inside.folder(path.parent().unwrap_or(Path::new("")))?;
        // By name and before anything else: some tools store a whiteout as a hard link.
        match Whiteout::parse(name)? {
            Some(whiteout) => return self.inside.white_out(&parent, whiteout),
            None if entry.kind == Kind::Directory => {
                self.inside.make_folder(&parent, name)?;
                return self.keep(path, entry);
            }
            None => self.inside.make_way(&parent, name, Way::ForAnything)?,
        };
        match entry.kind {
            Kind::Directory => {}
            Kind::File => self.file(&parent, name, entry, content)?,
            Kind::HardLink => return self.hard_link(&parent, name, &entry.link),
            Kind::Symlink => {
                symlinkat(&entry.link, &parent, name)?;
                self.size = self.size.saturating_add(entry.link.as_os_str().len() as u64);
            }
            Kind::Fifo => mkfifoat(&parent, name, Mode::S_IRUSR)?,
            Kind::Character | Kind::Block if !self.rights.devices => {
                tracing::debug!(target: "unpack", path = %path.display(), "device left out: not privileged");
                return Ok(());
            }
            Kind::Character => device(&parent, name, SFlag::S_IFCHR, entry.device)?,
            Kind::Block => device(&parent, name, SFlag::S_IFBLK, entry.device)?,
        }
        let made = inside::open_itself(&parent, name)?;
        Attributes::of(entry).apply(&made, entry.kind, self.rights.ownership)
    }
    // ANCHOR_END: make

    /// A folder's attributes, for the end.
    fn keep(&mut self, path: PathBuf, entry: &Entry) -> Result<(), Trouble> {
        let attributes = Attributes::of(entry);
        self.kept += path.as_os_str().len() + attributes.bytes();
        if self.kept > ATTRIBUTES_LIMIT {
            return Err(Trouble::Archive(format!(
                "folders with more than {ATTRIBUTES_LIMIT} bytes of attributes"
            )));
        }
        self.folders.insert(path, attributes);
        Ok(())
    }

    fn file(
        &mut self,
        parent: &OwnedFd,
        name: &OsStr,
        entry: &Entry,
        content: &mut Archive<impl Read>,
    ) -> Result<(), Trouble> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        // Readable by nobody else until it has its own mode.
        let mut file = File::from(openat(parent, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
        let mut left = entry.size;
        let mut buffer = vec![0; 64 << 10];
        while left > 0 {
            match content.read(&mut buffer).map_err(Trouble::from_archive)? {
                0 => return Err(Trouble::Archive("the archive ends within this file".to_owned())),
                length => {
                    file.write_all(&buffer[..length])?;
                    left = left.saturating_sub(length as u64);
                }
            }
        }
        self.size = self.size.saturating_add(entry.size);
        Ok(())
    }

    // ANCHOR: hard_link
    /// A link to an entry of this layer: its target is a path in the archive, not a string that
    /// is stored, so it is resolved as carefully as the path itself.
    fn hard_link(&self, parent: &OwnedFd, name: &OsStr, target: &Path) -> Result<(), Trouble> {
        // ANCHOR: ex-04-5
        // 1. `relative`, as for every path of the archive; what has no name (the root) is `missing`.
        let target = relative(target)?;
        let missing =
            || Trouble::Archive(format!("its target {} is not in this layer", clean(target.display())));
        let target_name = target.file_name().ok_or_else(missing)?;
        // 2. Its folder is found inside: a link on the way to it leads nowhere else, and no folder is made.
        let folder = self.inside.find_folder(target.parent().unwrap_or(Path::new("")));
        let folder = folder.map_err(|_| missing())?;
        // 3. Look at what has this name in there, itself: it must exist, and not be a folder.
        let found = fstatat(&folder, target_name, AtFlags::AT_SYMLINK_NOFOLLOW).map_err(|_| missing())?;
        if found.st_mode & libc::S_IFMT == libc::S_IFDIR {
            return Err(Trouble::Archive("a hard link to a folder".to_owned()));
        }
        // 4. Give it one more name. Without AT_SYMLINK_FOLLOW, a link to a symbolic link is one more name of
        //    that link.
        linkat(&folder, target_name, parent, name, AtFlags::empty())?;
        Ok(())
        // ANCHOR_END: ex-04-5
    }
    // ANCHOR_END: hard_link

    fn finish(self, layer: &str) -> Result<u64> {
        // "a" sorts before "a/b": from the back, what is inside comes first.
        for (path, attributes) in self.folders.iter().rev() {
            let done = match self.inside.find_folder_itself(path) {
                Ok(folder) => attributes.apply(&folder, Kind::Directory, self.rights.ownership),
                // A later entry has put something else there.
                Err(nix::Error::ENOENT | nix::Error::ENOTDIR | nix::Error::ELOOP) => Ok(()),
                Err(errno) => Err(errno.into()),
            };
            done.map_err(|trouble| trouble.at(layer, path))?;
        }
        Ok(self.size)
    }
}

fn device(parent: &OwnedFd, name: &OsStr, kind: SFlag, (major, minor): (u32, u32)) -> nix::Result<()> {
    mknodat(parent, name, kind, Mode::S_IRUSR, makedev(major.into(), minor.into()))
}

// ANCHOR: relative
/// The path without what means nothing (`/`, `.`), and without `..`, which no honest archive has.
fn relative(path: &Path) -> Result<PathBuf, Trouble> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => return Err(Trouble::Archive("its path leads out by ..".to_owned())),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Ok(clean)
}
// ANCHOR_END: relative

/// What went wrong with one entry: the archive's fault, or the operating system's.
enum Trouble {
    Archive(String),
    System(io::Error),
}

impl Trouble {
    fn from_archive(error: io::Error) -> Trouble {
        match error.raw_os_error() {
            Some(_) => Trouble::System(error),
            None => Trouble::Archive(error.to_string()),
        }
    }

    fn at(self, layer: &str, path: &Path) -> Error {
        let entry = clean(path.display());
        match self {
            // Reasons may quote the archive.
            Trouble::Archive(reason) => {
                Error::Layer { layer: layer.to_owned(), entry, reason: clean(reason) }
            }
            Trouble::System(source) => {
                Error::Io { doing: "unpacking", path: Path::new(layer).join(entry), source }
            }
        }
    }
}

impl From<nix::Error> for Trouble {
    fn from(errno: nix::Error) -> Trouble {
        Trouble::System(errno.into())
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::System(error)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries_without_end_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let rights = Rights::detect();
        let inside = Inside::open(folder.path(), rights.opaque()).unwrap();
        let mut unpacker = Unpacker {
            inside,
            folders: BTreeMap::new(),
            rights,
            size: 0,
            entries: MOST_ENTRIES - 1,
            kept: 0,
        };
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        for name in ["last", "one-too-many"] {
            header.set_size(0);
            tar.append_data(&mut header, name, io::empty()).unwrap();
        }
        let bytes = tar.into_inner().unwrap();
        let mut archive = Archive::new(&bytes[..]);
        // (Owners can't be given by everybody: what counts is the second answer.)
        let entry = archive.entry().unwrap().unwrap();
        let _ = unpacker.make(&entry, &mut archive);
        let entry = archive.entry().unwrap().unwrap();
        let refused = unpacker.make(&entry, &mut archive);
        assert!(matches!(refused, Err(Trouble::Archive(reason)) if reason.contains("entries")));
        assert!(!folder.path().join("one-too-many").exists());
    }

    proptest! {
        #[test]
        fn no_path_becomes_one_that_leads_out(text in "[a./]{0,30}", any: String) {
            for text in [text, any] {
                match relative(Path::new(&text)) {
                    Ok(path) => {
                        prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{text}");
                    }
                    Err(_) => prop_assert!(text.split('/').any(|part| part == ".."), "{text}"),
                }
            }
        }
    }
}
