//! Where this user may make groups.
//!
//! Root makes them at the top of each tree. Everybody else needs a group that was *delegated* to
//! them: whose folder, `cgroup.procs` and `cgroup.subtree_control` are theirs. Not any such group will
//! do. To move a process, one must also be allowed to write the `cgroup.procs` of the nearest group
//! that is above both its old place and its new one; so it must be the group in which we are, or one
//! above it. (A user who has logged in by ssh is in `session-1.scope`, next to
//! `user@1000.service` which is theirs, and above both is root's.)
//!
//! Source: "Delegation" in the kernel's
//! [`cgroup-v2.rst`](https://docs.kernel.org/admin-guide/cgroup-v2.html#delegation).
//!
//! This file uses nothing of the lesson's: `cargo workshop doctor` is built with it, too, so that it
//! can't say anything else than what the lesson then does.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

/// A mounted tree of groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The controllers that are bound to it, with the first version: `cpu`, `cpuacct`. Empty with the
    /// second, whose controllers stand in a file of each group.
    pub controllers: Vec<String>,
    /// Whether it is one of the second version.
    pub v2: bool,
    /// Where it is mounted.
    pub mount: PathBuf,
    /// The group in which we are, as a folder.
    pub own: PathBuf,
}

/// Reads `/proc/self/mountinfo` ([proc_pid_mountinfo(5)]) and `/proc/self/cgroup` ([cgroups(7)]).
///
/// [proc_pid_mountinfo(5)]: https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
/// [cgroups(7)]: https://man7.org/linux/man-pages/man7/cgroups.7.html
pub fn trees(mountinfo: &str, cgroup: &str) -> Vec<Tree> {
    let mut all: Vec<Tree> = vec![];
    for line in mountinfo.lines() {
        // 30 24 0:26 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
        let Some((before, after)) = line.split_once(" - ") else { continue };
        let (before, after): (Vec<&str>, Vec<&str>) =
            (before.split(' ').collect(), after.split(' ').collect());
        let (&[_, _, _, root, mount, ..], &[kind, _, options]) = (&before[..], &after[..]) else { continue };
        let controllers: Vec<String> = match kind {
            "cgroup" => options.split(',').filter(|word| is_controller(word)).map(str::to_owned).collect(),
            "cgroup2" => vec![],
            _ => continue,
        };
        let v2 = kind == "cgroup2";
        // A tree that some program has mounted a second time is the same tree; and one without a
        // controller (`name=systemd`) only keeps a list of processes.
        let known = all.iter().any(|tree| tree.v2 == v2 && tree.controllers == controllers);
        if known || (!v2 && controllers.is_empty()) {
            continue;
        }
        let mount = PathBuf::from(mount);
        // The mount may show only a part of the tree, as it does inside a container.
        let own = own_path(&controllers, cgroup).and_then(|own| Path::new(own).strip_prefix(root).ok());
        let own = own.map_or(mount.clone(), |own| mount.join(own.strip_prefix("/").unwrap_or(own)));
        all.push(Tree { controllers, v2, mount, own });
    }
    all
}

/// Whether this option of a mount names a controller; the others say how it is mounted.
fn is_controller(option: &str) -> bool {
    let how = ["rw", "ro", "xattr", "clone_children", "cpuset_v2_mode", "noprefix", "none", "favordynmods"];
    !how.contains(&option) && !option.contains('=')
}

/// A line of it: `4:cpu,cpuacct:/user.slice`; for the second version `0::/user.slice`.
fn own_path<'a>(controllers: &[String], cgroup: &'a str) -> Option<&'a str> {
    cgroup.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, names, path) = (parts.next()?, parts.next()?, parts.next()?);
        let same = match controllers.first() {
            Some(first) => names.split(',').any(|name| name == first),
            None => names.is_empty(),
        };
        same.then_some(path)
    })
}

/// The group below which this user may make others: see above.
///
/// Where nothing was delegated it is the own group; to make one there is refused by the kernel, which
/// names the place.
// ANCHOR: home
pub fn home(tree: &Tree, root: bool, delegated: impl Fn(&Path) -> bool) -> PathBuf {
    if root {
        return tree.mount.clone();
    }
    let above = tree.own.ancestors().take_while(|group| group.starts_with(&tree.mount));
    // In a leaf of ours the tree goes on above it: see `make_room`.
    let mut candidates = above.filter(|group| !group.ends_with(LEAF));
    candidates.find(|group| delegated(group)).unwrap_or(&tree.own).to_owned()
}
// ANCHOR_END: home

/// [`home`] for this very process.
pub fn my_home(tree: &Tree) -> PathBuf {
    // Root of a user namespace is an ordinary user of the machine: only the first one's map is everybody
    // onto themselves.
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let first = map.split_whitespace().eq(["0", "0", "4294967295"]);
    home(tree, geteuid().is_root() && first, is_delegated)
}

/// Whether this group was delegated to us: whether we may write what was named above.
pub fn is_delegated(group: &Path) -> bool {
    // Opened and closed again: nothing happens before a write. (A folder can't be opened so; who may
    // write the files but not the folder is refused by `mkdir`, in words.)
    let writable = |file: &str| OpenOptions::new().write(true).open(group.join(file)).is_ok();
    // The first version has `tasks` in the place of `subtree_control`.
    writable("cgroup.procs") && (writable("cgroup.subtree_control") || writable("tasks"))
}

/// The group for processes which were in the way.
pub const LEAF: &str = "canoa-leaf";

/// Makes room for groups below this one. With the second version only a group without processes may
/// pass controllers on (the *no internal processes* rule), and in a delegated group there is at least
/// the shell from which we were started. So all its processes move into one more group, a leaf.
///
/// # Errors
/// When a process can't be moved, or new ones come faster than we move them.
// ANCHOR: make_room
pub fn make_room(group: &Path) -> io::Result<()> {
    let leaf = group.join(LEAF);
    match fs::create_dir(&leaf) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    for _ in 0..100 {
        if move_all(group, &leaf)? == 0 {
            return Ok(());
        }
    }
    Err(ErrorKind::ResourceBusy.into())
}
// ANCHOR_END: make_room

/// Moves the processes of one group to another, and says how many there were.
pub fn move_all(from: &Path, to: &Path) -> io::Result<usize> {
    let processes = fs::read_to_string(from.join("cgroup.procs"))?;
    for pid in processes.lines() {
        match OpenOptions::new().write(true).open(to.join("cgroup.procs"))?.write_all(pid.as_bytes()) {
            // It has ended meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            other => other?,
        }
    }
    Ok(processes.lines().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 25 0:26 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory
31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
32 25 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd
33 25 0:29 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw,nsdelegate
34 25 0:26 / /mnt/again rw - cgroup cgroup rw,memory
";
    const OWN: &str = "8:memory:/a\n4:cpu,cpuacct:/b:c\n1:name=systemd:/x\n0::/d\n";

    fn tree(v2: bool, controllers: &[&str], mount: &str, own: &str) -> Tree {
        let controllers = controllers.iter().map(|name| (*name).to_owned()).collect();
        Tree { controllers, v2, mount: mount.into(), own: own.into() }
    }

    #[test]
    fn every_tree_is_found_once_with_the_group_in_which_we_are() {
        let found = trees(HYBRID, OWN);
        let cpu = "/sys/fs/cgroup/cpu,cpuacct";
        assert_eq!(
            found,
            [
                tree(false, &["memory"], "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/a"),
                tree(false, &["cpu", "cpuacct"], cpu, &format!("{cpu}/b:c")),
                tree(true, &[], "/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/d"),
            ]
        );
    }

    #[test]
    fn a_mount_that_shows_a_part_of_the_tree_is_understood() {
        let mount = "30 25 0:26 /docker/x /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(trees(mount, "0::/docker/x/y\n"), [tree(true, &[], "/sys/fs/cgroup", "/sys/fs/cgroup/y")]);
        // A group that this mount doesn't show.
        assert_eq!(trees(mount, "0::/other\n"), [tree(true, &[], "/sys/fs/cgroup", "/sys/fs/cgroup")]);
    }

    #[test]
    fn what_is_no_table_of_mounts_has_no_trees() {
        for text in ["", " - ", "a b c - cgroup", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n", "- - - - -\n\0"] {
            assert_eq!(trees(text, OWN), []);
        }
    }

    #[test]
    fn home_is_the_nearest_delegated_group_at_or_above_the_own_one() {
        let tree = |own: &str| tree(true, &[], "/c", own);
        let delegated = |group: &Path| group.starts_with("/c/user/mine");
        let home = |own: &str| home(&tree(own), false, delegated).display().to_string();
        assert_eq!(home("/c/user/mine"), "/c/user/mine");
        assert_eq!(home("/c/user/mine/shell"), "/c/user/mine/shell");
        // We have made room already.
        assert_eq!(home(&format!("/c/user/mine/{LEAF}")), "/c/user/mine");
        // Next to what is ours: to go there, nobody but root may.
        assert_eq!(home("/c/user/session-1.scope"), "/c/user/session-1.scope");
    }

    #[test]
    fn above_a_shell_s_group_that_is_root_s_there_may_be_one_that_is_ours() {
        let tree = tree(true, &[], "/c", "/c/mine/shell");
        assert_eq!(home(&tree, false, |group| group == Path::new("/c/mine")), Path::new("/c/mine"));
        assert_eq!(home(&tree, true, |_| false), Path::new("/c"), "root's is the top");
    }
}
