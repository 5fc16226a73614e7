//! What things take on disk.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The bytes of the files below a folder, as `docker ps -s` counts them: without the folders themselves,
/// a file with several names once. What goes while it is counted isn't.
pub fn disk_use(folder: &Path) -> u64 {
    let mut total = 0;
    let mut seen = HashSet::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            // Of the entry itself: a symbolic link is never followed.
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
    fn a_file_counts_once_and_a_folder_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        fs::write(folder.path().join("sub/file"), "12345").unwrap();
        fs::hard_link(folder.path().join("sub/file"), folder.path().join("again")).unwrap();
        assert_eq!(disk_use(folder.path()), 5);
        assert_eq!(disk_use(Path::new("/no/such/folder")), 0);
    }
}
