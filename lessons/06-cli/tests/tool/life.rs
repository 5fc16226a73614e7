//! A container's life, command by command.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use namespaces::Process;
use nix::pty::{Winsize, openpty};

use crate::lab::{As, BOTH, Test, Tool, soon};

pub const TESTS: &[Test] = &[
    ("a_container_is_made_started_started_again_and_removed", BOTH, life),
    ("one_more_program_runs_in_the_same_namespaces", BOTH, exec),
    ("logs_follow_until_the_end_and_keep_both_streams_apart", BOTH, logs),
    ("all_that_was_said_arrives_and_is_in_the_log", BOTH, all),
    ("stop_asks_first_and_tells_the_program_s_own_code", BOTH, stop),
    ("a_signal_for_the_tool_is_for_the_program", BOTH, forwarded),
    ("exit_codes_are_docker_s", BOTH, codes),
    ("what_can_not_be_is_one_line_and_leaves_nothing", BOTH, refused),
    ("on_a_terminal_the_program_has_one_of_the_same_size", BOTH, terminal),
    ("who_wants_too_much_memory_is_killed", &[As::Root], memory),
    ("a_container_has_an_address_and_the_last_leaves_the_machine_as_it_was", &[As::Root], network),
];

fn life(tool: &Tool) {
    let id = tool.says(&[
        "create",
        "--name",
        "boat",
        "-e",
        "WIND=west",
        "base",
        "sh",
        "-c",
        "echo $WIND $(hostname) $$; echo again >> /note; cat /note; exit 7",
    ]);
    assert!(id.len() == 64 && tool.listed("boat").contains(" Created boat"), "{}", tool.listed("boat"));
    for said in [&["again"][..], &["again", "again"]] {
        let output = tool.output(&["start", "-a", "boat"]);
        assert_eq!(output.status.code(), Some(7), "{output:?}");
        let first = format!("west {} 1", &id[..12]);
        let all = [&[first.as_str()], said].concat();
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().collect::<Vec<_>>(), all);
    }
    assert!(tool.listed("boat").contains("Exited (7)"), "{}", tool.listed("boat"));
    assert!(!tool.says(&["ps"]).contains("boat"), "it doesn't run");
    tool.says(&["rm", &id[..4]]);
    tool.fails(&["rm", "boat"], 125, "no such container");
    // And with --rm nothing has to be removed.
    assert_eq!(tool.says(&["run", "--rm", "base", "echo", "gone"]), "gone");
    tool.says(&["run", "-d", "--rm", "base", "true"]);
    soon("it is removed", || tool.says(&["ps", "-a"]).lines().count() == 1);
}

fn exec(tool: &Tool) {
    tool.says(&["run", "-d", "--name", "boat", "base", "sleep", "1000"]);
    let seen = "for one in 1/ns/pid self/ns/pid 1/ns/net self/ns/net; do readlink /proc/$one; done; hostname";
    let seen = tool.says(&["exec", "boat", "sh", "-c", seen]);
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!((lines[0], lines[2]), (lines[1], lines[3]));
    let own = fs::read_link(format!("/proc/{}/ns/pid", tool.process().pid)).unwrap();
    assert_eq!(own.to_str(), Some(lines[0]));
    assert_eq!(lines[4], &tool.record().1["id"].as_str().unwrap()[..12]);
    tool.fails(&["exec", "boat", "no-such-program"], 127, "no-such-program");
    assert_eq!(tool.output(&["exec", "boat", "sh", "-c", "exit 9"]).status.code(), Some(9));
    let mut cat = tool.command(&["exec", "-i", "boat", "cat"]);
    let mut cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    cat.stdin.take().unwrap().write_all(b"typed").unwrap();
    assert_eq!(cat.wait_with_output().unwrap().stdout, b"typed");
    tool.fails(&["rm", "boat"], 125, "is running");
}

fn logs(tool: &Tool) {
    tool.says(&[
        "run",
        "-d",
        "--name",
        "boat",
        "base",
        "sh",
        "-c",
        "echo one; echo two >&2; while ! test -e /go; do sleep 0.05; done; echo three",
    ]);
    let follow = tool.command(&["logs", "-f", "boat"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    tool.says(&["exec", "boat", "touch", "/go"]);
    let said = follow.unwrap().wait_with_output().unwrap();
    assert_eq!((said.stdout, said.stderr), (b"one\nthree\n".to_vec(), b"two\n".to_vec()));
}

fn all(tool: &Tool) {
    // It ends at once, with more on the way than a pipe holds.
    let words = ["run", "--name", "boat", "base", "sh", "-c", "seq 1 30000"];
    let said: String = (1..=30000).map(|number| format!("{number}\n")).collect();
    assert!(tool.says(&words) == said.trim(), "something is missing");
    assert!(tool.says(&["logs", "boat"]) == said.trim(), "something is missing in the log");
}

fn stop(tool: &Tool) {
    let script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    tool.says(&["run", "-d", "--name", "boat", "base", "sh", "-c", script]);
    soon("it listens", || tool.says(&["logs", "boat"]) == "ready");
    tool.says(&["stop", "boat"]);
    assert!(tool.listed("boat").contains("Exited (5)"), "{}", tool.listed("boat"));
    tool.says(&["stop", "boat"]);
    // At once: the run before has been cleaned up.
    tool.says(&["start", "boat"]);
}

fn forwarded(tool: &Tool) {
    let script = "trap 'echo bye; exit 6' INT; echo ready; while :; do sleep 0.05; done";
    let mut running = tool.command(&["run", "--rm", "base", "sh", "-c", script]);
    let mut running = running.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = running.stdout.take().unwrap();
    let mut ready = [0; 6];
    output.read_exact(&mut ready).unwrap();
    assert!(Process::with_pid(running.id() as i32).unwrap().signal(libc::SIGINT).unwrap());
    let start = Instant::now();
    while running.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(5) {
        sleep(Duration::from_millis(10));
    }
    // If the signal was lost, so that the test ends: the container ends with the tool.
    running.kill().unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), running.wait().unwrap().code()), ("bye\n", Some(6)));
    assert_eq!(tool.says(&["ps", "-a"]).lines().count(), 1);
}

fn codes(tool: &Tool) {
    for (words, code) in [
        (&["sh", "-c", "exit 42"][..], 42),
        (&["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137),
        (&["/etc/passwd"], 126),
        (&["no-such-program"], 127),
    ] {
        let output = tool.output(&[&["run", "--rm", "base"], words].concat());
        assert_eq!(output.status.code(), Some(code), "{output:?}");
    }
}

fn refused(tool: &Tool) {
    for (words, said) in [
        (&["run", "Base"][..], "lowercase"),
        (&["run", "127.0.0.1:1/x"], "refused"),
        (&["run", "-v", "/tmp", "base"], "read volume /tmp"),
        (&["exec", "nobody", "true"], "no such container: nobody"),
        (&["start", "nobody"], "no such container: nobody"),
        (&["logs", "nobody"], "no such container: nobody"),
        (&["stop", "nobody"], "no such container: nobody"),
        (&["rm", "nobody"], "no such container: nobody"),
        (&["run", "--name", "../x", "base"], "../x"),
    ] {
        tool.fails(words, 125, said);
    }
    assert_eq!(tool.says(&["ps", "-a"]).lines().count(), 1);
}

fn terminal(tool: &Tool) {
    let size = Winsize { ws_row: 33, ws_col: 99, ws_xpixel: 0, ws_ypixel: 0 };
    let pair = openpty(&size, None).unwrap();
    let mut command =
        tool.command(&["run", "--rm", "-it", "base", "sh", "-c", "stty size; tty; read x; echo got $x"]);
    let slave = File::from(pair.slave);
    command.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(Stdio::null());
    // SAFETY: between fork and exec only setsid and ioctl, which signal-safety(7) allows.
    unsafe {
        command.pre_exec(|| {
            nix::unistd::setsid()?;
            // SAFETY: 0 is the terminal, and TIOCSCTTY takes a number.
            nix::errno::Errno::result(libc::ioctl(0, libc::TIOCSCTTY, 0))?;
            Ok(())
        });
    }
    let mut running = command.spawn().unwrap();
    drop((command, slave));
    let mut master = File::from(pair.master);
    master.write_all(b"word\r").unwrap();
    // At the end of its last program, reading from a terminal fails with EIO.
    let (mut screen, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = master.read(&mut buffer) {
        screen.extend_from_slice(&buffer[..length]);
    }
    let screen = String::from_utf8_lossy(&screen).into_owned();
    assert!(running.wait().unwrap().success(), "{screen}");
    for seen in ["33 99", "/dev/pts/0", "got word"] {
        assert!(screen.contains(seen), "{screen}");
    }
}

fn memory(tool: &Tool) {
    let words = ["run", "--name", "boat", "-m", "32m", "base", "tail", "/dev/zero"];
    tool.fails(&words, 137, "out of memory");
    assert_eq!(tool.record().1["state"]["oom_killed"], true);
}

fn network(tool: &Tool) {
    let forwards = || fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap();
    let interfaces = || fs::read_to_string("/proc/net/dev").unwrap().lines().count();
    let before = (forwards(), interfaces());
    tool.says(&["run", "-d", "--name", "one", "base", "sleep", "1000"]);
    tool.says(&["run", "-d", "--name", "two", "base", "sleep", "1000"]);
    assert_eq!(forwards(), "1\n");
    let address = |name| {
        let hosts = tool.says(&["exec", name, "sh", "-c", "grep $(hostname) /etc/hosts"]);
        hosts.split_whitespace().next().unwrap().to_owned()
    };
    let (one, two) = (address("one"), address("two"));
    assert_ne!(one, two);
    tool.says(&["exec", "one", "ping", "-c", "1", "-W", "2", &two]);
    tool.says(&["rm", "-f", "one"]);
    assert_eq!(forwards(), "1\n", "somebody is still there");
    tool.says(&["rm", "-f", "two"]);
    // The kernel takes a dead namespace's cables away a moment later.
    let start = std::time::Instant::now();
    while interfaces() != before.1 && start.elapsed().as_secs() < 5 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!((forwards(), interfaces()), before);
    assert_eq!(fs::read_dir("/run").unwrap().count(), 0);
}
