//! Volumes: folders of ours that outlive the containers which use them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lifecycle::record::{new_id, now, replace};
use serde::{Deserialize, Serialize};

use super::Engine;
use super::config::MountPoint;
use super::containers::Container;
use super::error::{Error, Result};
use super::names;

/// One volume: `volumes/NAME/volume.json`, with its content in `_data` beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// The format of the file.
    pub version: u32,
    /// What people call it; 64 hexadecimal digits if nobody gave it a name.
    pub name: String,
    /// When it was made.
    pub created_at: String,
    /// Whatever its owner wants to remember of it.
    pub labels: BTreeMap<String, String>,
    /// Whether it was made for one container, without a name.
    pub anonymous: bool,
    /// Whether the image's files at its place have still to be copied into it, at its first use.
    #[serde(default)]
    pub fresh: bool,
}

/// All volumes.
#[derive(Debug)]
pub struct Volumes {
    root: PathBuf,
    all: Mutex<BTreeMap<String, Volume>>,
}

impl Volumes {
    /// Reads the volumes below `root`.
    pub fn open(root: PathBuf) -> Result<Volumes> {
        let io = |doing: &str, error| Error::internal(format!("{doing} {}", root.display()), error);
        fs::create_dir_all(&root).map_err(|error| io("creating", error))?;
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(&root).map_err(|error| io("reading", error))?.flatten() {
            // A folder without its file was half made or half removed, and nobody's data is in it.
            match fs::read(entry.path().join("volume.json")) {
                Ok(text) => match serde_json::from_slice::<Volume>(&text) {
                    Ok(volume) => drop(all.insert(volume.name.clone(), volume)),
                    Err(error) => tracing::warn!("left as it is: {}: {error}", entry.path().display()),
                },
                Err(_) => drop(fs::remove_dir(entry.path())),
            }
        }
        Ok(Volumes { root, all: Mutex::new(all) })
    }

    /// All of them, by name.
    pub fn all(&self) -> Vec<Volume> {
        self.lock().values().cloned().collect()
    }

    /// The volume of this name.
    pub fn find(&self, name: &str) -> Result<Volume> {
        let found = self.lock().get(name).cloned();
        found.ok_or_else(|| Error::not_found(format!("get {name}: no such volume")))
    }

    /// Where its content lies.
    pub fn data(&self, name: &str) -> PathBuf {
        self.root.join(name).join("_data")
    }

    /// Makes a volume, or finds the one that has this name already (that is no error to Docker).
    pub fn create(&self, name: Option<&str>, labels: BTreeMap<String, String>) -> Result<Volume> {
        let anonymous = name.is_none();
        let name = match name {
            Some(name) => {
                names::check("volume", name)?;
                name.to_owned()
            }
            None => new_id().map_err(|error| Error::internal("drawing an id", error))?,
        };
        let mut all = self.lock();
        if let Some(volume) = all.get(&name) {
            return Ok(volume.clone());
        }
        let volume = Volume { version: 1, name, created_at: now(), labels, anonymous, fresh: true };
        let folder = self.root.join(&volume.name);
        let failed = |error| Error::internal(format!("creating volume {}", volume.name), error);
        fs::create_dir_all(folder.join("_data")).map_err(failed)?;
        self.save(&volume).inspect_err(|_| drop(fs::remove_dir_all(&folder)))?;
        all.insert(volume.name.clone(), volume.clone());
        Ok(volume)
    }

    /// Notes that the first use of a volume is over: from now on its content is its own.
    pub fn used(&self, name: &str) -> Result<()> {
        let mut all = self.lock();
        match all.get_mut(name) {
            Some(volume) if volume.fresh => {
                volume.fresh = false;
                self.save(volume)
            }
            _ => Ok(()),
        }
    }

    /// Removes a volume and what is in it. Who calls this knows that nobody uses it.
    pub fn remove(&self, name: &str) -> Result<()> {
        let mut all = self.lock();
        let folder = self.root.join(name);
        let failed = |error: io::Error| Error::internal(format!("removing volume {name}"), error);
        // Its file goes first: whatever then stops us, nothing half removed looks like a volume.
        for gone in [fs::remove_file(folder.join("volume.json")), fs::remove_dir_all(&folder)] {
            match gone {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        all.remove(name);
        Ok(())
    }

    fn save(&self, volume: &Volume) -> Result<()> {
        let path = self.root.join(&volume.name).join("volume.json");
        let text =
            serde_json::to_vec_pretty(volume).map_err(|error| Error::internal("writing JSON", error))?;
        replace(&path, &text, true)
            .map_err(|error| Error::internal(format!("writing {}", path.display()), error))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Volume>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ids of the containers, running or not, that use a volume.
pub fn users(engine: &Engine, name: &str) -> Vec<String> {
    let uses = |container: &Arc<Container>| {
        let named = |mount: &MountPoint| mount.volume.as_deref() == Some(name);
        container.with(|record| record.config.mounts.iter().any(named)).then(|| container.id.clone())
    };
    engine.containers.all().iter().filter_map(uses).collect()
}

/// Removes a volume that nobody uses. `force` only means: no error if there is none.
pub fn remove(engine: &Engine, name: &str, force: bool) -> Result<()> {
    match engine.volumes.find(name) {
        Err(_) if force => return Ok(()),
        found => found?,
    };
    let _nobody_comes = engine.alone();
    let users = users(engine, name);
    if !users.is_empty() {
        return Err(Error::conflict(format!("remove {name}: volume is in use - [{}]", users.join(", "))));
    }
    engine.volumes.remove(name)?;
    engine.events.volume("destroy", name, &[]);
    Ok(())
}

/// Removes the volumes that were made for a container which then was not made.
pub fn discard(engine: &Engine, mounts: &[MountPoint]) {
    for name in mounts.iter().filter(|mount| mount.anonymous).filter_map(|mount| mount.volume.as_ref()) {
        // It may be another container's, from which this one was to have it.
        if users(engine, name).is_empty() && engine.volumes.remove(name).is_ok() {
            engine.events.volume("destroy", name, &[]);
        }
    }
}

/// Removes the volumes that were made for a container alone, which is going itself.
pub fn remove_anonymous(engine: &Engine, container: &Container) {
    let mounts = container.with(|record| record.config.mounts.clone());
    for name in mounts.iter().filter(|mount| mount.anonymous).filter_map(|mount| mount.volume.as_ref()) {
        let _nobody_comes = engine.alone();
        // Somebody may have found its name, and use it, too.
        if users(engine, name).iter().any(|user| *user != container.id) {
            continue;
        }
        match engine.volumes.remove(name) {
            Ok(()) => engine.events.volume("destroy", name, &[]),
            Err(error) => tracing::warn!("{error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_outlives_its_engine_and_goes_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("volumes");
        let volumes = Volumes::open(root.clone()).unwrap();
        let volume = volumes.create(Some("data"), BTreeMap::new()).unwrap();
        fs::write(volumes.data("data").join("file"), "x").unwrap();
        assert_eq!(volumes.create(Some("data"), BTreeMap::new()).unwrap(), volume);
        let again = Volumes::open(root.clone()).unwrap();
        assert_eq!(again.all(), [volume]);
        again.remove("data").unwrap();
        assert!(Volumes::open(root).unwrap().all().is_empty());
        assert!(matches!(again.find("data"), Err(error) if error.message == "get data: no such volume"));
    }

    #[test]
    fn a_volumes_name_leads_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let volumes = Volumes::open(folder.path().join("volumes")).unwrap();
        for name in ["..", "../x", "a/b", ".", ""] {
            volumes.create(Some(name), BTreeMap::new()).unwrap_err();
        }
    }
}
