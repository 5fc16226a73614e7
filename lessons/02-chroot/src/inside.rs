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
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
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

/// As [`open_plain`], to write to the file that is there.
pub(crate) fn open_plain_to_write(root: impl AsFd, path: &Path) -> nix::Result<OwnedFd> {
    resolve(root, path, OFlag::O_WRONLY, ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_SYMLINKS)
}

// ANCHOR: resolve
fn resolve(root: impl AsFd, path: &Path, flags: OFlag, how: ResolveFlag) -> nix::Result<OwnedFd> {
    // ANCHOR: ex-02-2
    // 1. How to open, and how to find the way: `how` is the kernel's promise that nothing leads out.
    //    And no program that is started later gets this descriptor.
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(how);
    // 2. Where a path climbs with `..` while anybody on the machine renames or mounts something, the
    //    kernel can't be sure that it stayed inside, and says EAGAIN: try again (openat2(2), ERRORS),
    //    128 times at the most.
    for _ in 0..128 {
        match openat2(root.as_fd(), path, how) {
            Err(Errno::EAGAIN) => {}
            other => return other,
        }
    }
    Err(Errno::EAGAIN)
    // ANCHOR_END: ex-02-2
}
// ANCHOR_END: resolve

/// As [`open`] or (`plain`) [`open_plain`], and makes what is missing: folders of mode 0755 on the
/// way, and at its end a `kind`.
///
/// # Errors
/// `ELOOP` for a symbolic link where none may be, or for too many.
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
    make(path, kind, look, 0)
}

/// Folder by folder. The kernel follows the image's links on the way, always inside the root; only
/// a link that leads to nothing is read here, and what it names is made.
fn make(
    path: &Path,
    kind: Kind,
    look: impl Fn(&Path) -> nix::Result<OwnedFd> + Copy,
    links: u32,
) -> Result<OwnedFd> {
    let names: Vec<&OsStr> = path
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            Component::ParentDir => Some(OsStr::new("..")),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        return Err(Error::new("make mount point", path.display(), "it names no place inside the root"));
    }
    let mut so_far = PathBuf::from("/");
    let mut here = step("open", "/", || look(&so_far))?;
    for (index, name) in names.iter().enumerate() {
        let parent = so_far.clone();
        so_far.push(name);
        let is_last = index + 1 == names.len();
        let this = if is_last { kind } else { Kind::Folder };
        here = match look(&so_far) {
            Ok(found) => found,
            Err(Errno::ENOENT) => match make_one(&here, name, this) {
                Err(Errno::EEXIST) if links < MOST_LINKS => {
                    let target = step("read link", so_far.display(), || readlinkat(&here, *name))?;
                    let rest: PathBuf = names[index + 1..].iter().collect();
                    return make(&parent.join(target).join(rest), kind, look, links + 1);
                }
                made => {
                    step("make mount point", so_far.display(), || made)?;
                    step("open mount point", so_far.display(), || look(&so_far))?
                }
            },
            Err(errno) => return step("open mount point", so_far.display(), || Err(errno)),
        };
    }
    Ok(here)
}

/// As many links as the kernel itself follows.
const MOST_LINKS: u32 = 40;

fn make_one(parent: &OwnedFd, name: &OsStr, kind: Kind) -> nix::Result<()> {
    let mode = Mode::from_bits_truncate(0o755);
    match kind {
        Kind::Folder => mkdirat(parent, name, mode),
        Kind::File => {
            let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            nix::fcntl::openat(parent, name, flags, mode).map(drop)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use nix::sys::stat::fstat;
    use tempfile::TempDir;

    use super::*;

    /// A root with `/etc/letter` in it, and links to its folder and to the host's.
    fn root() -> (TempDir, OwnedFd) {
        let root = TempDir::new().unwrap();
        std::fs::create_dir_all(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("etc/letter"), "hola").unwrap();
        for (link, target) in [("absolute", "/etc"), ("climbing", "../../../../../../etc"), ("self", "/self")]
        {
            std::os::unix::fs::symlink(target, root.path().join(link)).unwrap();
        }
        let descriptor = OwnedFd::from(std::fs::File::open(root.path()).unwrap());
        (root, descriptor)
    }

    #[test]
    fn a_link_leads_nowhere_but_inside_the_root() {
        let (folder, root) = root();
        let inode =
            |path: &str| fstat(std::fs::File::open(folder.path().join(path)).unwrap()).unwrap().st_ino;
        for path in ["etc", "/etc", "absolute", "/climbing", "../../../etc", "/absolute/../../etc"] {
            let found = open(&root, Path::new(path)).map(|found| fstat(found).unwrap().st_ino);
            assert_eq!(found, Ok(inode("etc")), "ex-02-2: {path} leads out of the root");
        }
        assert_eq!(open(&root, Path::new("/absolute/passwd")).err(), Some(Errno::ENOENT), "ex-02-2");
        assert_eq!(open(&root, Path::new("self")).err(), Some(Errno::ELOOP), "ex-02-2: a link to itself");
        assert_eq!(
            open_plain(&root, Path::new("/absolute")).err(),
            Some(Errno::ELOOP),
            "ex-02-2: no link at all is allowed here: is the way (`how`) given to the kernel?"
        );
    }

    #[test]
    fn a_descriptor_is_not_passed_on_to_other_programs() {
        use nix::fcntl::{FcntlArg, FdFlag, fcntl};
        let (_folder, root) = root();
        let found = open(&root, Path::new("etc/letter")).unwrap();
        let flags = fcntl(&found, FcntlArg::F_GETFD).map(FdFlag::from_bits_truncate);
        assert_eq!(flags, Ok(FdFlag::FD_CLOEXEC), "ex-02-2: execve closes it (O_CLOEXEC)");
    }

    #[test]
    fn a_path_that_climbs_is_opened_whatever_is_renamed_meanwhile() {
        let root = tempfile::TempDir::new().unwrap();
        let (one, other) = (root.path().join("one"), root.path().join("other"));
        std::fs::create_dir_all(root.path().join("a/b")).unwrap();
        std::fs::create_dir(&one).unwrap();
        let descriptor = OwnedFd::from(std::fs::File::open(root.path()).unwrap());
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let end = Instant::now() + Duration::from_secs(2);
                while !done.load(Ordering::Relaxed) && Instant::now() < end {
                    std::fs::rename(&one, &other).unwrap();
                    std::fs::rename(&other, &one).unwrap();
                }
            });
            let end = Instant::now() + Duration::from_millis(300);
            let mut opened = Ok(());
            while opened.is_ok() && Instant::now() < end {
                opened = open(&descriptor, Path::new("a/../a/b/../../a")).map(drop);
            }
            done.store(true, Ordering::Relaxed);
            assert_eq!(
                opened,
                Ok(()),
                "ex-02-2: openat2 says EAGAIN while somebody renames: is it tried again?"
            );
        });
    }
}
