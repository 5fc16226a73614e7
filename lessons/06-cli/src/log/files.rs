//! The files of a log that is kept within bounds: `log.json`, which is written, and before it
//! `log.json.1`, `log.json.2`, …, the higher the older.
//!
//! When the first is full every file takes the next number, and the last one goes. Somebody may be
//! reading meanwhile: they hold their file open, so it stays whole for them whatever its name is now,
//! and by its inode they find out which file comes after it.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cgroups::parse_size;
use namespaces::{Error, Result};
use serde::{Deserialize, Serialize};

/// More files than that are a mistake: each is looked at when the log is rotated.
const MOST_FILES: u32 = 1000;

/// How much of a log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// A file is full at so many bytes (Docker's `max-size`); none: never.
    pub size: Option<u64>,
    /// How many files there are, at least one (`max-file`).
    pub files: u32,
}

impl Default for Bounds {
    /// One file without end, as Docker does unless told otherwise.
    fn default() -> Self {
        Bounds { size: None, files: 1 }
    }
}

impl Bounds {
    /// From Docker's options: `max-size=10m`, `max-file=3`.
    ///
    /// # Errors
    /// An option that doesn't exist, or a value that makes no sense; it is named.
    pub fn from_options<T: AsRef<str>>(options: impl IntoIterator<Item = T>) -> Result<Bounds> {
        let mut bounds = Bounds::default();
        for option in options {
            let option = option.as_ref();
            let bad = |reason: &str| Error::new("read log option", option, reason);
            match option.split_once('=') {
                Some(("max-size", "-1")) => bounds.size = None,
                Some(("max-size", size)) => match parse_size(size) {
                    Ok(size @ 1..) => bounds.size = Some(size),
                    _ => return Err(bad("want a size, such as 10m")),
                },
                Some(("max-file", number)) => match number.parse() {
                    Ok(files @ 1..=MOST_FILES) => bounds.files = files,
                    _ => return Err(bad("want a number from 1 to 1000")),
                },
                _ => return Err(bad("there are only max-size=SIZE and max-file=NUMBER")),
            }
        }
        Ok(bounds)
    }
}

/// The log at a path, and its older files.
#[derive(Debug, Clone)]
pub(super) struct Files {
    path: PathBuf,
}

/// How often a reader looks again when names change under its hands. Each time takes longer than a
/// rotation, so that a second time is rare already.
const PATIENCE: usize = 100;

impl Files {
    pub(super) fn of(path: &Path) -> Files {
        Files { path: path.to_owned() }
    }

    /// Number 0 is the one that is written.
    pub(super) fn path(&self, number: u32) -> PathBuf {
        match number {
            0 => self.path.clone(),
            older => self.path.with_added_extension(older.to_string()),
        }
    }

    /// Makes room for a new file 0. After a crash in the middle a number may be missing: nobody minds.
    pub(super) fn rotate(&self, bounds: Bounds) -> io::Result<()> {
        let last = bounds.files.max(1) - 1;
        // There may be more from a time when more were wanted.
        for number in self.numbers()?.into_iter().filter(|number| *number > last) {
            unless_missing(fs::remove_file(self.path(number)))?;
        }
        if last == 0 {
            return unless_missing(fs::remove_file(&self.path));
        }
        (0..last)
            .rev()
            .try_for_each(|number| unless_missing(fs::rename(self.path(number), self.path(number + 1))))
    }

    /// The oldest file that there is.
    pub(super) fn oldest(&self) -> io::Result<File> {
        for _ in 0..PATIENCE {
            let Some(number) = self.numbers()?.pop() else { break };
            let further = |by: u32| number.checked_add(by).is_some_and(|older| self.path(older).exists());
            match File::open(self.path(number)) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                // The names may have moved on since they were listed. Then the one before this is a number
                // further or, in the middle of a rotation, two; in this order, it can't slip through.
                Ok(file) if further(1) || further(2) || !self.is(number, &file)? => {}
                opened => return opened,
            }
        }
        Err(ErrorKind::NotFound.into())
    }

    /// The file that was begun when `file` was full; none as long as that is the one being written.
    pub(super) fn after(&self, file: &File) -> io::Result<Option<File>> {
        for _ in 0..PATIENCE {
            if self.is(0, file)? {
                return Ok(None);
            }
            // Its last name was taken from it: on with the oldest that there still is.
            if file.metadata()?.nlink() == 0 {
                return self.oldest().map(Some).or_else(|error| match error.kind() {
                    ErrorKind::NotFound => Ok(None),
                    _ => Err(error),
                });
            }
            let numbers = self.numbers()?;
            let mut own = None;
            for number in &numbers {
                if self.is(*number, file)? {
                    own = Some(*number);
                }
            }
            let Some(own) = own else { continue };
            let Some(next) = numbers.into_iter().rev().find(|number| *number < own) else { return Ok(None) };
            match File::open(self.path(next)) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                // Had the names moved on meanwhile, this one would be too far: ours would have moved, or,
                // in the middle of a rotation, the right one into the gap between the two.
                opened if self.is(own, file)? && (next + 1..own).all(|gap| !self.path(gap).exists()) => {
                    return opened.map(Some);
                }
                _ => {}
            }
        }
        // The container itself has been removed.
        Ok(None)
    }

    /// The numbers that are in use, in order.
    fn numbers(&self) -> io::Result<Vec<u32>> {
        let (Some(folder), Some(own)) = (self.path.parent(), self.path.file_name()) else {
            return Ok(vec![]);
        };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let mut numbers = vec![];
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            match name.as_bytes().strip_prefix(own.as_bytes()) {
                Some(b"") => numbers.push(0),
                Some([b'.', digits @ ..]) => {
                    numbers
                        .extend(std::str::from_utf8(digits).ok().and_then(|text| text.parse::<u32>().ok()));
                }
                _ => {}
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    /// Whether this number is the name of this file.
    fn is(&self, number: u32, file: &File) -> io::Result<bool> {
        let own = file.metadata()?;
        match fs::metadata(self.path(number)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            other => other.map(|found| (found.dev(), found.ino()) == (own.dev(), own.ino())),
        }
    }
}

/// That there is nothing to remove or to rename is no error.
fn unless_missing(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
