//! What the tool's words do.

mod list;
mod make;
mod network;
mod run;
mod serve;
mod words;

pub use make::Create;
pub use words::{Cli, Word};

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ::network::publish::Binding;
use anyhow::{Context, Result};
use lifecycle::log::Bounds;
use lifecycle::record::{Record, Records};
use namespaces::Process;
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

/// The parent of all control groups.
const PARENT: &str = "/canoa-lesson-06";

/// The tool, and where it keeps everything: apart from `canoa`'s own.
pub struct Tool {
    root: PathBuf,
    records: Records<Config>,
}

/// What a container was asked to be: the `config` of its record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Config {
    image: String,
    /// Its unpacked layers, the lowest first.
    layers: Vec<PathBuf>,
    args: Vec<String>,
    env: Vec<String>,
    directory: PathBuf,
    user: String,
    interactive: bool,
    tty: bool,
    /// As they were written: see [`rootfs::Mount::volume`].
    volumes: Vec<String>,
    /// Its published ports.
    #[serde(default)]
    ports: Vec<Binding>,
    memory: Option<u64>,
    nano_cpus: Option<u64>,
    pids: Option<u64>,
    #[serde(default)]
    log: Bounds,
    init: bool,
    /// To be removed when it has ended.
    remove: bool,
}

impl Tool {
    /// In this folder, or where this user's containers are.
    pub fn open(root: Option<&Path>) -> Result<Tool> {
        let root = match root {
            // What is written down must mean the same from every working directory.
            Some(folder) => std::path::absolute(folder)?,
            None => images::data_folder("canoa-lesson-06"),
        };
        let records = Records::open(root.join("containers"))?;
        Ok(Tool { root, records })
    }

    /// The id of the container that people call so.
    pub fn find(&self, name: &str) -> Result<String> {
        Ok(self.record(name)?.id)
    }

    fn record(&self, name: &str) -> Result<Record<Config>> {
        Ok(self.records.find(name)?)
    }

    /// A container that nobody looks after just now, and a lock that keeps it so. The program that
    /// looked after it may still be cleaning up: that is waited for.
    // ANCHOR: at_rest
    fn at_rest(&self, id: &str) -> Result<(Record<Config>, File)> {
        // ANCHOR: ex-06-2
        let start = Instant::now();
        loop {
            // 1. The lock is one on the container's folder. (No folder: no such container.)
            let lock = match File::open(self.records.folder(id)) {
                Err(error) if error.kind() == ErrorKind::NotFound => anyhow::bail!("no such container: {id}"),
                opened => opened.with_context(|| format!("opening the folder of {id}"))?,
            };
            // 2. Try to get it without waiting, and only then read the record: whoever had it may have
            //    changed that.
            let free = lock.try_lock().is_ok();
            let record = self.records.load(id)?;
            // 3. One whose process lives runs. What the record calls it doesn't count: whoever was killed
            //    couldn't change that.
            if alive(&record).is_some() {
                anyhow::bail!("container {} is running: stop it first", record.name);
            }
            // 4. With the lock, nobody looks after it.
            if free {
                return Ok((record, lock));
            }
            // 5. Somebody is cleaning up, or about to start it: try again soon, for ten seconds at most.
            if start.elapsed() > Duration::from_secs(10) {
                anyhow::bail!("container {} is being started or cleaned up: try again", record.name);
            }
            sleep(Duration::from_millis(5));
        }
        // ANCHOR_END: ex-06-2
    }
    // ANCHOR_END: at_rest

    /// Goes on as a program of which no container can write the file: for what will be a process in one.
    pub fn run_sealed(&self) -> Result<()> {
        self.become_root()?;
        Ok(rootfs::OwnBinary::run_from_it()?)
    }

    /// Whoever isn't root needs a user namespace around what follows.
    fn become_root(&self) -> Result<()> {
        if !geteuid().is_root() {
            namespaces::become_root().context("running containers without root")?;
        }
        Ok(())
    }
}

/// As much of an id as people read. (Whoever changes a file by hand may have left less of it.)
fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// Its PID 1, while it runs.
fn alive(record: &Record<Config>) -> Option<Process> {
    record.state.process.filter(Process::is_alive)
}

/// What came of it, and if that is good, what came of cleaning up: why a container didn't start is what
/// people need to know, and not what couldn't be removed for the same reason.
fn first_of<T, E: Into<anyhow::Error>>(outcome: Result<T>, cleaned_up: Result<(), E>) -> Result<T> {
    outcome.and_then(|value| cleaned_up.map(|()| value).map_err(Into::into))
}

/// Docker's exit code for what went wrong.
pub fn exit_code(error: &anyhow::Error) -> i32 {
    error.downcast_ref::<namespaces::Error>().map_or(125, namespaces::Error::exit_code)
}
