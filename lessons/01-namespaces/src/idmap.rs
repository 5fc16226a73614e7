//! Id maps: who a user of a user namespace is outside.
//!
//! In a new user namespace no id means anything until a map is written, once, from outside:
//! lines `inside outside count` in `/proc/PID/uid_map` and `gid_map`. An ordinary user may map
//! just one id, their own. For a range there is `newuidmap`, a set-uid program that looks in
//! `/etc/subuid` for what that user has been granted.
//!
//! Source: [user_namespaces(7)](https://man7.org/linux/man-pages/man7/user_namespaces.7.html).

use std::fs;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

use nix::unistd::{Pid, User, getegid, geteuid};

use crate::step::{Error, Result, step};

/// One line of a map: `count` ids from `inside` on are those from `outside` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdMap {
    /// First id in the new namespace.
    pub inside: u32,
    /// First id in the namespace of its parent.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// The maps of a user namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdMaps {
    /// Users.
    pub users: Vec<IdMap>,
    /// Groups.
    pub groups: Vec<IdMap>,
}

impl IdMaps {
    /// The caller is root inside, and nobody else exists: what needs no privilege at all.
    pub fn only_me() -> Self {
        let me = |outside| vec![IdMap { inside: 0, outside, count: 1 }];
        IdMaps { users: me(geteuid().as_raw()), groups: me(getegid().as_raw()) }
    }

    /// As [`IdMaps::only_me`], and the ids of `/etc/subuid` and `/etc/subgid` as 1 and on, if this
    /// user has been granted some and `newuidmap` is there to write them.
    pub fn for_me() -> Self {
        let mut maps = Self::only_me();
        if let (Some(users), Some(groups)) = (granted("/etc/subuid"), granted("/etc/subgid"))
            && installed("newuidmap")
            && installed("newgidmap")
        {
            maps.users.push(users);
            maps.groups.push(groups);
        }
        maps
    }

    /// Writes both maps for the process `pid`, which was just made in a new user namespace.
    ///
    /// # Errors
    /// `EPERM` where the machine does not let this user have user namespaces (Ubuntu 24.04's
    /// AppArmor does that), or `newuidmap`'s own words.
    // ANCHOR: write
    pub fn write(&self, pid: Pid) -> Result<()> {
        // ANCHOR: ex-01-2
        // 1. One line a map: anybody may write it, into /proc/PID, once the process has given up
        //    the right to change its groups. (Else a user could drop a group that denies them
        //    something, a file of mode 0604 say, and so gain access.)
        if self.users.len() == 1 {
            write(pid, "setgroups", "deny")?;
            write(pid, "uid_map", &text(&self.users))?;
            return write(pid, "gid_map", &text(&self.groups));
        }
        // 2. More lines: the set-uid programs, which look up what this user has been granted.
        helper("newuidmap", pid, &self.users)?;
        helper("newgidmap", pid, &self.groups)
        // ANCHOR_END: ex-01-2
    }
    // ANCHOR_END: write
}

fn text(map: &[IdMap]) -> String {
    map.iter().map(|m| format!("{} {} {}\n", m.inside, m.outside, m.count)).collect()
}

fn write(pid: Pid, file: &'static str, content: &str) -> Result<()> {
    let path = format!("/proc/{pid}/{file}");
    step("write", &path, || fs::write(&path, content)).map_err(|error| match error.errno {
        libc::EPERM => error.hint(
            "this machine does not let you use user namespaces fully: `cargo taller doctor` tells the way out",
        ),
        libc::EINVAL => error.hint(format!("the kernel takes no map {:?}", content.trim())),
        _ => error,
    })
}

fn helper(program: &'static str, pid: Pid, map: &[IdMap]) -> Result<()> {
    let ids = map.iter().flat_map(|m| [m.inside, m.outside, m.count]).map(|id| id.to_string());
    let output = step("run", program, || {
        Command::new(program).arg(pid.to_string()).args(ids).stdin(Stdio::null()).output()
    })?;
    if output.status.success() {
        Ok(())
    } else {
        Err(Error::new("run", program, String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// The first range that a file such as /etc/subuid grants to the caller: `name:first:count`.
fn granted(file: &str) -> Option<IdMap> {
    let uid = geteuid();
    let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
    let content = fs::read_to_string(file).ok()?;
    content.lines().find_map(|line| range(line, &[name.as_deref().unwrap_or_default(), &uid.to_string()]))
}

/// The range of a line, if it is one for somebody of these names. What is no range is passed over.
fn range(line: &str, names: &[&str]) -> Option<IdMap> {
    let [who, first, count] = line.split(':').collect::<Vec<_>>().try_into().ok()?;
    let (outside, count): (u32, u32) = (first.parse().ok()?, count.trim().parse().ok()?);
    let is_range = count > 0 && outside.checked_add(count).is_some() && !who.is_empty();
    (is_range && names.contains(&who)).then_some(IdMap { inside: 1, outside, count })
}

fn installed(program: &str) -> bool {
    let found =
        Command::new(program).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    !matches!(found, Err(error) if error.kind() == ErrorKind::NotFound || error.kind() == ErrorKind::PermissionDenied)
}

/// Whether the user namespace we are in has just one id (a rootless engine without `newuidmap`):
/// then files can belong to nobody else.
pub fn only_one_id() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.lines().filter_map(|line| line.split_whitespace().nth(2)).eq(["1"])
}

/// Whether we are in another user namespace than the first: the first one's map is everybody onto
/// themselves.
pub fn in_user_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    !map.split_whitespace().eq(["0", "0", "4294967295"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_granted_is_a_range_of_ids_and_all_else_is_passed_over() {
        let names = ["ana", "1000"];
        let granted = IdMap { inside: 1, outside: 100_000, count: 65_536 };
        assert_eq!(range("ana:100000:65536", &names), Some(granted));
        assert_eq!(range("1000:100000:65536 ", &names), Some(granted));
        for line in [
            "",
            "::",
            ":100000:65536",
            "eva:100000:65536",
            "ana:100000",
            "ana:100000:65536:1",
            "ana:100000:0",
            "ana:-1:65536",
            "ana:4294967295:65536",
            "ana:100000:99999999999",
            "ana:cien:mil",
            "ana\0:100000:65536",
        ] {
            assert_eq!(range(line, &names), None, "{line:?}");
        }
    }
}
