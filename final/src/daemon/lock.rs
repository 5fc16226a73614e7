//! One daemon for one data root.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// The lock's file in the data root. It holds the pid of who has it, for people.
pub const NAME: &str = "daemon.lock";

/// Takes the data root for this process. The kernel gives the lock back when the process ends,
/// however it ends; so what counts is the lock and never the file.
///
/// # Errors
/// Another daemon has it.
pub fn take(data_root: &Path) -> Result<File> {
    let path = data_root.join(NAME);
    let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = file.with_context(|| format!("opening {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let pid = std::fs::read_to_string(&path).unwrap_or_default();
            bail!(
                "the data root {} is in use by another canoa daemon (pid {}): end that one (canoa system stop), \
                 or give this one another --data-root",
                data_root.display(),
                pid.trim()
            );
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("locking {}", path.display()));
        }
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .with_context(|| format!("writing {}", path.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_on_the_same_data_root_is_told_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = take(folder.path()).unwrap();
        let error = take(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("pid {}", std::process::id())), "{error}");
        drop(first);
        take(folder.path()).unwrap();
    }
}
