//! All records below one folder: made, changed and removed so that a crash leaves none by halves.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use namespaces::step;
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
/// The record's file in its folder.
const FILE: &str = "container.json";

impl<C: Serialize + DeserializeOwned + Clone> Records<C> {
    /// The records below `root`, which is made if it isn't there.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        step("make folder", root.display(), || fs::create_dir_all(&root))?;
        Ok(Records { root, config: PhantomData })
    }

    /// The folder of one container.
    pub fn folder(&self, id: &str) -> PathBuf {
        self.root.join(id)
    }

    /// A new container: reserving the name and creating are one step, even when two programs
    /// want the same name at the same moment. When it returns, the disk has it.
    // ANCHOR: create
    pub fn create(&self, record: &Record<C>) -> Result<()> {
        // What waits for the disk is done before and after: for the lock everybody waits.
        let temporary = self.lock().and_then(|_lock| Temporary::make(self.temporary(&record.id)))?;
        write(&temporary.path, record, true)?;
        {
            let _lock = self.lock()?;
            self.free(&record.name, &record.id)?;
            temporary.place(&self.folder(&record.id))?;
        }
        Ok(sync(&self.root)?)
    }
    // ANCHOR_END: create

    /// As [`Records::create`], for the one program that owns the whole folder and knows by heart
    /// that the name is free: the daemon. It does not wait for the disk.
    // ANCHOR: place
    pub fn place(&self, record: &Record<C>) -> Result<()> {
        let temporary = Temporary::make(self.temporary(&record.id))?;
        write(&temporary.path, record, false)?;
        temporary.place(&self.folder(&record.id))
    }
    // ANCHOR_END: place

    /// Gives a container another name, under the same lock as [`Records::create`].
    pub fn rename(&self, record: &mut Record<C>, name: &str) -> Result<()> {
        let renamed = Record { name: name.to_owned(), ..record.clone() };
        {
            let _lock = self.lock()?;
            self.free(name, &record.id)?;
            self.save(&renamed)?;
        }
        *record = renamed;
        let folder = self.folder(&record.id);
        step("sync file", folder.display(), || File::open(folder.join(FILE))?.sync_all())?;
        Ok(sync(&folder)?)
    }

    /// Whether nobody else has this name. Only under the lock does that mean anything.
    fn free(&self, name: &str, id: &str) -> Result<()> {
        match self.list()?.into_iter().find(|other| other.name == name && other.id != id) {
            Some(other) => Err(Error::NameTaken { name: other.name, id: other.id }),
            None => Ok(()),
        }
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
        let path = self.folder(id).join(FILE);
        let text = match step("read record", path.display(), || fs::read(&path)) {
            Err(error) if error.errno == libc::ENOENT => return Err(Error::NotFound(id.to_owned())),
            read => read?,
        };
        let record: Record<C> = match parse(&text) {
            Ok(record) => record,
            Err(reason) => return Err(Error::Unreadable { path, reason }),
        };
        // What is done to a container is done by the id in its record: it mustn't lead to another's folder.
        if record.id == id {
            return Ok(record);
        }
        Err(Error::Unreadable {
            path,
            reason: format!("it is the record of another container: {:?}", record.id),
        })
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
        Ok(remove_all(&self.retired(id))?)
    }

    /// The first half of [`Records::remove`]: in one step the container is out of sight, so that a
    /// crash half-way can't leave one without its files behind. The files themselves may still be
    /// in use, and are removed later.
    pub fn retire(&self, id: &str) -> Result<()> {
        let folder = self.folder(id);
        match step("retire folder", folder.display(), || fs::rename(&folder, self.retired(id))) {
            Err(error) if error.errno == libc::ENOENT => Ok(()),
            renamed => Ok(renamed?),
        }
    }

    pub(super) fn temporary(&self, id: &str) -> PathBuf {
        self.root.join(format!("{TEMPORARY}{id}"))
    }

    fn retired(&self, id: &str) -> PathBuf {
        self.temporary(&format!("gone-{id}"))
    }

    /// Removes what a crash left half made or half removed, and leaves what somebody is making now. Who
    /// uses [`Records::place`] must not do so meanwhile.
    pub fn sweep(&self) -> Result<()> {
        let _lock = self.lock()?;
        for entry in self.entries()? {
            let path = self.root.join(&entry);
            let busy = || File::open(&path).is_ok_and(|folder| folder.try_lock().is_err());
            if entry.to_string_lossy().starts_with(TEMPORARY) && !busy() {
                remove_all(&path)?;
            }
        }
        Ok(())
    }

    /// The ids of all folders here, sorted.
    fn ids(&self) -> Result<Vec<String>> {
        let names = self.entries()?.into_iter().filter_map(|name| name.into_string().ok());
        let mut ids: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        ids.sort();
        Ok(ids)
    }

    fn entries(&self) -> Result<Vec<OsString>> {
        let read =
            || fs::read_dir(&self.root)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>();
        Ok(step("read folder", self.root.display(), read)?)
    }

    /// The lock that makes "look whether the name is free, then take it" one step. It goes with
    /// the descriptor: a program that is killed leaves no lock behind.
    fn lock(&self) -> Result<File> {
        let path = self.root.join(".lock");
        let options = || File::options().write(true).create(true).truncate(false).open(&path);
        let file = step("open lock", path.display(), options)?;
        step("lock", path.display(), || file.lock())?;
        Ok(file)
    }
}

/// A folder on its way to become a container's. It is locked as long as somebody is making it, so that
/// [`Records::sweep`] knows it from what a crash has left; dropped, it is gone.
struct Temporary {
    path: PathBuf,
    _lock: File,
}

impl Temporary {
    fn make(path: PathBuf) -> Result<Temporary> {
        step("make folder", path.display(), || fs::create_dir(&path))?;
        let lock = step("lock", path.display(), || {
            let folder = File::open(&path)?;
            folder.lock().map(|()| folder)
        });
        Ok(Temporary { _lock: lock.inspect_err(|_| drop(fs::remove_dir(&path)))?, path })
    }

    /// From now on it is there, and whole.
    fn place(self, folder: &Path) -> Result<()> {
        Ok(step("name folder", folder.display(), || fs::rename(&self.path, folder))?)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // When it was placed there is nothing of this name any more.
        let _ = fs::remove_dir_all(&self.path);
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
    let path = folder.join(FILE);
    let mut text = serde_json::to_vec_pretty(record)
        .map_err(|error| Error::Unreadable { path: path.clone(), reason: error.to_string() })?;
    text.push(b'\n');
    Ok(replace(&path, &text, durably)?)
}

/// Puts a whole new file in the place of the old one: a reader, or a start after a crash, sees the
/// one or the other and never a half. `durably`: it returns only when the disk has it.
// ANCHOR: replace
pub fn replace(path: &Path, text: &[u8], durably: bool) -> namespaces::Result<()> {
    // ANCHOR: ex-06-1
    // 1. A temporary file in the same folder: a rename doesn't lead from one file system to another.
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = step("make file in", folder.display(), || {
        tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder)
    })?;
    // 2. All of the text goes there.
    // (Through the file itself: tempfile would add its own path to the error.)
    step("write file", path.display(), || file.as_file_mut().write_all(text))?;
    // 3. If it is to last: wait until the disk has it. Else the rename may get there before the text.
    if durably {
        step("sync file", path.display(), || file.as_file().sync_all())?;
    }
    // 4. In one step it has the name of the old one, which is gone.
    step("name file", path.display(), || file.persist(path).map_err(|error| error.error))?;
    // 5. The name itself is in the folder, which is a file of its own to the disk: if it is to last,
    //    wait for that, too.
    if durably { sync(folder) } else { Ok(()) }
    // ANCHOR_END: ex-06-1
}
// ANCHOR_END: replace

fn sync(folder: &Path) -> namespaces::Result<()> {
    step("sync folder", folder.display(), || File::open(folder)?.sync_all())
}

fn remove_all(path: &Path) -> namespaces::Result<()> {
    step("remove folder", path.display(), || match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    })
}
