//! What the kernel shows of a process that lesson 1 has made.
//!
//! Most tests run the lesson's own program: a test program has several threads, and what a child
//! of several threads may do is almost nothing. They need no privilege: who isn't root gets a
//! user namespace.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod alone;
mod child;
mod hostile;
mod idmap;
mod init;
mod program;

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use program::{Sleeper, random, run, run_with};

#[test]
fn a_process_in_a_new_pid_namespace_is_pid_1() {
    let ran = run(&["run", "sh", "-c", "echo $$"]);
    assert_eq!(ran.out, "1", "the shell's own pid, as it sees it. {ran}");
}

#[test]
fn a_host_name_set_inside_is_not_the_host_s() {
    let name = format!("barco-{}", random());
    let before = nix::unistd::gethostname().expect("host name");
    let ran = run(&["run", "--hostname", &name, "uname", "-n"]);
    assert_eq!(ran.out, name, "the host name inside. {ran}");
    assert_eq!(nix::unistd::gethostname().expect("host name"), before, "the host's own name");
}

#[test]
fn each_of_a_container_s_namespaces_is_another_than_the_host_s() {
    for kind in ["mnt", "pid", "uts", "ipc", "net"] {
        let host = fs::read_link(format!("/proc/self/ns/{kind}")).expect("namespace");
        let ran = run(&["run", "readlink", &format!("/proc/self/ns/{kind}")]);
        assert!(ran.out.starts_with(&format!("{kind}:[")), "the namespace's name inside. {ran}");
        assert_ne!(ran.out, host.to_str().expect("text"), "the {kind} namespace inside is the host's own");
    }
}

#[test]
fn a_process_of_the_host_cannot_be_signalled_from_inside() {
    let mut victim = Command::new("sleep").arg("60").spawn().expect("sleep");
    let ran = run(&["run", "sh", "-c", &format!("kill -9 {} && echo gone || echo refused", victim.id())]);
    let lives = victim.try_wait().expect("wait").is_none();
    victim.kill().expect("kill");
    victim.wait().expect("wait");
    assert!(lives, "a process of the host was killed from inside. {ran}");
    assert_eq!(ran.out, "refused", "there is no process of that number inside. {ran}");
}

#[test]
fn the_exit_code_is_the_program_s_own_and_a_signal_is_128_more() {
    let code = i32::try_from(random() % 120).expect("small") + 1;
    let ran = run(&["run", "sh", "-c", &format!("exit {code}")]);
    assert_eq!(ran.code, Some(code), "{ran}");
    // PID 1 can't kill itself with a signal that it has no handler for; its child can.
    let ran = run(&["run", "sh", "-c", "sh -c 'kill -9 $$'; exit $?"]);
    assert_eq!(ran.code, Some(137), "{ran}");
}

#[test]
fn a_program_that_is_not_there_is_127_and_one_that_cannot_run_is_126() {
    let ran = run(&["run", "no-such-program"]);
    assert_eq!(
        ran.code,
        Some(127),
        "ex-01-5: of a program that isn't there the parent hears ENOENT, through the socket: it has to be \
         marked, and not closed, until execve has worked. {ran}"
    );
    assert!(ran.err.contains("no-such-program") && ran.err.contains("not found in $PATH"), "ex-01-5: {ran}");
    for program in ["/etc/passwd", "/"] {
        let ran = run(&["run", program]);
        assert_eq!(ran.code, Some(126), "ex-01-5: {program} is there, and is no program. {ran}");
    }
}

#[test]
fn a_program_is_looked_for_in_each_folder_of_path() {
    let folder = std::env::temp_dir().join(format!("lesson-01-{}", random()));
    let (first, second, third) = (folder.join("first"), folder.join("second"), Path::new("/bin"));
    fs::create_dir_all(&first).expect("folder");
    fs::create_dir_all(&second).expect("folder");
    // In the first folder it may not be executed, in the second it is missing, in the third it runs.
    fs::write(first.join("sh"), "").expect("file");
    let path = |folders: &[&Path]| std::env::join_paths(folders).expect("PATH");
    let found = run_with(&["run", "sh", "-c", "echo found"], "PATH", path(&[&first, &second, third]));
    let refused = run_with(&["run", "sh", "-c", "echo found"], "PATH", path(&[&first, &second]));
    fs::remove_dir_all(&folder).expect("folder");
    assert_eq!(found.out, "found", "ex-01-5: the third folder of PATH has it. {found}");
    assert_eq!(refused.code, Some(126), "ex-01-5: it is there, and may not be executed. {refused}");
}

#[test]
fn the_program_starts_with_no_descriptor_but_the_three_and_no_signal_ignored() {
    // `run` sets another umask before.
    let ran = run(&["run", "sh", "-c", "ls /proc/self/fd; grep SigIgn /proc/self/status; umask"]);
    let lines: Vec<&str> = ran.out.lines().collect();
    // 3 is the folder that ls itself reads.
    assert_eq!(lines.get(..4), Some(&["0", "1", "2", "3"][..]), "ex-01-5: the descriptors inside. {ran}");
    let ignored = lines[4].trim_start_matches("SigIgn:").trim();
    let ignored = u64::from_str_radix(ignored, 16).expect("a mask");
    let ignored: Vec<_> =
        Signal::iterator().filter(|signal| ignored >> (*signal as i32 - 1) & 1 == 1).collect();
    assert_eq!(
        ignored,
        [],
        "ex-01-5: the signals that the program ignores from its start on; a new one ignores none. Are they restored?"
    );
    assert_eq!(lines[5], "0022", "ex-01-5: the umask, which was 0077 outside");
}

#[test]
fn a_child_does_not_outlive_its_parent() {
    let mut parent = Sleeper::new();
    let pid = parent.pid_inside();
    drop(parent);
    let gone = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        !Path::new(&format!("/proc/{pid}")).exists()
    });
    assert!(gone, "ex-01-3: process {pid} lives on without its parent");
}

#[test]
fn one_more_process_enters_a_container_that_runs() {
    let mut container = Sleeper::new();
    let pid = container.pid_inside();
    for kind in ["mnt", "pid", "uts", "ipc", "net", "user"] {
        let file = format!("/proc/{pid}/ns/{kind}");
        let theirs = fs::read_link(&file).expect("namespace");
        let ran = run(&["exec", &pid, "readlink", &format!("/proc/self/ns/{kind}")]);
        let theirs = theirs.to_str().expect("text");
        assert_eq!(
            ran.out, theirs,
            "ex-01-6: the {kind} namespace that was entered. EINVAL: one of them was ours already; EPERM: the user \
             namespace comes first. {ran}"
        );
    }
}

#[test]
fn to_enter_namespaces_that_are_ours_already_is_to_join_nothing() {
    let mut neighbour = Command::new("sleep").arg("60").spawn().expect("sleep");
    let ran = run(&["exec", &neighbour.id().to_string(), "echo", "entered"]);
    neighbour.kill().expect("kill");
    neighbour.wait().expect("wait");
    assert_eq!(
        ran.out, "entered",
        "ex-01-6: all namespaces of that process are ours already, and setns refuses to join those: leave them \
         out. {ran}"
    );
}

#[test]
fn entering_a_process_that_is_not_there_is_an_error_that_names_it() {
    let ran = run(&["exec", "999999999", "true"]);
    assert_eq!(ran.code, Some(125), "{ran}");
    assert!(ran.err.contains("999999999"), "{ran}");
}
