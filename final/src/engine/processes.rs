//! The processes of a container, as the host's `/proc` shows them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cgroups::Statistics;
use cgroups::statistics::{CpuTime, Memory, Pids};
use namespaces::Process;
use nix::unistd::{SysconfVar, Uid, User, sysconf};

use super::error::{Error, Result};

/// A table as `docker top` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Top {
    /// The columns' names.
    pub titles: Vec<String>,
    /// A row for each process.
    pub rows: Vec<Vec<String>>,
}

/// The columns of `ps -ef`.
const TITLES: [&str; 8] = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"];

/// Lists the processes of the container whose PID 1 is this one, with the pids that the host
/// gives them. It runs nothing and enters nothing.
///
/// `group`: see [`members`].
pub fn top(init: Process, group: Option<&[i32]>) -> Result<Top> {
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100) as u64;
    let booted = boot_time();
    let row = |pid: i32| row(Path::new(&format!("/proc/{pid}")), pid, ticks, booted);
    // A process may end while it is looked at: then it isn't there.
    let rows = members(init, group)?.into_iter().filter_map(row).collect();
    Ok(Top { titles: TITLES.map(str::to_owned).to_vec(), rows })
}

/// The pids of a container's processes: its first one's pid namespace tells who belongs to it.
///
/// `group` are those of its control group, for a container that shares its pid namespace; where it has
/// no group, its first process's descendants count.
pub fn members(init: Process, group: Option<&[i32]>) -> Result<BTreeSet<i32>> {
    let namespace = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid"));
    let failed = |error| Error::internal("looking at the container's processes", error);
    let own = namespace(init.pid).map_err(failed)?;
    let belongs = |pid: i32, seen: &BTreeSet<i32>| match group {
        None => true,
        Some([]) => {
            let parent = Process::with_pid(pid).and_then(|process| process.parent()).unwrap_or_default();
            pid == init.pid || seen.contains(&parent)
        }
        Some(group) => group.contains(&pid),
    };
    let mut members = BTreeSet::new();
    for entry in fs::read_dir("/proc").map_err(failed)?.flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        if let Some(pid) = pid
            && namespace(pid).is_ok_and(|other| other == own)
            && belongs(pid, &members)
        {
            members.insert(pid);
        }
    }
    Ok(members)
}

/// What its living processes have used, where no control group counts it: processor time, memory (what is
/// shared is counted as often as it is used), and how many they are.
pub fn used(init: Process) -> Result<Statistics> {
    let failed = |error| Error::internal("looking at the container's processes", error);
    let own = fs::read_link(format!("/proc/{}/ns/pid", init.pid)).map_err(failed)?;
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100) as u64;
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().unwrap_or(4096) as u64;
    let (mut user, mut system, mut pages, mut threads) = (0, 0, 0, 0);
    for entry in fs::read_dir("/proc").map_err(failed)?.flatten() {
        let folder = entry.path();
        if !fs::read_link(folder.join("ns/pid")).is_ok_and(|other| other == own) {
            continue;
        }
        let Ok(stat) = fs::read_to_string(folder.join("stat")) else { continue };
        let Some((_, rest)) = stat.rsplit_once(')') else { continue };
        let fields: Vec<u64> = rest.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
        let number = |field: usize| fields.get(field - 3).copied().unwrap_or(0);
        // proc_pid_stat(5): 14 utime, 15 stime; 16 and 17 of children that have ended; 20 threads; 24 rss.
        user += number(14) + number(16);
        system += number(15) + number(17);
        threads += number(20);
        pages += number(24);
    }
    let time = |ticked: u64| ticked * (1_000_000_000 / ticks);
    Ok(Statistics {
        cpu: Some(CpuTime {
            total: time(user + system),
            user: time(user),
            system: time(system),
            ..CpuTime::default()
        }),
        memory: Some(Memory { used: pages * page, ..Memory::default() }),
        pids: Some(Pids { current: threads, ..Pids::default() }),
        block_io: None,
    })
}

fn row(folder: &Path, pid: i32, ticks: u64, booted: i64) -> Option<Vec<String>> {
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    let (start, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    // proc_pid_stat(5): 4 ppid, 7 tty_nr, 14 utime, 15 stime, 22 starttime.
    let (ppid, tty) = (fields.get(1)?, number(7)?);
    let seconds = (number(14)? + number(15)?) / ticks;
    let started = booted + (number(22)? / ticks) as i64;
    let command = fs::read(folder.join("cmdline")).ok()?;
    let words: Vec<_> = command.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let command = match words.join(" ").trim_end() {
        // A zombie, or a process that has wiped its arguments: its short name.
        "" => format!("[{}]", start.split_once('(')?.1),
        text => text.to_owned(),
    };
    let uid = fs::read_to_string(folder.join("status")).ok()?;
    let uid = uid.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().nth(1)?;
    Some(vec![
        user_name(uid),
        pid.to_string(),
        (*ppid).to_owned(),
        "0".to_owned(),
        start_label(started),
        terminal(tty),
        format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
        command,
    ])
}

fn user_name(uid: &str) -> String {
    let user = uid.parse().ok().and_then(|uid| User::from_uid(Uid::from_raw(uid)).ok().flatten());
    user.map_or(uid.to_owned(), |user| user.name)
}

/// The controlling terminal: the kernel packs major and minor number into one (field 7).
fn terminal(tty: u64) -> String {
    let (major, minor) = (tty >> 8 & 0xfff, tty & 0xff | tty >> 12 & 0xfff00);
    match major {
        0 => "?".to_owned(),
        136..=143 => format!("pts/{}", minor + (major - 136) * 256),
        4 => format!("tty{minor}"),
        _ => format!("{major}:{minor}"),
    }
}

/// Seconds since 1970 at which the machine started: what `starttime` counts from.
fn boot_time() -> i64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "));
    line.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

fn start_label(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    time.strftime("%H:%M").to_string()
}

/// Sends a signal to exactly that process; `false` if it has ended.
pub fn signal(process: Process, signal: i32) -> Result<bool> {
    Ok(process.signal(signal)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn top_shows_this_test_and_its_child_with_their_commands() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let top = top(Process::with_pid(std::process::id() as i32).unwrap(), None);
        let pid = child.id();
        child.kill().unwrap();
        child.wait().unwrap();
        let row = top.unwrap().rows.into_iter().find(|row| row[1] == pid.to_string()).unwrap();
        assert_eq!(row[2], std::process::id().to_string());
        assert_eq!(row[7], "sleep 60");
    }

    #[test]
    fn a_signal_reaches_only_the_process_that_was_meant() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::with_pid(child.id() as i32).unwrap();
        let other = Process { start_time: process.start_time + 1, ..process };
        assert!(!signal(other, libc::SIGKILL).unwrap());
        assert!(child.try_wait().unwrap().is_none());
        assert!(signal(process, libc::SIGKILL).unwrap());
        child.wait().unwrap();
        assert!(!signal(process, libc::SIGKILL).unwrap());
    }

    #[test]
    fn terminals_have_their_names() {
        assert_eq!(terminal(0), "?");
        assert_eq!(terminal(136 << 8 | 5), "pts/5");
        assert_eq!(terminal(4 << 8 | 1), "tty1");
    }
}
