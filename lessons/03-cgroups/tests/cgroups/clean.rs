//! Nothing is left: a group stays until somebody removes it, so somebody has to.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use cgroups::{Cgroup, Limits, remove_parent};

use crate::lab::{Container, eventually, groups, lesson, program, random};
use crate::{Test, tests};

pub const TESTS: &[Test] = tests![
    nothing_is_left_of_the_groups,
    nothing_is_left_after_a_failure,
    a_failure_leaves_no_parent_either,
    what_a_killed_program_left_the_next_one_removes,
    many_at_once_do_not_get_in_each_other_s_way,
];

/// The groups of programs with this pid.
fn groups_of(pid: u32) -> Vec<PathBuf> {
    let start = format!("{pid}-");
    // The parent, in whichever tree.
    let parents = groups("canoa-lessons").into_iter();
    let inside = parents.flat_map(|parent| fs::read_dir(parent).into_iter().flatten().flatten());
    inside
        .filter(|group| group.file_name().to_string_lossy().starts_with(&start))
        .map(|group| group.path())
        .collect()
}

fn run(words: &[&str]) -> u32 {
    let mut command = Command::new(program());
    command.arg("run").args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    pid
}

#[track_caller]
fn nothing_is_left_of(words: &[&str]) {
    assert_eq!(
        groups_of(run(words)),
        Vec::<PathBuf>::new(),
        "ex-03-4: after \"run {}\" its groups are still there: step 7 is to be done also when the child couldn't \
         be started, or has failed",
        words.join(" ")
    );
}

fn nothing_is_left_of_the_groups() {
    nothing_is_left_of(&["true"]);
    nothing_is_left_of(&["--memory", "64m", "--pids", "9", "sh", "-c", "sleep 100 & exit 3"]);
}

fn nothing_is_left_after_a_failure() {
    for words in [
        &["--cpus", "0", "true"][..],
        &["--memory", "0", "true"],
        &["--cpuset-cpus", "7999", "true"],
        &["--user", "nobody-of-this-name", "true"],
        &["no-program-of-this-name"],
        // Too little for anything to begin.
        &["--memory", "4096", "true"],
    ] {
        nothing_is_left_of(words);
    }
}

/// A group goes with its inner ones, also where the test has failed: an exercise may be blank.
struct Removed<'a>(&'a str);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        for group in groups(self.0) {
            let inner = fs::read_dir(&group).into_iter().flatten().flatten().map(|entry| entry.path());
            for folder in inner.filter(|path| path.is_dir()).chain([group]) {
                let _ = fs::remove_dir(folder);
            }
        }
    }
}

fn a_failure_leaves_no_parent_either() {
    // One of its own: in that of the other tests there are others' groups.
    let parent = format!("canoa-parent-{}", random(0, u64::MAX));
    let _removed = Removed(&parent);
    let impossible = Limits { cpus: Some("7999".parse().unwrap()), ..Limits::default() };
    let error = Cgroup::create(&format!("/{parent}"), "group", &impossible).unwrap_err();
    assert!(error.hint.contains("7999"), "{error}");
    assert_eq!(groups(&parent), Vec::<PathBuf>::new());
    let cgroup = Cgroup::create(&format!("/{parent}"), "group", &Limits::default()).unwrap();
    assert!(!groups(&parent).is_empty());
    cgroup.remove().unwrap();
    remove_parent(&format!("/{parent}")).unwrap();
    assert_eq!(groups(&parent), Vec::<PathBuf>::new());
}

fn what_a_killed_program_left_the_next_one_removes() {
    let mut container = Container::start(&[], "echo ready; exec sleep 100");
    let name = container.name.clone();
    container.program.kill().unwrap();
    container.program.wait().unwrap();
    // Its PID 1 dies with it, and the group stays: that is why there is something to sweep. (Unless
    // another of these tests, in parallel, has swept it already.)
    assert!(eventually(|| fs::read_to_string(format!("/proc/{}/stat", container.pid)).is_err()));
    assert!(lesson(&["true"]).status.success());
    assert_eq!(groups(&name), Vec::<PathBuf>::new());
}

fn many_at_once_do_not_get_in_each_other_s_way() {
    let start = |_| {
        let mut command = Command::new(program());
        command
            .args(["run", "--pids", "20", "--memory", "64m", "true"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    for child in (0..8).map(start).collect::<Vec<_>>() {
        let pid = child.id();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(groups_of(pid), Vec::<PathBuf>::new());
    }
}
