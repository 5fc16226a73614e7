//! What the tool's words do.

mod list;
mod make;
mod run;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use lifecycle::record::{Record, Records};
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

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
    /// From, to, read-only.
    volumes: Vec<(PathBuf, PathBuf, bool)>,
    memory: Option<u64>,
    nano_cpus: Option<u64>,
    pids: Option<u64>,
    init: bool,
}

impl Tool {
    /// In the place where this user's containers are.
    pub fn open() -> Result<Tool> {
        let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/share"));
        Self::at(match std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).or_else(home) {
            Some(folder) if !geteuid().is_root() => folder.join("canoa-lesson-06"),
            _ => PathBuf::from("/var/lib/canoa-lesson-06"),
        })
    }

    /// In this place.
    pub fn at(root: PathBuf) -> Result<Tool> {
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

    /// Whoever isn't root needs a user namespace around what follows.
    fn become_root(&self) -> Result<()> {
        if !geteuid().is_root() {
            namespaces::become_root().context("running containers without root")?;
        }
        Ok(())
    }
}
