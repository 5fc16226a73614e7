//! How much room files take, counted as Docker counts it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The bytes in the files below a folder: their length, whatever the disk makes of it (`du` calls that the
/// apparent size), each file once however many names it has, and folders not at all. A symbolic link is as
/// long as its text, and is never followed. What goes away while it is counted isn't.
pub fn usage(folder: &Path) -> u64 {
    let mut total = 0;
    let mut seen = BTreeSet::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(data) = entry.metadata() else { continue };
            if data.is_dir() {
                open.push(entry.path());
            } else if data.nlink() == 1 || seen.insert((data.dev(), data.ino())) {
                total += data.len();
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_counts_once_by_its_length() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir(path("deep")).unwrap();
        fs::write(path("deep/file"), "12345").unwrap();
        fs::hard_link(path("deep/file"), path("again")).unwrap();
        std::os::unix::fs::symlink("deep", path("link")).unwrap();
        // A hole takes no room on the disk, and counts all the same.
        fs::File::create(path("hole")).unwrap().set_len(1 << 20).unwrap();
        assert_eq!(usage(root.path()), 5 + 4 + (1 << 20));
        assert_eq!(usage(&path("nowhere")), 0);
    }
}
