//! Where this machine's controllers are.
//!
//! There are two versions of cgroups. In the second there is one tree, and each group has all
//! controllers. In the first every controller has a tree of its own, and a container is a group in
//! each. *Hybrid* machines have a tree of the second version without controllers beside those of
//! the first. The kernel tells what there is in `/proc/self/mountinfo`.
//!
//! Source: [cgroups(7)](https://man7.org/linux/man-pages/man7/cgroups.7.html).

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use namespaces::{Result, step};

/// What this machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// One tree, mounted here.
    V2(PathBuf),
    /// A tree for each controller: `memory`, `cpu`, `pids`, `freezer`, … and where it is mounted.
    V1(BTreeMap<String, PathBuf>),
    /// None that we could see.
    None,
}

/// The controllers of the first version that this lesson uses.
pub(crate) const V1_CONTROLLERS: [&str; 6] = ["memory", "cpu", "cpuacct", "pids", "freezer", "devices"];

impl Layout {
    /// Finds out.
    pub fn of_this_machine() -> Result<Layout> {
        let mounts = step("read", "/proc/self/mountinfo", || fs::read_to_string("/proc/self/mountinfo"))?;
        Ok(Self::from_mountinfo(&mounts))
    }

    fn from_mountinfo(mountinfo: &str) -> Layout {
        let (mut v1, mut v2) = (BTreeMap::new(), None);
        for line in mountinfo.lines() {
            // 30 24 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
            let Some((before, after)) = line.split_once(" - ") else { continue };
            let Some(place) = before.split(' ').nth(4) else { continue };
            let mut fields = after.split(' ');
            match (fields.next(), fields.nth(1)) {
                (Some("cgroup"), Some(options)) => {
                    for option in options.split(',').filter(|option| V1_CONTROLLERS.contains(option)) {
                        v1.entry(option.to_owned()).or_insert_with(|| PathBuf::from(place));
                    }
                }
                (Some("cgroup2"), _) => {
                    v2.get_or_insert_with(|| PathBuf::from(place));
                }
                _ => {}
            }
        }
        match (v1.contains_key("memory") || v1.contains_key("pids"), v2) {
            (true, _) => Layout::V1(v1),
            (false, Some(place)) => Layout::V2(place),
            (false, None) => Layout::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2: &str = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
    const HYBRID: &str = "\
31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 24 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 24 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
34 24 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

    #[test]
    fn one_tree_of_the_second_version() {
        assert_eq!(Layout::from_mountinfo(V2), Layout::V2("/sys/fs/cgroup".into()));
    }

    #[test]
    fn a_hybrid_machine_has_its_controllers_in_the_first() {
        let Layout::V1(controllers) = Layout::from_mountinfo(HYBRID) else { panic!("not v1") };
        assert_eq!(controllers["memory"], PathBuf::from("/sys/fs/cgroup/memory"));
        assert_eq!(controllers["cpu"], controllers["cpuacct"], "two controllers may share a tree");
        assert!(!controllers.contains_key("name=systemd"));
    }

    #[test]
    fn no_cgroups_at_all() {
        assert_eq!(Layout::from_mountinfo("22 1 0:1 / / rw - ext4 /dev/sda rw\nbroken"), Layout::None);
    }
}
