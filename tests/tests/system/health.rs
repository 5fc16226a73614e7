//! Health checks: whether a container is well.

use std::time::{SystemTime, UNIX_EPOCH};

use e2e::case;
use e2e::case::Case;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;
use serde_json::Value;

pub const CASES: &[Case] = &[
    case!(a_container_becomes_healthy_unhealthy_and_healthy_again),
    case!(a_check_that_takes_too_long_is_ended_and_has_failed),
    case!(failures_right_after_the_start_do_not_count),
    case!(a_check_that_can_not_be_run_says_why),
    case!(health_checks_go_on_with_a_new_daemon).needs(&[Need::Canoa]),
    case!(docker_sets_health_checks_and_switches_them_off).needs(&[Need::Tool("docker")]),
    case!(health_checks_that_make_no_sense_are_refused),
];

fn health(lab: &Lab, name: &str) -> Value {
    lab.inspect(name)["State"]["Health"].clone()
}

fn becomes(lab: &Lab, name: &str, status: &str) {
    eventually(&format!("it becomes {status}"), || health(lab, name)["Status"] == status);
}

/// What became of its health, in the order of the events.
fn told(lab: &Lab) -> Vec<String> {
    let until = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let url = format!("http://x/events?since=0&until={until}");
    let said = lab.host(&["curl", "-s", "--unix-socket", &lab.socket().display().to_string(), &url]).ok();
    let actions = said.stdout.lines().filter_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        event["Action"].as_str()?.strip_prefix("health_status: ").map(str::to_owned)
    });
    actions.collect()
}

const QUICK: [&str; 6] = ["--health-interval", "100ms", "--health-retries", "2", "--health-timeout", "20s"];

fn start(lab: &Lab, name: &str, words: &[&str], command: &[&str]) {
    lab.canoa(&[&["run", "-d", "--name", name], &QUICK[..], words, &["base"], command].concat()).ok();
}

fn a_container_becomes_healthy_unhealthy_and_healthy_again(lab: &Lab) {
    let check = "cat /well && echo $0 said";
    start(lab, "box", &["--health-cmd", check], &["sleep", "1000"]);
    assert!(["starting", "unhealthy"].contains(&health(lab, "box")["Status"].as_str().unwrap()));
    becomes(lab, "box", "unhealthy");
    lab.canoa(&["ps"]).ok().mentions("(unhealthy)");
    let now = health(lab, "box");
    assert!(now["FailingStreak"].as_i64().unwrap() >= 2, "{now}");
    assert_eq!(now["Log"][0]["ExitCode"], 1);
    assert!(now["Log"][0]["Output"].as_str().unwrap().contains("No such file"), "{now}");
    lab.canoa(&["exec", "box", "touch", "/well"]).ok();
    becomes(lab, "box", "healthy");
    eventually("five results are kept", || health(lab, "box")["Log"].as_array().unwrap().len() == 5);
    let now = health(lab, "box");
    assert_eq!((&now["FailingStreak"], &now["Log"][4]["ExitCode"]), (&0.into(), &0.into()));
    assert_eq!(now["Log"][4]["Output"], "/bin/sh said\n");
    assert!(now["Log"][4]["Start"].as_str().unwrap() < now["Log"][4]["End"].as_str().unwrap());
    lab.canoa(&["ps"]).ok().mentions("(healthy)");
    if lab.host(&["which", "curl"]).code == 0 {
        assert_eq!(told(lab), ["unhealthy", "healthy"]);
    }
    let config = &lab.inspect("box")["Config"]["Healthcheck"];
    assert_eq!((&config["Test"][0], &config["Test"][1]), (&"CMD-SHELL".into(), &check.into()));
    assert_eq!(config["Interval"], 100_000_000);
    lab.canoa(&["stop", "-t", "0", "box"]).ok();
    eventually("what doesn't run isn't well", || health(lab, "box")["Status"] == "unhealthy");
    lab.canoa(&["start", "box"]).ok();
    becomes(lab, "box", "healthy");
}

fn a_check_that_takes_too_long_is_ended_and_has_failed(lab: &Lab) {
    let words = ["--health-cmd", "echo begun; exec sleep 54321", "--health-timeout", "300ms"];
    let run = ["run", "-d", "--name", "box", "--health-interval", "100ms", "--health-retries", "1"];
    lab.canoa(&[&run[..], &words, &["base", "sleep", "1000"]].concat()).ok();
    becomes(lab, "box", "unhealthy");
    let now = health(lab, "box");
    assert_eq!(now["Log"][0]["ExitCode"], -1);
    assert_eq!(now["Log"][0]["Output"], "Health check exceeded timeout (300ms): begun\n");
    eventually("at most the next check runs", || {
        lab.canoa(&["top", "box"]).ok().stdout.matches("54321").count() <= 1
    });
}

fn failures_right_after_the_start_do_not_count(lab: &Lab) {
    let words =
        ["--health-cmd", "test -e /well", "--health-start-period", "1h", "--health-start-interval", "100ms"];
    start(lab, "box", &words, &["sleep", "1000"]);
    eventually("it was asked five times", || health(lab, "box")["Log"].as_array().unwrap().len() == 5);
    let now = health(lab, "box");
    assert_eq!((&now["Status"], &now["FailingStreak"]), (&"starting".into(), &0.into()));
    lab.canoa(&["ps"]).ok().mentions("(health: starting)");
    lab.canoa(&["exec", "box", "touch", "/well"]).ok();
    becomes(lab, "box", "healthy");
}

fn a_check_that_can_not_be_run_says_why(lab: &Lab) {
    lab.with_daemon();
    let body = r#"{"Image":"base","Cmd":["sleep","1000"],"Healthcheck":{"Test":["CMD","no-such-check"],
        "Interval":100000000,"Retries":1}}"#;
    let socket = lab.socket().display().to_string();
    let post = |path: &str, body: &str| {
        let url = format!("http://x{path}");
        lab.host(&[
            "curl",
            "-s",
            "--unix-socket",
            &socket,
            "-H",
            "Content-Type: application/json",
            "-d",
            body,
            &url,
        ])
    };
    if lab.host(&["which", "curl"]).code != 0 {
        start(lab, "box", &["--health-cmd", "no-such-check"], &["sleep", "1000"]);
        becomes(lab, "box", "unhealthy");
        return;
    }
    lab.canoa(&["run", "--rm", "base", "true"]).ok();
    post("/containers/create?name=box", body).ok();
    lab.canoa(&["start", "box"]).ok();
    becomes(lab, "box", "unhealthy");
    let now = health(lab, "box");
    assert_eq!(now["Log"][0]["ExitCode"], -1, "{now}");
    assert!(now["Log"][0]["Output"].as_str().unwrap().contains("executable file not found"), "{now}");
}

fn health_checks_go_on_with_a_new_daemon(lab: &Lab) {
    start(lab, "box", &["--health-cmd", "test -e /well"], &["sh", "-c", "touch /well; exec sleep 1000"]);
    becomes(lab, "box", "healthy");
    lab.kill_daemon();
    lab.start_daemon();
    // Known at once, from before; and it goes on.
    let now = health(lab, "box");
    assert_eq!(now["Status"], "healthy");
    lab.canoa(&["exec", "box", "rm", "/well"]).ok();
    becomes(lab, "box", "unhealthy");
}

fn docker_sets_health_checks_and_switches_them_off(lab: &Lab) {
    lab.with_daemon();
    let docker = |arguments: &[&str]| {
        let mut command = lab.program("docker");
        command.env("DOCKER_HOST", format!("unix://{}", lab.socket().display())).args(arguments);
        lab.finish(&mut command)
    };
    docker(
        &[&["run", "-d", "--name", "box"], &QUICK[..], &["--health-cmd", "true", "base", "sleep", "1000"]]
            .concat(),
    )
    .ok();
    let said = |template: &str| docker(&["inspect", "-f", template, "box"]).ok().text().to_owned();
    eventually("it becomes healthy", || said("{{.State.Health.Status}}") == "healthy");
    assert_eq!(said("{{.Config.Healthcheck.Retries}} {{.Config.Healthcheck.Timeout}}"), "2 20s");
    docker(&["ps"]).ok().mentions("(healthy)");
    docker(&["run", "-d", "--name", "none", "--no-healthcheck", "base", "sleep", "1000"]).ok();
    assert!(lab.inspect("none")["State"].get("Health").is_none());
    docker(&["ps", "--filter", "name=none"]).ok().is_silent_on("health");
}

fn health_checks_that_make_no_sense_are_refused(lab: &Lab) {
    for (words, complaint) in [
        (&["--health-interval", "1us"][..], "Interval in Healthcheck cannot be less than 1ms"),
        (&["--health-retries", "-1"], "Retries in Healthcheck cannot be negative"),
        (&["--health-timeout", "soon"], "soon"),
        (&["--no-healthcheck", "--health-cmd", "true"], "--no-healthcheck conflicts with --health-* options"),
    ] {
        let ran = lab.canoa(&[&["create"], words, &["base", "true"]].concat());
        assert_ne!(ran.code, 0, "{words:?}");
        ran.complains_about(complaint);
    }
    lab.canoa(&["ps", "-aq"]).ok().says("");
}
