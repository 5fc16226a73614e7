//! What the lesson's program is made of besides images: its flags, and the group that goes with it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use cgroups::{Limits, OwnGroup};
use images::{PullOptions, Store};
use namespaces::flags::Flags;

fn flags(name: &str, value: impl Into<OsString>) -> Flags {
    Flags::parse([name.into(), value.into()], &images::FLAGS, &[]).unwrap()
}

#[test]
fn a_platform_that_is_none_is_refused_and_shown() {
    for wrong in ["", "linux", "linux/", "/amd64", "linux/amd64/v1/x"] {
        let error = PullOptions::from_flags(&flags("--platform", wrong)).unwrap_err().to_string();
        assert!(error.contains(&format!("{wrong:?}")) && error.lines().count() == 1, "{wrong:?}: {error}");
    }
    // What would steer a terminal doesn't come to one.
    let error = PullOptions::from_flags(&flags("--platform", "linux/\x1b[2J\n")).unwrap_err().to_string();
    assert!(error.contains("linux/ [2J") && !error.chars().any(char::is_control), "{error:?}");
    let bytes = OsString::from_vec(b"linux/\xff".to_vec());
    let error = PullOptions::from_flags(&flags("--platform", bytes)).unwrap_err().to_string();
    assert!(error.contains("--platform") && error.contains(r"\xFF"), "{error}");
    assert_eq!(PullOptions::from_flags(&Flags::default()).unwrap().platform, None);
}

#[test]
fn a_store_that_can_be_nowhere_is_refused_by_its_name() {
    for wrong in ["/proc/no/store", "/dev/null", "/dev/null/store"] {
        let Err(error) = Store::from_flags(&flags("--store", wrong)) else { panic!("{wrong} is taken") };
        assert!(error.to_string().contains(wrong), "{error}");
    }
}

/// The folders of this name below a control group's tree, wherever we may make some.
fn groups(tree: &Path, name: &str, depth: usize) -> Vec<PathBuf> {
    let entries = fs::read_dir(tree).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let below = |entry: fs::DirEntry| match entry.file_name() == name {
        true => vec![entry.path()],
        false if depth > 0 => groups(&entry.path(), name, depth - 1),
        false => vec![],
    };
    folders.flat_map(below).collect()
}

#[test]
fn a_program_s_own_group_goes_with_it_and_its_parent_too() {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("canoa-own-{}", folder.path().file_name().unwrap().display()).replace('.', "");
    let there = || groups(Path::new("/sys/fs/cgroup"), &name, 6);
    let parent = format!("/{name}");
    let group = OwnGroup::create(&parent, &Limits::default()).unwrap();
    // Whoever was handed no group has none.
    if nix::unistd::geteuid().is_root() {
        assert!(!there().is_empty());
    }
    drop(group);
    let left = there();
    for group in &left {
        let inner = fs::read_dir(group).into_iter().flatten().flatten().map(|entry| entry.path());
        inner
            .filter(|path| path.is_dir())
            .chain([group.clone()])
            .for_each(|folder| drop(fs::remove_dir(folder)));
    }
    assert_eq!(left, Vec::<PathBuf>::new());
    let impossible = Limits { cpus: Some("7999".parse().unwrap()), ..Limits::default() };
    OwnGroup::create(&parent, &impossible).unwrap_err();
    assert_eq!(there(), Vec::<PathBuf>::new());
}
