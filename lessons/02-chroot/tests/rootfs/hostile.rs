//! What comes from outside and is not what it should be: an error that names it, never a panic.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use namespaces::Result;
use rootfs::inside::{self, Kind};
use rootfs::{Device, Mount, Rootfs, User, capabilities};
use tempfile::TempDir;

use crate::container::inside;
use crate::{lesson, marked_root, path, words};

fn error<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => "no error".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_path_that_can_be_nowhere_is_named() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let root = OwnedFd::from(File::open(folder.path()).unwrap());
    let long = "x".repeat(300);
    let deep = "d/".repeat(3000);
    let nul = OsStr::from_bytes(b"a\0b");
    for wrong in ["", "/", ".", "./", &long, &deep, "file/below", "/file/../.."]
        .map(OsStr::new)
        .into_iter()
        .chain([nul])
    {
        for kind in [Kind::Folder, Kind::File] {
            for plain in [true, false] {
                match inside::open_or_make(&root, Path::new(wrong), kind, plain) {
                    // These are the root itself, and nothing was made.
                    Ok(_) => {
                        assert!(["/", ".", "./", "/file/../.."].map(OsStr::new).contains(&wrong), "{wrong:?}")
                    }
                    Err(error) => assert!(
                        wrong.is_empty()
                            || error.on.contains('x')
                            || error.on.contains("d/")
                            || error.on.contains(['a', 'f']),
                        "{wrong:?}: {error}"
                    ),
                }
            }
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "something was made");
}

#[test]
fn a_mount_that_the_kernel_does_not_make_is_named() {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mount = |fs_type: &str, options: &[&str]| {
        Mount::from_words(Path::new("/tmp"), fs_type, Path::new("none"), &words(options))
    };
    let (root, _) = marked_root();
    let enter = |mount: Mount| inside(|| Rootfs::just(root.path()).mounts([mount]).enter(), "echo entered");
    for (fs_type, options, named) in [
        ("no-such-type", &[][..], "no-such-type"),
        ("", &[], "open file system"),
        ("tm\0pfs", &[], "open file system"),
        ("tmpfs", &["size=many"], "size=many"),
        ("tmpfs", &["no-such-option"], "no-such-option"),
        ("tmpfs", &["=", ""], "set mount option"),
        ("tmpfs", &["size=1\0"], "set mount option"),
    ] {
        let said = enter(mount(fs_type, options).unwrap());
        assert!(said.contains(named) && said.contains("os error"), "{fs_type:?} {options:?}: {said}");
    }
    for propagation in ["shared", "rslave"] {
        assert!(error(mount("tmpfs", &[propagation])).contains(propagation));
    }
    for (from, target, named) in [
        ("/no/such/folder", "/tmp", "/no/such/folder"),
        ("", "/tmp", "look at"),
        ("/etc/passwd/below", "/tmp", "/etc/passwd/below"),
        // A file on a folder.
        ("/etc/passwd", "/tmp", "/tmp"),
        ("/etc", "/etc/passwd/below", "/etc/passwd/below"),
    ] {
        let said = enter(Mount::bind(from, target, true));
        assert!(said.contains(named) && said.contains("os error"), "{from:?} on {target:?}: {said}");
    }
    for text in ["/a:/b\0", "/\0:/b", ":", "::", "/a:/b:ro:", "a", "/a:/b:RO"] {
        assert!(error(Mount::volume(text)).starts_with("read volume"), "{text:?}");
    }
}

#[test]
fn a_user_or_a_group_that_cannot_be_is_named() {
    for who in
        ["-1", "4294967296", "99999999999999999999", "no-such-user", "0:no-such-group", "0:-1", "a:b:c", "\0"]
    {
        let said = error(User::look_up(who));
        assert!(said.starts_with("look up user") && said.contains(who), "{who:?}: {said}");
    }
    for group in ["-1", "4294967296", "no-such-group", "\0", " 5"] {
        let said = error(User::default().join(&[group.to_owned()]));
        assert!(said.contains(group), "{group:?}: {said}");
    }
}

#[test]
fn a_capability_or_a_device_that_there_is_not_is_named() {
    for name in ["", "CAP_", "CAP_NOTHING", "cap_chown", "CHOWN", "CAP_CHOWN\0", "CAP_CHOWN "] {
        let said = error(capabilities::by_name(&[name]));
        assert!(said.contains("there is no capability") && said.contains(name), "{name:?}: {said}");
    }
    for host in ["", "/dev/no-such-device", "/etc/passwd", "/dev", "/dev/null/below"] {
        let said = error(Device::of_host(Path::new(host), Path::new("/dev/x")));
        assert!(said.starts_with("look at device") && said.contains(host), "{host:?}: {said}");
    }
    assert!(
        error(Device::all_of_host(Path::new("/no/such/folder"), Path::new("/dev")))
            .contains("/no/such/folder")
    );
}

#[test]
fn a_sysctl_that_cannot_be_set_is_named() {
    let (root, _) = marked_root();
    for (name, value) in [
        ("", "1"),
        ("..", "1"),
        ("net/../../kernel/hostname", "x"),
        ("net.no_such_thing", "1"),
        ("net.ipv4.ip_forward", "much"),
        ("net.ipv4\0", "1"),
    ] {
        let mounts = Rootfs::just(root.path()).mounts(rootfs::default_mounts().unwrap());
        let rootfs = mounts.sysctls([(name.to_owned(), value.to_owned())]);
        let said = inside(|| rootfs.enter(), "echo entered");
        let shown = name.replace('\0', "?");
        assert!(said.starts_with("set sysctl") && said.contains(&shown), "{name:?}: {said}");
    }
}

#[test]
fn what_is_masked_and_is_not_there_is_passed_over_whatever_its_name() {
    let (root, mark) = marked_root();
    let rootfs = Rootfs::just(root.path()).mounts(rootfs::default_mounts().unwrap());
    let paths = ["", "no/such/path", "../../no/such/path", "/proc/1/no-such-file"].map(PathBuf::from);
    let said = inside(|| rootfs.mask(paths).read_only_paths(["".into()]).enter(), "ls /");
    assert!(said.contains(&mark), "{said}");
}

#[test]
fn a_root_that_is_none_is_named() {
    let (root, _) = marked_root();
    let file = root.path().join("etc/passwd");
    for wrong in ["/no/such/folder", path(&file)] {
        for command in
            [&["run", "--root", wrong, "true"][..], &["escape", "chroot", wrong], &["escape", "pivot", wrong]]
        {
            let output = lesson(command);
            assert_eq!(output.status.code(), Some(125), "{command:?}: {output:?}");
            assert!(words(&output.stderr).contains(wrong), "{command:?}: {output:?}");
        }
    }
    for wrong in [path(&file), "/proc"] {
        let output = lesson(&["borrow", wrong]);
        assert!(output.status.code() == Some(125) && words(&output.stderr).contains(wrong), "{output:?}");
    }
}
