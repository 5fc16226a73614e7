//! Who a program runs as, by the container's own /etc/passwd and /etc/group.
//!
//! These files are an image's, so a stranger's: they are read as text, never through the host's
//! C library, which would load more of the image's files (`libnss_…`, CVE-2019-14271).

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;

use namespaces::{Error, Result, only_one_id};

/// Numbers in place of names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Main group's id.
    pub gid: u32,
    /// Ids of the other groups.
    pub groups: Vec<u32>,
    /// Home folder, `/` if /etc/passwd doesn't name one.
    pub home: String,
}

impl User {
    /// Looks up what people write after `-u`: `name`, `uid`, `name:group`, `uid:gid`, or nothing
    /// for root. Called inside the container.
    ///
    /// # Errors
    /// For a name that the container doesn't know, or a number that is no id.
    pub fn look_up(who: &str) -> Result<User> {
        Self::in_files(who, &read_small("/etc/passwd"), &read_small("/etc/group"))
    }

    /// The same from outside, by the text of the container's two files.
    ///
    /// # Errors
    /// As [`User::look_up`].
    pub fn in_files(who: &str, passwd: &str, group: &str) -> Result<User> {
        Self::find(who, passwd, group).map_err(|reason| Error::new("look up user", who, reason))
    }

    /// Adds groups: names, looked up in the container, or numbers.
    ///
    /// # Errors
    /// For a name that the container doesn't know, or a number that is no id; or if this user
    /// namespace knows no other group than its own.
    pub fn join(&mut self, groups: &[String]) -> Result<()> {
        let file = if groups.is_empty() { String::new() } else { read_small("/etc/group") };
        for name in groups {
            let gid = group(name, &file).map_err(|reason| Error::new("look up group", name, reason))?;
            if gid != 0 && only_one_id() {
                let reason =
                    "there is only one group in this user namespace: install uidmap, and see /etc/subgid";
                return Err(Error::new("join group", name, reason));
            }
            if gid != self.gid && !self.groups.contains(&gid) {
                self.groups.push(gid);
            }
        }
        Ok(())
    }

    fn find(who: &str, passwd: &str, group: &str) -> std::result::Result<User, String> {
        let (user, given_group) = match who.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (who, None),
        };
        let user = if user.is_empty() { "0" } else { user };
        // name:password:uid:gid:comment:home:shell
        let entry = lines(passwd).find(|fields| fields[0] == user || fields.get(2) == Some(&user));
        let (uid, gid, home, name) = match &entry {
            Some(fields) if fields.len() >= 6 => (id(fields[2])?, id(fields[3])?, fields[5], Some(fields[0])),
            _ => match id(user) {
                Ok(uid) => (uid, 0, "/", None),
                Err(_) => return Err("no matching entries in passwd file".into()),
            },
        };
        let gid = match given_group {
            None => gid,
            Some(wanted) => self::group(wanted, group)?,
        };
        let member = |fields: &Vec<&str>| {
            name.is_some_and(|name| {
                fields.get(3).is_some_and(|members| members.split(',').any(|m| m == name))
            })
        };
        // As Docker: a group that was given stands alone.
        let groups = match given_group {
            Some(_) => vec![],
            None => lines(group)
                .filter(member)
                .filter_map(|fields| id(fields[2]).ok())
                .filter(|g| *g != gid)
                .collect(),
        };
        Ok(User { uid, gid, groups, home: if home.is_empty() { "/".into() } else { home.into() } })
    }
}

/// A group's number, by its name or number.
fn group(wanted: &str, file: &str) -> std::result::Result<u32, String> {
    // name:password:gid:members
    match lines(file).find(|fields| fields[0] == wanted) {
        Some(fields) if fields.len() >= 3 => id(fields[2]),
        _ => id(wanted).map_err(|_| "no matching entries in group file".to_string()),
    }
}

fn lines(file: &str) -> impl Iterator<Item = Vec<&str>> {
    file.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(':').collect())
}

fn id(text: &str) -> std::result::Result<u32, String> {
    // Docker's limit; to the kernel only the very last number means "no id".
    match text.parse::<u32>() {
        Ok(id) if id <= i32::MAX as u32 => Ok(id),
        _ => Err(format!("{text} is no user or group id")),
    }
}

/// A file of the image, or nothing. Nothing else than a file (a FIFO would keep us waiting), and
/// no more of it than a megabyte.
fn read_small(path: &str) -> String {
    let read = || -> io::Result<String> {
        let file =
            OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path)?;
        if !file.metadata()?.is_file() {
            return Ok(String::new());
        }
        let mut content = Vec::new();
        file.take(1 << 20).read_to_end(&mut content)?;
        Ok(String::from_utf8_lossy(&content).into_owned())
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nana:x:1000:1000::/home/ana:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nana:x:1000:\naudio:x:29:ana,eva\nvideo:x:44:ana\n";

    fn find(who: &str) -> std::result::Result<User, String> {
        User::find(who, PASSWD, GROUP)
    }

    fn user(uid: u32, gid: u32, groups: &[u32], home: &str) -> std::result::Result<User, String> {
        Ok(User { uid, gid, groups: groups.into(), home: home.into() })
    }

    #[test]
    fn a_user_is_found_by_name_and_by_number_with_all_groups() {
        assert_eq!(find("ana"), user(1000, 1000, &[29, 44], "/home/ana"));
        assert_eq!(find("1000"), user(1000, 1000, &[29, 44], "/home/ana"));
        assert_eq!(find(""), user(0, 0, &[], "/root"));
    }

    #[test]
    fn a_group_that_is_given_stands_alone() {
        assert_eq!(find("ana:audio"), user(1000, 29, &[], "/home/ana"));
        assert_eq!(find("ana:7"), user(1000, 7, &[], "/home/ana"));
    }

    #[test]
    fn a_number_needs_no_entry_and_a_name_does() {
        assert_eq!(find("4242"), user(4242, 0, &[], "/"));
        assert!(find("eva").unwrap_err().contains("passwd"));
        assert!(find("ana:nobody").unwrap_err().contains("group"));
        assert!(find("4294967295").is_err());
        assert!(find("-1").is_err());
    }

    #[test]
    fn a_broken_file_is_no_reason_to_panic() {
        for passwd in ["", ":", "root", "root:x:0", "root:x:zero:0:a:b:c", "::::::::"] {
            let _ = User::find("root", passwd, passwd);
            let _ = User::find("", passwd, "a:b\nc");
        }
    }
}
