//! Where canoa keeps its things, and where it listens.
//!
//! As root: `/var/lib/canoa` and `/run/canoa`. As an ordinary user: what the XDG base directory
//! specification names, and where there is no `$XDG_RUNTIME_DIR` (a `su` without a session, a
//! container) a folder of the user's own under `/tmp`. There anybody can make files, so
//! [`private_folder`] takes one only when it is really ours.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, geteuid};

/// What outlives a reboot: containers, images, networks, volumes.
///
/// `/var/lib/canoa` as root, else `$XDG_DATA_HOME/canoa` or `$HOME/.local/share/canoa`.
pub fn data_root() -> PathBuf {
    if geteuid().is_root() {
        return PathBuf::from("/var/lib/canoa");
    }
    folder("XDG_DATA_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".local/share")))
        .map_or_else(|| user_folder(geteuid()).join("data"), |base| base.join("canoa"))
}

/// What a reboot may take along: sockets, locks, the daemon's log.
///
/// `/run/canoa` as root, else `$XDG_RUNTIME_DIR/canoa`, else `/tmp/canoa-UID`.
pub fn exec_root() -> PathBuf {
    if geteuid().is_root() {
        return PathBuf::from("/run/canoa");
    }
    folder("XDG_RUNTIME_DIR").map_or_else(|| user_folder(geteuid()), |base| base.join("canoa"))
}

/// The socket of our own daemon, when nobody names another.
pub fn socket() -> PathBuf {
    exec_root().join("canoa.sock")
}

/// Makes `path` (and what leads to it) as a folder that only its owner can enter, or checks that
/// it is one already: a folder and no symbolic link, ours, closed to the others.
///
/// Root's `/run/canoa` is the exception that stays readable for all: nobody but root can make
/// anything in `/run`, and the socket has its own mode.
///
/// # Errors
/// The kernel's, or a sentence when the folder is somebody else's.
pub fn private_folder(path: &Path) -> io::Result<()> {
    let root = geteuid().is_root();
    let mode = if root { 0o711 } else { 0o700 };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => return other,
    }
    // `symlink_metadata`: a link that somebody laid there in advance must not be followed.
    let found = fs::symlink_metadata(path)?;
    if !found.is_dir() {
        return Err(io::Error::other("not a folder: remove it"));
    }
    if found.uid() != geteuid().as_raw() {
        let owner = found.uid();
        return Err(io::Error::other(format!("belongs to the user {owner}, not to you")));
    }
    if !root && found.mode() & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Whether `path` may be trusted to hold our socket: see [`private_folder`]; makes nothing.
///
/// # Errors
/// A sentence when the folder is somebody else's; the kernel's error when it isn't there.
pub fn check_private(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    let owner = found.uid();
    if found.is_dir() && owner == geteuid().as_raw() {
        return Ok(());
    }
    Err(io::Error::other(format!("not a folder of yours (its owner is the user {owner})")))
}

/// The folder that an environment variable names; the specification wants relative ones ignored.
fn folder(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

fn user_folder(uid: Uid) -> PathBuf {
    PathBuf::from(format!("/tmp/canoa-{uid}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_private_folder_is_made_once_and_found_again() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("a/b");
        private_folder(&path).unwrap();
        private_folder(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o007, u32::from(geteuid().is_root()));
    }

    #[test]
    fn a_link_in_place_of_the_folder_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("canoa-0");
        symlink(base.path(), &path).unwrap();
        let error = private_folder(&path).unwrap_err();
        assert_eq!(error.to_string(), "not a folder: remove it");
        assert!(check_private(&path).is_err());
    }
}
