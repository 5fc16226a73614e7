//! The record: what is known of a container while no process of it lives.
//!
//! A container is more than a process: it has a name, it can be started again, and somebody will
//! ask how it ended. All that is one folder for each container, with a file in it that a person
//! can read: `containers/ID/container.json`. The kernel's objects come and go; the record stays
//! until `rm`.
//!
//! What can go wrong is a crash in the middle. So a record comes into being whole (made in a
//! folder with a temporary name, then renamed), changes whole (temporary file, renamed over the
//! old one) and goes whole (renamed away, then deleted). What a crash leaves under a temporary name
//! is swept away at the next start.

use std::fs::{self, File};
use std::io::{self, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use namespaces::Process;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The format that this code writes. A newer one is refused, never misread.
pub const VERSION: u32 = 1;

/// Everything that is known of one container. `C` is what it was asked to be: the engine keeps
/// Docker's create body there, lesson 6's small tool its own few flags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record<C> {
    /// The format of this file: [`VERSION`].
    pub version: u32,
    /// 64 hexadecimal digits, for ever the same.
    pub id: String,
    /// Unique among the living; people may change it.
    pub name: String,
    /// When it was created: RFC 3339, UTC, nanoseconds.
    pub created_at: String,
    /// What it was asked to be.
    pub config: C,
    /// What has become of it.
    pub state: State,
}

/// What has become of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// In one word.
    pub status: Status,
    /// Its PID 1 as the host sees it, while there is one.
    #[serde(with = "process", default)]
    pub process: Option<Process>,
    /// How the last run ended: its own code, or 128 + the signal. 0 before the first.
    pub exit_code: i32,
    /// Why the last start failed, or empty.
    pub error: String,
    /// Whether the kernel killed something in it for want of memory.
    pub oom_killed: bool,
    /// The last start, RFC 3339, or none yet.
    pub started_at: Option<String>,
    /// The last end, RFC 3339, or none yet.
    pub finished_at: Option<String>,
}

/// A container's state in one word, Docker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Made, never started.
    #[default]
    Created,
    /// Its PID 1 lives.
    Running,
    /// Frozen.
    Paused,
    /// Between an exit and the next start by its restart policy.
    Restarting,
    /// It ran, and ended.
    Exited,
    /// Half removed.
    Dead,
}

impl Status {
    /// The word itself: `running`.
    pub fn word(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Restarting => "restarting",
            Status::Exited => "exited",
            Status::Dead => "dead",
        }
    }
}

/// How a record writes lesson 1's [`Process`] down, which itself knows nothing of JSON:
/// `{"pid":4242,"start_time":1234567}`. For `#[serde(with = …)]`.
pub mod process {
    use namespaces::Process;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Written {
        pid: i32,
        start_time: u64,
    }

    #[expect(missing_docs, clippy::missing_errors_doc, reason = "serde asks for exactly these two")]
    pub fn serialize<S: Serializer>(process: &Option<Process>, to: S) -> Result<S::Ok, S::Error> {
        process.map(|Process { pid, start_time }| Written { pid, start_time }).serialize(to)
    }

    #[expect(missing_docs, clippy::missing_errors_doc, reason = "serde asks for exactly these two")]
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Process>, D::Error> {
        let written = Option::<Written>::deserialize(from)?;
        Ok(written.map(|Written { pid, start_time }| Process { pid, start_time }))
    }
}

/// What can go wrong with records.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another container has that name.
    #[error(
        "the name {name} is in use by container {id}: remove or rename that container, or choose another"
    )]
    NameTaken {
        /// The name asked for.
        name: String,
        /// Who has it.
        id: String,
    },
    /// Nothing has that name or id.
    #[error("no such container: {0}")]
    NotFound(String),
    /// The beginning of more than one id.
    #[error("{0} is the beginning of several containers' ids: give more digits")]
    Ambiguous(String),
    /// The file system's answer.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A record that isn't one.
    #[error("reading {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Result of working with records.
pub type Result<T, E = Error> = std::result::Result<T, E>;

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

/// The place, among `(id, name)` pairs, of what a person calls `wanted`: an exact id wins, then a
/// name, then the only id that begins so.
pub fn find<'a>(all: impl Iterator<Item = (&'a str, &'a str)>, wanted: &str) -> Result<usize> {
    let wanted = wanted.strip_prefix('/').unwrap_or(wanted);
    let not_found = || Error::NotFound(wanted.to_owned());
    if wanted.is_empty() {
        return Err(not_found());
    }
    let mut named = None;
    let mut begins = Vec::new();
    for (position, (id, name)) in all.enumerate() {
        if id == wanted {
            return Ok(position);
        }
        if name == wanted {
            named = Some(position);
        } else if id.starts_with(wanted) {
            begins.push(position);
        }
    }
    match (named, begins.as_slice()) {
        (Some(position), _) => Ok(position),
        (None, [only]) => Ok(*only),
        (None, []) => Err(not_found()),
        (None, _) => Err(Error::Ambiguous(wanted.to_owned())),
    }
}

/// Whether people may name a container so: Docker's rule, `[a-zA-Z0-9][a-zA-Z0-9_.-]+`. It also
/// keeps names out of paths and out of the way of flags: no slash, no dot or dash at the beginning.
pub fn is_name(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    first && rest && (2..=255).contains(&text.len())
}

/// A new id: 64 hexadecimal digits from the kernel's random numbers.
///
/// # Errors
/// `/dev/urandom` can't be read.
pub fn new_id() -> io::Result<String> {
    let mut bytes = [0u8; 32];
    io::Read::read_exact(&mut File::open("/dev/urandom")?, &mut bytes)?;
    let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    // The first twelve digits become the hostname. A name of digits only would be taken for a
    // number or an address by some programs; Docker draws again, and so do we.
    if id[..12].bytes().all(|byte| byte.is_ascii_digit()) { new_id() } else { Ok(id) }
}

/// Now: RFC 3339, UTC, always nine digits after the point, so that texts sort as times do.
pub fn now() -> String {
    format!("{:.9}", jiff::Timestamp::now())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, name: &str) -> Record<String> {
        Record {
            version: VERSION,
            id: id.to_owned(),
            name: name.to_owned(),
            created_at: now(),
            config: "sh".to_owned(),
            state: State::default(),
        }
    }

    fn records() -> (tempfile::TempDir, Records<String>) {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open(folder.path().join("containers")).unwrap();
        (folder, records)
    }

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        let (_folder, records) = records();
        let mut record = record("ab12", "boat");
        records.create(&record).unwrap();
        record.state.status = Status::Running;
        record.state.process = Process::with_pid(std::process::id() as i32).ok();
        records.save(&record).unwrap();
        assert_eq!(records.load("ab12").unwrap(), record);
    }

    #[test]
    fn of_many_who_want_a_name_at_once_one_gets_it() {
        let (_folder, records) = records();
        let won: usize = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..16)
                .map(|n| {
                    let records = &records;
                    scope.spawn(move || records.create(&record(&format!("{n:04x}"), "boat")).is_ok())
                })
                .collect();
            tries.into_iter().map(|won| usize::from(won.join().unwrap())).sum()
        });
        assert_eq!(won, 1);
        assert_eq!(records.list().unwrap().len(), 1);
    }

    #[test]
    fn a_taken_name_leaves_nothing_half_made() {
        let (_folder, records) = records();
        records.create(&record("ab12", "boat")).unwrap();
        let error = records.create(&record("cd34", "boat")).unwrap_err();
        assert!(matches!(error, Error::NameTaken { id, .. } if id == "ab12"));
        assert!(!records.folder("cd34").exists());
        assert!(matches!(
            records.rename(&mut { record("ef56", "other") }, "boat"),
            Err(Error::NameTaken { .. })
        ));
    }

    #[test]
    fn a_container_is_found_by_name_id_and_the_beginning_of_its_id() {
        let (_folder, records) = records();
        for (id, name) in [("ab12", "boat"), ("ab34", "ab"), ("cd56", "ab12")] {
            records.create(&record(id, name)).unwrap();
        }
        assert_eq!(records.find("boat").unwrap().id, "ab12");
        assert_eq!(records.find("/boat").unwrap().id, "ab12");
        assert_eq!(records.find("cd").unwrap().id, "cd56");
        assert_eq!(records.find("ab").unwrap().id, "ab34", "a name goes before a beginning");
        assert_eq!(records.find("ab12").unwrap().id, "ab12", "an id goes before a name");
        assert!(matches!(records.find("a"), Err(Error::Ambiguous(_))));
        assert!(matches!(records.find("zz"), Err(Error::NotFound(_))));
        assert!(matches!(records.find(""), Err(Error::NotFound(_))));
    }

    #[test]
    fn removing_twice_is_no_error() {
        let (_folder, records) = records();
        records.create(&record("ab12", "boat")).unwrap();
        records.remove("ab12").unwrap();
        records.remove("ab12").unwrap();
        assert!(records.list().unwrap().is_empty());
    }

    #[test]
    fn what_a_crash_left_is_swept_and_the_rest_stays() {
        let (_folder, records) = records();
        records.create(&record("ab12", "boat")).unwrap();
        let half = records.root.join(".tmp-cd34");
        fs::create_dir(&half).unwrap();
        fs::write(half.join("container.json"), "{").unwrap();
        records.sweep().unwrap();
        assert!(!half.exists());
        assert_eq!(records.list().unwrap().len(), 1);
    }

    #[test]
    fn a_record_of_a_newer_format_is_refused_and_kept() {
        let (_folder, records) = records();
        records.create(&record("ab12", "boat")).unwrap();
        let path = records.folder("ab12").join("container.json");
        fs::write(&path, r#"{"version":99,"id":7}"#).unwrap();
        let error = records.load("ab12").unwrap_err().to_string();
        assert!(error.contains("newer canoa (format 99"), "{error}");
        assert!(records.list().unwrap().is_empty());
        assert_eq!(records.unreadable().unwrap().len(), 1);
        records.sweep().unwrap();
        assert!(path.exists());
    }

    #[test]
    fn names_that_could_lead_somewhere_else_are_refused() {
        for name in ["", "a", "-x", ".x", "..", "a/b", "../x", "a b", "ñandú", "a\n"] {
            assert!(!is_name(name), "{name}");
        }
        assert!(is_name("web-1.example_2"));
    }

    #[test]
    fn an_id_has_64_hexadecimal_digits_and_no_number_for_a_hostname() {
        let id = new_id().unwrap();
        assert_eq!(id.len(), 64);
        assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert!(!id[..12].bytes().all(|byte| byte.is_ascii_digit()));
    }
}
