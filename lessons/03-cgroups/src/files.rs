//! Control files: what the kernel shows and takes as text.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use namespaces::{Result, step};

/// Writes a value to a control file, which must be there: it would be made on an ordinary file
/// system, and here that is an error.
pub(crate) fn write(path: &Path, value: &str) -> Result<()> {
    step("write", format!("{value} to {}", path.display()), || {
        // One write: the kernel takes each one as a whole value.
        OpenOptions::new().write(true).open(path)?.write_all(value.as_bytes())
    })
}

/// The whole of a control file.
pub(crate) fn read(path: &Path) -> Result<String> {
    step("read", path.display(), || fs::read_to_string(path))
}

/// A number from a control file; "max" is the largest.
pub(crate) fn number(path: &Path) -> Result<u64> {
    let text = read(path)?;
    Ok(text.trim().parse().unwrap_or(u64::MAX))
}

/// The number behind a word in a file of lines such as `oom_kill 3`; 0 where it isn't.
pub(crate) fn field(path: &Path, name: &str) -> Result<u64> {
    let text = read(path)?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok());
    Ok(value.unwrap_or(0))
}

/// The pids in `cgroup.procs`.
pub(crate) fn pids(path: &Path) -> Result<Vec<i32>> {
    Ok(read(path)?.lines().filter_map(|line| line.parse().ok()).collect())
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

/// Removes a group. A process that was killed leaves it a moment later, so the kernel may say
/// "busy" for a while.
pub(crate) fn remove(group: &Path) -> Result<()> {
    step("remove cgroup", group.display(), || {
        let mut pause = Duration::from_micros(50);
        loop {
            match fs::remove_dir(group) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) if busy(&error) && pause < Duration::from_millis(500) => {
                    sleep(pause);
                    pause *= 2;
                }
                Err(error) => return Err(error),
            }
        }
    })
}

fn busy(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EBUSY)
}
