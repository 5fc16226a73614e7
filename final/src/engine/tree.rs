//! A container's files as one tree: for export and cp.
//!
//! While it runs, its monitor has them mounted and lends the descriptor: with it one sees what the
//! container sees, its volumes too. While it doesn't run, they are mounted for the moment, in a mount
//! namespace that is made for this and ends with its thread, with the volumes at their places.
//!
//! There are never two overlays on one upper folder: the kernel calls what would come of it undefined.
//! So who mounts it is alone; those who read by the monitor's descriptor are many. And somebody at the
//! other end of a slow connection can hold on to a tree for ever, which must not keep a container from
//! being started or removed: who is waited for has to get on, or is cut off.

use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lifecycle::record::Record;
use namespaces::step;
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use rootfs::inside::{self, Kind};
use rootfs::mount_api::{move_mount, open_tree, set_attributes};
use tokio::runtime::Handle;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, watch};

use super::config::Config;
use super::containers::Container;
use super::copy_up::{copy_up, merged};
use super::error::{Error, Result, blocking};
use super::{Engine, monitor, stop};

/// How long one piece may take on its way to or from a client when somebody waits for the tree.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who has a container's files.
#[derive(Debug)]
pub struct Tree {
    lock: Arc<RwLock<()>>,
    wanted: watch::Sender<Wanted>,
}

/// Who waits to have them alone.
#[derive(Debug, Clone, Copy, Default)]
struct Wanted {
    waiting: u32,
    at_once: bool,
}

/// How much haste somebody is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Haste {
    /// Who gets on may finish.
    Some,
    /// Nobody has anything more to expect.
    Great,
}

impl Default for Tree {
    fn default() -> Self {
        Tree { lock: Arc::default(), wanted: watch::Sender::new(Wanted::default()) }
    }
}

impl Tree {
    /// Waits until nobody has the files, and keeps everybody away while the guard lives.
    pub async fn alone(&self, haste: Haste) -> OwnedRwLockWriteGuard<()> {
        /// One who waits no longer, also when its request was given up.
        struct Waits<'a>(&'a watch::Sender<Wanted>);
        impl Drop for Waits<'_> {
            fn drop(&mut self) {
                self.0.send_modify(|wanted| wanted.waiting -= 1);
            }
        }
        self.wanted.send_modify(|wanted| {
            wanted.waiting += 1;
            wanted.at_once |= haste == Haste::Great;
        });
        let _waits = Waits(&self.wanted);
        self.lock.clone().write_owned().await
    }

    async fn shared(&self) -> OwnedRwLockReadGuard<()> {
        self.lock.clone().read_owned().await
    }
}

/// For whoever passes bytes between a client and a tree, on a thread that may wait.
#[derive(Debug, Clone)]
pub struct Passing {
    wanted: watch::Receiver<Wanted>,
    runtime: Handle,
}

impl Passing {
    /// Waits for one piece to come or go, as long as nobody else has waited too long for it.
    ///
    /// # Errors
    /// Somebody has.
    pub fn piece<T>(&mut self, piece: impl Future<Output = T>) -> io::Result<T> {
        let Passing { wanted, runtime } = self;
        runtime.block_on(async {
            let cut_off = async {
                match wanted.wait_for(|wanted| wanted.waiting > 0).await.map(|wanted| wanted.at_once) {
                    Ok(true) | Err(_) => {}
                    Ok(false) => tokio::time::sleep(PATIENCE).await,
                }
            };
            tokio::select! {
                biased;
                done = piece => Ok(done),
                () = cut_off => Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client is too slow, and the container is to be started or removed",
                )),
            }
        })
    }
}

/// A tree, for the time of one operation.
#[derive(Debug)]
pub struct Merged {
    /// Its root.
    pub root: OwnedFd,
    /// The way to the client.
    pub passing: Passing,
}

/// Does something with a container's files, on a thread that may wait.
///
/// # Errors
/// They can't be mounted; the work's own.
pub async fn with<T: Send + 'static>(
    engine: &Arc<Engine>,
    container: &Arc<Container>,
    work: impl FnOnce(Merged) -> Result<T> + Send + 'static,
) -> Result<T> {
    let tree = &container.tree;
    let passing = Passing { wanted: tree.wanted.subscribe(), runtime: Handle::current() };
    loop {
        if container.is_running() {
            let shared = tree.shared().await;
            if !container.is_running() {
                continue;
            }
            let socket = engine.socket(&container.id);
            return blocking(move || {
                let _shared = shared;
                work(Merged { root: monitor::root(&socket)?, passing })
            })
            .await;
        }
        stop::cleaned(container).await;
        let alone = tree.alone(Haste::Some).await;
        if container.life().borrow().removed {
            return Err(Error::not_found(format!("No such container: {}", container.id)));
        }
        if container.is_running() {
            continue;
        }
        let (engine, container) = (engine.clone(), container.clone());
        return blocking(move || {
            let _alone = alone;
            let record = container.record();
            // A volume that nobody has used yet gets what the image has for it, as at a start.
            copy_up(&engine, &container.folder, &record)?;
            let folder = container.folder.clone();
            // A thread of its own, since its mount namespace changes.
            let thread =
                std::thread::spawn(move || work(Merged { root: mounted(&folder, &record)?, passing }));
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
        .await;
    }
}

/// Mounts it with its volumes, in a new mount namespace for this thread.
fn mounted(folder: &Path, record: &Record<Config>) -> Result<OwnedFd> {
    step("unshare", "mount namespace", || unshare(CloneFlags::CLONE_NEWNS))?;
    let none = None::<&str>;
    step("cut propagation of", "/", || mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none))?;
    let config = &record.config;
    let overlay = merged(folder, config)?;
    let place = folder.join("rootfs");
    fs::create_dir_all(&place)
        .map_err(|error| Error::internal(format!("creating {}", place.display()), error))?;
    let here = |path: &Path| open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty());
    step("mount overlay", place.display(), || move_mount(&overlay, &here(&place)?))?;
    let root = step("open", place.display(), || here(&place))?;
    let mut mounts: Vec<_> = config.mounts.iter().collect();
    // What lies in another comes after it.
    mounts.sort_by_key(|mount| Path::new(&mount.destination).components().count());
    for mount in mounts {
        let source = mount.source.as_path();
        let Ok(data) = source.metadata() else {
            // A folder of the host that is gone: the start will say so.
            continue;
        };
        let kind = if data.is_dir() { Kind::Folder } else { Kind::File };
        let target = inside::open_or_make(&root, Path::new(&mount.destination), kind, false)?;
        let copy = step("copy mount of", source.display(), || open_tree(None, source, true))?;
        if !mount.writable {
            step("make read-only", source.display(), || {
                set_attributes(&copy, libc::MOUNT_ATTR_RDONLY, true)
            })?;
        }
        step("mount", &mount.destination, || move_mount(&copy, &target))?;
    }
    // Last, since places were made in it.
    if config.host().readonly_rootfs == Some(true) {
        step("make read-only", "/", || set_attributes(&overlay, libc::MOUNT_ATTR_RDONLY, false))?;
    }
    Ok(root)
}

/// The places in a container whose content is its own, though it is mounted.
pub fn own_mounts(container: &Container) -> Vec<PathBuf> {
    container
        .with(|record| record.config.mounts.iter().map(|mount| PathBuf::from(&mount.destination)).collect())
}

/// Bytes on their way to a client, in pieces. It waits while the client is slow.
#[derive(Debug)]
pub struct Pieces<F> {
    passing: Passing,
    send: F,
    buffer: Vec<u8>,
}

const PIECE: usize = 64 * 1024;

impl<F: AsyncFnMut(Vec<u8>) -> bool> Pieces<F> {
    /// `send` takes one piece; false: the client has left.
    pub fn new(passing: Passing, send: F) -> Self {
        Pieces { passing, send, buffer: Vec::with_capacity(PIECE) }
    }
}

impl<F: AsyncFnMut(Vec<u8>) -> bool> Write for Pieces<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        match self.passing.piece((self.send)(piece))? {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the client has left")),
        }
    }
}

/// The root of an operation, for what only needs to be borrowed.
impl AsFd for Merged {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.root.as_fd()
    }
}
