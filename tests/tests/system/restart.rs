//! Restart policies: who is started again, when, and who is not.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use e2e::case;
use e2e::case::Case;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;

pub const CASES: &[Case] = &[
    case!(a_container_is_restarted_until_it_is_stopped),
    case!(on_failure_gives_up_after_so_many_times_and_waits_longer_each_time),
    case!(a_container_that_waits_for_its_next_run_can_be_stopped_and_removed),
    case!(a_container_that_died_with_its_daemon_away_is_restarted).needs(&[Need::Canoa]),
    case!(always_comes_back_with_the_daemon_and_unless_stopped_stays_stopped).needs(&[Need::Canoa]),
    case!(policies_that_make_no_sense_are_refused),
    case!(docker_restarts_by_policy).needs(&[Need::Tool("docker")]),
];

fn count(lab: &Lab, name: &str) -> i64 {
    lab.inspect(name)["RestartCount"].as_i64().unwrap()
}

fn status(lab: &Lab, name: &str) -> String {
    lab.inspect(name)["State"]["Status"].as_str().unwrap().to_owned()
}

/// What has happened to it, one word each.
fn events(lab: &Lab) -> Vec<String> {
    let until = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let url = format!("http://x/events?since=0&until={until}");
    let said = lab.host(&["curl", "-s", "--unix-socket", &lab.socket().display().to_string(), &url]).ok();
    let actions = said.stdout.lines().filter_map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).ok()?;
        (event["Type"] == "container").then(|| event["Action"].as_str().unwrap_or_default().to_owned())
    });
    actions.collect()
}

fn a_container_is_restarted_until_it_is_stopped(lab: &Lab) {
    lab.canoa(&["run", "-d", "--name", "box", "--restart", "unless-stopped", "base", "sleep", "1000"]).ok();
    let first = lab.pid("box");
    lab.host(&["kill", "-9", &first.to_string()]).ok();
    eventually("it runs again", || {
        let state = lab.inspect("box")["State"].clone();
        state["Status"] == "running" && state["Pid"] != first
    });
    assert!(fs::exists(format!("/proc/{}", lab.pid("box"))).unwrap());
    assert_eq!(count(lab, "box"), 1);
    let policy = &lab.inspect("box")["HostConfig"]["RestartPolicy"];
    assert_eq!(*policy, serde_json::json!({"Name": "unless-stopped", "MaximumRetryCount": 0}));
    lab.canoa(&["stop", "-t", "0", "box"]).ok();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(status(lab, "box"), "exited");
    // To kill it is to stop it, too.
    lab.canoa(&["start", "box"]).ok();
    assert_eq!(count(lab, "box"), 0, "a start by hand begins to count anew");
    lab.canoa(&["kill", "box"]).ok();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(status(lab, "box"), "exited");
}

fn on_failure_gives_up_after_so_many_times_and_waits_longer_each_time(lab: &Lab) {
    let begin = Instant::now();
    let script = "echo ran; exit 3";
    lab.canoa(&["run", "-d", "--name", "box", "--restart", "on-failure:3", "base", "sh", "-c", script]).ok();
    eventually("it gives up", || status(lab, "box") == "exited");
    // 100 ms, 200 ms and 400 ms.
    assert!(begin.elapsed() > Duration::from_millis(700), "{:?}", begin.elapsed());
    assert_eq!(count(lab, "box"), 3);
    let inspected = lab.inspect("box");
    assert_eq!(inspected["State"]["ExitCode"], 3);
    lab.canoa(&["logs", "box"]).ok().says("ran\nran\nran\nran");
    // One that succeeds isn't restarted.
    lab.canoa(&["run", "-d", "--name", "good", "--restart", "on-failure", "base", "true"]).ok();
    eventually("it ends", || status(lab, "good") == "exited");
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!((count(lab, "good"), status(lab, "good").as_str()), (0, "exited"));
    if lab.host(&["which", "curl"]).code == 0 {
        let told = events(lab);
        assert_eq!(told.iter().filter(|action| *action == "start").count(), 5, "{told:?}");
        assert_eq!(told.iter().filter(|action| *action == "die").count(), 5, "{told:?}");
        assert!(!told.contains(&"restart".to_owned()), "{told:?}");
    }
}

fn a_container_that_waits_for_its_next_run_can_be_stopped_and_removed(lab: &Lab) {
    let begin = |name: &str| {
        lab.canoa(&["run", "-d", "--name", name, "--restart", "always", "base", "sh", "-c", "exit 5"]).ok();
        eventually("it waits long enough for us", || {
            count(lab, name) >= 4 && status(lab, name) == "restarting"
        });
    };
    begin("box");
    lab.canoa(&["ps"]).ok().mentions("box").mentions("Restarting (5)");
    lab.canoa(&["exec", "box", "true"]).exits(1).complains_in_one_line_about("is restarting, wait until");
    lab.canoa(&["rm", "box"]).exits(1).complains_in_one_line_about("restarting");
    lab.canoa(&["stop", "box"]).ok();
    let stopped = count(lab, "box");
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!((status(lab, "box").as_str(), count(lab, "box")), ("exited", stopped));
    lab.canoa(&["rm", "box"]).ok();
    begin("other");
    lab.canoa(&["rm", "-f", "other"]).ok();
    begin("third");
    lab.canoa(&["kill", "third"]).ok();
    assert_eq!(status(lab, "third"), "exited");
    assert_eq!(lab.inspect("third")["State"]["ExitCode"], 5);
}

fn a_container_that_died_with_its_daemon_away_is_restarted(lab: &Lab) {
    let run = |name: &str, policy: &str| {
        lab.canoa(&["run", "-d", "--name", name, "--restart", policy, "base", "sleep", "1000"]).ok();
        lab.pid(name)
    };
    let pids = [run("always", "always"), run("failed", "on-failure:5"), run("never", "no")];
    let lives = run("lives", "always");
    lab.kill_daemon();
    for pid in pids {
        lab.host(&["kill", "-9", &pid.to_string()]).ok();
        eventually("it ends", || !fs::exists(format!("/proc/{pid}")).unwrap());
    }
    lab.start_daemon();
    for name in ["always", "failed"] {
        eventually("it runs again", || status(lab, name) == "running");
        assert_eq!(count(lab, name), 1);
    }
    assert_eq!(status(lab, "never"), "exited");
    assert_eq!((lab.pid("lives"), count(lab, "lives")), (lives, 0));
}

fn always_comes_back_with_the_daemon_and_unless_stopped_stays_stopped(lab: &Lab) {
    for policy in ["always", "unless-stopped", "on-failure"] {
        lab.canoa(&["run", "-d", "--name", policy, "--restart", policy, "base", "sleep", "1000"]).ok();
        lab.canoa(&["stop", "-t", "0", policy]).ok();
    }
    lab.stop_daemon();
    lab.start_daemon();
    eventually("it runs again", || status(lab, "always") == "running");
    assert_eq!(status(lab, "unless-stopped"), "exited");
    assert_eq!(status(lab, "on-failure"), "exited");
}

fn policies_that_make_no_sense_are_refused(lab: &Lab) {
    for (words, complaint) in [
        (&["--restart", "sometimes"][..], "unknown policy 'sometimes'"),
        (&["--restart", "on-failure:x"], "maximum retry count must be an integer"),
        (&["--restart", "always:3"], "maximum retry count can only be used with 'on-failure'"),
        (&["--restart", "always", "--rm"], "cannot specify both --restart and --rm"),
    ] {
        let ran = lab.canoa(&[&["create", "--name", "box"], words, &["base", "true"]].concat());
        assert_ne!(ran.code, 0, "{words:?}");
        ran.complains_about(complaint);
    }
    lab.canoa(&["ps", "-aq"]).ok().says("");
}

fn docker_restarts_by_policy(lab: &Lab) {
    lab.with_daemon();
    let docker = |arguments: &[&str]| {
        let mut command: Command = lab.program("docker");
        command.env("DOCKER_HOST", format!("unix://{}", lab.socket().display())).args(arguments);
        lab.finish(&mut command)
    };
    docker(&["run", "-d", "--name", "box", "--restart", "on-failure:2", "base", "sh", "-c", "exit 1"]).ok();
    let said = |template: &str| docker(&["inspect", "-f", template, "box"]).ok().text().to_owned();
    eventually("it gives up", || said("{{.State.Status}} {{.RestartCount}}") == "exited 2");
    assert_eq!(
        said("{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}"),
        "on-failure 2"
    );
    let refused = docker(&["create", "--restart", "always:2", "base"]);
    refused.exits(1).complains_about("maximum retry count can only be used with 'on-failure'");
}
