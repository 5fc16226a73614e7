//! A container's life, command by command.

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use namespaces::Process;

use crate::lab::{As, BOTH, Test, Tool, soon};

pub const TESTS: &[Test] = &[
    ("a_container_is_made_started_started_again_and_removed", BOTH, life),
    ("how_it_ended_is_in_the_record", BOTH, ended),
    ("one_more_program_runs_in_the_same_namespaces", BOTH, exec),
    ("logs_follow_until_the_end_and_keep_both_streams_apart", BOTH, logs),
    ("all_that_was_said_arrives_and_is_in_the_log", BOTH, all),
    ("what_was_said_last_arrives_though_nobody_took_it_yet", BOTH, last_words),
    ("a_log_with_bounds_is_rotated", BOTH, rotated),
    ("the_tool_s_own_file_can_not_be_written_from_a_container", BOTH, sealed),
    ("stop_asks_first_and_tells_the_program_s_own_code", BOTH, stop),
    ("stop_kills_who_does_not_end_in_time", BOTH, stubborn),
    ("a_signal_for_the_tool_is_for_the_program", BOTH, forwarded),
    ("exit_codes_are_docker_s", BOTH, codes),
    ("what_can_not_be_is_one_line_and_leaves_nothing", BOTH, refused),
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

fn ended(tool: &Tool) {
    let code = 2 + std::process::id() % 100;
    let exit = format!("exit {code}");
    let output = tool.output(&["run", "--name", "boat", "base", "sh", "-c", &exit]);
    assert_eq!(output.status.code(), Some(code as i32), "{output:?}");
    let state = tool.record().1["state"].clone();
    assert_eq!((&state["status"], &state["exit_code"]), (&"exited".into(), &code.into()), "{state}");
    assert!(state["process"].is_null() && state["finished_at"].is_string(), "{state}");
    tool.says(&["rm", "boat"]);
    let output = tool.output(&["run", "--rm", "base", "sh", "-c", &exit]);
    assert_eq!(output.status.code(), Some(code as i32), "{output:?}");
    assert_eq!(tool.says(&["ps", "-a"]).lines().count(), 1);
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
    // The container ends by what this does, and may take it along before it has ended itself.
    tool.output(&["exec", "boat", "touch", "/go"]);
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

fn last_words(tool: &Tool) {
    // A line without an end, and more than we take before the program has ended.
    let script = "seq 1 50000; printf unfinished; echo done > /done";
    let mut running = tool.command(&["run", "--name", "boat", "base", "sh", "-c", script]);
    let mut running = running.stdout(Stdio::piped()).spawn().unwrap();
    let containers = || fs::read_dir(tool.data("containers")).into_iter().flatten().flatten();
    soon("the program has said all", || {
        assert!(running.try_wait().unwrap().is_none(), "the tool has ended");
        containers().any(|one| one.path().join("upper/done").exists())
    });
    sleep(Duration::from_millis(300));
    let mut said = String::new();
    running.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(running.wait().unwrap().success());
    let expected: String = (1..=50000).map(|number| format!("{number}\n")).collect();
    assert!(said == expected + "unfinished", "it ends in {:?}", &said[said.len().saturating_sub(30)..]);
    assert!(tool.says(&["logs", "boat"]) == said, "something is missing in the log");
}

fn rotated(tool: &Tool) {
    let bounds = ["--log-opt", "max-size=2k", "--log-opt", "max-file=3"];
    let run = [
        &["run", "--name", "boat"],
        &bounds[..],
        &["base", "sh", "-c", "for n in 1 2 3 4 5 6 7 8 9; do echo $n; seq 1 20; sleep 0.05; done"],
    ];
    tool.says(&run.concat());
    let said = tool.says(&["logs", "boat"]);
    assert!(said.ends_with("19\n20") && said.len() < 9 * 50, "{said}");
    tool.fails(&["run", "--log-opt", "max-size=ten", "base", "true"], 125, "max-size=ten");
}

/// While a program runs the kernel refuses to write to its file anyhow; what counts is the mount through
/// which it is seen (CVE-2019-5736).
fn sealed(tool: &Tool) {
    let read_only = |pid: i32| {
        let seen = nix::sys::statvfs::statvfs(format!("/proc/{pid}/exe").as_str()).unwrap();
        seen.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY)
    };
    tool.says(&["run", "-d", "--init", "--name", "boat", "base", "sleep", "1000"]);
    let init = tool.process();
    assert!(read_only(init.pid), "PID 1");
    assert!(read_only(init.parent().unwrap()), "its monitor");
    // A program of an exec that is the tool itself, as an image's could be by a link to /proc/self/exe.
    let mut exec = tool.command(&["exec", "boat", "sleep", "1"]).spawn().unwrap();
    soon("it is started from the same", || read_only(exec.id() as i32));
    exec.wait().unwrap();
    tool.says(&["rm", "-f", "boat"]);
    // In the foreground the tool itself looks after it.
    let mut running = tool.command(&["run", "--init", "base", "sleep", "1000"]).spawn().unwrap();
    soon("it runs", || tool.data("containers").exists() && tool.says(&["ps"]).lines().count() == 2);
    assert!(read_only(tool.process().pid) && read_only(running.id() as i32));
    running.kill().unwrap();
    running.wait().unwrap();
}

fn stop(tool: &Tool) {
    let script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    tool.says(&["run", "-d", "--name", "boat", "base", "sh", "-c", script]);
    tool.hears("boat", "ready");
    tool.says(&["stop", "boat"]);
    let listed = tool.listed("boat");
    assert!(listed.contains("Exited (5)"), "ex-06-6: it wasn't asked to end before it was killed: {listed}");
    tool.says(&["stop", "boat"]);
    // At once: the run before has been cleaned up.
    tool.says(&["start", "boat"]);
}

fn stubborn(tool: &Tool) {
    // A process that is PID 1 doesn't end by a signal that it doesn't handle.
    tool.says(&["run", "-d", "--name", "boat", "base", "sleep", "1000"]);
    let process = tool.process();
    let start = Instant::now();
    tool.says(&["stop", "-t", "1", "boat"]);
    assert!(!process.is_alive(), "ex-06-6: asked to end, it went on; and nobody killed it");
    assert!(start.elapsed() >= Duration::from_secs(1), "ex-06-6: it had a second to end by itself");
    assert!(tool.listed("boat").contains("Exited (137)"), "{}", tool.listed("boat"));
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
