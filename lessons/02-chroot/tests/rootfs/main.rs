//! What the kernel shows of a process that lesson 2 has locked in.
//!
//! As in lesson 1 the tests run the lesson's own program, and need no privilege.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod container;
mod hostile;
mod mounts;
mod privileges;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

fn lesson(words: &[&str]) -> Output {
    // Where the tests run elsewhere than they were built, as in a virtual machine, this says where it is.
    let program =
        std::env::var_os("CARGO_BIN_EXE_lesson-02").unwrap_or(env!("CARGO_BIN_EXE_lesson-02").into());
    Command::new(program).args(words).output().unwrap()
}

/// Runs a shell script in a container of its own.
fn shell(script: &str) -> String {
    text(&lesson(&["run", "sh", "-c", script]))
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// What a program that succeeds has printed.
fn text(output: &Output) -> String {
    let (out, errors) = (words(&output.stdout), words(&output.stderr));
    assert!(output.status.success(), "{}; it printed {out:?}, and as errors:\n{errors}", output.status);
    out
}

/// A borrowed root file system with a file in it whose name nobody can guess.
fn marked_root() -> (TempDir, String) {
    let root = TempDir::new().unwrap();
    text(&lesson(&["borrow", path(root.path())]));
    let mark = root.path().file_name().unwrap().to_str().unwrap().replace('.', "mark-");
    fs::write(root.path().join(&mark), "").unwrap();
    (root, mark)
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_attack_a_chroot_is_escaped_with_one_more_chroot() {
    let (root, mark) = marked_root();
    let output = lesson(&["escape", "chroot", path(root.path())]);
    let seen = words(&output.stdout);
    assert!(
        output.status.success() && !seen.contains(&mark),
        "ex-02-1: still inside. Does the working directory stay outside of the new root? Seen: {seen:?}, and {}",
        words(&output.stderr)
    );
    assert!(seen.lines().any(|name| name == "home" || name == "etc"), "the host's root: {seen}");
}

#[test]
fn the_attack_defeated_after_a_pivot_there_is_nowhere_to_escape_to() {
    let (root, mark) = marked_root();
    let seen = text(&lesson(&["escape", "pivot", path(root.path())]));
    assert!(
        seen.contains(&mark),
        "ex-02-3: escaped from the pivoted root: is the old one still mounted, with the new one? Seen: {seen}"
    );
}

#[test]
fn the_processes_it_sees_are_its_own() {
    assert_eq!(shell("echo /proc/[0-9]*"), "/proc/1");
}

#[test]
fn mounts_made_inside_do_not_appear_on_the_host() {
    let inside = shell("cat /proc/self/mountinfo");
    let host = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(
        inside.lines().any(|line| line.contains(" /dev/pts ") && line.contains(" - devpts ")),
        "{inside}"
    );
    assert!(!host.contains("lesson-02-"), "{host}");
    // No mount inside is a peer (shared:) or a slave (master:) of one outside.
    assert!(!inside.contains("shared:") && !inside.contains("master:"), "{inside}");
}

#[test]
fn the_devices_are_those_every_program_expects_and_work() {
    assert_eq!(
        shell("echo x > /dev/null; head -c 3 /dev/zero | wc -c; test -c /dev/urandom && echo ok"),
        "3\nok"
    );
    assert_eq!(shell("readlink /dev/ptmx; readlink /dev/stdout"), "pts/ptmx\n/proc/self/fd/1");
    assert_eq!(shell("stat -c %a /dev/null /dev/shm"), "666\n1777");
}

#[test]
fn what_proc_and_sys_would_give_away_is_covered() {
    let mounts = shell("cat /proc/mounts");
    for folder in rootfs::mask::READ_ONLY.into_iter().filter(|path| Path::new(path).exists()) {
        let line = mounts.lines().find(|line| line.split(' ').nth(1) == Some(folder));
        assert!(line.is_some_and(|line| line.contains(" ro,")), "{folder} is writable: {mounts}");
    }
    for masked in rootfs::mask::MASKED.into_iter().filter(|path| Path::new(path).exists()) {
        let script = format!("if [ -d {masked} ]; then ls -A {masked} | wc -c; else wc -c < {masked}; fi");
        assert_eq!(shell(&script), "0", "{masked} is not covered");
    }
}

#[test]
fn capabilities_are_docker_s_fourteen_and_no_more() {
    // The mask that `docker run --rm busybox grep CapBnd /proc/self/status` prints.
    let status = shell("cat /proc/self/status");
    for (set, expected) in [
        ("CapBnd", "00000000a80425fb"),
        ("CapEff", "00000000a80425fb"),
        ("CapPrm", "00000000a80425fb"),
        ("CapInh", "0000000000000000"),
        ("CapAmb", "0000000000000000"),
    ] {
        assert!(status.contains(&format!("{set}:\t{expected}")), "{set}: {status}");
    }
    let mount = lesson(&["run", "mount", "-t", "tmpfs", "none", "/tmp"]);
    assert!(!mount.status.success(), "root inside may mount: {mount:?}");
}

#[test]
fn a_user_is_looked_up_in_the_container_and_has_no_capabilities() {
    let one_id = shell("cat /proc/self/uid_map").split_whitespace().last() == Some("1");
    let output = lesson(&["run", "--user", "nobody", "sh", "-c", "id -u; grep CapEff /proc/self/status"]);
    if one_id {
        // There is no nobody in there; the error says how to get more ids.
        assert!(String::from_utf8_lossy(&output.stderr).contains("uidmap"), "{output:?}");
    } else {
        assert_eq!(text(&output), "65534\nCapEff:\t0000000000000000");
    }
    let unknown = lesson(&["run", "--user", "no-such-user", "true"]);
    assert_eq!(unknown.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no-such-user"), "{unknown:?}");
}

#[test]
fn a_folder_of_the_host_is_seen_inside_and_read_only_holds() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("letter"), "hola").unwrap();
    let volume = format!("{}:/a/new/place", path(folder.path()));
    let write = |volume: &str| {
        lesson(&[
            "run",
            "--volume",
            volume,
            "sh",
            "-c",
            "cat /a/new/place/letter && touch /a/new/place/reply",
        ])
    };
    let refused = write(&format!("{volume}:ro"));
    assert_eq!(String::from_utf8_lossy(&refused.stdout), "hola");
    assert!(!refused.status.success() && !folder.path().join("reply").exists(), "{refused:?}");
    assert_eq!(text(&write(&volume)), "hola");
    assert!(folder.path().join("reply").exists());
}

#[test]
fn a_symbolic_link_in_the_image_leads_a_volume_nowhere_but_inside() {
    let (root, _) = marked_root();
    let outside = TempDir::new().unwrap();
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("letter"), "hola").unwrap();
    // Both an absolute and a climbing link to a folder that exists on the host.
    symlink(outside.path(), root.path().join("absolute")).unwrap();
    let climbing = format!("../../../../../..{}", path(outside.path()));
    symlink(climbing, root.path().join("climbing")).unwrap();
    fs::create_dir_all(root.path().join(outside.path().strip_prefix("/").unwrap())).unwrap();
    for target in ["/absolute", "/climbing"] {
        let volume = format!("{}:{target}", path(folder.path()));
        let script = format!("cat {target}/letter && touch {target}/reply");
        let words = ["run", "--root", path(root.path()), "--volume", &volume, "sh", "-c", &script];
        assert_eq!(text(&lesson(&words)), "hola");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "written to the host's folder");
    }
}

#[test]
fn a_link_in_the_image_that_leads_to_nothing_is_made_good_inside() {
    let (root, _) = marked_root();
    let outside = TempDir::new().unwrap();
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("letter"), "hola").unwrap();
    let nowhere = outside.path().join("made/inside");
    symlink(&nowhere, root.path().join("absolute")).unwrap();
    symlink("../tmp/../var/made", root.path().join("etc/climbing")).unwrap();
    for (target, real) in [("/absolute/more", path(&nowhere)), ("/etc/climbing", "/var/made")] {
        let volume = format!("{}:{target}", path(folder.path()));
        let script = format!("cat {target}/letter && test -e {real}");
        let words = ["run", "--root", path(root.path()), "--volume", &volume, "sh", "-c", &script];
        assert_eq!(text(&lesson(&words)), "hola");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "made on the host");
    }
    symlink("loop", root.path().join("loop")).unwrap();
    let volume = format!("{}:/loop", path(folder.path()));
    let output = lesson(&["run", "--root", path(root.path()), "--volume", &volume, "true"]);
    assert_eq!(output.status.code(), Some(125), "{output:?}");
}

#[test]
fn an_image_whose_proc_is_a_symbolic_link_is_refused() {
    let (root, _) = marked_root();
    fs::remove_dir(root.path().join("proc")).unwrap();
    symlink("/tmp", root.path().join("proc")).unwrap();
    let output = lesson(&["run", "--root", path(root.path()), "true"]);
    assert_eq!(output.status.code(), Some(125));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("/proc") && message.contains("symbolic link"), "{message}");
}

#[test]
fn a_borrowed_root_takes_the_shared_libraries_along() {
    // Whatever the host has (busybox or its own tools): each program in it runs.
    assert_eq!(shell("ls /bin/sh && seq 3 | sort -r | head -n 1"), "/bin/sh\n3");
}
