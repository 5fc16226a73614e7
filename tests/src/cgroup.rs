//! The cgroup of a lab: the one thing that namespaces don't take along when they end.
//!
//! A lab's processes live in `/canoa-lab-…` of every hierarchy, and a cgroup namespace makes that the
//! root of all they see: whatever the engine in there creates, even by its default path, is below it and
//! can be found and removed from outside.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A mounted cgroup hierarchy: with v1 there is one for each controller or so, with v2 a single one,
/// and a hybrid machine has both kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// `cgroup` (v1) or `cgroup2`.
    pub kind: String,
    /// What to mount it with: the v1 controllers or name. Empty for v2.
    pub options: String,
}

/// The hierarchies mounted here, from `/proc/self/mountinfo` (proc(5)).
pub fn hierarchies() -> Result<Vec<Hierarchy>> {
    let table = fs::read_to_string("/proc/self/mountinfo").context("reading /proc/self/mountinfo")?;
    let mut found: Vec<Hierarchy> = table.lines().filter_map(hierarchy).collect();
    let mut seen = BTreeSet::new();
    // The same hierarchy can be mounted twice: one is enough to reach it.
    found.retain(|one| seen.insert((one.kind.clone(), one.options.clone())));
    Ok(found)
}

/// Whether all controllers are in the one tree of v2.
pub fn is_pure_v2() -> bool {
    let found = hierarchies().unwrap_or_default();
    !found.is_empty() && found.iter().all(|hierarchy| hierarchy.kind == "cgroup2")
}

/// Whether an ordinary user may limit something by this controller: by v2, in a group that was handed to
/// them, with all that one must be able to write (cgroups(7), "Delegation"), and in which they are.
pub fn delegated(controller: &str) -> bool {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let Some(own) = groups.lines().find_map(|line| line.strip_prefix("0::/")) else { return false };
    let writable = |file: PathBuf| fs::OpenOptions::new().write(true).open(file).is_ok();
    hierarchies().unwrap_or_default().iter().filter(|hierarchy| hierarchy.kind == "cgroup2").any(
        |hierarchy| {
            let own = hierarchy.mount.join(own);
            own.ancestors().take_while(|group| group.starts_with(&hierarchy.mount)).any(|group| {
                has(group, controller)
                    && writable(group.join("cgroup.procs"))
                    && writable(group.join("cgroup.subtree_control"))
            })
        },
    )
}

/// Whether a group of v2 has this controller. Each can be frozen, without one.
pub fn has(group: &Path, controller: &str) -> bool {
    controller == "freezer"
        || fs::read_to_string(group.join("cgroup.controllers"))
            .is_ok_and(|all| all.split_whitespace().any(|one| one == controller))
}

/// After everything, as an ordinary user: engines leave the parent of all their groups in the one that was
/// handed to the user, and a case that ends with a container running leaves that one's, too. (As root all
/// of it is below the lab's own, and goes with it.)
pub fn remove_parents() {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let Some(own) = groups.lines().find_map(|line| line.strip_prefix("0::/")) else { return };
    for hierarchy in hierarchies().unwrap_or_default().iter().filter(|hierarchy| hierarchy.kind == "cgroup2")
    {
        for group in hierarchy.mount.join(own).ancestors().take_while(|one| one.starts_with(&hierarchy.mount))
        {
            let parent = group.join("canoa");
            // The last monitor may just be leaving: the exit is told before everything is cleaned up.
            for _ in 0..100 {
                for inner in fs::read_dir(&parent).into_iter().flatten().flatten() {
                    // Files of the kernel's aren't removed so, nor a group in which somebody is.
                    let _ = fs::remove_dir(inner.path());
                }
                match fs::remove_dir(&parent) {
                    Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                        thread::sleep(Duration::from_millis(50));
                    }
                    _ => break,
                }
            }
        }
    }
}

/// Every group that there is, in all hierarchies.
pub fn groups() -> Vec<String> {
    let mut found = Vec::new();
    for hierarchy in hierarchies().unwrap_or_default() {
        let mut folders = vec![hierarchy.mount];
        while let Some(folder) = folders.pop() {
            let inner = fs::read_dir(&folder).into_iter().flatten().flatten();
            folders.extend(
                inner.filter(|one| one.file_type().is_ok_and(|kind| kind.is_dir())).map(|one| one.path()),
            );
            found.push(folder.to_string_lossy().into_owned());
        }
    }
    found.sort();
    found
}

/// `36 35 0:28 / /sys/fs/cgroup/memory rw shared:1 - cgroup cgroup rw,memory`
fn hierarchy(line: &str) -> Option<Hierarchy> {
    let (before, after) = line.split_once(" - ")?;
    let mount = before.split(' ').nth(4)?;
    let mut after = after.split(' ');
    let kind = after.next().filter(|kind| matches!(*kind, "cgroup" | "cgroup2"))?;
    let options = match kind {
        // The rest of what stands there is how it is mounted, not which one it is.
        "cgroup" => after
            .nth(1)?
            .split(',')
            .filter(|option| {
                !matches!(*option, "rw" | "ro" | "xattr" | "clone_children" | "cpuset_v2_mode" | "noprefix")
                    && !option.starts_with("release_agent=")
            })
            .collect::<Vec<_>>()
            .join(","),
        _ => String::new(),
    };
    Some(Hierarchy { mount: mount.into(), kind: kind.to_owned(), options })
}

/// Makes the group `name` in every hierarchy.
pub fn create(name: &str) -> Result<()> {
    for hierarchy in hierarchies()? {
        let group = hierarchy.mount.join(name);
        fs::create_dir_all(&group).with_context(|| format!("creating the cgroup {}", group.display()))?;
        match hierarchy.kind.as_str() {
            "cgroup" => inherit_cpuset(&hierarchy.mount, &group)?,
            _ => hand_on(&hierarchy.mount),
        }
    }
    Ok(())
}

/// A new v1 cpuset has no processors and takes no process until it gets some.
fn inherit_cpuset(parent: &Path, group: &Path) -> Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if let Ok(value) = fs::read(parent.join(file)) {
            let file = group.join(file);
            fs::write(&file, value).with_context(|| format!("writing {}", file.display()))?;
        }
    }
    Ok(())
}

/// On v2 a group has the controllers that its parent hands on. They stay handed on when the lab is gone,
/// as they do after systemd or any engine has asked for them.
fn hand_on(folder: &Path) {
    let available = fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
    for controller in available.split_whitespace() {
        // One at a time: a controller that can't be handed on must not keep the others back.
        let _ = fs::write(folder.join("cgroup.subtree_control"), format!("+{controller}"));
    }
}

/// On v2, from inside, with the lab's group as the root: a group hands controllers on only while no
/// process is in it, so the lab's own go to a leaf, and the containers will be beside it.
pub fn make_room() -> Result<()> {
    for hierarchy in hierarchies()?.iter().filter(|hierarchy| hierarchy.kind == "cgroup2") {
        let leaf = hierarchy.mount.join("lab");
        fs::create_dir_all(&leaf).with_context(|| format!("creating the cgroup {}", leaf.display()))?;
        fs::write(leaf.join("cgroup.procs"), "0").with_context(|| format!("entering {}", leaf.display()))?;
        hand_on(&hierarchy.mount);
    }
    Ok(())
}

/// Moves the calling process, which must have a single thread, into the group `name`.
pub fn enter(name: &str) -> Result<()> {
    for hierarchy in hierarchies()? {
        let group = hierarchy.mount.join(name);
        // A process that writes 0 to `tasks` moves itself, at once; by `cgroup.procs` the kernel first
        // waits for milliseconds. v2 has no `tasks`.
        let file = match hierarchy.kind.as_str() {
            "cgroup" => group.join("tasks"),
            _ => group.join("cgroup.procs"),
        };
        fs::write(&file, "0").with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}

/// Kills what is left in the group `name` and removes it, with all below it.
pub fn remove(name: &str) -> Result<()> {
    for hierarchy in hierarchies()? {
        let group = hierarchy.mount.join(name);
        let end = Instant::now() + Duration::from_secs(10);
        // A process that was just killed is still in its group for a moment.
        while let Err(error) = remove_tree(&group) {
            if Instant::now() > end {
                return Err(error).with_context(|| format!("removing the cgroup {}", group.display()));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}

/// Groups go from the leaves up: a group that has children can't be removed, and its files can't at all.
fn remove_tree(group: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(group) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    // A frozen process doesn't die (v1).
    let _ = fs::write(group.join("freezer.state"), "THAWED");
    for pid in fs::read_to_string(group.join("cgroup.procs"))?.lines() {
        match pid.parse() {
            Ok(pid) if pid > 1 => drop(kill(Pid::from_raw(pid), Signal::SIGKILL)),
            _ => {}
        }
    }
    fs::remove_dir(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_v1_hierarchy_is_known_by_its_controllers() {
        let line =
            "36 35 0:28 / /sys/fs/cgroup/cpu rw,relatime shared:1 - cgroup cgroup rw,xattr,cpu,cpuacct";
        let expected = Hierarchy {
            mount: "/sys/fs/cgroup/cpu".into(),
            kind: "cgroup".into(),
            options: "cpu,cpuacct".into(),
        };
        assert_eq!(hierarchy(line), Some(expected));
    }

    #[test]
    fn a_v2_hierarchy_needs_no_options() {
        let line = "31 30 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate";
        let found = hierarchy(line).unwrap();
        assert_eq!((found.kind.as_str(), found.options.as_str()), ("cgroup2", ""));
    }

    #[test]
    fn other_mounts_are_no_hierarchies() {
        assert_eq!(hierarchy("22 1 0:20 / /proc rw - proc proc rw"), None);
        assert_eq!(hierarchy("nonsense"), None);
    }
}
