//! All records below one folder: made, changed and removed so that a crash leaves none by halves.

use std::fs::{self, File};
use std::io::{self, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Error, Record, Result, VERSION, find};

/// All records below one folder.
#[derive(Debug)]
pub struct Records<C> {
    root: PathBuf,
    config: PhantomData<fn() -> C>,
}

/// Half-made and half-removed folders begin so; ids are hexadecimal digits and never do.
const TEMPORARY: &str = ".tmp-";

impl<C: Serialize + DeserializeOwned> Records<C> {
    /// The records below `root`, which is made if it isn't there.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(io_error("creating", &root))?;
        Ok(Records { root, config: PhantomData })
    }

    /// The folder of one container.
    pub fn folder(&self, id: &str) -> PathBuf {
        self.root.join(id)
    }

    /// A new container: reserving the name and creating are one step, even when two programs
    /// want the same name at the same moment.
    pub fn create(&self, record: &Record<C>) -> Result<()> {
        let _lock = self.lock()?;
        if let Some(other) = self.list()?.into_iter().find(|other| other.name == record.name) {
            return Err(Error::NameTaken { name: record.name.clone(), id: other.id });
        }
        self.place(record)
    }

    /// As [`Records::create`], for the one program that owns the whole folder and knows by heart
    /// that the name is free: the daemon.
    // ANCHOR: place
    pub fn place(&self, record: &Record<C>) -> Result<()> {
        let temporary = self.root.join(format!("{TEMPORARY}{}", record.id));
        let folder = self.folder(&record.id);
        fs::create_dir(&temporary).map_err(io_error("creating", &temporary))?;
        let placed = write(&temporary, record, false)
            .and_then(|()| fs::rename(&temporary, &folder).map_err(io_error("creating", &folder)));
        if placed.is_err() {
            let _ = fs::remove_dir_all(&temporary);
        }
        placed
    }
    // ANCHOR_END: place

    /// Gives a container another name, under the same lock as [`Records::create`].
    pub fn rename(&self, record: &mut Record<C>, name: &str) -> Result<()> {
        let _lock = self.lock()?;
        let others = self.list()?;
        if let Some(other) = others.iter().find(|other| other.name == name && other.id != record.id) {
            return Err(Error::NameTaken { name: name.to_owned(), id: other.id.clone() });
        }
        let old = std::mem::replace(&mut record.name, name.to_owned());
        let saved = self.save_durably(record);
        if saved.is_err() {
            record.name = old;
        }
        saved
    }

    /// Writes a record anew. After a power cut the file may hold the state before: good enough for
    /// what the next start finds out by itself anyway (does it run?), and it costs no disk wait.
    pub fn save(&self, record: &Record<C>) -> Result<()> {
        write(&self.folder(&record.id), record, false)
    }

    /// As [`Records::save`], and returns only when the disk has it.
    pub fn save_durably(&self, record: &Record<C>) -> Result<()> {
        write(&self.folder(&record.id), record, true)
    }

    /// Reads one record by its full id.
    pub fn load(&self, id: &str) -> Result<Record<C>> {
        let path = self.folder(id).join("container.json");
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NotFound(id.to_owned()));
            }
            read => read.map_err(io_error("reading", &path))?,
        };
        parse(&text).map_err(|reason| Error::Unreadable { path, reason })
    }

    /// All readable records. One that can't be read (a newer format, a damaged disk) must not take
    /// the others with it: it is left out here, and named by [`Records::unreadable`].
    pub fn list(&self) -> Result<Vec<Record<C>>> {
        Ok(self.ids()?.iter().filter_map(|id| self.load(id).ok()).collect())
    }

    /// Why each record that [`Records::list`] leaves out can't be read.
    pub fn unreadable(&self) -> Result<Vec<Error>> {
        Ok(self.ids()?.iter().filter_map(|id| self.load(id).err()).collect())
    }

    /// Finds a container as people name it: by its name, its id, or the beginning of its id.
    pub fn find(&self, name: &str) -> Result<Record<C>> {
        let mut records = self.list()?;
        let names = records.iter().map(|record| (record.id.as_str(), record.name.as_str()));
        let position = find(names, name)?;
        Ok(records.swap_remove(position))
    }

    /// Removes a container's folder with all that is in it. Removing what isn't there is no error:
    /// whoever was interrupted can ask again.
    pub fn remove(&self, id: &str) -> Result<()> {
        self.retire(id)?;
        remove_all(&self.retired(id))
    }

    /// The first half of [`Records::remove`]: in one step the container is out of sight, so that a
    /// crash half-way can't leave one without its files behind. The files themselves may still be
    /// in use, and are removed later.
    pub fn retire(&self, id: &str) -> Result<()> {
        let folder = self.folder(id);
        match fs::rename(&folder, self.retired(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            renamed => renamed.map_err(io_error("removing", &folder)),
        }
    }

    fn retired(&self, id: &str) -> PathBuf {
        self.root.join(format!("{TEMPORARY}gone-{id}"))
    }

    /// Removes what a crash left half made or half removed. Under the same lock as
    /// [`Records::create`]; whoever uses [`Records::place`] must not do so meanwhile.
    pub fn sweep(&self) -> Result<()> {
        let _lock = self.lock()?;
        for entry in fs::read_dir(&self.root).map_err(io_error("reading", &self.root))?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                remove_all(&entry.path())?;
            }
        }
        Ok(())
    }

    /// The ids of all folders here, sorted.
    fn ids(&self) -> Result<Vec<String>> {
        let entries = fs::read_dir(&self.root).map_err(io_error("reading", &self.root))?;
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut ids: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        ids.sort();
        Ok(ids)
    }

    /// The lock that makes "look whether the name is free, then take it" one step. It goes with
    /// the descriptor: a program that is killed leaves no lock behind.
    fn lock(&self) -> Result<File> {
        let path = self.root.join(".lock");
        let options = File::options().write(true).create(true).truncate(false).open(&path);
        let file = options.map_err(io_error("opening", &path))?;
        file.lock().map_err(io_error("locking", &path))?;
        Ok(file)
    }
}

fn parse<C: DeserializeOwned>(text: &[u8]) -> Result<Record<C>, String> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    // The version first: the rest may have any shape in a newer format.
    let Version { version } = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if version > VERSION {
        return Err(format!("written by a newer canoa (format {version}, this one knows {VERSION})"));
    }
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

fn write<C: Serialize>(folder: &Path, record: &Record<C>, durably: bool) -> Result<()> {
    let path = folder.join("container.json");
    let mut text = serde_json::to_vec_pretty(record)
        .map_err(|error| Error::Unreadable { path: path.clone(), reason: error.to_string() })?;
    text.push(b'\n');
    replace(&path, &text, durably).map_err(io_error("writing", &path))
}

/// Puts a whole new file in the place of the old one: a reader, or a start after a crash, sees the
/// one or the other and never a half.
pub fn replace(path: &Path, text: &[u8], durably: bool) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder)?;
    file.write_all(text)?;
    if durably {
        file.as_file().sync_all()?;
    }
    file.persist(path).map_err(|error| error.error)?;
    if durably {
        // The rename itself is in the folder, which is a file of its own to the disk.
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn remove_all(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(io_error("removing", path)),
    }
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { doing, path, source }
}
