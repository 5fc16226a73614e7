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
    // ANCHOR: ex-03-6
    // 1. Read the file; where there is none, it is as if it were empty.
    let text = read_if_there(path)?.unwrap_or_default();
    // 2. Each line is a name, a space, a number. A later kernel may write other lines: leave those out.
    let entry = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        Some((name.to_owned(), value.trim().parse().ok()?))
    };
    // 3. All of them, by name.
    Ok(text.lines().filter_map(entry).collect())
    // ANCHOR_END: ex-03-6
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
        // A process of a pid namespace that we can't see into is a 0; and to kill 0 would be to kill us.
        all.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
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

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn table_of(text: &str) -> BTreeMap<String, u64> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("memory.events");
        fs::write(&path, text).unwrap();
        table(&path).unwrap()
    }

    #[test]
    fn a_table_is_read_by_name() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let kills = u64::from(now.subsec_micros());
        let table = table_of(&format!("low 0\noom 7\noom_kill {kills}\noom_group_kill 1\n"));
        let found = table.get("oom_kill");
        assert_eq!(
            found,
            Some(&kills),
            "ex-03-6: of memory.events with \"oom_kill {kills}\"; found: {table:?}"
        );
        assert_eq!(table.len(), 4, "ex-03-6: there are four lines: {table:?}");
    }

    #[test]
    fn lines_of_another_kind_are_left_out() {
        for other in [
            "some avg10=0.00 total=12",
            "word",
            "",
            " 7",
            "under_oom -1",
            "big 18446744073709551616",
            "x 1 2",
        ] {
            let text = format!("{other}\noom_kill 3\n");
            let Ok(table) = std::panic::catch_unwind(|| table_of(&text)) else {
                panic!("ex-03-6: the line {other:?} made it panic, beside the line that we look for");
            };
            let found = table.get("oom_kill");
            assert_eq!(found, Some(&3), "ex-03-6: beside the line {other:?}; found: {table:?}");
        }
    }

    #[test]
    fn a_table_that_is_not_there_is_empty() {
        let found = table(Path::new("/sys/fs/cgroup/no-such-group/memory.events"));
        let empty = found.as_ref().is_ok_and(BTreeMap::is_empty);
        assert!(empty, "ex-03-6: a group without the controller has no such file: {found:?}");
    }

    #[test]
    fn a_process_that_cannot_be_seen_is_not_in_the_list() {
        let group = TempDir::new().unwrap();
        fs::write(group.path().join("cgroup.procs"), "0\n17\n0\n").unwrap();
        assert_eq!(processes(group.path()).unwrap(), [17]);
    }
}
