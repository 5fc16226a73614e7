//! Lesson 3's limits: makes a group in the hierarchy that has the controller, writes a limit, removes it.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::child::{Outcome, Refusal, in_child, leftovers};
use super::kernel::write;

/// A controller, and a limit to try: the file and the value, for v2 and for v1.
pub struct Controller {
    name: &'static str,
    v2: (&'static str, &'static str),
    v1: (&'static str, &'static str),
}

/// `-m 64m`.
pub const MEMORY: Controller =
    Controller { name: "memory", v2: ("memory.max", "67108864"), v1: ("memory.limit_in_bytes", "67108864") };
/// `--cpus 0.5`.
pub const CPU: Controller =
    Controller { name: "cpu", v2: ("cpu.max", "50000 100000"), v1: ("cpu.cfs_quota_us", "50000") };
/// `--pids-limit 32`.
pub const PIDS: Controller = Controller { name: "pids", v2: ("pids.max", "32"), v1: ("pids.max", "32") };

/// A mounted hierarchy, and where this process is in it.
#[derive(Debug, PartialEq, Eq)]
struct Hierarchy {
    v2: bool,
    place: PathBuf,
    own: PathBuf,
}

/// Tries the limit; the answer says where it went.
pub fn limit(controller: &Controller) -> Outcome {
    let read = |path: &str| fs::read_to_string(path).map_err(|e| Refusal::new("read", path, e));
    let found = find(controller.name, &read("/proc/self/mountinfo")?, &read("/proc/self/cgroup")?);
    let Some(hierarchy) = found else {
        return Err(Refusal::new("find a cgroup hierarchy with", controller.name, nix::Error::ENOENT));
    };
    let mut refusal = None;
    for parent in parents(&hierarchy) {
        for group in leftovers(&parent, PREFIX) {
            let _ = fs::remove_dir(group);
        }
        let group = parent.join(format!("{PREFIX}{}", std::process::id()));
        let outcome = in_child(|| try_limit(controller, hierarchy.v2, &parent, &group));
        // Once more from here: the child may have been killed.
        let _ = fs::remove_dir(&group);
        match outcome {
            Ok(word) => return Ok(word),
            // The first one is where people would look first.
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(refusal
        .unwrap_or_else(|| Refusal::new("find a folder in", hierarchy.place.display(), nix::Error::ENOENT)))
}

const PREFIX: &str = "canoa-doctor-";

fn try_limit(controller: &Controller, v2: bool, parent: &Path, group: &Path) -> Outcome {
    let name = controller.name;
    fs::create_dir(group).map_err(|e| Refusal::new("mkdir", group.display(), e))?;
    let outcome = if v2 { limit_v2(controller, parent, group) } else { limit_v1(controller, group) };
    let removed = fs::remove_dir(group).map_err(|e| Refusal::new("rmdir", group.display(), e));
    outcome.and(removed)?;
    Ok(format!("{}: {name}, {}", parent.display(), if v2 { "v2" } else { "v1" }))
}

fn limit_v1(controller: &Controller, group: &Path) -> Result<(), Refusal> {
    write(group.join(controller.v1.0), controller.v1.1)
}

fn limit_v2(controller: &Controller, parent: &Path, group: &Path) -> Result<(), Refusal> {
    let has = |folder: &Path, file: &str| {
        fs::read_to_string(folder.join(file))
            .unwrap_or_default()
            .split_ascii_whitespace()
            .any(|c| c == controller.name)
    };
    let set = || write(group.join(controller.v2.0), controller.v2.1);
    if has(group, "cgroup.controllers") {
        return set();
    }
    if !has(parent, "cgroup.controllers") {
        let file = parent.join("cgroup.controllers");
        return Err(Refusal::new(
            &format!("find {} in", controller.name),
            file.display(),
            nix::Error::ENOENT,
        ));
    }
    // A parent has to hand a controller down; what was off is off again afterwards.
    let switch = parent.join("cgroup.subtree_control");
    write(&switch, &format!("+{}", controller.name))?;
    let outcome = set();
    let _ = write(&switch, &format!("-{}", controller.name));
    outcome
}

/// Below which groups a new one could be made: root's are at the top, as canoa's; a user's are where
/// systemd lets them.
fn parents(hierarchy: &Hierarchy) -> Vec<PathBuf> {
    if geteuid().is_root() {
        return vec![hierarchy.place.clone()];
    }
    let mut parents = vec![hierarchy.own.clone()];
    let user = geteuid();
    let manager = hierarchy.place.join(format!("user.slice/user-{user}.slice/user@{user}.service"));
    if hierarchy.v2 && manager.is_dir() {
        parents.push(manager);
    }
    parents
}

/// The hierarchy that has `controller`: v1's own one, else v2's. `mountinfo` is described in proc(5),
/// `cgroup` in cgroups(7).
fn find(controller: &str, mountinfo: &str, cgroup: &str) -> Option<Hierarchy> {
    let mut unified = None;
    for line in mountinfo.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let left: Vec<&str> = left.split(' ').collect();
        let right: Vec<&str> = right.split(' ').collect();
        let (&[_, _, _, root, place, ..], &[kind, _, options]) = (&left[..], &right[..]) else { continue };
        // In /proc/self/cgroup v2 has no controllers' names.
        let (v2, wanted) = match kind {
            "cgroup" if options.split(',').any(|option| option == controller) => (false, controller),
            "cgroup2" => (true, ""),
            _ => continue,
        };
        let Some(own) = own_path(wanted, cgroup) else { continue };
        // The mount may show only a part of the tree, as inside a container.
        let below = Path::new(own).strip_prefix(root).unwrap_or(Path::new(""));
        let hierarchy = Hierarchy { v2, place: PathBuf::from(place), own: Path::new(place).join(below) };
        if !v2 {
            return Some(hierarchy);
        }
        unified = unified.or(Some(hierarchy));
    }
    unified
}

fn own_path<'a>(controller: &str, cgroup: &'a str) -> Option<&'a str> {
    cgroup.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        controllers.split(',').any(|name| name == controller).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 25 0:26 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory
31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 25 0:28 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw
";
    const HYBRID_OWN: &str = "8:memory:/a\n4:cpu,cpuacct:/b:c\n0::/d\n";

    fn hierarchy(v2: bool, place: &str, own: &str) -> Option<Hierarchy> {
        Some(Hierarchy { v2, place: place.into(), own: own.into() })
    }

    #[test]
    fn on_a_hybrid_machine_a_controller_is_found_where_it_is() {
        let find = |controller| find(controller, HYBRID, HYBRID_OWN);
        assert_eq!(find("memory"), hierarchy(false, "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/a"));
        assert_eq!(
            find("cpu"),
            hierarchy(false, "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/b:c")
        );
        assert_eq!(find("pids"), hierarchy(true, "/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/d"));
    }

    #[test]
    fn a_mount_that_shows_a_part_of_the_tree_is_understood() {
        let mount = "30 25 0:26 /docker/x /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(
            find("memory", mount, "0::/docker/x/y\n"),
            hierarchy(true, "/sys/fs/cgroup", "/sys/fs/cgroup/y")
        );
    }

    #[test]
    fn a_machine_without_cgroups_has_none() {
        assert_eq!(find("memory", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\nnonsense\n", "0::/\n"), None);
        assert_eq!(find("memory", HYBRID, ""), None);
    }
}
