//! Copying between a container and the outside (`docker cp`): what is there, out of it, into it.
//!
//! The container's files are a stranger's: every path is resolved by the kernel inside its root
//! (openat2(2), `RESOLVE_IN_ROOT`), and from then on only descriptors are used. Nothing of the container is
//! run or loaded for it (CVE-2019-14271).

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bollard_stubs::models::ContainerCreateBody;
use images::ownership::Rights;
use images::unpack::copy::Copy;
use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{FileStat, fstat, fstatat};
use nix::sys::statfs::fstatfs;
use nix::sys::statvfs::{FsFlags, fstatvfs};
use rootfs::User;
use rootfs::inside;

use super::containers::Container;
use super::error::{Error, Result};
use super::tree::{Merged, own_mounts};

/// What a path in a container names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathStat {
    /// The last part of the path.
    pub name: String,
    /// Bytes.
    pub size: i64,
    /// Mode and kind in the bits of Go's `fs.FileMode`.
    pub mode: u32,
    /// The last change.
    pub mtime: Timestamp,
    /// Of a symbolic link: where it leads to inside the container.
    pub link_target: String,
}

/// Something that was found: a name in an open folder.
#[derive(Debug)]
pub struct Found {
    folder: OwnedFd,
    name: OsString,
    stat: FileStat,
    /// Where it is, without links on the way.
    path: PathBuf,
    /// What it is called in an archive.
    packed_as: String,
    /// For clients.
    pub shown: PathStat,
}

/// Finds what `path` names. A link in the last place is itself meant, unless a slash follows it.
///
/// # Errors
/// There is nothing, in Docker's words; it lies in a file system of the kernel's own.
pub fn find(merged: &Merged, container: &Container, path: &str) -> Result<Found> {
    let failed = |errno: Errno| failed(container, path, errno);
    let wanted = clean(path);
    // What is behind a link is meant where a slash or a point follows.
    let through = path.ends_with('/') || path.ends_with("/.") || wanted == Path::new("/");
    let place = match through {
        true => {
            let opened = inside::open(&merged.root, &wanted).map_err(failed)?;
            if path.len() > 1 && !is_folder(&fstat(&opened).map_err(failed)?) {
                return Err(failed(Errno::ENOTDIR));
            }
            real_path(merged, &opened).map_err(failed)?
        }
        false => wanted.clone(),
    };
    let (folder, name) = match (place.parent(), place.file_name()) {
        (Some(parent), Some(name)) => (inside::open(&merged.root, parent).map_err(failed)?, name.to_owned()),
        // The root: from itself to itself.
        _ => (inside::open(&merged.root, Path::new("/")).map_err(failed)?, OsString::from(".")),
    };
    let stat = fstatat(&folder, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW).map_err(failed)?;
    refuse_the_kernels_own(&folder, path)?;
    let base = wanted.file_name().map_or("/".to_owned(), |name| name.to_string_lossy().into_owned());
    let link_target = match stat.st_mode & libc::S_IFMT == libc::S_IFLNK {
        true => link_target(merged, &wanted),
        false => String::new(),
    };
    let shown = PathStat {
        name: base.clone(),
        size: stat.st_size,
        mode: go_mode(stat.st_mode),
        mtime: Timestamp::new(stat.st_mtime, stat.st_mtime_nsec as i32).unwrap_or_default(),
        link_target,
    };
    let packed_as = if path.ends_with("/.") && wanted != Path::new("/") { ".".to_owned() } else { base };
    Ok(Found { folder, name, stat, path: place, packed_as, shown })
}

/// Writes what was found as an archive.
///
/// # Errors
/// The container's files', the writer's.
pub fn pack(found: &Found, container: &Container, writer: impl Write) -> Result<()> {
    if found.stat.st_mode & libc::S_IFMT == libc::S_IFSOCK {
        return Err(Error::invalid(format!("{}: a socket can't be copied", found.path.display())));
    }
    let mounts = own_mounts(container);
    let enter = |below: &Path| mounts.contains(&found.path.join(below));
    Ok(images::pack::pack_one(found.folder.as_fd(), &found.name, &found.packed_as, &enter, writer)?)
}

/// How an archive is to be unpacked into a container.
#[derive(Debug, Clone, Copy)]
pub struct Wishes {
    /// Refuse to put a folder where something else is, and the other way round.
    pub same_kind: bool,
    /// Everything is to belong to the container's user.
    pub to_its_user: bool,
}

/// Unpacks an archive into the folder at `path`.
///
/// # Errors
/// There is no such folder; it can't be written to; the archive wishes for what it must not have.
pub fn unpack(
    merged: &Merged,
    container: &Arc<Container>,
    path: &str,
    wishes: Wishes,
    archive: impl Read,
) -> Result<()> {
    let failed = |errno: Errno| failed(container, path, errno);
    let into = clean(path);
    let folder = inside::open(&merged.root, &into).map_err(failed)?;
    if !is_folder(&fstat(&folder).map_err(failed)?) {
        return Err(Error::invalid("extraction point is not a directory"));
    }
    refuse_the_kernels_own(&folder, path)?;
    if fstatvfs(&folder).map_err(failed)?.flags().contains(FsFlags::ST_RDONLY) {
        let real = real_path(merged, &folder).map_err(failed)?;
        let in_volume = own_mounts(container).iter().any(|mount| real.starts_with(mount));
        let what = if in_volume { "mounted volume" } else { "container rootfs" };
        return Err(Error::invalid(format!("{what} is marked read-only")));
    }
    let user = container.with(|record| user(&record.config.body)).filter(|_| wishes.to_its_user);
    let owner = user.map(|user| owner(merged, &user)).transpose()?;
    let copy = Copy { into, strip: false, same_kind: wishes.same_kind, owner, rights: Rights::detect() };
    copy.copy(archive, merged.as_fd()).map_err(|error| match error {
        // What the archive asked for, and not what the machine refused.
        images::Error::Layer { entry, reason, .. } => Error::invalid(format!("{entry}: {reason}")),
        other => other.into(),
    })
}

fn user(body: &ContainerCreateBody) -> Option<String> {
    body.user.clone().filter(|user| !user.is_empty())
}

fn owner(merged: &Merged, user: &str) -> Result<(u32, u32)> {
    let text = |path: &str| small_file(merged, Path::new(path)).unwrap_or_default();
    let user = User::in_files(user, &text("/etc/passwd"), &text("/etc/group"))?;
    Ok((user.uid, user.gid))
}

/// A file of at most a megabyte, if it is one.
fn small_file(merged: &Merged, path: &Path) -> io::Result<String> {
    let found = inside::open(&merged.root, path)?;
    if fstat(&found)?.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut text = Vec::new();
    // The same file again, to read: what its descriptor stands for can't change any more.
    File::open(proc_path(&found))?.take(1 << 20).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn proc_path(fd: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

/// From the container's root, without `.` and `..`, as Docker reads a path before it looks at links.
fn clean(path: &str) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => drop(clean.pop()),
            _ => {}
        }
    }
    clean
}

/// Where that is, seen from the root: the kernel knows the names by which it was reached.
fn real_path(merged: &Merged, found: &OwnedFd) -> nix::Result<PathBuf> {
    let name = |fd: &OwnedFd| {
        fs::read_link(proc_path(fd))
            .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
    };
    let (root, found) = (name(&merged.root)?, name(found)?);
    let below = found.strip_prefix(&root).map_err(|_| Errno::ENOENT)?;
    Ok(Path::new("/").join(below))
}

/// Where a link leads to; if to nothing, where it would.
fn link_target(merged: &Merged, link: &Path) -> String {
    let real = inside::open(&merged.root, link).and_then(|found| real_path(merged, &found));
    let target = real.or_else(|_| {
        let folder = inside::open(&merged.root, link.parent().unwrap_or(Path::new("/")))?;
        let text = nix::fcntl::readlinkat(&folder, link.file_name().unwrap_or_default())?;
        let from = real_path(merged, &folder)?;
        Ok::<_, Errno>(clean(&from.join(text).to_string_lossy()))
    });
    target.unwrap_or_default().to_string_lossy().into_owned()
}

fn is_folder(stat: &FileStat) -> bool {
    stat.st_mode & libc::S_IFMT == libc::S_IFDIR
}

/// /proc and the like are no files to copy: what is read there is made at that moment, and what is written
/// there changes the machine. (statfs(2) has the numbers.)
fn refuse_the_kernels_own(folder: &OwnedFd, path: &str) -> Result<()> {
    // proc, sysfs, cgroup, cgroup2, devpts, mqueue, securityfs, debugfs, tracefs, bpf.
    const KERNELS: [i64; 10] = [
        0x9fa0,
        0x6265_6572,
        0x27_e0eb,
        0x6367_7270,
        0x1cd1,
        0x1980_0202,
        0x7363_6673,
        0x6462_6720,
        0x7472_6163,
        0xcafe_4a11,
    ];
    // An O_PATH descriptor will do (since Linux 3.12).
    let found =
        fstatfs(folder).map_err(|errno| Error::internal(format!("looking at {path}"), errno.desc()))?;
    match KERNELS.contains(&(found.filesystem_type().0 as i64)) {
        true => Err(Error::invalid(format!(
            "{path} lies in a file system of the kernel's own (/proc, /sys): read it with exec"
        ))),
        false => Ok(()),
    }
}

fn failed(container: &Container, path: &str, errno: Errno) -> Error {
    match errno {
        Errno::ENOENT => {
            Error::not_found(format!("Could not find the file {path} in container {}", container.name()))
        }
        Errno::ENOTDIR => Error::invalid(format!("{path}: not a directory")),
        // A null character, a name of more than 255 bytes or a path of more than 4095, links in a circle.
        Errno::EINVAL | Errno::ENAMETOOLONG | Errno::ELOOP => {
            Error::invalid(format!("invalid path {path:?}: {}", errno.desc()))
        }
        errno => {
            Error::internal(format!("looking at {path} in container {}", container.name()), errno.desc())
        }
    }
}

/// Go's bits: <https://pkg.go.dev/io/fs#FileMode>.
fn go_mode(mode: u32) -> u32 {
    let kind = match mode & libc::S_IFMT {
        libc::S_IFDIR => 1 << 31,
        libc::S_IFLNK => 1 << 27,
        libc::S_IFBLK => 1 << 26,
        libc::S_IFIFO => 1 << 25,
        libc::S_IFSOCK => 1 << 24,
        // A device, of characters.
        libc::S_IFCHR => 1 << 26 | 1 << 21,
        _ => 0,
    };
    let special = [(libc::S_ISUID, 23), (libc::S_ISGID, 22), (libc::S_ISVTX, 20)];
    let special = special.iter().filter(|(bit, _)| mode & bit != 0).map(|(_, place)| 1u32 << place);
    kind | special.sum::<u32>() | mode & 0o777
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_gos() {
        // What `fmt.Println(uint32(stat.Mode()))` says of these in Go.
        assert_eq!(go_mode(0o100_644), 0o644);
        assert_eq!(go_mode(0o040_755), 2_147_484_141);
        assert_eq!(go_mode(0o120_777), 134_218_239);
        assert_eq!(go_mode(0o104_755), 8_389_101);
        assert_eq!(go_mode(0o041_777), 2_148_532_735);
        assert_eq!(go_mode(0o020_666), 69_206_454);
    }

    #[test]
    fn a_path_can_not_climb_above_the_root() {
        for (path, cleaned) in [
            ("etc/passwd", "/etc/passwd"),
            ("/a/../../b/.", "/b"),
            ("", "/"),
            ("..", "/"),
            ("/a//b/", "/a/b"),
        ] {
            assert_eq!(clean(path), Path::new(cleaned), "{path}");
        }
    }
}
