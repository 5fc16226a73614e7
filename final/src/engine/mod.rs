//! The engine: what exists (containers, images, networks, volumes) and what may happen next.
//!
//! It knows no HTTP, and does no kernel work of its own: what a container is made of is carried
//! out by its monitor, a process apart, so that containers outlive the engine.

pub mod attach;
pub mod capabilities;
pub mod changes;
pub mod config;
pub mod containers;
pub mod copy;
pub mod copy_up;
pub mod create;
pub mod devices;
pub mod endpoints;
pub mod error;
pub mod events;
pub mod exec;
pub mod files;
pub mod health;
pub mod images;
pub mod limits;
pub mod log_driver;
pub mod monitor;
pub mod mounts;
pub mod names;
pub mod networks;
pub mod options;
pub mod pause;
pub mod platform;
pub mod ports;
pub mod processes;
pub mod profile;
pub mod prune;
pub mod ps;
pub mod reconcile;
pub mod resources;
pub mod restart;
pub mod security;
pub mod sharing;
pub mod spec;
pub mod start;
pub mod stats;
pub mod stop;
pub mod sysctls;
pub mod tree;
pub mod ulimits;
pub mod update;
pub mod volumes;

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use containers::Containers;
use error::{Error, Result};
use events::Events;
use exec::Execs;
use images::Images;
use networks::Networks;
use ports::Ports;
use prune::Pruning;
use rootfs::OwnBinary;
use volumes::Volumes;

/// Where an engine keeps things, and what it was told at its start.
#[derive(Debug)]
pub struct Settings {
    /// What outlives the machine's restart: `/var/lib/canoa`.
    pub data_root: PathBuf,
    /// What doesn't: `/run/canoa`.
    pub exec_root: PathBuf,
    /// The group below which each container gets its own: `/canoa`.
    pub cgroup_parent: String,
    /// The network namespace in which bridges and containers' cables live, where it is not the
    /// engine's own (rootless).
    pub netns: Option<OwnedFd>,
}

/// All of it.
#[derive(Debug)]
pub struct Engine {
    /// What it was told at its start.
    pub settings: Settings,
    /// The containers.
    pub containers: Containers,
    /// Programs started in running containers.
    pub execs: Execs,
    /// The images.
    pub images: Images,
    /// The networks and who has which address.
    pub networks: Networks,
    /// The ports of the host that containers have.
    pub ports: Ports,
    /// The named volumes.
    pub volumes: Volumes,
    /// What happens, for those who watch.
    pub events: Events,
    /// This program, to start monitors from.
    pub own_binary: OwnBinary,
    /// Who prunes.
    pub pruning: Pruning,
    /// Held by all who make a container, from the look at its image and volumes until it is there; and alone
    /// by who removes an image or a volume that no container has.
    making: RwLock<()>,
    /// Which limits this machine gives, once somebody has asked.
    support: OnceLock<cgroups::Support>,
}

impl Engine {
    /// Opens the data root and reads what is there. Nothing is started and nothing repaired yet:
    /// that is [`reconcile::reconcile`].
    ///
    /// # Errors
    /// A folder can't be made or read; the message names it.
    pub fn open(settings: Settings) -> Result<Arc<Engine>> {
        let data = &settings.data_root;
        let containers = Containers::open(data.join("containers"))?;
        let images = Images::open(data)?;
        let networks = Networks::open(data)?;
        let volumes = Volumes::open(data.join("volumes"))?;
        std::fs::create_dir_all(&settings.exec_root)
            .map_err(|error| Error::internal(format!("creating {}", settings.exec_root.display()), error))?;
        Ok(Arc::new(Engine {
            containers,
            execs: Execs::default(),
            images,
            networks,
            ports: Ports::default(),
            volumes,
            events: Events::default(),
            own_binary: OwnBinary::seal(),
            pruning: Pruning::default(),
            making: RwLock::default(),
            support: OnceLock::new(),
            settings,
        }))
    }

    /// While this is held no image or volume that nobody uses is removed: its holder is about to use it.
    pub fn making(&self) -> RwLockReadGuard<'_, ()> {
        self.making.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// While this is held no container is made: what nobody uses stays unused.
    pub fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.making.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which limits this machine gives. The first who asks waits for the kernel.
    pub fn support(&self) -> &cgroups::Support {
        self.support.get_or_init(|| limits::support(&self.settings.cgroup_parent))
    }

    /// Whether something runs, or is about to: then the engine must not end by itself.
    pub fn is_busy(&self) -> bool {
        self.containers.all().iter().any(|container| container.is_running() || container.is_restarting())
    }
}
