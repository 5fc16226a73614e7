//! The attack: using the machine up. It is bounded by itself, so that a failing test can't take the
//! machine along: so many bytes, so many processes, and no more.

use std::convert::Infallible;
use std::process::{Command, ExitCode};

use namespaces::{Isolation, exec, set_hostname};
use rootfs::{Privileges, Root, Rootfs, User};

use crate::lab::{Container, error, eventually, family, field, lesson, memory_of, random, text};
use crate::{Test, tests};

pub const TESTS: &[Test] = tests![
    lesson_2_does_not_stop_a_program_that_eats_memory,
    lesson_2_does_not_stop_a_fork_bomb,
    within_limits_the_same_program_is_killed,
    within_limits_the_same_fork_bomb_stops,
    the_exit_code_of_a_container_that_was_killed_for_memory_is_137,
    a_program_within_its_memory_is_left_alone,
    a_container_within_its_number_of_processes_is_left_alone,
];

/// Eats so many bytes and holds them: `tail` keeps all it was asked for until its input ends, and then
/// nobody reads what it says.
fn memory_hog(bytes: u64) -> String {
    format!("echo ready; head -c {bytes} /dev/zero | tail -c {bytes} | sleep 100")
}

/// Starts so many processes, beside the shell and one more that starts them. That one ends when it is
/// refused one.
fn fork_bomb(processes: u64) -> String {
    let bomb = format!("i=0; while [ $i -lt {processes} ]; do sleep 100 & i=$((i+1)); done; wait");
    format!("echo ready; ({bomb}); exec sleep 100")
}

/// The first word on the command line of this test program as lesson 2's container.
pub const IN_LESSON_2: &str = "in-lesson-2";

/// What lesson 2's program does: `IN_LESSON_2 PROGRAM ARGUMENT…`. It is not a test, it is what they
/// start, since to make a container takes a process with a single thread.
pub fn in_lesson_2() -> ExitCode {
    let command = namespaces::Command::new(std::env::args().skip(2));
    let root = Root::new(None).unwrap();
    let rootfs = Rootfs::folder(root.path()).unwrap();
    let privileges = Privileges::docker().unwrap();
    let inside = || -> namespaces::Result<Infallible> {
        set_hostname("container")?;
        rootfs.enter()?;
        privileges.drop_to(&User::look_up("")?)?;
        exec(&command)
    };
    let child = Isolation::container().spawn(inside).unwrap();
    ExitCode::from(child.release().unwrap().wait().unwrap().code() as u8)
}

#[track_caller]
fn lesson_2(script: &str) -> Container {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([IN_LESSON_2, "sh", "-c", script]);
    Container::ready(command)
}

fn lesson_2_does_not_stop_a_program_that_eats_memory() {
    let wanted = random(32 << 20, 40 << 20);
    let container = lesson_2(&memory_hog(wanted));
    let mut has = 0;
    let all = eventually(|| {
        has = memory_of(&family(container.pid));
        // The kernel counts a little behind.
        has + (1 << 20) > wanted
    });
    assert!(all, "it has {has} bytes, and wanted {wanted}");
}

fn lesson_2_does_not_stop_a_fork_bomb() {
    let wanted = random(40, 80);
    let container = lesson_2(&fork_bomb(wanted));
    let mut count = 0;
    let all = eventually(|| {
        count = family(container.pid).len();
        count as u64 == wanted + 2
    });
    assert!(all, "{count} processes, and {wanted} were wanted");
}

fn within_limits_the_same_program_is_killed() {
    let wanted = random(32 << 20, 40 << 20);
    let limit = random(12, 24);
    let container = Container::start(&["--memory", &format!("{limit}m")], &memory_hog(wanted));
    let killed = || container.field("memory", "memory.oom_control", "memory.events", "oom_kill");
    assert!(eventually(|| killed() > 0), "the kernel has killed nobody");
    // The shell and `sleep` live on.
    let has = memory_of(&family(container.pid));
    assert!(has <= limit << 20, "it has {has} bytes, with a limit of {limit} MiB");
}

fn within_limits_the_same_fork_bomb_stops() {
    let wanted = random(40, 80);
    let limit = random(8, 32);
    let container = Container::start(&["--pids", &limit.to_string()], &fork_bomb(wanted));
    let refused = || container.field("pids", "pids.events", "pids.events", "max");
    assert!(eventually(|| refused() > 0), "nobody was refused");
    let count = family(container.pid).len() as u64;
    assert!(count <= limit, "{count} processes, with a limit of {limit}");
}

fn the_exit_code_of_a_container_that_was_killed_for_memory_is_137() {
    let bytes = random(32 << 20, 40 << 20).to_string();
    let hog = format!("head -c {bytes} /dev/zero | tail -c {bytes} > /dev/null; exit $?");
    let output = lesson(&["--memory", "16m", "sh", "-c", &hog]);
    assert_eq!(output.status.code(), Some(137), "ex-03-6: 128 + 9, and a word of why: {output:?}");
    assert!(
        error(&output).contains("out of memory"),
        "ex-03-4: step 6 should say \"out of memory\" on stderr, after the kernel has killed: {output:?}"
    );
}

fn a_program_within_its_memory_is_left_alone() {
    let bytes = random(4 << 20, 8 << 20).to_string();
    let small = format!("head -c {bytes} /dev/zero | tail -c {bytes} | wc -c");
    let output = lesson(&["--memory", "64m", "sh", "-c", &small]);
    assert_eq!(text(&output), bytes);
    assert_eq!(error(&output), "");
}

fn a_container_within_its_number_of_processes_is_left_alone() {
    let wanted = random(20, 40);
    let limit = wanted + 5;
    let container = Container::start(&["--pids", &limit.to_string()], &fork_bomb(wanted));
    assert!(eventually(|| family(container.pid).len() as u64 == wanted + 2));
    assert_eq!(container.file("pids", "pids.current", "pids.current"), (wanted + 2).to_string());
    assert_eq!(field(&container.file("pids", "pids.events", "pids.events"), "max"), 0);
}
