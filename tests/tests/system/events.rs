//! What is told of what happens: by `events`, and by Docker's own command.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use e2e::case;
use e2e::case::Case;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;
use e2e::program::Ran;
use e2e::registry::{Behaviour, OwnRegistry};
use serde_json::Value;

use super::docker_client::docker;

const DOCKER: &[Need] = &[Need::Canoa, Need::Tool("docker")];
const CURL: &[Need] = &[Need::Tool("curl")];

pub const CASES: &[Case] = &[
    case!(a_containers_life_is_told_step_by_step).within(180),
    case!(what_is_done_to_a_container_is_told_with_what_belongs_to_it).within(180),
    case!(events_of_images_networks_and_volumes_are_told),
    case!(events_are_chosen_by_filters_in_both_forms).needs(CURL).within(180),
    case!(the_past_is_kept_for_a_while_and_then_what_comes_is_told).needs(CURL).within(180),
    case!(the_stock_client_prints_the_same_events).needs(DOCKER),
    case!(a_container_killed_for_want_of_memory_is_told_of).needs(&[Need::Controller("memory")]),
];

/// This moment as clients write it.
fn now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{}.{:09}", now.as_secs(), now.subsec_nanos())
}

/// All events so far, oldest first.
pub fn told(lab: &Lab, filters: &[&str]) -> Vec<Value> {
    let now = now();
    let mut words = vec!["events", "--since", "1", "--until", &now, "--format", "{{json .}}"];
    filters.iter().for_each(|filter| words.extend(["-f", *filter]));
    let said = lab.canoa(&words).ok();
    said.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `container start`, one after the other.
fn short(events: &[Value]) -> Vec<String> {
    let words =
        |event: &Value| format!("{} {}", event["Type"].as_str().unwrap(), event["Action"].as_str().unwrap());
    events.iter().map(|event| words(event).trim_end().to_owned()).collect()
}

/// The last event of this kind.
#[track_caller]
fn last<'a>(events: &'a [Value], kind: &str, action: &str) -> &'a Value {
    let found = events.iter().rev().find(|event| event["Type"] == kind && event["Action"] == action);
    found.unwrap_or_else(|| panic!("{kind} {action} is not among {:?}", short(events)))
}

fn attributes(event: &Value) -> Vec<(&str, &str)> {
    let map = event["Actor"]["Attributes"].as_object().unwrap();
    map.iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap())).collect()
}

fn a_containers_life_is_told_step_by_step(lab: &Lab) {
    lab.canoa(&["volume", "create", "data"]).ok();
    lab.canoa(&["run", "--rm", "--name", "quick", "-v", "data:/d", "base", "true"]).ok();
    let life = [
        "container create",
        "container attach",
        "network connect",
        "volume mount",
        "container start",
        "container die",
        "network disconnect",
        "volume unmount",
        "container destroy",
    ];
    eventually("all is told", || short(&told(lab, &[])).ends_with(&life.map(str::to_owned)));
    // It goes in the same order when it is stopped, and started once more.
    lab.canoa(&["run", "-d", "--name", "box", "-v", "data:/d", "base", "sleep", "1000"]).ok();
    let before = told(lab, &[]).len();
    lab.canoa(&["restart", "-t", "0", "box"]).ok();
    lab.canoa(&["rm", "-f", "box"]).ok();
    let end = ["container die", "network disconnect", "volume unmount"];
    let again = ["network connect", "volume mount", "container start", "container restart"];
    let expected = [
        &["container kill", "container kill"][..],
        &end,
        &["container stop"],
        &again,
        &["container kill"],
        &end,
        &["container destroy"],
    ];
    let expected: Vec<_> = expected.concat().into_iter().map(str::to_owned).collect();
    eventually("all is told", || told(lab, &[]).len() >= before + expected.len());
    let all = told(lab, &[]);
    // It doesn't hear the first signal: PID 1 takes none that it hasn't asked for.
    assert_eq!(short(&all[before..]), expected);
    let die = last(&all, "container", "die");
    assert_eq!(die["Actor"]["Attributes"]["exitCode"], "137");
    assert_eq!(
        (&die["status"], &die["from"], &die["id"]),
        (&"die".into(), &"base".into(), &die["Actor"]["ID"])
    );
    assert_eq!(last(&all, "container", "kill")["Actor"]["Attributes"]["signal"], "9");
    let mount = last(&all, "volume", "mount");
    assert_eq!(mount["Actor"]["ID"], "data");
    let container = die["id"].as_str().unwrap();
    let expected = [
        ("container", container),
        ("destination", "/d"),
        ("driver", "local"),
        ("propagation", ""),
        ("read/write", "true"),
    ];
    assert_eq!(attributes(mount), expected);
    assert!(mount.get("status").is_none(), "{mount}");
    assert_eq!(attributes(last(&all, "volume", "unmount")), [("container", container), ("driver", "local")]);
    let left = last(&all, "network", "disconnect");
    assert_eq!(attributes(left), [("container", container), ("name", "bridge"), ("type", "bridge")]);
}

fn what_is_done_to_a_container_is_told_with_what_belongs_to_it(lab: &Lab) {
    let flags = ["run", "-d", "--name", "box", "-l", "who=me", "--network", "none"];
    let id = lab.canoa(&[&flags[..], &["base", "sleep", "1000"]].concat()).ok().text().to_owned();
    lab.canoa(&["exec", "box", "sh", "-c", "exit 3"]).exits(3);
    lab.canoa(&["top", "box"]).ok();
    let file = lab.folder.join("tmp/file");
    std::fs::write(&file, "x").unwrap();
    lab.canoa(&["cp", "box:/etc/hostname", "-"]).ok();
    lab.canoa(&["cp", &file.to_string_lossy(), "box:/tmp"]).ok();
    lab.canoa(&["export", "-o", &file.to_string_lossy(), "box"]).ok();
    lab.canoa(&["rename", "box", "chest"]).ok();
    lab.canoa(&["update", "--restart", "no", "chest"]).ok();
    lab.canoa(&["kill", "-s", "CONT", "chest"]).ok();
    let all = told(lab, &["type=container"]);
    let expected = [
        "create",
        "start",
        "exec_create: sh -c exit 3",
        "exec_start: sh -c exit 3",
        "exec_die",
        "top",
        "archive-path",
        "extract-to-dir",
        "export",
        "rename",
        "update",
        "kill",
    ];
    assert_eq!(short(&all), expected.map(|action| format!("container {action}")));
    for event in &all {
        let of = &event["Actor"]["Attributes"];
        assert_eq!(
            (&event["Actor"]["ID"], &of["who"], &of["image"]),
            (&id.clone().into(), &"me".into(), &"base".into())
        );
        assert_eq!(
            (&event["scope"], event["time"].is_i64(), event["timeNano"].is_i64()),
            (&"local".into(), true, true)
        );
    }
    let started = all[2]["Actor"]["Attributes"]["execID"].as_str().unwrap();
    assert_eq!(started.len(), 64);
    for exec in &all[3..=4] {
        assert_eq!(exec["Actor"]["Attributes"]["execID"], started);
    }
    assert_eq!(all[4]["Actor"]["Attributes"]["exitCode"], "3");
    let renamed = &last(&all, "container", "rename")["Actor"]["Attributes"];
    assert_eq!((&renamed["name"], &renamed["oldName"]), (&"chest".into(), &"/box".into()));
    assert_eq!(last(&all, "container", "kill")["Actor"]["Attributes"]["signal"], "18");
    // One that can't be started has been begun, and does not die.
    assert_ne!(lab.canoa(&["exec", "chest", "nope"]).code, 0);
    let all = told(lab, &["type=container"]);
    assert_eq!(short(&all[12..]), ["container exec_create: nope", "container exec_start: nope"]);
}

fn events_of_images_networks_and_volumes_are_told(lab: &Lab) {
    let registry = OwnRegistry::with_busybox(Behaviour::Good);
    let image = format!("{}/some/box:1", registry.host);
    lab.canoa(&["pull", &image]).ok();
    lab.canoa(&["tag", &image, "other:2"]).ok();
    let id = lab.canoa(&["image", "inspect", "-f", "{{.Id}}", "other:2"]).ok().text().to_owned();
    lab.canoa(&["rmi", &image]).ok();
    lab.canoa(&["rmi", "other:2"]).ok();
    let of_images = told(lab, &["type=image"]);
    let of_images: Vec<_> = of_images
        .iter()
        .map(|event| {
            assert_eq!((&event["status"], &event["id"]), (&event["Action"], &event["Actor"]["ID"]));
            let (action, id) = (event["Action"].as_str().unwrap(), event["id"].as_str().unwrap());
            (action, id, event["Actor"]["Attributes"]["name"].as_str().unwrap())
        })
        // Docker's base is imported.
        .filter(|(action, _, name)| *action != "import" && *name != "base")
        .collect();
    let bare = format!("{}/some/box", registry.host);
    let expected = [
        ("pull", image.as_str(), bare.as_str()),
        ("tag", &id, "other:2"),
        ("untag", &id, &id),
        ("untag", &id, &id),
        ("delete", &id, &id),
    ];
    assert_eq!(of_images, expected);

    let sea = lab.canoa(&["network", "create", "sea"]).ok().text().to_owned();
    let of = lab.canoa(&["run", "-d", "--name", "box", "base", "sleep", "1000"]).ok().text().to_owned();
    lab.canoa(&["network", "connect", "sea", "box"]).ok();
    lab.canoa(&["network", "rm", "sea"]).exits(1);
    lab.canoa(&["rm", "-f", "box"]).ok();
    eventually("it has left", || lab.canoa(&["network", "rm", "sea"]).code == 0);
    let of_networks = told(lab, &["network=sea"]);
    assert_eq!(
        short(&of_networks),
        ["create", "connect", "disconnect", "destroy"].map(|one| format!("network {one}"))
    );
    assert!(of_networks.iter().all(|event| event["Actor"]["ID"] == *sea));
    assert_eq!(attributes(&of_networks[0]), [("name", "sea"), ("type", "bridge")]);
    assert_eq!(
        attributes(&of_networks[1]),
        [("container", of.as_str()), ("name", "sea"), ("type", "bridge")]
    );

    lab.canoa(&["volume", "create", "data"]).ok();
    lab.canoa(&["volume", "rm", "data"]).ok();
    let of_volumes = told(lab, &["volume=data"]);
    assert_eq!(short(&of_volumes), ["volume create", "volume destroy"]);
    assert_eq!(attributes(&of_volumes[0]), [("driver", "local")]);
    for what in ["container", "network", "volume", "image"] {
        lab.canoa(&[what, "prune", "-f"]).ok();
        let all = told(lab, &["event=prune"]);
        assert_eq!(all.last().unwrap()["Type"], what);
        assert_eq!(attributes(all.last().unwrap()), [("reclaimed", "0")]);
    }
}

fn events_are_chosen_by_filters_in_both_forms(lab: &Lab) {
    let one = lab.canoa(&["run", "-d", "--name", "one", "-l", "who=me", "base", "sleep", "1000"]).ok();
    let one = one.text();
    lab.canoa(&["run", "-d", "--name", "two", "base", "sleep", "1000"]).ok();
    lab.canoa(&["exec", "two", "sh", "-c", "true"]).ok();
    let names = |filters: &[&str]| -> Vec<String> {
        let all = told(lab, filters);
        let name =
            |event: &Value| event["Actor"]["Attributes"]["name"].as_str().unwrap_or_default().to_owned();
        all.iter().map(|event| format!("{} {}", name(event), event["Action"].as_str().unwrap())).collect()
    };
    let of_one = ["one create", "one start"];
    assert_eq!(names(&["container=one"]), of_one);
    assert_eq!(names(&[&format!("container={one}")]), of_one);
    assert_eq!(names(&[&format!("container={}", &one[..12])]), of_one);
    assert_eq!(names(&["label=who"]), of_one);
    assert_eq!(names(&["label=who=me", "event=start"]), ["one start"]);
    assert_eq!(names(&["label=who=you"]), [""; 0]);
    assert_eq!(names(&["container=one", "container=two", "event=start"]), ["one start", "two start"]);
    assert_eq!(names(&["event=exec_create"]), ["two exec_create: sh -c true"]);
    assert_eq!(names(&["event=exec_start: sh -c true"]), ["two exec_start: sh -c true"]);
    assert_eq!(names(&["type=network", "event=connect"]), ["bridge connect", "bridge connect"]);
    assert_eq!(names(&["network=bridge"]), ["bridge connect", "bridge connect"]);
    assert_eq!(names(&["image=base", "event=create"]), ["one create", "two create"]);
    assert_eq!(names(&["image=base:latest", "event=create"]), [""; 0]);
    assert_eq!(names(&["scope=swarm"]), [""; 0]);
    assert_eq!(names(&["daemon=nope"]), [""; 0]);
    // As clients of the other form write it.
    let ask = |filters: &str| {
        let url = format!("http://x/v1.41/events?since=1&until={}&filters={filters}", now());
        let socket = lab.socket();
        lab.host(&["curl", "-sg", "--unix-socket", &socket.to_string_lossy(), &url]).ok().stdout
    };
    let list = ask("%7B%22container%22%3A%5B%22one%22%5D%7D");
    assert_eq!(list, ask("%7B%22container%22%3A%7B%22one%22%3Atrue%7D%7D"));
    assert_eq!(list.lines().count(), 2, "{list}");
    assert!(list.starts_with("{\"status\":\"create\",\"id\":"), "{list}");
    // What makes no sense is refused; what no engine knows is passed over.
    assert!(ask("x").contains("message"), "{}", ask("x"));
    let refused = lab.canoa(&["events", "--since", "10s", "--until", "1m"]).exits(1);
    refused.complains_about("cannot be after `until` time");
    lab.canoa(&["events", "--format", "{{.Nope}}"]).exits(64);
    lab.canoa(&["events", "--format", "{{.A"]).exits(64);
}

fn the_past_is_kept_for_a_while_and_then_what_comes_is_told(lab: &Lab) {
    // Nothing of the past without a wish for it; and what comes is there at once.
    lab.canoa(&["create", "--name", "before", "base"]).ok();
    let mut command = lab.command(&["events", "--format", "{{.Type}} {{.Action}}"]);
    let mut watching = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    // It listens when the engine says so: until then each try makes an event, too.
    let listens = || {
        lab.canoa(&["volume", "create", "data"]).ok();
        lab.canoa(&["volume", "rm", "data"]).ok();
        lab.canoa(&["info", "-f", "{{.NEventsListener}}"]).ok().text() == "1"
    };
    eventually("somebody listens", listens);
    lab.canoa(&["network", "create", "sea"]).ok();
    let mut heard = lines.by_ref().map(Result::unwrap).take_while(|line| line != "network create");
    assert!(heard.all(|line| line.starts_with("volume ")));
    watching.kill().unwrap();
    watching.wait().unwrap();
    // 256 are kept: the first are gone.
    for number in 0..130 {
        let name = format!("v{number}");
        let url = "http://x/v1.41/volumes";
        let socket = lab.socket();
        let socket = socket.to_string_lossy();
        let body = format!("{{\"Name\":{name:?}}}");
        let make = ["curl", "-sf", "--unix-socket", &socket, "-H", "Content-Type: application/json"];
        lab.host(&[&make[..], &["-d", &body, &format!("{url}/create")]].concat()).ok();
        lab.host(&["curl", "-sf", "--unix-socket", &socket, "-X", "DELETE", &format!("{url}/{name}")]).ok();
    }
    let all = told(lab, &[]);
    assert_eq!(all.len(), 256);
    assert_eq!(all.last().unwrap()["Actor"]["ID"], "v129");
    assert_eq!(all[0]["Actor"]["ID"], "v2");
}

fn the_stock_client_prints_the_same_events(lab: &Lab) {
    lab.canoa(&["run", "--rm", "--name", "quick", "-v", "data:/d", "-l", "a=b c", "base", "true"]).ok();
    lab.canoa(&["volume", "prune", "-f"]).ok();
    eventually("all is told", || short(&told(lab, &[])).contains(&"volume prune".to_owned()));
    let same = |words: &[&str]| -> Ran {
        let until = now();
        let words = [&["events", "--since", "1", "--until", &until], words].concat();
        let (ours, theirs) = (lab.canoa(&words), docker(lab, &words));
        assert_eq!(
            (&ours.stdout, ours.code),
            (&theirs.stdout, theirs.code),
            "ours: {ours}\ntheirs: {theirs}"
        );
        ours
    };
    assert!(same(&[]).lines().len() >= 11);
    for template in [
        "json",
        "{{json .}}",
        "{{json .Actor}}",
        "{{.ID}} {{.Status}} {{.From}} {{.Type}} {{.Action}} {{.Actor.ID}} {{.Scope}} {{.Time}} {{.TimeNano}}",
        "{{.Actor.Attributes.name}} {{.Actor.Attributes.nope}}",
        "{{range $key, $value := .Actor.Attributes}}{{$key}}={{$value}};{{end}}",
        "{{.Nope}}",
        "{{.A",
    ] {
        same(&["--format", template]);
    }
    same(&["-f", "type=container", "-f", "event=die"]);
    same(&["-f", "container=quick"]);
    same(&["-f", "colour=red"]);
}

fn a_container_killed_for_want_of_memory_is_told_of(lab: &Lab) {
    let eat = "x=x; while :; do x=$x$x; done";
    lab.canoa(&["run", "--name", "box", "-m", "16m", "base", "sh", "-c", eat]);
    let actions = short(&told(lab, &["container=box"]));
    let place = |action: &str| actions.iter().position(|one| one == action);
    let (oom, die) = (place("container oom"), place("container die"));
    assert!(oom.is_some() && oom < die, "{actions:?}");
}
