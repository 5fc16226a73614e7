//! What clients hear that are connected when the daemon goes, and what is right afterwards. (That containers
//! live on is daemon.rs.)

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use e2e::case;
use e2e::case::Case;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;
use e2e::program::Ran;

pub const CASES: &[Case] = &[
    case!(who_is_connected_when_the_daemon_is_killed_does_not_take_it_for_the_containers_end)
        .needs(&[Need::Canoa]),
    case!(who_is_connected_when_the_daemon_is_stopped_does_not_take_it_for_the_containers_end)
        .needs(&[Need::Canoa]),
    case!(docker_clients_do_not_take_the_daemons_end_for_the_containers)
        .needs(&[Need::Canoa, Need::Tool("docker")]),
    case!(what_was_said_and_done_meanwhile_is_known_to_the_next_daemon).needs(&[Need::Canoa]),
    case!(an_attached_client_can_come_back_to_the_next_daemon).needs(&[Need::Canoa]),
];

/// One that talks on and ends with 7 when it is told to.
const TALKER: &str = "trap 'exit 7' TERM; echo begin; while true; do sleep 0.05; done";

/// Starts a command and leaves it running.
fn begin(lab: &Lab, binary: &str, arguments: &[&str]) -> Child {
    let mut command = lab.command(arguments);
    if binary == "docker" {
        command = lab.program("docker");
        command.env("DOCKER_HOST", format!("unix://{}", lab.socket().display())).args(arguments);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for its end, which is near.
#[track_caller]
fn end(mut child: Child, what: &str) -> Ran {
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(20) {
            let _ = child.kill();
            panic!("{what} goes on without its daemon");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ran::new(what.to_owned(), child.wait_with_output().unwrap())
}

/// Everybody who can be connected for long, by name of the command.
fn everybody(lab: &Lab, binary: &str) -> Vec<(&'static str, Child)> {
    lab.runs("box", &["sh", "-c", TALKER]);
    let commands: [(&str, &[&str]); 6] = [
        ("run", &["run", "--name", "mine", "base", "sh", "-c", TALKER]),
        ("attach", &["attach", "box"]),
        ("start -a", &["start", "-a", "later"]),
        ("exec", &["exec", "box", "sleep", "1000"]),
        ("wait", &["wait", "box"]),
        ("logs -f", &["logs", "-f", "box"]),
    ];
    lab.canoa(&["create", "--name", "later", "base", "sh", "-c", TALKER]).ok();
    let all = commands.map(|(name, arguments)| (name, begin(lab, binary, arguments)));
    for name in ["mine", "later"] {
        eventually("it runs", || lab.canoa(&["logs", name]).stdout.contains("begin"));
    }
    // They have said nothing by which to know that they are connected.
    std::thread::sleep(Duration::from_millis(800));
    all.into()
}

fn nobody_is_fooled(lab: &Lab, binary: &str, go: impl FnOnce(&Lab)) {
    let all = everybody(lab, binary);
    let pids = ["box", "mine", "later"].map(|name| (name, lab.pid(name)));
    go(lab);
    let ended: Vec<_> = all.into_iter().map(|(name, child)| (name, end(child, name))).collect();
    lab.start_daemon();
    for (name, ran) in ended {
        // Neither well nor as the container would end. To Docker's logs every end is an end.
        let other = ran.code != 0 && ran.code != 7;
        assert!(other || (binary == "docker" && name == "logs -f"), "{name}: {ran}");
        // And ours say why.
        assert!(binary == "docker" || !ran.stderr.trim().is_empty(), "{name}: {ran}");
        assert!(!ran.stderr.contains("panicked"), "{ran}");
    }
    for (name, pid) in pids {
        assert_eq!(lab.pid(name), pid, "{name} lives on");
        lab.canoa(&["kill", "-s", "TERM", name]).ok();
        lab.canoa(&["wait", name]).ok().says("7");
    }
}

fn who_is_connected_when_the_daemon_is_killed_does_not_take_it_for_the_containers_end(lab: &Lab) {
    nobody_is_fooled(lab, "canoa", Lab::kill_daemon);
}

fn who_is_connected_when_the_daemon_is_stopped_does_not_take_it_for_the_containers_end(lab: &Lab) {
    nobody_is_fooled(lab, "canoa", |lab| assert_eq!(lab.stop_daemon(), Some(0)));
}

fn docker_clients_do_not_take_the_daemons_end_for_the_containers(lab: &Lab) {
    nobody_is_fooled(lab, "docker", Lab::kill_daemon);
}

fn what_was_said_and_done_meanwhile_is_known_to_the_next_daemon(lab: &Lab) {
    let counting = "for i in $(seq 40); do echo line $i; sleep 0.05; done; exit 9";
    lab.runs("counts", &["sh", "-c", counting]);
    let policy = ["run", "-d", "--name", "again", "--restart", "on-failure:5", "base", "sh", "-c"];
    lab.canoa(&[&policy[..], &["sleep 1; exit 3"]].concat()).ok();
    let check =
        ["run", "-d", "--name", "checked", "--health-cmd", "test ! -e /ill", "--health-interval", "0.2s"];
    let check =
        [&check[..], &["--health-retries", "1", "base", "sh", "-c", "sleep 1.5; touch /ill; sleep 1000"]];
    lab.canoa(&check.concat()).ok();
    let health =
        || lab.inspect("checked")["State"]["Health"]["Status"].as_str().unwrap_or_default().to_owned();
    eventually("it is well", || health() == "healthy");
    lab.kill_daemon();
    std::thread::sleep(Duration::from_secs(3));
    lab.start_daemon();
    // The log has no gap, also for who follows it from its beginning; and the exit code is its own.
    let all = (1..=40).map(|number| format!("line {number}\n")).collect::<String>();
    assert_eq!(lab.canoa(&["logs", "-f", "counts"]).ok().stdout, all);
    lab.canoa(&["wait", "counts"]).ok().says("9");
    eventually("it was restarted", || lab.inspect("again")["RestartCount"].as_i64() > Some(0));
    eventually("it is found ill", || health() == "unhealthy");
}

fn an_attached_client_can_come_back_to_the_next_daemon(lab: &Lab) {
    lab.canoa(&["run", "-d", "-i", "--name", "cat", "base", "cat"]).ok();
    let attach = || {
        let mut command = lab.command(&["attach", "cat"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let first = attach();
    std::thread::sleep(Duration::from_millis(500));
    lab.kill_daemon();
    end(first, "attach");
    lab.start_daemon();
    // The first one's end was not the end of the container's input.
    let mut second = attach();
    writeln!(second.stdin.as_ref().unwrap(), "still the same").unwrap();
    let mut line = String::new();
    BufReader::new(second.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "still the same\n");
    second.kill().unwrap();
    second.wait().unwrap();
    assert_eq!(lab.inspect("cat")["State"]["Status"], "running");
}
