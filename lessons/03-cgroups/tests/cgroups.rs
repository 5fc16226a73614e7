//! What the kernel does to a process that lesson 3 has put within limits.
//!
//! They need a machine that lets this user make control groups. Where it doesn't, each is shown as
//! ignored with the reason; with `WORKSHOP_REQUIRE=all` it fails instead.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let why_not = why_not();
    let tests: [(&str, fn()); 8] = [
        ("the_attack_a_memory_hog_is_killed_and_its_exit_code_is_137", memory_hog),
        ("a_program_within_its_memory_is_left_alone", within_memory),
        ("the_attack_a_fork_bomb_stops_at_the_limit", fork_bomb),
        ("a_fifth_of_a_processor_is_a_fifth", processor_time),
        ("the_limits_are_what_the_kernel_s_own_files_say", limits_in_the_files),
        ("a_device_that_no_rule_allows_can_be_made_and_not_used", devices),
        ("a_container_sees_its_own_group_as_the_root", cgroup_namespace),
        ("nothing_is_left_of_the_groups", nothing_left),
    ];
    let required = std::env::var("WORKSHOP_REQUIRE").is_ok_and(|value| value == "all");
    let trials = tests
        .map(|(name, test)| {
            let run = move || {
                std::panic::catch_unwind(test).map_err(|panic| match panic.downcast_ref::<String>() {
                    Some(message) => Failed::from(message),
                    None => Failed::from("see above"),
                })
            };
            match &why_not {
                Some(reason) if required => {
                    let reason = reason.clone();
                    Trial::test(name, move || Err(Failed::from(reason)))
                }
                Some(reason) => Trial::test(name, run).with_kind(reason).with_ignored_flag(true),
                None => Trial::test(name, run),
            }
        })
        .into_iter()
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Why these tests can't run here, and what to do.
fn why_not() -> Option<String> {
    let output = lesson(&["--pids", "100", "true"]);
    (!output.status.success()).then(|| format!("needs cgroups, run as root: {}", error(&output).trim()))
}

fn lesson(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lesson-03")).arg("run").args(words).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn memory_hog() {
    // `tail` keeps the last line, and that file is one line without end. The shell is PID 1.
    let output = lesson(&["--memory", "32m", "sh", "-c", "tail /dev/zero; exit $?"]);
    assert_eq!(output.status.code(), Some(137), "{output:?}");
    assert!(error(&output).contains("out of memory"), "{output:?}");
}

fn within_memory() {
    let output =
        lesson(&["--memory", "32m", "sh", "-c", "head -c 8000000 /dev/zero | tail -c 7000000 | wc -c"]);
    assert_eq!(text(&output), "7000000");
    assert_eq!(error(&output), "");
}

fn fork_bomb() {
    // Bounded by itself as well: should the limit not hold, it ends after 64.
    let bomb = "i=0; while [ $i -lt 64 ]; do sleep 1 & i=$((i+1)); done; echo all started";
    let output = lesson(&["--pids", "10", "sh", "-c", bomb]);
    assert!(
        !output.status.success() && !String::from_utf8_lossy(&output.stdout).contains("all started"),
        "{output:?}"
    );
    assert_eq!(text(&lesson(&["--pids", "100", "sh", "-c", bomb])), "all started");
}

fn processor_time() {
    // utime and stime of waited-for children, in hundredths of a second: fields 16 and 17.
    let script = "timeout 1 sh -c 'while :; do :; done'; cat /proc/1/stat";
    let used = |words: &[&str]| -> u64 {
        let output = lesson(&[words, &["sh", "-c", script]].concat());
        let stat = String::from_utf8_lossy(&output.stdout).into_owned();
        let last = stat.lines().last().unwrap().rsplit_once(')').unwrap().1.to_owned();
        last.split_whitespace().skip(13).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
    };
    let limited = used(&["--cpus", "0.2"]);
    assert!(limited <= 35, "{limited} hundredths of a second in one second, with a fifth of a processor");
}

fn limits_in_the_files() {
    // A value of its own each time, so that the answer can't be the default's.
    let pids = 100 + std::process::id() % 100;
    let memory = u64::from(pids) << 20;
    let mut container = Command::new(env!("CARGO_BIN_EXE_lesson-03"))
        .args(["run", "--memory", &format!("{pids}m"), "--pids", &pids.to_string(), "sleep", "5"])
        .spawn()
        .unwrap();
    let name = container.id().to_string();
    let v2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let group = |controller: &str| match v2 {
        true => format!("/sys/fs/cgroup/canoa-lessons/{name}"),
        false => format!("/sys/fs/cgroup/{controller}/canoa-lessons/{name}"),
    };
    let memory_file =
        format!("{}/{}", group("memory"), if v2 { "memory.max" } else { "memory.limit_in_bytes" });
    let pids_file = format!("{}/pids.max", group("pids"));
    let seen = (wait_for(&memory_file, &memory.to_string()), wait_for(&pids_file, &pids.to_string()));
    container.kill().unwrap();
    container.wait().unwrap();
    // The program was killed, so it couldn't clean up: its container has ended with it.
    remove_groups(&name);
    let _ = fs::remove_dir_all(std::env::temp_dir().join(format!("canoa-lesson-{name}")));
    assert_eq!(seen, (memory.to_string(), pids.to_string()));
}

fn devices() {
    let output = lesson(&[
        "sh",
        "-c",
        "mknod /tmp/disk b 254 0 && test -b /tmp/disk && echo made; head -c 1 /tmp/disk",
    ]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "made\n", "{output:?}");
    assert!(error(&output).contains("Operation not permitted"), "{output:?}");
}

fn cgroup_namespace() {
    let groups = text(&lesson(&["cat", "/proc/self/cgroup"]));
    assert!(groups.lines().any(|line| line.contains("memory") || line.starts_with("0::")), "{groups}");
    assert!(!groups.contains("canoa"), "{groups}");
}

fn nothing_left() {
    let mut container = Command::new(env!("CARGO_BIN_EXE_lesson-03")).args(["run", "true"]).spawn().unwrap();
    let name = container.id().to_string();
    container.wait().unwrap();
    assert_eq!(groups(&name), Vec::<std::path::PathBuf>::new());
}

/// The value of a control file, once it is `expected` or two seconds have passed.
fn wait_for(file: &str, expected: &str) -> String {
    let mut seen = String::new();
    for _ in 0..200 {
        seen = fs::read_to_string(file).unwrap_or_default().trim().to_owned();
        if seen == expected {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    seen
}

/// Where the lesson's group of this name is still there.
fn groups(name: &str) -> Vec<std::path::PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let trees = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).chain([root.to_owned()]);
    trees.map(|tree| tree.join("canoa-lessons").join(name)).filter(|group| group.exists()).collect()
}

fn remove_groups(name: &str) {
    for group in groups(name) {
        for _ in 0..100 {
            if fs::remove_dir(&group).is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let _ = fs::remove_dir(group.parent().unwrap());
    }
}
