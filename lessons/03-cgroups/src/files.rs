//! Control files: what the kernel shows and takes as text.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use namespaces::{Error, Result, step};

// ANCHOR: write
/// Writes a value to a control file, which must be there: it would be made on an ordinary file
/// system, and here that is an error.
pub(crate) fn write(path: &Path, value: &str) -> Result<()> {
    step("write", format!("{value} to {}", path.display()), || {
        // One write: the kernel takes each one as a whole value.
        OpenOptions::new().write(true).open(path)?.write_all(value.as_bytes())
    })
}
// ANCHOR_END: write

/// The whole of a control file.
pub(crate) fn read(path: &Path) -> Result<String> {
    step("read", path.display(), || fs::read_to_string(path))
}

/// As [`read`], or `None` where this kernel or this group has no such file.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<String>> {
    match read(path) {
        Err(error) if error.errno == libc::ENOENT => Ok(None),
        other => other.map(Some),
    }
}

/// A number from a control file, or `None` where there is no such file.
pub(crate) fn number(path: &Path) -> Result<Option<u64>> {
    let Some(text) = read_if_there(path)? else { return Ok(None) };
    let wrong = |_| Error::new("read", path.display(), format!("{:?} is no number", text.trim()));
    text.trim().parse().map(Some).map_err(wrong)
}

/// A limit: `None` where there is none, which version 2 writes as `max`, and version 1 as a number
/// that no machine has.
pub(crate) fn limit(path: &Path) -> Result<Option<u64>> {
    let text = read_if_there(path)?.unwrap_or_default();
    Ok(text.trim().parse().ok().filter(|limit| *limit < 1 << 62))
}

/// A file of lines such as `oom_kill 3`; empty where there is no such file.
pub(crate) fn table(path: &Path) -> Result<BTreeMap<String, u64>> {
    let text = read_if_there(path)?.unwrap_or_default();
    let entry = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        Some((name.to_owned(), value.trim().parse().ok()?))
    };
    Ok(text.lines().filter_map(entry).collect())
}

/// A group and all those below it, the inner ones first.
pub(crate) fn tree(group: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut all: Vec<PathBuf> = folders.flat_map(|folder| tree(&folder.path())).collect();
    all.push(group.to_owned());
    all
}

/// The processes in a group and in those below it.
pub(crate) fn processes(group: &Path) -> Result<Vec<i32>> {
    let mut all = vec![];
    for group in tree(group) {
        let text = read_if_there(&group.join("cgroup.procs"))?.unwrap_or_default();
        all.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
    }
    Ok(all)
}

/// Makes a group and those above it. Somebody may just be removing the empty parent: again, then.
pub(crate) fn make(group: &Path) -> Result<()> {
    step("make cgroup", group.display(), || {
        for _ in 0..8 {
            match fs::create_dir_all(group) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                other => return other,
            }
        }
        fs::create_dir_all(group)
    })
}

// ANCHOR: remove
/// Removes a group, with those that its own processes have made in it. A process that was killed
/// leaves it a moment later, so the kernel may say "busy" for a while.
pub(crate) fn remove(group: &Path) -> Result<()> {
    step("remove cgroup", group.display(), || {
        let mut pause = Duration::from_micros(50);
        loop {
            match fs::remove_dir(group) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) if busy(&error) && pause < Duration::from_millis(500) => {
                    for inner in tree(group) {
                        let _ = fs::remove_dir(inner);
                    }
                    sleep(pause);
                    pause *= 2;
                }
                Err(error) => return Err(error),
            }
        }
    })
}
// ANCHOR_END: remove

fn busy(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EBUSY)
}

/// Waits until the kernel has done what it was told: a process in the middle of a system call
/// freezes a moment later. For two seconds at most.
pub(crate) fn wait_until(done: impl Fn() -> Result<bool>) -> Result<bool> {
    let start = Instant::now();
    loop {
        match done()? {
            true => return Ok(true),
            false if start.elapsed() > Duration::from_secs(2) => return Ok(false),
            false => sleep(Duration::from_micros(500)),
        }
    }
}
