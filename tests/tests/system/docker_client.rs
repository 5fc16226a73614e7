//! The stock `docker` command drives our daemon.

use std::process::Command;

use e2e::case;
use e2e::case::Case;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;
use e2e::program::Ran;
use e2e::registry::{Behaviour, OwnRegistry};
use e2e::terminal::Terminal;

const DOCKER: &[Need] = &[Need::Tool("docker")];

pub const CASES: &[Case] = &[
    case!(docker_runs_a_container).needs(DOCKER),
    case!(docker_gives_a_shell_on_a_terminal).needs(DOCKER),
    case!(docker_lists_execs_logs_stops_and_removes).needs(DOCKER),
    case!(docker_pulls_and_removes_images).needs(DOCKER),
    case!(docker_handles_volumes_and_networks).needs(DOCKER),
    case!(docker_chooses_whether_system_calls_are_filtered).needs(DOCKER),
    case!(docker_is_told_of_errors_in_its_own_words).needs(DOCKER),
    case!(docker_and_canoa_see_the_same).needs(DOCKER),
];

pub fn command(lab: &Lab, arguments: &[&str]) -> Command {
    lab.with_daemon();
    let mut command = lab.program("docker");
    command.env("DOCKER_HOST", format!("unix://{}", lab.socket().display())).args(arguments);
    command
}

pub fn docker(lab: &Lab, arguments: &[&str]) -> Ran {
    lab.finish(&mut command(lab, arguments))
}

fn docker_runs_a_container(lab: &Lab) {
    docker(lab, &["run", "--rm", "base", "echo", "hello"]).ok().says("hello");
    docker(lab, &["run", "--rm", "base", "sh", "-c", "echo err >&2; exit 42"])
        .exits(42)
        .complains_about("err");
    docker(lab, &["run", "--rm", "base", "no-such-command"]).exits(127);
    docker(lab, &["run", "--rm", "base", "/etc/passwd"]).exits(126);
    docker(lab, &["ps", "-aq"]).ok().says("");
    let mut piped = command(lab, &["run", "-i", "--rm", "base", "cat"]);
    let input = lab.folder.join("tmp/input");
    std::fs::write(&input, "through\n").unwrap();
    piped.stdin(std::fs::File::open(input).unwrap());
    lab.finish(&mut piped).ok().says("through");
}

fn docker_gives_a_shell_on_a_terminal(lab: &Lab) {
    let mut shell = Terminal::start(command(lab, &["run", "-it", "--name", "mine", "base", "sh"]));
    assert_eq!(shell.asks("echo $((6 * 7))"), "42");
    shell.types("exit 3");
    assert_eq!(shell.ends(), 3);
    let mut again = Terminal::start(command(lab, &["start", "-ai", "mine"]));
    assert_eq!(again.asks("echo again"), "again");
    again.types("exit");
    again.ends();
}

fn docker_lists_execs_logs_stops_and_removes(lab: &Lab) {
    let id = docker(lab, &["run", "-d", "--name", "box", "base", "sh", "-c", "echo said; sleep 1000"]).ok();
    docker(lab, &["ps"]).ok().mentions(&id.text()[..12]).mentions("box").mentions("Up ");
    docker(lab, &["exec", "box", "sh", "-c", "echo in; exit 5"]).exits(5).says("in");
    eventually("it is logged", || docker(lab, &["logs", "box"]).stdout == "said\n");
    docker(lab, &["inspect", "-f", "{{.State.Running}} {{.Config.Image}}", "box"]).ok().says("true base");
    docker(lab, &["top", "box"]).ok().mentions("sleep 1000");
    docker(lab, &["rm", "box"]).exits(1);
    docker(lab, &["stop", "-t", "1", "box"]).ok().says("box");
    docker(lab, &["ps", "-a"]).ok().mentions("Exited (137)");
    docker(lab, &["start", "box"]).ok();
    docker(lab, &["kill", "box"]).ok();
    docker(lab, &["wait", "box"]).ok().says("137");
    docker(lab, &["rm", "box"]).ok().says("box");
}

fn docker_pulls_and_removes_images(lab: &Lab) {
    let registry = OwnRegistry::with_busybox(Behaviour::Good);
    let image = format!("{}/some/box:1", registry.host);
    docker(lab, &["pull", &image]).ok().mentions("Status: Downloaded newer image");
    docker(lab, &["images"]).ok().mentions("some/box");
    docker(lab, &["run", "--rm", &image, "cat", "/etc/note"]).ok().says("the upper layer");
    docker(lab, &["rmi", &image]).ok().mentions("Untagged");
}

fn docker_handles_volumes_and_networks(lab: &Lab) {
    docker(lab, &["volume", "create", "mine"]).ok().says("mine");
    docker(lab, &["run", "--rm", "-v", "mine:/data", "base", "touch", "/data/file"]).ok();
    docker(lab, &["run", "--rm", "-v", "mine:/data", "base", "ls", "/data"]).ok().says("file");
    docker(lab, &["volume", "ls", "-q"]).ok().says("mine");
    docker(lab, &["volume", "rm", "mine"]).ok();
    docker(lab, &["network", "ls"]).ok().mentions("bridge").mentions("host").mentions("none");
    docker(lab, &["network", "inspect", "bridge"]).ok().mentions("Subnet");
    docker(lab, &["version"]).ok().mentions("Server");
    docker(lab, &["info"]).ok().mentions("Containers: 0");
}

fn docker_chooses_whether_system_calls_are_filtered(lab: &Lab) {
    // 2 is SECCOMP_MODE_FILTER. A filter with no_new_privs is put on in another place.
    for (option, expected) in [
        ("seccomp=builtin", "Seccomp:\t2"),
        ("no-new-privileges", "Seccomp:\t2"),
        ("seccomp=unconfined", "Seccomp:\t0"),
    ] {
        let words = ["run", "--rm", "--security-opt", option, "base", "grep", "^Seccomp:", "/proc/1/status"];
        docker(lab, &words).ok().says(expected);
    }
    // Some calls go with a capability.
    let attempt = ["base", "unshare", "--mount", "echo", "unshared"];
    assert_ne!(docker(lab, &[&["run", "--rm"], &attempt[..]].concat()).code, 0);
    let admin = ["run", "--rm", "--cap-add", "SYS_ADMIN"];
    docker(lab, &[&admin[..], &attempt[..]].concat()).ok().says("unshared");
    docker(lab, &["info", "--format", "{{.SecurityOptions}}"]).ok().mentions("name=seccomp,profile=builtin");
}

fn docker_is_told_of_errors_in_its_own_words(lab: &Lab) {
    docker(lab, &["start", "missing"]).exits(1).complains_about("No such container: missing");
    docker(lab, &["create", "--name", "taken", "base"]).ok();
    let ran = docker(lab, &["run", "--name", "taken", "base"]).exits(125);
    ran.complains_about("Conflict").complains_about("already in use");
}

/// The table without what goes on while one asks after the other: how many seconds ago, for how many
/// seconds up, and the columns' width, which follows them.
fn without_age(table: &str) -> Vec<String> {
    let line = |line: &str| {
        let line = line.replace("Less than a second", "0 seconds").replace("1 second ", "1 seconds ");
        let words: Vec<_> = line.split_whitespace().collect();
        let counts = |at: usize| words.get(at + 1) == Some(&"seconds");
        let kept = (0..words.len()).map(|at| if counts(at) { "some" } else { words[at] });
        kept.collect::<Vec<_>>().join(" ")
    };
    table.lines().map(line).collect()
}

fn docker_and_canoa_see_the_same(lab: &Lab) {
    docker(lab, &["run", "-d", "--name", "box", "base", "sleep", "1000"]).ok();
    for list in [&["ps"][..], &["images"], &["network", "ls"], &["volume", "ls"], &["inspect", "box"]] {
        let ours = without_age(&lab.canoa(list).ok().stdout);
        let theirs = without_age(&docker(lab, list).ok().stdout);
        assert_eq!(ours, theirs, "{list:?}");
    }
}
