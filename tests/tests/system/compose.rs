//! docker-compose 1.29, which is written in Python, leads a project through its life.

use std::fs;

use e2e::case;
use e2e::case::Case;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;
use e2e::program::Ran;

const COMPOSE: &[Need] = &[Need::Tool("docker-compose"), Need::Tool("busybox")];

pub const CASES: &[Case] = &[
    case!(compose_brings_services_up_and_down).needs(COMPOSE).within(240),
    case!(compose_recreates_what_has_changed_and_nothing_else).needs(COMPOSE).within(240),
    case!(compose_scales_stops_and_starts)
        .needs(&[
            Need::Tool("docker-compose"),
            Need::Tool("busybox"),
            // It pauses them, too.
            Need::Controller("freezer"),
        ])
        .within(240),
    case!(compose_is_told_what_is_wrong).needs(COMPOSE).within(240),
];

/// The project `boat`, in a folder of the lab.
fn compose(lab: &Lab, arguments: &[&str]) -> Ran {
    lab.with_daemon();
    let folder = lab.folder.join("boat");
    if !folder.is_dir() {
        lab.canoa(&["run", "--rm", "base", "true"]).ok();
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("compose.yml"), include_str!("../../clients/compose/compose.yml")).unwrap();
        fs::write(folder.join("change.yml"), include_str!("../../clients/compose/change.yml")).unwrap();
    }
    let mut command = lab.program("docker-compose");
    command.current_dir(&folder).args(["--no-ansi", "-f", "compose.yml"]).args(arguments);
    command.env("DOCKER_HOST", format!("unix://{}", lab.socket().display()));
    lab.finish(&mut command)
}

/// The ids of a project's containers, by their names.
fn ids(lab: &Lab) -> Vec<String> {
    let said = lab.canoa(&["ps", "-a", "--no-trunc", "--format", "{{.Names}} {{.ID}}"]).ok();
    let mut lines: Vec<String> = said.lines().into_iter().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn compose_brings_services_up_and_down(lab: &Lab) {
    compose(lab, &["up", "-d"]).ok();
    let table = compose(lab, &["ps"]).ok();
    table.mentions("boat_store_1").mentions("Up (healthy)").mentions("boat_front_1").mentions("->80/tcp");
    compose(lab, &["ps", "-q"]).ok();
    compose(lab, &["ps", "--services", "--filter", "status=running"]).ok().mentions("store");
    // By name, by alias, and from this machine by the published port.
    for name in ["store", "warehouse", "boat_store_1"] {
        let url = format!("http://{name}/");
        compose(lab, &["exec", "-T", "front", "wget", "-qO-", &url]).ok().says("hello from the store");
    }
    let place = compose(lab, &["port", "store", "80"]).ok();
    lab.host(&["curl", "-s", &format!("http://{}/", place.text())]).ok().says("hello from the store");
    compose(lab, &["exec", "-T", "front", "sh", "-c", "echo $COLOUR; exit 3"]).exits(3).says("blue");
    let limits = compose(lab, &["exec", "-T", "front", "sh", "-c", "ulimit -n; grep /scratch /proc/mounts"]);
    limits.ok().mentions("123").mentions("tmpfs");
    compose(lab, &["logs", "--no-color"])
        .ok()
        .mentions("store_1   | serving")
        .mentions("front_1   | waiting");
    compose(lab, &["logs", "--tail=1", "-t", "store"]).ok().mentions("Z serving");
    compose(lab, &["top"]).ok().mentions("boat_front_1").mentions("sleep 1000");
    compose(lab, &["images"]).ok().mentions("base");
    compose(lab, &["run", "--rm", "-T", "front", "echo", "once"]).ok().mentions("once");
    // Such a container may call the others by their services' names, and by what `links` says.
    let linked = ["run", "--rm", "-T", "--no-deps", "linked", "wget", "-qO-", "http://shop/"];
    compose(lab, &linked).ok().mentions("hello from the store");
    compose(lab, &["config", "--services"]).ok().mentions("front");
    lab.canoa(&["volume", "ls"]).ok().mentions("boat_kept");
    lab.canoa(&["network", "ls"]).ok().mentions("boat_back").mentions("boat_default");
    compose(lab, &["down", "-v"]).ok();
    assert_eq!(ids(lab), Vec::<String>::new());
    lab.canoa(&["volume", "ls", "-q"]).ok().says("");
    lab.canoa(&["network", "ls"]).ok().is_silent_on("boat");
}

fn compose_recreates_what_has_changed_and_nothing_else(lab: &Lab) {
    compose(lab, &["up", "-d"]).ok();
    let before = ids(lab);
    let again = compose(lab, &["up", "-d"]).ok();
    assert!(again.stderr.contains("boat_store_1 is up-to-date"), "{again}");
    assert!(again.stderr.contains("boat_front_1 is up-to-date"), "{again}");
    assert_eq!(ids(lab), before);
    compose(lab, &["-f", "change.yml", "up", "-d"]).ok();
    let after = ids(lab);
    let changed: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
    assert!(changed.len() == 1 && changed[0].starts_with("boat_front_1 "), "{before:?}, {after:?}");
    compose(lab, &["exec", "-T", "front", "sh", "-c", "echo $COLOUR"]).ok().says("red");
    // The volume lives on with a new container.
    compose(lab, &["exec", "-T", "store", "touch", "/data/cargo"]).ok();
    compose(lab, &["up", "-d", "--force-recreate", "store"]).ok();
    compose(lab, &["exec", "-T", "store", "ls", "/data"]).ok().mentions("cargo");
    compose(lab, &["down", "-v"]).ok();
}

fn compose_scales_stops_and_starts(lab: &Lab) {
    compose(lab, &["up", "-d", "--scale", "front=3"]).ok();
    let names = |lab: &Lab, status: &str| {
        let filter = format!("status={status}");
        lab.canoa(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]).ok().lines().len()
    };
    assert_eq!(names(lab, "running"), 4);
    compose(lab, &["exec", "-T", "--index=3", "front", "hostname"]).ok();
    compose(lab, &["up", "-d", "--scale", "front=1"]).ok();
    assert_eq!(names(lab, "running"), 2);
    compose(lab, &["pause"]).ok();
    assert_eq!(names(lab, "paused"), 2);
    compose(lab, &["ps"]).ok().mentions("Paused");
    compose(lab, &["unpause"]).ok();
    compose(lab, &["restart", "-t", "1"]).ok();
    assert_eq!(names(lab, "running"), 2);
    compose(lab, &["kill", "-s", "USR1", "front"]).ok();
    compose(lab, &["stop", "-t", "1"]).ok();
    assert_eq!(names(lab, "exited"), 2);
    compose(lab, &["ps"]).ok().mentions("Exit 137");
    compose(lab, &["start"]).ok();
    eventually("both run again", || names(lab, "running") == 2);
    compose(lab, &["stop", "-t", "1", "front"]).ok();
    compose(lab, &["rm", "-f", "front"]).ok();
    assert_eq!(ids(lab).len(), 1);
    compose(lab, &["down", "-v", "--remove-orphans"]).ok();
    assert_eq!(ids(lab), Vec::<String>::new());
}

fn compose_is_told_what_is_wrong(lab: &Lab) {
    let wrong = "version: '3.8'\nservices: {broken: {image: base, command: no-such-command}}\n";
    compose(lab, &["config", "-q"]).ok();
    fs::write(lab.folder.join("boat/compose.yml"), wrong).unwrap();
    compose(lab, &["up", "-d"]).exits(1).complains_about("no-such-command");
    compose(lab, &["down"]).ok();
}
