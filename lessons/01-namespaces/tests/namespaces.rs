//! What the kernel shows of a process that lesson 1 has made.
//!
//! The tests run the lesson's own program: a test program has several threads, and what a child
//! of several threads may do is almost nothing. They need no privilege: who isn't root gets a
//! user namespace.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

fn lesson(words: &[&str]) -> Command {
    // Where the tests run elsewhere than they were built, as in a virtual machine, this says where it is.
    let program =
        std::env::var_os("CARGO_BIN_EXE_lesson-01").unwrap_or(env!("CARGO_BIN_EXE_lesson-01").into());
    let mut command = Command::new(program);
    command.args(words);
    command
}

fn run(words: &[&str]) -> Output {
    lesson(words).output().expect("lesson-01 starts")
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("text").trim()
}

/// A number that nobody can have written into the code beforehand.
fn random() -> u32 {
    let mut bytes = [0; 4];
    std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes)).expect("/dev/urandom");
    u32::from_ne_bytes(bytes)
}

#[test]
fn a_process_in_a_new_pid_namespace_is_pid_1() {
    let output = run(&["run", "sh", "-c", "echo $$"]);
    assert_eq!(stdout(&output), "1", "the shell's own pid, as it sees it: {output:?}");
}

#[test]
fn a_host_name_set_inside_is_not_the_host_s() {
    let name = format!("barco-{}", random());
    let before = nix::unistd::gethostname().expect("host name");
    let output = run(&["run", "--hostname", &name, "uname", "-n"]);
    assert_eq!(stdout(&output), name);
    assert_eq!(nix::unistd::gethostname().expect("host name"), before);
}

#[test]
fn each_of_a_container_s_namespaces_is_another_than_the_host_s() {
    for kind in ["mnt", "pid", "uts", "ipc", "net"] {
        let host = std::fs::read_link(format!("/proc/self/ns/{kind}")).expect("namespace");
        let output = run(&["run", "readlink", &format!("/proc/self/ns/{kind}")]);
        assert!(stdout(&output).starts_with(&format!("{kind}:[")), "{output:?}");
        assert_ne!(stdout(&output), host.to_str().expect("text"), "{kind}");
    }
}

#[test]
fn a_process_of_the_host_cannot_be_signalled_from_inside() {
    let mut victim = Command::new("sleep").arg("60").spawn().expect("sleep");
    let output = run(&["run", "sh", "-c", &format!("kill -9 {}", victim.id())]);
    assert!(!output.status.success(), "{output:?}");
    assert!(victim.try_wait().expect("wait").is_none(), "it should live on");
    victim.kill().expect("kill");
    victim.wait().expect("wait");
}

#[test]
fn the_exit_code_is_the_program_s_own_and_a_signal_is_128_more() {
    let code = i32::try_from(random() % 120).expect("small") + 1;
    assert_eq!(run(&["run", "sh", "-c", &format!("exit {code}")]).status.code(), Some(code));
    // PID 1 can't kill itself with a signal that it has no handler for; its child can.
    assert_eq!(run(&["run", "sh", "-c", "sh -c 'kill -9 $$'; exit $?"]).status.code(), Some(137));
}

#[test]
fn a_program_that_is_not_there_is_127_and_one_that_cannot_run_is_126() {
    let absent = run(&["run", "no-such-program"]);
    assert_eq!(absent.status.code(), Some(127));
    let message = String::from_utf8_lossy(&absent.stderr).into_owned();
    assert!(message.contains("no-such-program") && message.contains("not found in $PATH"), "{message}");
    assert_eq!(run(&["run", "/etc/passwd"]).status.code(), Some(126));
    assert_eq!(run(&["run", "/"]).status.code(), Some(126));
}

#[test]
fn the_program_starts_with_no_descriptor_but_the_three_and_no_signal_ignored() {
    let output = run(&["run", "sh", "-c", "ls /proc/self/fd; grep SigIgn /proc/self/status; umask"]);
    let lines: Vec<&str> = stdout(&output).lines().collect();
    // 3 is the folder that ls itself reads.
    assert_eq!(lines[..4], ["0", "1", "2", "3"]);
    let ignored = lines[4].trim_start_matches("SigIgn:").trim();
    let ignored = u64::from_str_radix(ignored, 16).expect("a mask");
    assert_eq!(ignored & 0x7fff_ffff, 0, "signals 1 to 31 should be as in a new program: {ignored:x}");
    assert_eq!(lines[5], "0022");
}

#[test]
fn a_child_does_not_outlive_its_parent() {
    let mut parent = sleeper();
    let pid = first_line(&mut parent);
    parent.kill().expect("kill");
    parent.wait().expect("wait");
    assert!(gone(&pid), "process {pid} lives on without its parent");
}

#[test]
fn one_more_process_enters_a_container_that_runs() {
    let mut container = sleeper();
    let pid = first_line(&mut container);
    for kind in ["mnt", "pid", "uts", "ipc", "net", "user"] {
        let file = format!("/proc/{pid}/ns/{kind}");
        let theirs = std::fs::read_link(&file).expect("namespace");
        let output = run(&["exec", &pid, "readlink", &format!("/proc/self/ns/{kind}")]);
        assert_eq!(stdout(&output), theirs.to_str().expect("text"), "{kind}: {output:?}");
    }
    container.kill().expect("kill");
    container.wait().expect("wait");
}

#[test]
fn entering_a_process_that_is_not_there_is_an_error_that_names_it() {
    let output = run(&["exec", "999999999", "true"]);
    assert_eq!(output.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&output.stderr).contains("999999999"), "{output:?}");
}

/// A container that tells its pid on the host, and sleeps.
fn sleeper() -> Child {
    // /proc is still the host's in this lesson, so the shell finds its pid on the host there.
    let script = "read pid rest < /proc/self/stat; echo $pid; exec sleep 60";
    lesson(&["run", "sh", "-c", script]).stdout(Stdio::piped()).spawn().expect("lesson-01 starts")
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a line");
    line.trim().to_owned()
}

fn gone(pid: &str) -> bool {
    for _ in 0..200 {
        if !std::path::Path::new(&format!("/proc/{pid}")).exists() {
            return true;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    false
}
