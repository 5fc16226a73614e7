//! Packing: from a tree to an archive, the way back from [`unpack`](crate::unpack).
//!
//! The tree is a container's, and may be changing while it is read: a folder that was looked at
//! can be a symbolic link to `/` a moment later. So every step goes from an open folder to a name
//! in it, no link is ever followed, and what was opened is looked at again before it is read.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat, major, minor};
use tar::{Builder, EntryType, Header};

use crate::xattr;
use crate::{Error, Result};

/// One descriptor is held for each level.
const DEEPEST: usize = 512;

/// Packs the tree below `root` (opened in any way, `O_PATH` too) into an archive, names in order:
/// owners, modes, times, links, devices and the attributes that [`crate::unpack`] takes. Sockets
/// are left out, since they mean nothing without their process. Whole seconds only, as Docker's.
///
/// # Errors
/// [`Error::Io`], from the tree or from the writer.
pub fn pack(root: BorrowedFd<'_>, writer: impl Write) -> Result<()> {
    let mut packer = Packer::new(writer, "", &|_| false);
    let packed = open_folder(root).and_then(|folder| packer.folder(folder, Path::new(""), 0));
    packer.finish(packed)
}

/// Packs what has the name `name` in `folder`, and all below it. In the archive it is called
/// `packed_as`: another name; or `.` or `/`, and what is below a folder `./x` or `/x`.
///
/// What is mounted below it (a volume, /proc) is packed where `enter` says so of its path, counted
/// from the top; else its place is. The top itself may be a mount.
///
/// # Errors
/// As [`pack`]; and `ENOENT` if there is no such name.
pub fn pack_one(
    folder: BorrowedFd<'_>,
    name: &OsStr,
    packed_as: &str,
    enter: &dyn Fn(&Path) -> bool,
    writer: impl Write,
) -> Result<()> {
    let mut packer = Packer::new(writer, packed_as, enter);
    let top = Path::new("");
    let packed = match fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(errno) => Err(Failure::from(io::Error::from(errno))),
        Ok(_) => packer.entry(folder, name, top).map_err(Failure::from),
    };
    let packed = packed.and_then(|inner| inner.map_or(Ok(()), |inner| packer.folder(inner, top, 0)));
    packer.finish(packed)
}

fn open_folder(root: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    openat(root, ".", flags, Mode::empty()).map_err(|errno| io::Error::from(errno).into())
}

struct Packer<'a, W: Write> {
    archive: Builder<W>,
    /// Files with several names: the first that was packed, by device and inode.
    links: HashMap<(u64, u64), PathBuf>,
    /// What the top is called in the archive; empty: it isn't packed, only what is below it.
    top: &'a str,
    /// Whether what is mounted at this path belongs to it.
    enter: &'a dyn Fn(&Path) -> bool,
}

/// An error, and at which path of the tree.
struct Failure {
    path: PathBuf,
    source: io::Error,
}

impl From<io::Error> for Failure {
    fn from(source: io::Error) -> Failure {
        Failure { path: PathBuf::from("/"), source }
    }
}

impl<'a, W: Write> Packer<'a, W> {
    fn new(writer: W, top: &'a str, enter: &'a dyn Fn(&Path) -> bool) -> Self {
        Packer { archive: Builder::new(writer), links: HashMap::new(), top, enter }
    }

    fn finish(self, packed: Result<(), Failure>) -> Result<()> {
        packed.map_err(|Failure { path, source }| Error::Io { doing: "packing", path, source })?;
        let done = self.archive.into_inner().and_then(|mut writer| writer.flush());
        done.map_err(Error::io("packing", "/"))
    }

    /// What a path is called in the archive.
    fn name(&self, path: &Path) -> PathBuf {
        let mut name = OsString::from(self.top);
        if !self.top.is_empty() && self.top != "/" && path != Path::new("") {
            name.push("/");
        }
        name.push(path);
        PathBuf::from(name)
    }

    fn folder(&mut self, folder: OwnedFd, path: &Path, depth: usize) -> Result<(), Failure> {
        let at = |path: &Path| {
            let path = Path::new("/").join(path);
            move |source: io::Error| Failure { path, source }
        };
        if depth > DEEPEST {
            let reason = format!("folders more than {DEEPEST} deep");
            return Err(at(path)(io::Error::new(io::ErrorKind::InvalidInput, reason)));
        }
        for name in names(&folder).map_err(at(path))? {
            let path = path.join(&name);
            if let Some(inner) = self.entry(folder.as_fd(), &name, &path).map_err(at(&path))? {
                self.folder(inner, &path, depth + 1)?;
            }
        }
        Ok(())
    }

    /// Packs one entry. Of a folder its descriptor is returned, opened for reading.
    fn entry(&mut self, folder: BorrowedFd<'_>, name: &OsStr, path: &Path) -> io::Result<Option<OwnedFd>> {
        let stat = match fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            // Gone since the folder was read.
            Err(nix::Error::ENOENT) => return Ok(None),
            other => other?,
        };
        let kind = match stat.st_mode & libc::S_IFMT {
            libc::S_IFREG => EntryType::Regular,
            libc::S_IFDIR => EntryType::Directory,
            libc::S_IFLNK => EntryType::Symlink,
            libc::S_IFCHR => EntryType::Char,
            libc::S_IFBLK => EntryType::Block,
            libc::S_IFIFO => EntryType::Fifo,
            _ => return Ok(None),
        };
        if kind != EntryType::Directory && stat.st_nlink > 1 {
            if let Some(first) = self.links.get(&(stat.st_dev, stat.st_ino)).cloned() {
                let header = header(&stat, EntryType::Link);
                let first = self.name(&first).into_os_string();
                self.append(header, path, Some(first), Vec::new(), io::empty())?;
                return Ok(None);
            }
            self.links.insert((stat.st_dev, stat.st_ino), path.to_owned());
        }
        match kind {
            EntryType::Regular | EntryType::Directory => {
                // NONBLOCK: should it have become a pipe meanwhile, opening it must not wait.
                let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
                // A running container has /proc, /dev and its volumes mounted on its tree. They
                // are none of its files: the place is packed, and what is mounted there isn't.
                let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_NO_XDEV);
                // … unless the caller says that they are.
                let opened = match openat2(folder, name, how) {
                    Err(nix::Error::EXDEV) if path == Path::new("") || (self.enter)(path) => {
                        openat(folder, name, flags, Mode::empty())?
                    }
                    Err(nix::Error::EXDEV) => {
                        self.append(header(&stat, kind), path, None, Vec::new(), io::empty())?;
                        return Ok(None);
                    }
                    other => other?,
                };
                let stat = fstat(&opened)?;
                let attributes = kept(xattr::all(&opened)?);
                match stat.st_mode & libc::S_IFMT {
                    libc::S_IFDIR => {
                        self.append(
                            header(&stat, EntryType::Directory),
                            path,
                            None,
                            attributes,
                            io::empty(),
                        )?;
                        Ok(Some(opened))
                    }
                    libc::S_IFREG => {
                        let mut header = header(&stat, EntryType::Regular);
                        let size = u64::try_from(stat.st_size).unwrap_or_default();
                        header.set_size(size);
                        // Exactly what the header says, whatever is written to it meanwhile.
                        let content = File::from(opened).chain(io::repeat(0)).take(size);
                        self.append(header, path, None, attributes, content)?;
                        Ok(None)
                    }
                    _ => Ok(None),
                }
            }
            _ => {
                let target = match kind {
                    EntryType::Symlink => Some(readlinkat(folder, name)?),
                    _ => None,
                };
                self.append(header(&stat, kind), path, target, Vec::new(), io::empty())?;
                Ok(None)
            }
        }
    }

    fn append(
        &mut self,
        mut header: Header,
        path: &Path,
        target: Option<OsString>,
        mut attributes: Vec<(String, Vec<u8>)>,
        content: impl Read,
    ) -> io::Result<()> {
        // A target is kept to the letter; what has no room in the header goes before it.
        if let Some(target) = target.map(OsString::into_vec)
            && header.set_link_name_literal(&target).is_err()
        {
            attributes.push(("linkpath".to_owned(), target));
        }
        let mut name = self.name(path);
        if matches!(self.top, "." | "/") {
            // The builder would leave out the beginning, which readers count on here.
            attributes.push(("path".to_owned(), name.into_os_string().into_vec()));
            name = Path::new("top").join(path);
        }
        if !attributes.is_empty() {
            let records = attributes.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
            self.archive.append_pax_extensions(records)?;
        }
        // Long names are the builder's work.
        self.archive.append_data(&mut header, name, content)
    }
}

/// The names in a folder, in order: the same tree gives the same archive.
fn names(folder: &OwnedFd) -> io::Result<Vec<OsString>> {
    // A descriptor of its own, since reading moves a position and closing closes it.
    let again =
        openat(folder.as_fd(), ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut names = Vec::new();
    for entry in Dir::from_fd(again)?.iter() {
        let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn header(stat: &FileStat, kind: EntryType) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(stat.st_mode & 0o7777);
    header.set_uid(stat.st_uid.into());
    header.set_gid(stat.st_gid.into());
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or_default());
    header.set_size(0);
    if matches!(kind, EntryType::Char | EntryType::Block) {
        // The header has room for them; the error is for the oldest kind of header.
        let _ = header.set_device_major(u32::try_from(major(stat.st_rdev)).unwrap_or_default());
        let _ = header.set_device_minor(u32::try_from(minor(stat.st_rdev)).unwrap_or_default());
    }
    header
}

fn kept(attributes: Vec<(OsString, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    attributes
        .into_iter()
        .filter(|(name, _)| xattr::is_kept(name))
        .filter_map(|(name, value)| Some((format!("SCHILY.xattr.{}", name.to_str()?), value)))
        .collect()
}
