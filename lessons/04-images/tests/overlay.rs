//! What the kernel shows of layers that are mounted as one tree.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use images::ownership::Rights;
use images::{Overlay, pack::pack, unpack::unpack};
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use tempfile::TempDir;

fn main() -> ExitCode {
    support::run(&[
        (
            "the_uppermost_layer_that_has_a_file_is_the_one_seen",
            the_uppermost_layer_that_has_a_file_is_the_one_seen,
        ),
        ("what_is_written_goes_to_the_upper_folder_only", what_is_written_goes_to_the_upper_folder_only),
        (
            "whiteouts_in_any_order_hide_lower_layers_and_never_their_own",
            whiteouts_in_any_order_hide_lower_layers_and_never_their_own,
        ),
        ("no_layer_and_more_than_a_hundred_work", no_layer_and_more_than_a_hundred_work),
        (
            "no_mount_of_it_is_seen_and_it_ends_with_its_descriptor",
            no_mount_of_it_is_seen_and_it_ends_with_its_descriptor,
        ),
        ("a_long_path_and_odd_characters_are_no_obstacle", a_long_path_and_odd_characters_are_no_obstacle),
        ("it_can_be_mounted_while_other_threads_run", it_can_be_mounted_while_other_threads_run),
        (
            "the_merged_tree_packs_into_what_unpacks_to_the_same",
            the_merged_tree_packs_into_what_unpacks_to_the_same,
        ),
    ])
}

/// Folders for layers and an overlay on them.
struct Stack {
    folder: TempDir,
    overlay: Overlay,
}

impl Stack {
    fn new(layers: usize) -> Stack {
        let folder = TempDir::new().unwrap();
        Stack::within(folder, layers, "")
    }

    fn within(folder: TempDir, layers: usize, below: &str) -> Stack {
        let make = |name: String| {
            let path = folder.path().join(below).join(name);
            fs::create_dir_all(&path).unwrap();
            path
        };
        let lower = (0..layers).map(|number| make(format!("layer-{number}"))).collect();
        let overlay = Overlay { lower, upper: make("upper".into()), work: make("work".into()) };
        Stack { folder, overlay }
    }

    fn layer(&self, number: usize) -> &Path {
        &self.overlay.lower[number]
    }

    /// Both ways must show the same.
    fn mounts(&self) -> [(OwnedFd, &'static str); 2] {
        [(self.overlay.mount().unwrap(), "new"), (self.overlay.mount_by_place().unwrap(), "old")]
    }
}

fn read(mount: &OwnedFd, path: &str) -> io::Result<String> {
    let file = openat(mount, path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut text = String::new();
    fs::File::from(file).read_to_string(&mut text)?;
    Ok(text)
}

fn names(mount: &OwnedFd, path: &str) -> Vec<String> {
    let folder = openat(mount, path, OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty()).unwrap();
    let mut names: Vec<String> = nix::dir::Dir::from_fd(folder)
        .unwrap()
        .iter()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
        .filter(|name| name != "." && name != "..")
        .collect();
    names.sort();
    names
}

fn the_uppermost_layer_that_has_a_file_is_the_one_seen() {
    let stack = Stack::new(3);
    for number in 0..3 {
        fs::write(stack.layer(number).join("all"), format!("layer {number}")).unwrap();
        fs::write(stack.layer(number).join(format!("only-{number}")), "").unwrap();
    }
    fs::write(stack.layer(1).join("two"), "layer 1").unwrap();
    fs::write(stack.layer(0).join("two"), "layer 0").unwrap();
    for (mount, way) in stack.mounts() {
        assert_eq!(read(&mount, "all").unwrap(), "layer 2", "ex-04-6: the uppermost has it, too ({way})");
        assert_eq!(read(&mount, "two").unwrap(), "layer 1", "ex-04-6: the uppermost of two ({way})");
        assert_eq!(names(&mount, "."), ["all", "only-0", "only-1", "only-2", "two"], "{way}");
    }
}

fn what_is_written_goes_to_the_upper_folder_only() {
    let stack = Stack::new(1);
    fs::write(stack.layer(0).join("f"), "below").unwrap();
    fs::write(stack.layer(0).join("gone"), "below").unwrap();
    {
        let mount = stack.overlay.mount().unwrap();
        let flags = OFlag::O_WRONLY | OFlag::O_TRUNC;
        let file = openat(&mount, "f", flags, Mode::empty()).unwrap();
        io::Write::write_all(&mut fs::File::from(file), b"above").unwrap();
        nix::unistd::unlinkat(&mount, "gone", nix::unistd::UnlinkatFlags::NoRemoveDir).unwrap();
        assert_eq!(read(&mount, "f").unwrap(), "above");
    }
    assert_eq!(fs::read_to_string(stack.layer(0).join("f")).unwrap(), "below");
    assert_eq!(fs::read_to_string(stack.overlay.upper.join("f")).unwrap(), "above");
    let whiteout = fs::symlink_metadata(stack.overlay.upper.join("gone")).unwrap();
    assert!(whiteout.file_type().is_char_device() && whiteout.rdev() == 0);
    // And the same files again later, by the other way.
    let mount = stack.overlay.mount_by_place().unwrap();
    assert_eq!(read(&mount, "f").unwrap(), "above");
    assert!(read(&mount, "gone").is_err());
}

/// An archive of empty-handed entries: a name ending in `/` is a folder, `a=>b` a hard link `a`
/// to `b`, the rest files that hold their own name.
fn archive(names: &[&str]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for name in names {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000_000);
        header.set_size(0);
        if let Some((name, target)) = name.split_once("=>") {
            header.set_entry_type(tar::EntryType::Link);
            tar.append_link(&mut header, name, target).unwrap();
        } else if name.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
            tar.append_data(&mut header, name, io::empty()).unwrap();
        } else {
            header.set_size(name.len() as u64);
            tar.append_data(&mut header, name, name.as_bytes()).unwrap();
        }
    }
    tar.into_inner().unwrap()
}

fn whiteouts_in_any_order_hide_lower_layers_and_never_their_own() {
    let lower = [
        "gone",
        "kept",
        "dir/",
        "dir/old",
        "opaque/",
        "opaque/old",
        "file-then-dir",
        "implied/",
        "implied/old",
    ];
    let upper = [
        ".wh.gone",
        // A folder that replaces a folder: what was in the old one is not in the new one.
        ".wh.dir",
        "dir/",
        "dir/new",
        "opaque/",
        "opaque/new",
        "opaque/.wh..wh..opq",
        ".wh.file-then-dir",
        "file-then-dir/",
        "file-then-dir/new",
        // The folder itself is not in the archive, only something in it.
        ".wh.implied",
        "implied/new",
        // A whiteout stored as a hard link, as some tools do, of a name and of all.
        "other",
        "hard/",
        "hard/.wh.x=>other",
    ];
    let mut backwards: Vec<&str> = upper.to_vec();
    backwards.reverse();
    backwards.retain(|name| !name.contains("=>"));
    backwards.push("hard/.wh.x=>other");
    for order in [upper.to_vec(), backwards] {
        let stack = Stack::new(3);
        unpack(&archive(&lower)[..], stack.layer(0), "0", Rights::detect()).unwrap();
        unpack(&archive(&["hard/", "hard/x"])[..], stack.layer(1), "1", Rights::detect()).unwrap();
        unpack(&archive(&order)[..], stack.layer(2), "2", Rights::detect()).unwrap();
        for (mount, way) in stack.mounts() {
            assert!(read(&mount, "gone").is_err(), "{way} {order:?}");
            assert!(read(&mount, "kept").is_ok(), "{way} {order:?}");
            for folder in ["dir", "opaque", "file-then-dir", "implied"] {
                assert_eq!(names(&mount, folder), ["new"], "{folder} {way} {order:?}");
            }
            assert_eq!(names(&mount, "hard"), [""; 0], "{way} {order:?}");
        }
    }
}

fn no_layer_and_more_than_a_hundred_work() {
    let none = Stack::new(0);
    fs::write(none.overlay.upper.join("f"), "above").unwrap();
    assert_eq!(read(&none.overlay.mount().unwrap(), "f").unwrap(), "above");

    let many = Stack::new(300);
    for number in 0..300 {
        fs::write(many.layer(number).join("f"), number.to_string()).unwrap();
        fs::write(many.layer(number).join(format!("only-{number}")), "").unwrap();
    }
    for (mount, way) in many.mounts() {
        assert_eq!(read(&mount, "f").unwrap(), "299", "{way}");
        assert_eq!(names(&mount, ".").len(), 301, "{way}");
    }
}

fn no_mount_of_it_is_seen_and_it_ends_with_its_descriptor() {
    let stack = Stack::new(1);
    let mountinfo = || fs::read_to_string("/proc/self/mountinfo").unwrap();
    let before = mountinfo();
    let mounts = stack.mounts();
    assert_eq!(mountinfo(), before);
    drop(mounts);
    // Were it still mounted, its upper folder would be in use, and the kernel say so.
    let again = stack.overlay.mount();
    assert!(again.is_ok(), "{again:?}");
}

fn a_long_path_and_odd_characters_are_no_obstacle() {
    let long = format!("a,b:c\\d/{}/{}", "x".repeat(200), "y".repeat(200));
    let stack = Stack::within(TempDir::new().unwrap(), 2, &long);
    fs::write(stack.layer(0).join("f"), "lower").unwrap();
    fs::write(stack.layer(1).join("g"), "upper").unwrap();
    for (mount, way) in stack.mounts() {
        assert_eq!(read(&mount, "f").unwrap(), "lower", "{way}");
        assert_eq!(read(&mount, "g").unwrap(), "upper", "{way}");
    }
}

fn it_can_be_mounted_while_other_threads_run() {
    let here = std::env::current_dir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let stack = Stack::new(2);
                fs::write(stack.layer(1).join("f"), "x").unwrap();
                for (mount, way) in stack.mounts() {
                    assert_eq!(read(&mount, "f").unwrap(), "x", "{way}");
                }
            });
        }
    });
    assert_eq!(std::env::current_dir().unwrap(), here);
}

fn the_merged_tree_packs_into_what_unpacks_to_the_same() {
    let stack = Stack::new(2);
    unpack(&archive(&["dir/", "dir/a", "gone", "f", "link=>f"])[..], stack.layer(0), "0", Rights::detect())
        .unwrap();
    unpack(&archive(&[".wh.gone", "dir/b"])[..], stack.layer(1), "1", Rights::detect()).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", stack.layer(1).join("absolute")).unwrap();
    std::os::unix::net::UnixListener::bind(stack.layer(1).join("socket")).unwrap();
    let mount = stack.overlay.mount().unwrap();
    let mut packed = Vec::new();
    pack(mount.as_fd(), &mut packed).unwrap();

    let out = stack.folder.path().join("out");
    fs::create_dir(&out).unwrap();
    unpack(&packed[..], &out, "packed", Rights::detect()).unwrap();
    let mut found: Vec<PathBuf> = walk(&out);
    found.sort();
    let expected = ["absolute", "dir", "dir/a", "dir/b", "f", "link"].map(PathBuf::from);
    assert_eq!(found, expected);
    assert_eq!(fs::read_link(out.join("absolute")).unwrap(), Path::new("/etc/passwd"));
    let (one, other) = (fs::metadata(out.join("f")).unwrap(), fs::metadata(out.join("link")).unwrap());
    assert_eq!((one.ino(), one.nlink()), (other.ino(), 2));
    assert_eq!(fs::read_to_string(out.join("dir/b")).unwrap(), "dir/b");
}

fn walk(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.strip_prefix(root).unwrap().to_owned());
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                left.push(path);
            }
        }
    }
    found
}
