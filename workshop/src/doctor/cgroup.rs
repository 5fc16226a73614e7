//! Lesson 3's limits: makes a group in the hierarchy that has the controller, writes a limit, removes it.

use std::fs;
use std::path::Path;

use home::{LEAF, Tree, make_room, move_all, my_home, trees};

use super::child::{Outcome, Refusal, in_child, leftovers};
use super::kernel::write;

/// Where this user may make groups: the lesson's own file, so that both say the same. Not the lesson's
/// crate, which a learner may just be writing.
#[path = "../../../lessons/03-cgroups/src/home.rs"]
mod home;

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

/// Tries the limit where the lesson would make its groups; the answer says where that is.
pub fn limit(controller: &Controller) -> Outcome {
    let read = |path: &str| fs::read_to_string(path).map_err(|e| Refusal::new("read", path, e));
    let trees = trees(&read("/proc/self/mountinfo")?, &read("/proc/self/cgroup")?);
    let Some(tree) = tree_of(controller.name, &trees) else {
        return Err(Refusal::new("find a cgroup hierarchy with", controller.name, nix::Error::ENOENT));
    };
    let parent = my_home(tree);
    for group in leftovers(&parent, PREFIX) {
        let _ = fs::remove_dir(group);
    }
    let group = parent.join(format!("{PREFIX}{}", std::process::id()));
    let outcome = in_child(|| try_limit(controller, tree.v2, &parent, &group));
    // Once more from here: the child may have been killed.
    let _ = fs::remove_dir(&group);
    outcome
}

/// The tree that has the controller: v1's own one, else v2's.
fn tree_of<'a>(controller: &str, trees: &'a [Tree]) -> Option<&'a Tree> {
    let own = trees.iter().find(|tree| tree.controllers.iter().any(|name| name == controller));
    own.or(trees.iter().find(|tree| tree.v2))
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
    let switch =
        |sign: char| write(parent.join("cgroup.subtree_control"), &format!("{sign}{}", controller.name));
    let leaf = parent.join(LEAF);
    let had_room = leaf.is_dir();
    let mut switched = switch('+');
    if switched.as_ref().is_err_and(|refusal| refusal.errno == libc::EBUSY) {
        let made = make_room(parent).map_err(|e| Refusal::new("move processes out of", parent.display(), e));
        switched = made.and_then(|()| switch('+'));
    }
    let outcome = switched.and_then(|()| set());
    let _ = switch('-');
    if !had_room && leaf.is_dir() {
        let _ = move_all(&leaf, parent);
        let _ = fs::remove_dir(&leaf);
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_hybrid_machine_a_controller_is_found_where_it_is() {
        let mountinfo = "\
30 25 0:26 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory
31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 25 0:28 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw
";
        let trees = trees(mountinfo, "8:memory:/a\n4:cpu,cpuacct:/b\n0::/d\n");
        let place = |controller| tree_of(controller, &trees).unwrap().mount.display().to_string();
        assert_eq!(place("memory"), "/sys/fs/cgroup/memory");
        assert_eq!(place("cpu"), "/sys/fs/cgroup/cpu,cpuacct");
        assert_eq!(place("pids"), "/sys/fs/cgroup/unified");
        assert_eq!(tree_of("pids", &trees[..2]), None);
    }
}
