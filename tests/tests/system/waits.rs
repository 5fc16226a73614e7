//! `wait` and `logs`: what has ended, what was said; by the stock client and by ours.

use std::thread;
use std::time::Duration;

use e2e::case;
use e2e::case::Case;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;
use e2e::program::Ran;

use crate::docker_client::docker;

const DOCKER: &[Need] = &[Need::Tool("docker")];
const CURL: &[Need] = &[Need::Tool("curl")];

pub const CASES: &[Case] = &[
    case!(wait_tells_of_each_end).in_both_forms(),
    case!(docker_wait_tells_of_each_end).needs(DOCKER),
    case!(wait_has_three_conditions).needs(CURL),
    case!(logs_show_the_details_that_log_opt_names).in_both_forms(),
    case!(docker_logs_show_the_details_that_log_opt_names).needs(DOCKER),
    case!(logs_that_are_followed_end_with_their_container).in_both_forms(),
    case!(docker_logs_that_are_followed_end_with_their_container).needs(DOCKER),
];

fn wait_tells_of_each_end(lab: &Lab) {
    waits(lab, |arguments| lab.canoa(arguments));
}

fn docker_wait_tells_of_each_end(lab: &Lab) {
    waits(lab, |arguments| docker(lab, arguments));
}

fn waits(lab: &Lab, client: impl Fn(&[&str]) -> Ran) {
    client(&["create", "--name", "idle", "base", "true"]).ok();
    client(&["run", "--name", "done", "base", "sh", "-c", "exit 3"]).exits(3);
    // One that was never started doesn't run, either.
    let several = client(&["wait", "done", "nobody", "idle"]).exits(1);
    assert_eq!(several.lines(), ["3", "0"]);
    several.complains_about("No such container: nobody");
    // Removed while somebody waits: by itself, or by force.
    client(&["run", "-d", "--rm", "--name", "brief", "base", "sh", "-c", "sleep 0.5; exit 4"]).ok();
    client(&["wait", "brief"]).ok().says("4");
    lab.runs("long", &["sleep", "1000"]);
    let removing = later(lab, &["rm", "-f", "long"]);
    client(&["wait", "long"]).ok().says("137");
    removing.join().unwrap();
}

/// Runs a command in half a second.
fn later(lab: &Lab, arguments: &[&str]) -> thread::JoinHandle<()> {
    let mut command = lab.command(arguments);
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(500));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    })
}

/// A request to the engine: the answer, or "none" after two seconds.
fn post(lab: &Lab, path: &str) -> String {
    let (socket, url) = (lab.socket(), format!("http://x{path}"));
    let curl = ["curl", "-s", "-m", "2", "-X", "POST", "--unix-socket", &socket.to_string_lossy(), &url];
    let ran = lab.host(&curl);
    if ran.code == 28 { "none".to_owned() } else { ran.text().replace("\"Error\":null,", "") }
}

fn wait_has_three_conditions(lab: &Lab) {
    lab.canoa(&["run", "--name", "done", "base", "sh", "-c", "exit 3"]).exits(3);
    let wait = |condition: &str| post(lab, &format!("/v1.41/containers/done/wait?condition={condition}"));
    assert_eq!(wait("not-running"), r#"{"StatusCode":3}"#);
    assert_eq!((wait("next-exit"), wait("removed")), ("none".to_owned(), "none".to_owned()));
    let starting = later(lab, &["start", "done"]);
    assert_eq!(wait("next-exit"), r#"{"StatusCode":3}"#);
    starting.join().unwrap();
    let removing = later(lab, &["rm", "done"]);
    assert_eq!(wait("removed"), r#"{"StatusCode":3}"#);
    removing.join().unwrap();
    assert!(wait("not-running").contains("No such container: done"));
}

fn logs_show_the_details_that_log_opt_names(lab: &Lab) {
    details(|arguments| lab.canoa(arguments));
}

fn docker_logs_show_the_details_that_log_opt_names(lab: &Lab) {
    details(|arguments| docker(lab, arguments));
}

fn details(client: impl Fn(&[&str]) -> Ran) {
    let named =
        ["--log-opt", "labels=role,none", "--log-opt", "env=COLOUR", "-l", "role=a b", "-l", "other=1"];
    let said = ["-e", "COLOUR=red,blue", "-e", "SIZE=1", "base", "sh", "-c", "echo one; sleep 0.1; echo two"];
    client(&[&["run", "--name", "box"], &named[..], &said].concat()).ok();
    let expected = "COLOUR=red%2Cblue,role=a+b one\nCOLOUR=red%2Cblue,role=a+b two";
    client(&["logs", "--details", "box"]).ok().says(expected);
    client(&["logs", "box"]).ok().says("one\ntwo");
    let line = client(&["logs", "-t", "--details", "-n", "1", "box"]).ok();
    let (time, rest) = line.text().split_once(' ').unwrap();
    assert!(time.len() == 30 && rest == "COLOUR=red%2Cblue,role=a+b two", "{line}");
    // From a moment on, and up to one: the moments of the lines themselves are within.
    client(&["logs", "--since", time, "box"]).ok().says("two");
    client(&["logs", "--until", time, "-n", "1", "box"]).ok().says("two");
    client(&["logs", "--until", "1h", "box"]).ok().says("");
    client(&["logs", "--since", "1h", "--tail", "1", "box"]).ok().says("two");
    client(&["logs", "--since", "nonsense", "box"]).exits(1).complains_about("nonsense");
    let patterns = ["--log-opt", "env-regex=^S", "--log-opt", "labels-regex=^r", "--log-opt", "tag=mine"];
    let more = ["-e", "SIZE=1", "-e", "COLOUR=red", "-l", "role=db", "-l", "other=1", "base", "echo", "said"];
    client(&[&["run", "--name", "other"], &patterns[..], &more].concat()).ok();
    client(&["logs", "--details", "other"]).ok().says("SIZE=1,role=db,tag=mine said");
    // Nothing was named: only the blank.
    client(&["run", "--name", "plain", "base", "echo", "said"]).ok();
    assert_eq!(client(&["logs", "--details", "plain"]).ok().stdout, " said\n");
}

fn logs_that_are_followed_end_with_their_container(lab: &Lab) {
    follows(lab, |arguments| lab.canoa(arguments));
}

fn docker_logs_that_are_followed_end_with_their_container(lab: &Lab) {
    follows(lab, |arguments| docker(lab, arguments));
}

fn follows(lab: &Lab, client: impl Fn(&[&str]) -> Ran) {
    client(&["run", "--name", "done", "base", "echo", "said"]).ok();
    client(&["logs", "-f", "done"]).ok().says("said");
    client(&["create", "--name", "idle", "base", "true"]).ok();
    client(&["logs", "-f", "idle"]).ok().says("");
    client(&["run", "--name", "mute", "--log-driver", "none", "base", "echo", "said"]).ok();
    client(&["logs", "mute"]).exits(1).complains_about("configured logging driver does not support reading");
    client(&["run", "--name", "kept", "--log-driver", "local", "base", "echo", "said"]).ok();
    client(&["logs", "kept"]).ok().says("said");
    for end in [&["rm", "-f", "box"][..], &["restart", "-t", "0", "box"]] {
        lab.canoa(&["rm", "-f", "box"]);
        lab.runs("box", &["sh", "-c", "echo said; sleep 1000"]);
        eventually("it is logged", || lab.canoa(&["logs", "box"]).stdout == "said\n");
        let ending = later(lab, end);
        client(&["logs", "-f", "box"]).ok().says("said");
        ending.join().unwrap();
    }
}
