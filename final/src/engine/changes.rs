//! What a container has changed of its image's files: `docker diff`.
//!
//! All of that is in its upper folder: a new or changed file as it is, a removed one as a device 0/0 (a
//! *whiteout*), and a folder that hides the one below by an attribute (*opaque*). Nothing is mounted for it.
//! <https://docs.kernel.org/filesystems/overlayfs.html>

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::containers::Container;
use super::error::{Error, Result};

/// What has become of a path, in Docker's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is another one, or something below it.
    Changed = 0,
    /// The image doesn't have it.
    Added = 1,
    /// It isn't there any more.
    Removed = 2,
}

/// What the engine itself makes where an image has no place to mount on.
const OURS: [&str; 10] = [
    "/.dockerenv",
    "/dev",
    "/dev/console",
    "/dev/pts",
    "/dev/shm",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/proc",
    "/sys",
];

/// All changes, by path.
///
/// # Errors
/// A folder can't be read.
pub fn changes(container: &Container) -> Result<Vec<(PathBuf, Kind)>> {
    let upper = container.folder.join("upper");
    let mut layers = container.with(|record| record.config.layers.clone());
    // The uppermost first.
    layers.reverse();
    let mut all = Vec::new();
    if upper.is_dir() {
        folder(&upper, &layers, Path::new("/"), &mut all)
            .map_err(|error| Error::internal(format!("reading {}", upper.display()), error))?;
    }
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(all)
}

/// What has changed in `upper`, over the folders `lower` of the same path; whether anything has.
fn folder(upper: &Path, lower: &[PathBuf], path: &Path, all: &mut Vec<(PathBuf, Kind)>) -> io::Result<bool> {
    let before = all.len();
    let names = names(upper)?;
    for name in &names {
        let (here, path) = (upper.join(name), path.join(name));
        let Ok(data) = here.symlink_metadata() else { continue };
        let (below, folders) = look(lower, name);
        if is_whiteout(&data) {
            if below.is_some() {
                all.push((path, Kind::Removed));
            }
            continue;
        }
        let Some(below) = below else {
            if !OURS.iter().any(|ours| path == Path::new(ours)) {
                all.push((path.clone(), Kind::Added));
                if data.is_dir() {
                    folder(&here, &[], &path, all)?;
                }
            }
            continue;
        };
        if !data.is_dir() {
            all.push((path, Kind::Changed));
            continue;
        }
        let place = all.len();
        let opaque = is_opaque(&here);
        if opaque {
            // What the hidden folder had, and this one doesn't.
            hidden(&folders, &here, &path, all)?;
        }
        let inside = folder(&here, &folders, &path, all)? || all.len() > place;
        let other = (data.mode(), data.uid(), data.gid()) != (below.mode(), below.uid(), below.gid());
        // (Its time is another one also when only a place of ours was made in it.)
        if inside || other || opaque {
            all.insert(place, (path, Kind::Changed));
        }
    }
    Ok(all.len() > before)
}

/// What has this name in the lower folders, and the folders that show through there.
fn look(lower: &[PathBuf], name: &OsString) -> (Option<Metadata>, Vec<PathBuf>) {
    let (mut found, mut folders) = (None, Vec::new());
    for layer in lower {
        let here = layer.join(name);
        let Ok(data) = here.symlink_metadata() else { continue };
        if is_whiteout(&data) || !data.is_dir() && found.is_some() {
            break;
        }
        let (is_folder, opaque) = (data.is_dir(), is_opaque(&here));
        found.get_or_insert(data);
        if !is_folder {
            break;
        }
        folders.push(here);
        if opaque {
            break;
        }
    }
    (found, folders)
}

fn hidden(folders: &[PathBuf], upper: &Path, path: &Path, all: &mut Vec<(PathBuf, Kind)>) -> io::Result<()> {
    let mut gone = BTreeSet::new();
    for folder in folders {
        gone.extend(names(folder)?);
    }
    for name in gone {
        if look(folders, &name).0.is_some() && upper.join(&name).symlink_metadata().is_err() {
            all.push((path.join(name), Kind::Removed));
        }
    }
    Ok(())
}

fn names(folder: &Path) -> io::Result<BTreeSet<OsString>> {
    match fs::read_dir(folder) {
        // Gone since its name was read.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        entries => Ok(entries?.flatten().map(|entry| entry.file_name()).collect()),
    }
}

fn is_whiteout(data: &Metadata) -> bool {
    data.file_type().is_char_device() && data.rdev() == 0
}

fn is_opaque(folder: &Path) -> bool {
    images::unpack::is_opaque(folder)
}
