//! The mount calls of Linux 5.2 and later, in which a mount is a *descriptor* before it is a place.
//!
//! The old `mount(2)` makes a file system and hangs it up in one call. Here it is two: first it is
//! made, and is nowhere, known only to who holds the descriptor; then it is hung up somewhere. In
//! between it can be handed on, or simply be closed, and is gone without a trace.
//!
//! | call | gives |
//! |---|---|
//! | [`fsopen`], [`fsconfig`], [`fsmount`] | a new file system, as a detached mount |
//! | [`open_tree`] | a detached copy of what is mounted somewhere (a *bind mount*) |
//! | [`set_attributes`] | the same mount read-only, nosuid, … |
//! | [`move_mount`] | the detached mount, hung up |
//!
//! `libc` has the numbers; the calls themselves are these few lines.

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use nix::NixPath;
use nix::errno::Errno;

/// Attributes of a mount: `MOUNT_ATTR_RDONLY`, `…_NOSUID`, `…_NODEV`, `…_NOEXEC` and the like.
pub type Attributes = u64;

fn descriptor(result: libc::c_long) -> nix::Result<OwnedFd> {
    let fd = Errno::result(result)?;
    // SAFETY: each caller passes the answer of a call that makes a new descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

fn text(value: &str) -> nix::Result<CString> {
    CString::new(value).map_err(|_| Errno::EINVAL)
}

/// Begins a file system of this type: [fsopen(2)](https://man7.org/linux/man-pages/man2/fsopen.2.html).
pub fn fsopen(fs_type: &str) -> nix::Result<OwnedFd> {
    let fs_type = text(fs_type)?;
    // SAFETY: the string lives until the call is over.
    descriptor(unsafe { libc::syscall(libc::SYS_fsopen, fs_type.as_ptr(), libc::FSOPEN_CLOEXEC) })
}

/// Sets one option of it: [fsconfig(2)](https://man7.org/linux/man-pages/man2/fsconfig.2.html).
/// No value means a flag.
pub fn fsconfig(context: &OwnedFd, key: &str, value: Option<&str>) -> nix::Result<()> {
    let (key, value) = (text(key)?, value.map(text).transpose()?);
    let command = if value.is_some() { libc::FSCONFIG_SET_STRING } else { libc::FSCONFIG_SET_FLAG };
    let value = value.as_ref().map_or(std::ptr::null(), |value| value.as_ptr());
    // SAFETY: both strings live until the call is over.
    let result =
        unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), command, key.as_ptr(), value, 0) };
    Errno::result(result).map(drop)
}

/// Makes the file system, and a detached mount of it: `FSCONFIG_CMD_CREATE` and
/// [fsmount(2)](https://man7.org/linux/man-pages/man2/fsmount.2.html).
pub fn fsmount(context: &OwnedFd, attributes: Attributes) -> nix::Result<OwnedFd> {
    let null = std::ptr::null::<libc::c_char>();
    // SAFETY: this command takes neither key nor value.
    let created = unsafe {
        libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), libc::FSCONFIG_CMD_CREATE, null, null, 0)
    };
    Errno::result(created)?;
    // SAFETY: numbers only.
    descriptor(unsafe {
        libc::syscall(
            libc::SYS_fsmount,
            context.as_raw_fd(),
            libc::FSMOUNT_CLOEXEC,
            attributes as libc::c_uint,
        )
    })
}

/// A detached copy of the mount at `path`, with all below it if `recursive`:
/// [open_tree(2)](https://man7.org/linux/man-pages/man2/open_tree.2.html). With an empty path: of
/// what the descriptor `at` names.
pub fn open_tree(at: Option<BorrowedFd<'_>>, path: &Path, recursive: bool) -> nix::Result<OwnedFd> {
    let mut flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= libc::AT_RECURSIVE as u32;
    }
    if path.as_os_str().is_empty() {
        flags |= libc::AT_EMPTY_PATH as u32;
    }
    let at = at.map_or(libc::AT_FDCWD, |fd| fd.as_raw_fd());
    // SAFETY: nix ends the path with a NUL, and keeps it until the call is over.
    let fd =
        path.with_nix_path(|path| unsafe { libc::syscall(libc::SYS_open_tree, at, path.as_ptr(), flags) })?;
    descriptor(fd)
}

/// Hangs a detached mount up on what `target` names:
/// [move_mount(2)](https://man7.org/linux/man-pages/man2/move_mount.2.html).
pub fn move_mount(mount: &OwnedFd, target: &OwnedFd) -> nix::Result<()> {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: two descriptors and two empty strings.
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            target.as_raw_fd(),
            c"".as_ptr(),
            flags,
        )
    };
    Errno::result(result).map(drop)
}

/// Adds attributes to a mount, and to all below it if `recursive`; what it had it keeps:
/// [mount_setattr(2)](https://man7.org/linux/man-pages/man2/mount_setattr.2.html).
pub fn set_attributes(mount: &OwnedFd, attributes: Attributes, recursive: bool) -> nix::Result<()> {
    // How access times are kept is one choice of several: to make it, the old one has to go.
    let chooses_atime = attributes & libc::MOUNT_ATTR__ATIME != 0;
    let attr_clr = if chooses_atime { libc::MOUNT_ATTR__ATIME } else { 0 };
    change(
        mount,
        libc::mount_attr { attr_set: attributes, attr_clr, propagation: 0, userns_fd: 0 },
        recursive,
    )
}

/// Cuts a mount, and all below it, off from its peers and masters: what is mounted there does not
/// appear here.
pub fn make_private(mount: &OwnedFd) -> nix::Result<()> {
    let wanted = libc::mount_attr { attr_set: 0, attr_clr: 0, propagation: libc::MS_PRIVATE, userns_fd: 0 };
    change(mount, wanted, true)
}

fn change(mount: &OwnedFd, wanted: libc::mount_attr, recursive: bool) -> nix::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the structure lives until the call is over, and its size is given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const wanted,
            size_of_val(&wanted),
        )
    };
    Errno::result(result).map(drop)
}
