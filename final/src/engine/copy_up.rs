//! A new volume begins with what the image has at its place: so a database image brings its empty
//! database along, and the volume belongs to the user who will write there.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, fchown};
use std::path::Path;

use images::Overlay;
use images::ownership::{Ownership, Rights};
use lifecycle::record::Record;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use super::Engine;
use super::config::Config;
use super::error::{Error, Result};

/// Fills the container's volumes that nobody has used yet. Nothing of it runs, so its files can be
/// mounted here for a moment.
pub fn copy_up(engine: &Engine, folder: &Path, record: &Record<Config>) -> Result<()> {
    let config = &record.config;
    let fresh = config.mounts.iter().filter_map(|mount| {
        let name = mount.volume.as_deref()?;
        engine.volumes.find(name).is_ok_and(|volume| volume.fresh).then_some((name, mount))
    });
    let mut overlay: Option<OwnedFd> = None;
    for (name, mount) in fresh {
        let data = &mount.source;
        let failed = |error: io::Error| Error::internal(format!("filling volume {name}"), error);
        let empty = fs::read_dir(data).map_err(failed)?.next().is_none();
        if empty && !mount.nocopy {
            let root = match overlay.take() {
                Some(root) => root,
                None => merged(folder, config)?,
            };
            if let Some(place) = open_inside(&root, &mount.destination).map_err(failed)? {
                let filled = copy(place.as_fd(), data);
                if filled.is_err() {
                    // Half a database is worse than none: the next start begins again.
                    let _ = fs::remove_dir_all(data).and_then(|()| fs::create_dir(data));
                }
                filled
                    .map_err(|error| Error { message: format!("filling volume {name}: {error}"), ..error })?;
            }
            overlay = Some(root);
        }
        engine.volumes.used(name)?;
    }
    Ok(())
}

/// A container's files as one tree, mounted here and now. Nobody else may have them mounted.
pub fn merged(folder: &Path, config: &Config) -> Result<OwnedFd> {
    let (upper, work) = (folder.join("upper"), folder.join("work"));
    for path in [&upper, &work] {
        fs::create_dir_all(path)
            .map_err(|error| Error::internal(format!("creating {}", path.display()), error))?;
    }
    Ok(Overlay { lower: config.layers.clone(), upper, work }.mount()?)
}

/// The folder at this place in the container, whatever links lie on the way; none if there is none.
fn open_inside(root: &OwnedFd, place: &str) -> io::Result<Option<OwnedFd>> {
    // First as lesson 2 opens whatever an image names, then for reading.
    let opened = rootfs::inside::open(root, Path::new(place)).and_then(|found| {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        openat(&found, ".", flags, Mode::empty())
    });
    match opened {
        Ok(folder) => Ok(Some(folder)),
        Err(nix::Error::ENOENT | nix::Error::ENOTDIR) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Copies a tree the way images travel, as an archive: with owners, links, times and all.
fn copy(from: BorrowedFd<'_>, to: &Path) -> Result<()> {
    let failed = |error: io::Error| Error::internal(to.display(), error);
    let rights = Rights::detect();
    let (reader, writer) = io::pipe().map_err(failed)?;
    std::thread::scope(|scope| {
        let packing = scope.spawn(move || images::pack::pack(from, writer));
        let unpacked = images::unpack::unpack(reader, to, "volume", rights);
        let packed = packing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // If the reader gave up, the writer's "broken pipe" is not the reason.
        unpacked?;
        packed?;
        Ok::<_, Error>(())
    })?;
    let stat = nix::sys::stat::fstat(from).map_err(|errno| failed(errno.into()))?;
    let folder = fs::File::open(to).map_err(failed)?;
    if rights.ownership == Ownership::Kept {
        fchown(&folder, Some(stat.st_uid), Some(stat.st_gid)).map_err(failed)?;
    }
    folder.set_permissions(fs::Permissions::from_mode(stat.st_mode & 0o7777)).map_err(failed)
}
