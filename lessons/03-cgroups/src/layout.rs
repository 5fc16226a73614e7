//! Where this machine's controllers are.
//!
//! There are two versions of cgroups. In the second there is one tree, and each group has all
//! controllers. In the first every controller has a tree of its own, and a container is a group in
//! each. *Hybrid* machines have a tree of the second version without these controllers beside those
//! of the first. The kernel tells what there is in `/proc/self/mountinfo`.
//!
//! Source: [cgroups(7)](https://man7.org/linux/man-pages/man7/cgroups.7.html).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use namespaces::{Result, step};

use crate::home::{Tree, my_home, trees};

// ANCHOR: layout
/// What this machine has, and where in it this user may make groups ([`crate::home`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// One tree: the group below which ours are made.
    V2(PathBuf),
    /// A tree for each controller, `memory`, `cpu`, `pids`, `freezer`, …: the same in each.
    V1(BTreeMap<String, PathBuf>),
    /// None that we could see.
    None,
}
// ANCHOR_END: layout

/// The controllers of the first version that this lesson uses.
pub(crate) const V1_CONTROLLERS: [&str; 8] =
    ["memory", "cpu", "cpuacct", "cpuset", "pids", "freezer", "devices", "blkio"];

impl Layout {
    /// Finds out.
    pub fn of_this_machine() -> Result<Layout> {
        Ok(Self::from_trees(&trees_around("self")?, |tree| Some(my_home(tree))))
    }

    /// Where a process is: the nearest group around it whose path ends with `inside`.
    pub(crate) fn around(pid: i32, inside: &Path) -> Result<Layout> {
        let around =
            |tree: &Tree| tree.own.ancestors().find(|group| group.ends_with(inside)).map(Path::to_owned);
        Ok(Self::from_trees(&trees_around(&pid.to_string())?, around))
    }

    // ANCHOR: from_trees
    fn from_trees(trees: &[Tree], place: impl Fn(&Tree) -> Option<PathBuf>) -> Layout {
        let mut v1 = BTreeMap::new();
        let is_ours = |name: &&String| V1_CONTROLLERS.contains(&name.as_str());
        for tree in trees {
            for name in tree.controllers.iter().filter(is_ours) {
                v1.extend(place(tree).map(|place| (name.clone(), place)));
            }
        }
        let v2 = trees.iter().find(|tree| tree.v2);
        match (v1.contains_key("memory") || v1.contains_key("pids"), v2.and_then(place)) {
            (true, _) => Layout::V1(v1),
            (false, Some(place)) => Layout::V2(place),
            (false, None) => Layout::None,
        }
    }
    // ANCHOR_END: from_trees

    /// The folders below which our groups are: one, or one for each tree.
    pub(crate) fn homes(self) -> Vec<PathBuf> {
        let mut homes = match self {
            Layout::V1(controllers) => controllers.into_values().collect(),
            Layout::V2(home) => vec![home],
            Layout::None => vec![],
        };
        // Two controllers may share a tree.
        homes.sort();
        homes.dedup();
        homes
    }
}

/// The trees that we see, with the group of this process in each.
pub(crate) fn trees_around(process: &str) -> Result<Vec<Tree>> {
    let read = |path: &str| step("read", path, || fs::read_to_string(path));
    Ok(trees(&read("/proc/self/mountinfo")?, &read(&format!("/proc/{process}/cgroup"))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::home;

    const V2: &str = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
    const HYBRID: &str = "\
31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 24 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 24 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
34 24 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

    fn layout(mountinfo: &str, root: bool) -> Layout {
        let trees = trees(mountinfo, "3:memory:/m\n2:cpu,cpuacct:/p\n0::/mine/shell\n");
        Layout::from_trees(&trees, |tree| Some(home(tree, root, |_| true)))
    }

    #[test]
    fn one_tree_of_the_second_version() {
        assert_eq!(layout(V2, true), Layout::V2("/sys/fs/cgroup".into()));
        assert_eq!(layout(V2, false), Layout::V2("/sys/fs/cgroup/mine/shell".into()));
    }

    #[test]
    fn a_hybrid_machine_has_its_controllers_in_the_first() {
        let Layout::V1(controllers) = layout(HYBRID, true) else { panic!("not v1") };
        assert_eq!(controllers["memory"], PathBuf::from("/sys/fs/cgroup/memory"));
        assert_eq!(controllers["cpu"], controllers["cpuacct"], "two controllers may share a tree");
        assert!(!controllers.contains_key("name=systemd"));
        assert_eq!(layout(HYBRID, true).homes().len(), 2);
        let Layout::V1(controllers) = layout(HYBRID, false) else { panic!("not v1") };
        assert_eq!(controllers["memory"], PathBuf::from("/sys/fs/cgroup/memory/m"));
    }

    #[test]
    fn no_cgroups_at_all() {
        assert_eq!(layout("22 1 0:1 / / rw - ext4 /dev/sda rw\nbroken", true), Layout::None);
    }
}
