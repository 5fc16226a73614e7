//! A container's groups as files inside it: programs look there for how much they may use.

use std::path::{Path, PathBuf};

use namespaces::Result;
use rootfs::Mount;

use crate::home::Tree;
use crate::layout::{Layout, trees_around};

/// The file systems to mount in a container at `target`, usually `/sys/fs/cgroup`. `words` are
/// options as the runtime specification writes them: `ro`, `nosuid`.
///
/// They are to be made after [`crate::own_namespace`]: then the container's own group is the root of
/// what they show. With the first version there is one for each tree, in a folder of its name, as on
/// the host; that folder is made in a tmpfs, which has to stay writable until all are hung up
/// ([`rootfs::Rootfs::read_only_paths`] comes after that).
pub fn mounts(target: &Path, words: &[String]) -> Result<Vec<Mount>> {
    match Layout::of_this_machine()? {
        Layout::V2(_) => Ok(vec![Mount::from_words(target, "cgroup2", Path::new("cgroup"), words)?]),
        Layout::V1(_) => v1_mounts(&trees_around("self")?, target, words),
        Layout::None => Ok(vec![]),
    }
}

fn v1_mounts(trees: &[Tree], target: &Path, words: &[String]) -> Result<Vec<Mount>> {
    let writable: Vec<String> = words.iter().filter(|word| *word != "ro").cloned().collect();
    let tmpfs = [&writable[..], &["mode=755".to_owned(), "size=64k".to_owned()]].concat();
    let mut all = vec![Mount::from_words(target, "tmpfs", Path::new("tmpfs"), &tmpfs)?];
    for tree in trees.iter().filter(|tree| !tree.v2) {
        // Controllers that share a tree are mounted together, under the name of both; and under each
        // name, where a host has symbolic links.
        let together = tree.controllers.join(",");
        let mut names = tree.controllers.clone();
        if names.len() > 1 {
            names.insert(0, together);
        }
        let words = [words, &tree.controllers[..]].concat();
        for name in names {
            all.push(Mount::from_words(
                &target.join(PathBuf::from(name)),
                "cgroup",
                Path::new("cgroup"),
                &words,
            )?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_that_share_a_tree_are_found_under_each_name() {
        let tree = |names: &[&str]| Tree {
            controllers: names.iter().map(|name| (*name).to_owned()).collect(),
            v2: names.is_empty(),
            mount: "/x".into(),
            own: "/x".into(),
        };
        let trees = [tree(&["memory"]), tree(&["cpu", "cpuacct"]), tree(&[])];
        let mounts = v1_mounts(&trees, Path::new("/c"), &["ro".to_owned()]).unwrap();
        let targets: Vec<_> = mounts.iter().map(|mount| mount.target.display().to_string()).collect();
        assert_eq!(targets, ["/c", "/c/memory", "/c/cpu,cpuacct", "/c/cpu", "/c/cpuacct"]);
        let read_only: Vec<bool> =
            mounts.iter().map(|mount| mount.attributes & libc::MOUNT_ATTR_RDONLY != 0).collect();
        assert_eq!(read_only, [false, true, true, true, true]);
    }
}
