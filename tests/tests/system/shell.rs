//! The first thing that anybody does: a shell in a container.

use std::fs;

use e2e::case;
use e2e::case::Case;
use e2e::lab::Lab;
use e2e::need::Need;
use e2e::terminal::Terminal;

pub const CASES: &[Case] = &[
    case!(a_shell_in_a_container_sees_only_the_container).in_both_forms(),
    case!(a_container_that_was_left_is_there_and_starts_again).in_both_forms(),
    case!(a_shell_on_a_terminal_is_told_the_windows_size),
    case!(ctrl_d_ends_the_shell),
    case!(an_exec_has_a_terminal_as_often_as_one_wants),
    case!(ctrl_c_reaches_the_program_on_the_terminal),
    case!(the_terminal_is_as_before_when_the_shell_has_ended),
    case!(input_reaches_a_container_without_a_terminal),
    case!(the_first_command_starts_the_daemon).needs(&[Need::Canoa]),
];

fn a_shell_in_a_container_sees_only_the_container(lab: &Lab) {
    let marker = lab.folder.join("home/the-hosts-own");
    fs::write(&marker, "").unwrap();
    lab.with_daemon();
    let mut shell = Terminal::start(lab.command(&["run", "-it", "--name", "mine", "base", "sh"]));

    let host_name = shell.asks("hostname");
    assert_eq!(host_name.len(), 12, "the host name is the short id, not {host_name:?}");
    assert!(lab.inspect("mine")["Id"].as_str().unwrap().starts_with(&host_name));

    let processes = shell.asks("ps");
    let first = processes.lines().find(|line| line.split_whitespace().next() == Some("1"));
    assert!(first.is_some_and(|line| line.contains("sh")), "PID 1 is the shell:\n{processes}");

    assert_eq!(shell.asks(&format!("ls {} 2>/dev/null", marker.display())), "");
    let root = shell.asks("ls /");
    assert!(root.split_whitespace().any(|name| name == "proc"), "it has a root:\n{root}");
    let host: Vec<_> =
        fs::read_dir("/").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut inside: Vec<_> = root.split_whitespace().map(str::to_owned).collect();
    inside.sort();
    let mut outside = host;
    outside.sort();
    assert_ne!(inside, outside, "the root is not the host's");

    let interfaces = shell.asks("ip addr");
    assert!(interfaces.contains("eth0"), "it has eth0:\n{interfaces}");
    let address = lab.address("mine");
    assert!(interfaces.contains(&format!("inet {address}/")), "eth0 has {address}:\n{interfaces}");

    shell.types("exit 3");
    assert_eq!(shell.ends(), 3);
}

fn a_container_that_was_left_is_there_and_starts_again(lab: &Lab) {
    lab.with_daemon();
    let mut shell = Terminal::start(lab.command(&["run", "-it", "--name", "mine", "base", "sh"]));
    let host_name = shell.asks("hostname");
    shell.asks("echo precious > /kept");
    shell.types("exit");
    assert_eq!(shell.ends(), 0);

    lab.canoa(&["ps", "-a"]).ok().mentions("mine").mentions("Exited (0)").mentions(&host_name);
    lab.canoa(&["ps"]).ok().is_silent_on("mine");

    let mut again = Terminal::start(lab.command(&["start", "-ai", "mine"]));
    assert_eq!(again.asks("hostname"), host_name);
    assert_eq!(again.asks("cat /kept"), "precious");
    again.types("exit 4");
    assert_eq!(again.ends(), 4);
}

fn a_shell_on_a_terminal_is_told_the_windows_size(lab: &Lab) {
    lab.with_daemon();
    let mut shell = Terminal::start(lab.command(&["run", "-it", "--rm", "base", "sh"]));
    // The size goes through the client, the engine and the monitor: not in the same moment.
    let mut becomes = |size: &str| (0..50).any(|_| shell.asks("sleep 0.1; stty size") == size);
    assert!(becomes("24 80"), "it is not told the size at the start");
    shell.resize(50, 132);
    let mut becomes = |size: &str| (0..50).any(|_| shell.asks("sleep 0.1; stty size") == size);
    assert!(becomes("50 132"), "it is not told of the new size");
    shell.types("exit");
    shell.ends();
}

fn ctrl_d_ends_the_shell(lab: &Lab) {
    lab.with_daemon();
    let mut shell = Terminal::start(lab.command(&["run", "-it", "--name", "mine", "base", "sh"]));
    shell.asks("true");
    shell.presses(b"\x04");
    assert_eq!(shell.ends(), 0);
    lab.canoa(&["ps", "-a"]).ok().mentions("Exited (0)");
}

fn ctrl_c_reaches_the_program_on_the_terminal(lab: &Lab) {
    lab.with_daemon();
    let mut shell = Terminal::start(lab.command(&["run", "-it", "--rm", "base", "sh"]));
    shell.asks("true");
    shell.types("echo 'be''gun'; sleep 1000; echo 'interrupted'': '$?");
    shell.sees("begun");
    std::thread::sleep(std::time::Duration::from_millis(200));
    shell.presses(b"\x03");
    assert_eq!(shell.asks("echo still here"), "still here");
    shell.types("exit");
    shell.ends();
}

fn the_terminal_is_as_before_when_the_shell_has_ended(lab: &Lab) {
    lab.with_daemon();
    // A shell of the host's on the terminal, from which the container is run.
    let mut command = lab.program("sh");
    command.env("CANOA", &lab.binary).env("PS1", "outside> ");
    let host = lab.command(&["run"]);
    for (name, value) in host.get_envs() {
        command.env(name, value.unwrap());
    }
    let mut shell = Terminal::start(command);
    let before = shell.asks("stty -g");
    shell.types("$CANOA run -it --rm base sh; code=$?");
    shell.asks("hostname");
    shell.types("exit 5");
    shell.sees("outside> ");
    assert_eq!(shell.asks("echo $code"), "5");
    assert_eq!(shell.asks("stty -g"), before);
}

fn input_reaches_a_container_without_a_terminal(lab: &Lab) {
    lab.canoa_reading(b"one\ntwo\n", &["run", "-i", "--rm", "base", "cat"]).ok().says("one\ntwo");
    // Without -i there is nothing to read.
    lab.canoa_reading(b"one\ntwo\n", &["run", "--rm", "base", "cat"]).ok().says("");
    // More than any pipe holds, there and back.
    let much = "0123456789abcde\n".repeat(100_000);
    let ran = lab.canoa_reading(much.as_bytes(), &["run", "-i", "--rm", "base", "cat"]).ok();
    assert_eq!(ran.stdout.len(), much.len());
    assert!(ran.stdout == much, "what came back is not what was sent");
}

fn the_first_command_starts_the_daemon(lab: &Lab) {
    let mut command = lab.program(&lab.binary);
    command.args(["run", "--rm", "base", "echo", "hello"]);
    lab.finish(&mut command).ok().says("hello");
    let mut command = lab.program(&lab.binary);
    command.args(["system", "stop"]);
    lab.finish(&mut command).ok();
}

fn an_exec_has_a_terminal_as_often_as_one_wants(lab: &Lab) {
    lab.runs("box", &["sleep", "1000"]);
    for _ in 0..3 {
        let mut program = Terminal::start(lab.command(&["exec", "-it", "box", "tty"]));
        program.sees("/dev/pts/");
        assert_eq!(program.ends(), 0);
    }
}
