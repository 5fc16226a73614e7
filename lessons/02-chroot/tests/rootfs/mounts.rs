//! Masks and bind mounts, each without the rest of the lesson.

use std::fs;
use std::path::PathBuf;

use namespaces::{Result, step};
use nix::mount::{MsFlags, mount};
use rootfs::{Mount, Rootfs, default_mounts};
use tempfile::TempDir;

use crate::container::inside;
use crate::{marked_root, path};

#[test]
fn what_is_masked_is_empty_and_what_is_beside_it_is_not() {
    let (root, _) = marked_root();
    let (letters, letter) = (root.path().join("etc/letters"), root.path().join("etc/letter"));
    fs::create_dir(&letters).unwrap();
    fs::write(letters.join("one"), "hola").unwrap();
    fs::write(&letter, "hola").unwrap();
    let masked = ["/etc/letters", "/etc/nothing-here", "/etc/letter", "/proc/timer_list"];
    let rootfs = Rootfs::just(root.path()).mounts(default_mounts().unwrap());
    let rootfs = rootfs.mask(masked.map(PathBuf::from));
    let script = "ls -A /etc/letters; cat /etc/letter; cat /proc/timer_list 2>/dev/null; cat /proc/self/comm";
    assert_eq!(
        inside(|| rootfs.enter(), script),
        "cat",
        "ex-02-4: nothing is seen of what is masked. (A folder can't be covered with a file: that is \"Not a \
         directory\". What isn't there is passed over.)"
    );
    let script =
        "touch /etc/letters/two 2>/dev/null || echo refused; echo x > /etc/letter && cat /etc/letter";
    assert_eq!(inside(|| rootfs.enter(), script), "refused", "ex-02-4: the covers keep nothing");
    assert_eq!(fs::read_to_string(&letter).unwrap(), "hola", "ex-02-4: what is below is untouched");
}

#[test]
fn a_read_only_volume_is_read_only_with_all_that_is_mounted_below_it() {
    let (root, _) = marked_root();
    let folder = TempDir::new().unwrap();
    let below = folder.path().join("below");
    fs::create_dir(&below).unwrap();
    fs::write(folder.path().join("letter"), "hola").unwrap();
    let enter = |read_only: bool| {
        let volume = Mount::bind(folder.path(), "/volume", read_only);
        let file = Mount::bind(folder.path().join("letter"), "/etc/letter", read_only);
        let (rootfs, below) = (Rootfs::just(root.path()).mounts([volume, file]), below.clone());
        move || -> Result<()> {
            // One more mount, seen by nobody else.
            let none = None::<&str>;
            step("make slave", "/", || mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none))?;
            step("mount", "tmpfs", || mount(Some("none"), &below, Some("tmpfs"), MsFlags::empty(), none))?;
            rootfs.enter()
        }
    };
    let script = "cat /volume/letter && cat /etc/letter; for file in /volume/reply /volume/below/reply /etc/letter; do \
                  touch $file 2>/dev/null && echo \" $file\"; done; true";
    assert_eq!(
        inside(enter(true), script),
        "holahola",
        "ex-02-5: what is read, and then where one can write: nowhere, and not in a mount below the volume either"
    );
    assert_eq!(
        inside(enter(false), script),
        "holahola /volume/reply\n /volume/below/reply\n /etc/letter",
        "ex-02-5: what is read, and then where one can write, without read-only: everywhere"
    );
    assert!(
        folder.path().join("reply").exists(),
        "ex-02-5: it is the host's own folder, {}",
        path(folder.path())
    );
}
