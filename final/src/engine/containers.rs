//! The containers that exist, by name and id, and what is known of each.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use lifecycle::record::{self, Record, Records, State, Status};
use namespaces::Process;
use tokio::sync::{Mutex as AsyncMutex, watch};

use super::attach::Waiting;
use super::config::Config;
use super::error::{Error, Result, name_taken};
use super::health::Kept;
use super::names;
use super::tree::Tree;

/// One container.
#[derive(Debug)]
pub struct Container {
    /// 64 hexadecimal digits.
    pub id: String,
    /// `DATA_ROOT/containers/ID`.
    pub folder: PathBuf,
    /// Held by whoever starts, stops, renames or removes it: one at a time. Waiting, attaching and
    /// reading logs don't take it.
    pub operation: AsyncMutex<()>,
    /// Who may mount its files, and who reads them.
    pub tree: Tree,
    /// Who attached before the start: they are handed to the monitor.
    pub waiting: Waiting,
    /// Whether it is well, as far as somebody looks.
    pub health: Kept,
    record: Mutex<Record<Config>>,
    /// Held while the record is being written, so that the last state is what stays.
    saving: Mutex<()>,
    life: watch::Sender<Life>,
}

/// What waiters wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Life {
    /// How many runs have ended since the engine knows it, failed starts included.
    pub ended: u64,
    /// Whether it runs.
    pub running: bool,
    /// Whether it waits for its next run, by its restart policy.
    pub restarting: bool,
    /// Whether the last run's monitor still cleans up.
    pub cleaning: bool,
    /// Whether it was removed.
    pub removed: bool,
}

/// How long ago its last run began; nothing if it never ran, or the clock has been set back.
pub fn has_run(state: &State) -> Duration {
    let started = state.started_at.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
    started
        .map_or(Duration::ZERO, |time| Timestamp::now().duration_since(time).try_into().unwrap_or_default())
}

impl Container {
    fn new(folder: PathBuf, record: Record<Config>) -> Arc<Container> {
        Arc::new(Container {
            id: record.id.clone(),
            folder,
            operation: AsyncMutex::new(()),
            tree: Tree::default(),
            waiting: Waiting::default(),
            health: Kept::default(),
            record: Mutex::new(record),
            saving: Mutex::new(()),
            life: watch::Sender::new(Life::default()),
        })
    }

    /// Everything that is written down of it, as it is now.
    pub fn record(&self) -> Record<Config> {
        self.lock().clone()
    }

    /// Reads something of the record without copying it all.
    pub fn with<T>(&self, read: impl FnOnce(&Record<Config>) -> T) -> T {
        read(&self.lock())
    }

    /// Its name, without a slash.
    pub fn name(&self) -> String {
        self.with(|record| record.name.clone())
    }

    /// Its state.
    pub fn state(&self) -> State {
        self.with(|record| record.state.clone())
    }

    /// Whether its PID 1 lives, as far as the engine knows.
    pub fn is_running(&self) -> bool {
        self.with(|record| matches!(record.state.status, Status::Running | Status::Paused))
    }

    /// Whether it waits for its next run, by its restart policy.
    pub fn is_restarting(&self) -> bool {
        self.with(|record| record.state.status == Status::Restarting)
    }

    /// Its PID 1, if it runs.
    ///
    /// # Errors
    /// Conflict, in Docker's words.
    pub fn process(&self) -> Result<Process> {
        match self.state() {
            State { process: Some(process), status: Status::Running | Status::Paused, .. } => Ok(process),
            State { status: Status::Restarting, .. } => Err(Error::conflict(format!(
                "Container {} is restarting, wait until the container is running",
                self.id
            ))),
            _ => Err(Error::conflict(format!("Container {} is not running", self.id))),
        }
    }

    /// What it is in, for those who wait.
    pub fn life(&self) -> watch::Receiver<Life> {
        self.life.subscribe()
    }

    /// Whether somebody waits for what becomes of it.
    pub fn is_awaited(&self) -> bool {
        self.life.receiver_count() > 0
    }

    /// Tells those who wait that something has changed.
    pub fn tell(&self, change: impl FnOnce(&mut Life)) {
        self.life.send_modify(change);
    }

    fn lock(&self) -> MutexGuard<'_, Record<Config>> {
        // A panic elsewhere can't have left a record half changed: changes are single assignments.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All containers. The record files are what counts; this is the same in memory, as the engine is
/// the only one that writes them.
#[derive(Debug)]
pub struct Containers {
    records: Records<Config>,
    all: Mutex<HashMap<String, Arc<Container>>>,
}

impl Containers {
    /// Reads the records below `root`.
    pub fn open(root: PathBuf) -> Result<Containers> {
        let records = Records::<Config>::open(root)?;
        records.sweep()?;
        for error in records.unreadable()? {
            tracing::warn!("left as it is: {error}");
        }
        let all = records.list()?.into_iter().map(|record| {
            let container = Container::new(records.folder(&record.id), record);
            (container.id.clone(), container)
        });
        let all = Mutex::new(all.collect());
        Ok(Containers { records, all })
    }

    /// All of them, the newest first.
    pub fn all(&self) -> Vec<Arc<Container>> {
        let mut all: Vec<_> = self.lock().values().cloned().collect();
        all.sort_by_cached_key(|container| {
            std::cmp::Reverse(container.with(|record| record.created_at.clone()))
        });
        all
    }

    /// The container that a person calls `name`: a name, an id or the beginning of one.
    ///
    /// # Errors
    /// Not found, or more than one, in Docker's words.
    pub fn find(&self, name: &str) -> Result<Arc<Container>> {
        let all = self.lock();
        if let Some(container) = all.get(name) {
            return Ok(container.clone());
        }
        let named: Vec<(String, &Arc<Container>)> = all.values().map(|one| (one.name(), one)).collect();
        let pairs = named.iter().map(|(name, one)| (one.id.as_str(), name.as_str()));
        let position = record::find(pairs, name)?;
        Ok(named[position].1.clone())
    }

    /// Whether a new container may have this name, before anything is made for it.
    pub fn check_free(&self, name: &str) -> Result<()> {
        names::check("container", name)?;
        match self.lock().values().find(|one| one.with(|record| record.name == name)) {
            Some(other) => Err(name_taken(name, &other.id)),
            None => Ok(()),
        }
    }

    /// Makes a container: its folder and record, no process. `name` is reserved in the same step;
    /// without one it gets a name of ours.
    pub fn create(&self, name: Option<&str>, config: Config) -> Result<Arc<Container>> {
        if let Some(name) = name {
            names::check("container", name)?;
        }
        let id = record::new_id().map_err(|error| Error::internal("drawing an id", error))?;
        let mut all = self.lock();
        let owner = |name: &str| all.values().find(|one| one.with(|record| record.name == name));
        let name = match name {
            Some(name) => match owner(name) {
                Some(other) => return Err(name_taken(name, &other.id)),
                None => name.to_owned(),
            },
            None => (0..).map(names::random).find(|name| owner(name).is_none()).unwrap_or_else(|| id.clone()),
        };
        let created_at = record::now();
        let state = State::default();
        let record = Record { version: record::VERSION, id: id.clone(), name, created_at, config, state };
        // Under the lock: it is what makes "is the name free?" and "take it" one step.
        self.records.place(&record)?;
        let container = Container::new(self.records.folder(&id), record);
        all.insert(id, container.clone());
        Ok(container)
    }

    /// Changes a record, in memory and on disk.
    pub fn change(&self, container: &Container, change: impl FnOnce(&mut Record<Config>)) -> Result<()> {
        let _saving = container.saving.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut container.lock());
        if container.life.borrow().removed {
            // Its file is gone, or on its way.
            return Ok(());
        }
        Ok(self.records.save(&container.record())?)
    }

    /// Gives it another name.
    pub fn rename(&self, container: &Container, name: &str) -> Result<()> {
        names::check("container", name)?;
        let all = self.lock();
        if let Some(other) = all.values().find(|other| other.with(|record| record.name == name)) {
            if other.id == container.id {
                return Err(Error::invalid("Renaming a container with the same name as its current name"));
            }
            return Err(name_taken(name, &other.id));
        }
        let _saving = container.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let mut record = container.record();
        record.name = name.to_owned();
        self.records.save_durably(&record)?;
        container.lock().name = name.to_owned();
        Ok(())
    }

    /// Removes its folder and forgets it. Who calls this has seen to it that nothing of it runs.
    pub fn remove(&self, container: &Container) -> Result<()> {
        self.retire(container)?;
        self.erase(container)
    }

    /// The first half: it is out of sight and its name is free, while its monitor still cleans up.
    pub fn retire(&self, container: &Container) -> Result<()> {
        let _saving = container.saving.lock().unwrap_or_else(PoisonError::into_inner);
        self.records.retire(&container.id)?;
        self.lock().remove(&container.id);
        container.tell(|life| life.removed = true);
        Ok(())
    }

    /// The other half: its files.
    pub fn erase(&self, container: &Container) -> Result<()> {
        Ok(self.records.remove(&container.id)?)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Container>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
