//! Leaving nothing behind: removing a lab's folder and processes, and what labs left whose watcher was
//! killed.
//!
//! A lab is named after its watcher: `canoa-lab-PID-START`, with the start time because pids are used
//! again. So whoever finds such a name can see whether the lab is still in use.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, geteuid, getpid};

use crate::cgroup;

const PREFIX: &str = "canoa-lab-";

/// The environment variable by which a lab's processes are found where no namespace holds them.
pub const MARK: &str = "CANOA_LAB";

/// The name of the lab that this process watches over.
pub fn lab_name(watcher: Pid) -> Result<String> {
    let start = start_time(watcher).context("reading my own start time")?;
    Ok(format!("{PREFIX}{watcher}-{start}"))
}

/// Where the labs' folders are. Not too deep: the path of a socket must fit into 107 bytes.
pub fn folder_of_labs() -> PathBuf {
    env::temp_dir()
}

/// Field 22 of `/proc/PID/stat` (proc(5)): counted behind the last `)`, as a program's name may hold
/// spaces and brackets.
fn start_time(pid: Pid) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

/// Whether this is a lab's name whose watcher is gone.
fn abandoned(name: &str) -> bool {
    let Some((pid, start)) = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-')) else {
        return false;
    };
    let (Ok(pid), Ok(start)) = (pid.parse(), start.parse()) else { return false };
    start_time(Pid::from_raw(pid)) != Some(start)
}

/// Removes what abandoned labs left: processes, cgroups, folders.
pub fn sweep() -> Result<()> {
    for process in fs::read_dir("/proc").context("reading /proc")?.flatten() {
        let Ok(pid) = process.file_name().to_string_lossy().parse() else { continue };
        // Others' environments can't be read, and are none of our business.
        let Ok(environment) = fs::read(process.path().join("environ")) else { continue };
        let mark = format!("{MARK}=");
        let lab = environment.split(|byte| *byte == 0).find_map(|one| one.strip_prefix(mark.as_bytes()));
        if lab.is_some_and(|lab| abandoned(&String::from_utf8_lossy(lab))) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    if geteuid().is_root() {
        for hierarchy in cgroup::hierarchies()? {
            for name in abandoned_in(&hierarchy.mount)? {
                cgroup::remove(&name)?;
            }
        }
    }
    let labs = folder_of_labs();
    for name in abandoned_in(&labs)? {
        let folder = labs.join(name);
        if fs::metadata(&folder).is_ok_and(|meta| meta.uid() == geteuid().as_raw()) {
            remove_folder(&folder)?;
        }
    }
    Ok(())
}

fn abandoned_in(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    Ok(names.filter(|name| abandoned(name)).collect())
}

/// Kills every child of this process, and the children that it thereby gets as their subreaper, until
/// none is left.
pub fn kill_children() -> Result<()> {
    let me = getpid().to_string();
    loop {
        for process in fs::read_dir("/proc").context("reading /proc")?.flatten() {
            let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
            let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
            if parent == Some(me.as_str())
                && let Ok(pid) = process.file_name().to_string_lossy().parse()
            {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        match waitpid(None, None) {
            Err(Errno::ECHILD) => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("reaping"),
        }
    }
}

/// Removes a lab's folder.
///
/// An ordinary user's containers own files under ids from `/etc/subuid`, which only a user namespace
/// with the same range may remove.
pub fn remove_folder(folder: &Path) -> Result<()> {
    let Err(error) = fs::remove_dir_all(folder) else { return Ok(()) };
    if !geteuid().is_root() {
        // Folders without write permission for their owner, and those of other ids.
        let script = "chmod -R u+rwX \"$1\"; rm -rf \"$1\"";
        let _ = Command::new("unshare")
            .args(["--map-auto", "--map-root-user", "sh", "-c", script, "sh"])
            .arg(folder)
            .output();
    }
    if folder.exists() {
        bail!("removing {}: {error}", folder.display());
    }
    Ok(())
}
