//! Extended attributes of whatever a descriptor stands for.
//!
//! Descriptors opened with `O_PATH` are the only ones that can stand for a symbolic link or a
//! device without opening it, and the kernel refuses `fsetxattr` and its family on them. It lets
//! the same through by the descriptor's name under /proc, which leads to the thing itself and
//! never further. [xattr(7)](https://man7.org/linux/man-pages/man7/xattr.7.html)

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// The name under /proc of a descriptor of ours.
pub(crate) fn proc_path(fd: impl AsFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd()))
}

/// What an image may say of its files: capabilities, and whatever programs note on them. Not the
/// overlay's own attributes, by which a layer could make one file look like another, nor labels
/// of somebody else's security policy.
pub(crate) fn is_kept(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name == b"security.capability" || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
}

/// Sets one attribute.
pub(crate) fn set(fd: impl AsFd, name: &OsStr, value: &[u8]) -> io::Result<()> {
    let (path, name) = (c_string(proc_path(fd).as_os_str())?, c_string(name)?);
    // SAFETY: both strings end in NUL and, like the value, outlive the call, which reads
    // `value.len()` bytes of it.
    let done = unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// All attributes that we may see. None where the file system has none.
pub(crate) fn all(fd: impl AsFd) -> io::Result<Vec<(OsString, Vec<u8>)>> {
    let path = c_string(proc_path(fd).as_os_str())?;
    let names = match read(|buffer, size| {
        // SAFETY: the path ends in NUL, and `buffer` has `size` bytes to write to.
        unsafe { libc::listxattr(path.as_ptr(), buffer.cast(), size) }
    }) {
        Err(error) if error.raw_os_error() == Some(libc::ENOTSUP) => return Ok(Vec::new()),
        other => other?,
    };
    let mut all = Vec::new();
    for name in names.split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let name = OsString::from_vec(name.to_owned());
        let c_name = c_string(&name)?;
        match read(|buffer, size| {
            // SAFETY: both strings end in NUL, and `buffer` has `size` bytes to write to.
            unsafe { libc::getxattr(path.as_ptr(), c_name.as_ptr(), buffer, size) }
        }) {
            Ok(value) => all.push((name, value)),
            // Gone since it was listed.
            Err(error) if error.raw_os_error() == Some(libc::ENODATA) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// Calls once for the size and once for the bytes, and again if they have grown in between.
fn read(call: impl Fn(*mut libc::c_void, usize) -> isize) -> io::Result<Vec<u8>> {
    loop {
        let size = check(call(std::ptr::null_mut(), 0))?;
        let mut buffer = vec![0_u8; size];
        match check(call(buffer.as_mut_ptr().cast(), size)) {
            Err(error) if error.raw_os_error() == Some(libc::ERANGE) => continue,
            other => buffer.truncate(other?),
        }
        return Ok(buffer);
    }
}

fn check(length: isize) -> io::Result<usize> {
    usize::try_from(length).map_err(|_| io::Error::last_os_error())
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(io::Error::from)
}
