//! Paths *inside* the root.
//!
//! An image is a stranger's: `/data` in it may be a symbolic link to `../../etc`, and `/data` is
//! where the user's folder is to be mounted. To clean the path as a string doesn't help, since
//! the link may change between the look and the mount (CVE-2021-30465). The kernel resolves such
//! a path itself, as if the root were `/`, and gives a descriptor of what it found: [openat2(2)]
//! with `RESOLVE_IN_ROOT`. From there on the path's text is not used any more.
//!
//! [openat2(2)]: https://man7.org/linux/man-pages/man2/openat2.2.html

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use namespaces::{Error, Result, step};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{Mode, mkdirat};

/// What to make where the image has nothing to mount on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// An empty file.
    File,
}

/// Opens (as `O_PATH`) what `path` names inside `root`. Symbolic links lead nowhere else, and
/// those of /proc that name an open file ("magic links") are refused.
pub fn open(root: impl AsFd, path: &Path) -> nix::Result<OwnedFd> {
    resolve(root, path, OFlag::O_PATH, ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS)
}

/// As [`open`], and no part of it may be a symbolic link at all. For /proc, /sys and /dev: what
/// is mounted there is relied upon later by that very name.
pub fn open_plain(root: impl AsFd, path: &Path) -> nix::Result<OwnedFd> {
    resolve(root, path, OFlag::O_PATH, ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_SYMLINKS)
}

fn resolve(root: impl AsFd, path: &Path, flags: OFlag, how: ResolveFlag) -> nix::Result<OwnedFd> {
    openat2(root, path, OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(how))
}

/// As [`open`] or (`plain`) [`open_plain`], and makes what is missing: folders of mode 0755 on the
/// way, and at its end a `kind`.
///
/// # Errors
/// `ELOOP` for a symbolic link where none may be; `EEXIST` for one that leads to nothing.
pub fn open_or_make(root: impl AsFd, path: &Path, kind: Kind, plain: bool) -> Result<OwnedFd> {
    let root = root.as_fd();
    let look = |path: &Path| if plain { open_plain(root, path) } else { open(root, path) };
    let opened = step("open mount point", path.display(), || match look(path) {
        Err(Errno::ENOENT) => Ok(None),
        other => other.map(Some),
    });
    match opened {
        Err(error) if error.errno == libc::ELOOP => {
            return Err(
                error.hint("the image has a symbolic link there, and what is mounted must not be led astray")
            );
        }
        Err(error) => return Err(error),
        Ok(Some(found)) => return Ok(found),
        Ok(None) => {}
    }
    let names: Vec<&OsStr> = path
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect();
    let Some((last, folders)) = names.split_last() else {
        return Err(Error::new("make mount point", path.display(), "it names no place inside the root"));
    };
    let mut so_far = PathBuf::from("/");
    let mut parent = step("open", "/", || look(&so_far))?;
    for name in folders {
        so_far.push(name);
        parent = make_and_open(&parent, name, Kind::Folder, &so_far, look)?;
    }
    so_far.push(last);
    make_and_open(&parent, last, kind, &so_far, look)
}

fn make_and_open(
    parent: &OwnedFd,
    name: &OsStr,
    kind: Kind,
    path: &Path,
    look: impl Fn(&Path) -> nix::Result<OwnedFd>,
) -> Result<OwnedFd> {
    if let Ok(found) = look(path) {
        return Ok(found);
    }
    let mode = Mode::from_bits_truncate(0o755);
    step("make mount point", path.display(), || match kind {
        Kind::Folder => mkdirat(parent, name, mode),
        Kind::File => {
            let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            nix::fcntl::openat(parent, name, flags, mode).map(drop)
        }
    })?;
    step("open mount point", path.display(), || look(path))
}
