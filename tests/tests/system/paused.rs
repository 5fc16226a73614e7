//! Containers that stand still.

use std::fs;
use std::time::Duration;

use e2e::case;
use e2e::case::Case;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;

/// To stop a group one must be allowed to make it.
const FREEZER: &[Need] = &[Need::Controller("freezer")];

pub const CASES: &[Case] = &[
    case!(a_paused_container_stands_still_and_goes_on).needs(FREEZER).in_both_forms(),
    case!(nothing_new_begins_in_a_paused_container).needs(FREEZER),
    case!(a_paused_container_can_be_ended).needs(FREEZER),
    case!(a_signal_reaches_a_paused_container_when_it_goes_on).needs(FREEZER),
    case!(what_does_not_run_can_not_be_paused),
    case!(a_new_engine_knows_who_is_paused).needs(&[Need::Controller("freezer"), Need::Canoa]),
    case!(pausing_is_told_as_an_event).needs(&[Need::Controller("freezer"), Need::Tool("curl")]),
    case!(docker_pauses_and_goes_on).needs(&[Need::Controller("freezer"), Need::Tool("docker")]),
];

/// One that counts, into a file and with its processor time.
fn busy(lab: &Lab, name: &str) -> i32 {
    lab.runs(name, &["sh", "-c", "while :; do :; done"]);
    lab.pid(name)
}

/// Hundredths of a second that a process has run: fields 14 and 15.
fn ticks(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[track_caller]
fn stands_still(pid: i32) {
    let before = ticks(pid);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(ticks(pid), before, "it should stand still");
}

fn a_paused_container_stands_still_and_goes_on(lab: &Lab) {
    let pid = busy(lab, "busy");
    eventually("it runs", || ticks(pid) > 0);
    lab.canoa(&["pause", "busy"]).ok().says("busy");
    stands_still(pid);
    lab.canoa(&["ps"]).ok().mentions("(Paused)");
    lab.canoa(&["ps", "-q", "--filter", "status=running"]).ok().says("");
    let state = lab.inspect("busy")["State"].clone();
    assert_eq!(
        (&state["Status"], &state["Paused"], &state["Running"]),
        (&"paused".into(), &true.into(), &true.into())
    );
    lab.canoa(&["unpause", "busy"]).ok().says("busy");
    let before = ticks(pid);
    eventually("it goes on", || ticks(pid) > before);
    lab.canoa(&["ps"]).ok().is_silent_on("(Paused)");
}

fn nothing_new_begins_in_a_paused_container(lab: &Lab) {
    busy(lab, "busy");
    lab.canoa(&["pause", "busy"]).ok();
    lab.canoa(&["pause", "busy"]).exits(1).complains_in_one_line_about("is already paused");
    lab.canoa(&["exec", "busy", "true"])
        .exits(1)
        .complains_in_one_line_about("is paused, unpause the container before exec");
    lab.canoa(&["attach", "--no-stdin", "busy"]).exits(1).complains_in_one_line_about("paused");
    lab.canoa(&["start", "busy"])
        .exits(1)
        .complains_about("cannot start a paused container, try unpause instead");
    lab.canoa(&["rm", "busy"]).exits(1).complains_in_one_line_about("is paused and must be unpaused first");
    lab.canoa(&["unpause", "busy"]).ok();
    lab.canoa(&["unpause", "busy"]).exits(1).complains_in_one_line_about("is not paused");
    lab.canoa(&["exec", "busy", "echo", "again"]).ok().says("again");
}

fn a_paused_container_can_be_ended(lab: &Lab) {
    for end in [&["kill"][..], &["stop", "-t", "1"], &["rm", "-f"], &["restart", "-t", "1"]] {
        let pid = busy(lab, "busy");
        lab.canoa(&["pause", "busy"]).ok();
        lab.canoa(&[end, &["busy"]].concat()).ok();
        assert!(!fs::exists(format!("/proc/{pid}")).unwrap(), "{end:?}");
        lab.canoa(&["rm", "-f", "busy"]);
    }
}

fn a_signal_reaches_a_paused_container_when_it_goes_on(lab: &Lab) {
    let script = "trap 'echo heard > /heard' USR1; echo > /ready; while :; do sleep 0.1; done";
    lab.canoa(&["run", "-d", "--name", "ear", "--stop-signal", "TERM", "base", "sh", "-c", script]).ok();
    eventually("it listens", || lab.canoa(&["exec", "ear", "cat", "/ready"]).code == 0);
    lab.canoa(&["pause", "ear"]).ok();
    // Not its stop signal: it stays paused, and keeps it.
    lab.canoa(&["kill", "-s", "USR1", "ear"]).ok();
    assert_eq!(lab.inspect("ear")["State"]["Paused"], true);
    lab.canoa(&["unpause", "ear"]).ok();
    eventually("it has heard", || lab.canoa(&["exec", "ear", "cat", "/heard"]).code == 0);
}

fn what_does_not_run_can_not_be_paused(lab: &Lab) {
    lab.canoa(&["create", "--name", "new", "base", "true"]).ok();
    for action in ["pause", "unpause"] {
        lab.canoa(&[action, "new"]).exits(1).complains_in_one_line_about("is not running");
        lab.canoa(&[action, "nobody"]).exits(1).complains_in_one_line_about("no such container: nobody");
    }
    assert_eq!(lab.inspect("new")["State"]["Status"], "created");
}

fn a_new_engine_knows_who_is_paused(lab: &Lab) {
    let pid = busy(lab, "busy");
    lab.canoa(&["pause", "busy"]).ok();
    lab.kill_daemon();
    lab.start_daemon();
    stands_still(pid);
    lab.canoa(&["ps"]).ok().mentions("(Paused)");
    lab.canoa(&["unpause", "busy"]).ok();
    let before = ticks(pid);
    eventually("it goes on", || ticks(pid) > before);
    // Its monitor dies while it stands still, and takes it along.
    lab.canoa(&["pause", "busy"]).ok();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let monitor: i32 = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(monitor), nix::sys::signal::Signal::SIGKILL).unwrap();
    eventually("it has ended", || lab.inspect("busy")["State"]["Status"] == "exited");
    assert_eq!(lab.inspect("busy")["State"]["ExitCode"], 137);
    eventually("it is gone", || !fs::exists(format!("/proc/{pid}")).unwrap());
}

fn pausing_is_told_as_an_event(lab: &Lab) {
    lab.with_daemon();
    let since = seconds_now();
    busy(lab, "busy");
    lab.canoa(&["pause", "busy"]).ok();
    lab.canoa(&["kill", "busy"]).ok();
    let path = format!("/events?since={since}&until={}", seconds_now() + 1);
    let said = lab.host(&[
        "curl",
        "-s",
        "--unix-socket",
        &lab.socket().to_string_lossy(),
        &format!("http://x{path}"),
    ]);
    let actions: Vec<String> = said
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|event| event["Type"] == "container")
        .map(|event| event["Action"].as_str().unwrap_or_default().to_owned())
        .collect();
    // On cgroup v2 SIGKILL reaches also what stands still: it may have ended before it could go on.
    let mut expected = vec!["create", "start", "pause", "kill", "unpause", "die"];
    expected.retain(|action| *action != "unpause" || actions.iter().any(|one| one == "unpause"));
    assert_eq!(actions, expected, "{said}");
}

fn seconds_now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn docker_pauses_and_goes_on(lab: &Lab) {
    let pid = busy(lab, "busy");
    let docker = |arguments: &[&str]| {
        let mut command = lab.program("docker");
        command.env("DOCKER_HOST", format!("unix://{}", lab.socket().display())).args(arguments);
        lab.finish(&mut command)
    };
    docker(&["pause", "busy"]).ok().says("busy");
    stands_still(pid);
    docker(&["ps"]).ok().mentions("(Paused)");
    docker(&["exec", "busy", "true"])
        .exits(1)
        .complains_about("is paused, unpause the container before exec");
    docker(&["unpause", "busy"]).ok().says("busy");
    docker(&["ps"]).ok().is_silent_on("(Paused)");
    docker(&["pause", "busy"]).ok();
    docker(&["stop", "-t", "1", "busy"]).ok();
    assert_eq!(lab.inspect("busy")["State"]["Status"], "exited");
}
