//! `.taller/progress.toml`: how far the learner is, by exercise id.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::keep;
use crate::reference::digest;

/// What is noted. Whether an exercise is blank or answered isn't: the source says that itself.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// The lesson that was started last.
    pub lesson: Option<u8>,
    /// How many hints of an exercise have been shown.
    pub hints: BTreeMap<String, usize>,
    /// The digest of the answer whose tests have passed. A text changed since then is open again.
    pub green: BTreeMap<String, String>,
    /// Exercises whose reference the learner asked for, instead of an answer.
    pub given: BTreeMap<String, bool>,
}

impl Progress {
    /// As noted; nothing, where there is no note yet.
    pub fn read(home: &Path) -> Result<Progress> {
        let path = keep::folder(home).join("progress.toml");
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Progress::default()),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
            Ok(text) => toml::from_str(&text).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// Notes it.
    pub fn write(&self, home: &Path) -> Result<()> {
        let path = keep::folder(home).join("progress.toml");
        keep::write(&path, &toml::to_string(self).context("writing TOML")?)
    }

    /// Whether this very text has passed its tests.
    pub fn is_green(&self, id: &str, lines: &str) -> bool {
        self.green.get(id).is_some_and(|green| *green == digest(lines))
    }

    /// Notes that it has, or hasn't.
    pub fn judged(&mut self, id: &str, lines: &str, green: bool) {
        match green {
            true => self.green.insert(id.to_owned(), digest(lines)),
            false => self.green.remove(id),
        };
    }
}
