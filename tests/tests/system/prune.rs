//! Removing what nobody uses; and nothing else, whatever goes on beside.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use e2e::case;
use e2e::case::Case;
use e2e::engine::Kind;
use e2e::lab::Lab;
use e2e::need::Need;
use e2e::program::Ran;
use e2e::registry::{Behaviour, OwnRegistry};
use serde_json::Value;

use super::df::du;
use super::docker_client::docker;

const DOCKER: &[Need] = &[Need::Canoa, Need::Tool("docker"), Need::Tool("curl")];
const CURL: &[Need] = &[Need::Tool("curl")];
const CANOA: &[Need] = &[Need::Canoa, Need::Tool("curl")];

pub const CASES: &[Case] = &[
    case!(container_prune_removes_what_does_not_run).needs(CURL),
    case!(a_paused_container_is_not_pruned).needs(&[Need::Controller("freezer")]),
    case!(a_container_whose_end_somebody_waits_for_is_not_pruned).needs(CANOA),
    case!(pruning_chooses_by_age_and_labels).needs(CURL),
    case!(volume_prune_leaves_volumes_with_a_name_alone).needs(CANOA),
    case!(image_prune_frees_what_it_says).needs(CANOA),
    case!(system_prune_removes_all_that_nobody_uses).needs(&[Need::Canoa]),
    case!(who_does_not_say_yes_keeps_everything),
    case!(filters_that_make_no_sense_are_refused_in_dockers_words).needs(DOCKER),
    case!(pruning_prints_what_the_stock_client_prints).needs(DOCKER).within(180),
    case!(pruning_never_takes_what_somebody_is_about_to_use).needs(&[Need::Canoa]).within(300),
];

fn names(lab: &Lab, words: &[&str]) -> Vec<String> {
    let said = lab.canoa(words).ok();
    let mut names: Vec<String> = said.lines().iter().map(|line| (*line).to_owned()).collect();
    names.sort();
    names
}

fn containers(lab: &Lab) -> Vec<String> {
    names(lab, &["ps", "-a", "--format", "{{.Names}}"])
}

/// Posts to the engine itself.
fn post(lab: &Lab, path: &str, filters: &str) -> Value {
    lab.with_daemon();
    let socket = lab.socket();
    let (url, data) = (format!("http://x{path}"), format!("filters={filters}"));
    let curl = [
        "curl",
        "-sgG",
        "-X",
        "POST",
        "--unix-socket",
        &socket.to_string_lossy(),
        "--data-urlencode",
        &data,
        &url,
    ];
    serde_json::from_str(&lab.host(&curl).ok().stdout).unwrap()
}

fn container_prune_removes_what_does_not_run(lab: &Lab) {
    lab.runs("busy", &["sleep", "1000"]);
    lab.canoa(&["run", "--name", "over", "base", "sh", "-c", "head -c 5000 /dev/zero > /file"]).ok();
    let id = lab.canoa(&["inspect", "-f", "{{.Id}}", "over"]).ok().text().to_owned();
    let changed = lab.inspect("over")["GraphDriver"]["Data"]["UpperDir"].as_str().unwrap().to_owned();
    let size = du(lab, Path::new(&changed));
    assert!(size >= 5000);
    let pruned = post(lab, "/v1.41/containers/prune", "{}");
    assert_eq!((&pruned["ContainersDeleted"][0], &pruned["SpaceReclaimed"]), (&id.into(), &size.into()));
    assert!(!Path::new(&changed).exists());
    assert_eq!(containers(lab), ["busy"]);
    let again = post(lab, "/v1.41/containers/prune", "{}");
    assert_eq!((&again["ContainersDeleted"], &again["SpaceReclaimed"]), (&Value::Null, &0.into()));
}

fn a_container_whose_end_somebody_waits_for_is_not_pruned(lab: &Lab) {
    // As `docker run` does on a slow machine: it waits, and has not started it yet.
    lab.canoa(&["create", "--name", "box", "base"]).ok();
    let url = "http://x/containers/box/wait?condition=next-exit";
    let mut waiting = lab.program("curl");
    waiting.args(["-sN", "-X", "POST", "--unix-socket", &lab.socket().to_string_lossy(), url]);
    let mut waiting = waiting.stdout(std::process::Stdio::null()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(1));
    lab.canoa(&["container", "prune", "-f"]).ok().says("Total reclaimed space: 0B");
    assert_eq!(containers(lab), ["box"]);
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    e2e::lab::eventually("nobody waits any more", || {
        lab.canoa(&["container", "prune", "-f"]).ok();
        containers(lab).is_empty()
    });
}

fn a_paused_container_is_not_pruned(lab: &Lab) {
    lab.runs("box", &["sleep", "1000"]);
    lab.canoa(&["pause", "box"]).ok();
    lab.canoa(&["container", "prune", "-f"]).ok().says("Total reclaimed space: 0B");
    lab.canoa(&["system", "df", "--format", "{{.Type}} {{.Active}}"]).ok().mentions("Containers 1\n");
    lab.canoa(&["unpause", "box"]).ok();
}

fn pruning_chooses_by_age_and_labels(lab: &Lab) {
    let make = |name: &str, flags: &[&str]| {
        lab.canoa(&[&["create", "--name", name], flags, &["base"]].concat()).ok();
        lab.canoa(&[&["network", "create"], flags, &[&format!("{name}-net")]].concat()).ok();
    };
    make("plain", &[]);
    make("kept", &["--label", "keep=yes"]);
    make("both", &["--label", "keep=yes", "--label", "also"]);
    let prune = |filters: &[&str]| {
        for what in ["container", "network"] {
            let words = filters.iter().flat_map(|filter| ["--filter", *filter]);
            lab.canoa(&[what, "prune", "-f"].into_iter().chain(words).collect::<Vec<_>>()).ok();
        }
        let networks = names(lab, &["network", "ls", "-f", "type=custom", "--format", "{{.Name}}"]);
        let bare: Vec<_> = networks.iter().map(|name| name.trim_end_matches("-net").to_owned()).collect();
        assert_eq!(containers(lab), bare);
        bare
    };
    let all = ["both", "kept", "plain"];
    // Nothing is that old.
    assert_eq!(prune(&["until=1h"]), all);
    assert_eq!(prune(&["until=90m30s"]), all);
    assert_eq!(prune(&["until=2020-01-01T00:00:00Z"]), all);
    assert_eq!(prune(&["until=2020-01-01"]), all);
    assert_eq!(prune(&["until=1577836800"]), all);
    assert_eq!(prune(&["label=nope"]), all);
    // Both must be there, and the one that must not isn't enough of two.
    assert_eq!(prune(&["label=keep=yes", "label=also"]), ["kept", "plain"]);
    assert_eq!(prune(&["label!=keep"]), ["kept"]);
    assert_eq!(prune(&["label!=keep=no", "until=0s"]), [""; 0]);
    // The other form of filters.
    make("plain", &["--label", "keep=yes"]);
    post(lab, "/v1.41/networks/prune", r#"{"label":{"keep=no":true}}"#);
    post(lab, "/v1.41/containers/prune", r#"{"label":["keep=no"]}"#);
    assert_eq!(prune(&["label=nope"]), ["plain"]);
    let pruned = post(lab, "/v1.41/networks/prune", r#"{"label!":{"nope":true}}"#);
    assert_eq!(pruned["NetworksDeleted"][0], "plain-net");
    assert_eq!(post(lab, "/v1.41/networks/prune", "{}")["NetworksDeleted"], Value::Null);
}

fn volume_prune_leaves_volumes_with_a_name_alone(lab: &Lab) {
    lab.canoa(&["volume", "create", "data"]).ok();
    lab.canoa(&["volume", "create", "--label", "keep", "kept"]).ok();
    let write = ["run", "--name", "over", "-v", "/anonymous", "-v", "used:/u", "base", "sh", "-c"];
    lab.canoa(&[&write[..], &["head -c 4321 /dev/zero > /anonymous/file"]].concat()).ok();
    let list = || names(lab, &["volume", "ls", "-q"]);
    // A container that does not run has its volumes all the same.
    let pruned = post(lab, "/v1.42/volumes/prune", r#"{"all":["1"]}"#);
    assert_eq!(
        (pruned["VolumesDeleted"].as_array().unwrap().len(), &pruned["SpaceReclaimed"]),
        (2, &0.into())
    );
    lab.canoa(&["volume", "create", "data"]).ok();
    lab.canoa(&["volume", "create", "--label", "keep", "kept"]).ok();
    lab.canoa(&["rm", "over"]).ok();
    assert_eq!(list().len(), 4);
    lab.canoa(&["volume", "prune", "-f", "--filter", "label=keep"]).ok().says("Total reclaimed space: 0B");
    let anonymous = list().into_iter().find(|name| name.len() == 64).unwrap();
    let said = format!("Deleted Volumes:\n{anonymous}\n\nTotal reclaimed space: 4.321kB");
    lab.canoa(&["volume", "prune", "-f"]).ok().says(&said);
    assert_eq!(list(), ["data", "kept", "used"]);
    lab.canoa(&["volume", "prune", "-f", "-a", "--filter", "label!=keep"]).ok();
    assert_eq!(list(), ["kept"]);
    lab.canoa(&["volume", "prune", "-a", "--filter", "all=1"])
        .exits(1)
        .complains_about("conflicting options");
    // Before 1.42 all were meant.
    let pruned = post(lab, "/v1.41/volumes/prune", "{}");
    assert_eq!(pruned["VolumesDeleted"][0], "kept");
}

fn image_prune_frees_what_it_says(lab: &Lab) {
    let registry = OwnRegistry::with_busybox(Behaviour::Good);
    let image = format!("{}/some/box:1", registry.host);
    lab.canoa(&["pull", &image]).ok();
    lab.canoa(&["create", "--name", "user", "base"]).ok();
    let layers = lab.data_root().join("images/layers");
    let before = du(lab, &layers);
    // One with a name stays, and one that a container is made of in any case.
    lab.canoa(&["image", "prune", "-f"]).ok().says("Total reclaimed space: 0B");
    assert_eq!(post(lab, "/images/prune", r#"{"dangling":["true"]}"#)["ImagesDeleted"], Value::Null);
    lab.canoa(&["image", "prune", "-af", "--filter", "until=200000h"]).ok().says("Total reclaimed space: 0B");
    lab.canoa(&["tag", &image, "again:1"]).ok();
    let pruned = post(lab, "/images/prune", r#"{"dangling":{"false":true}}"#);
    let list = pruned["ImagesDeleted"].as_array().unwrap();
    let untagged: Vec<_> = list.iter().filter_map(|one| one["Untagged"].as_str()).collect();
    assert!(untagged.contains(&image.as_str()) && untagged.contains(&"again:1"), "{pruned}");
    // The files of how many bytes each layer has go, too.
    let space = pruned["SpaceReclaimed"].as_u64().unwrap();
    let freed = before - du(lab, &layers);
    assert!(space > 0 && freed >= space && freed - space < 100, "{space} of {freed}");
    assert_eq!(names(lab, &["images", "--format", "{{.Repository}}"]), ["base"]);
    lab.canoa(&["start", "user"]).ok();
}

fn system_prune_removes_all_that_nobody_uses(lab: &Lab) {
    let furnish = || {
        lab.canoa(&[
            "run",
            "--name",
            "over",
            "-v",
            "/anonymous",
            "base",
            "sh",
            "-c",
            "echo x > /anonymous/file",
        ])
        .ok();
        lab.canoa(&["network", "create", "sea"]).ok();
        lab.canoa(&["volume", "create", "data"]).ok();
    };
    furnish();
    lab.runs("busy", &["sleep", "1000"]);
    let said = lab.canoa(&["system", "prune", "-f"]).ok();
    said.mentions("Deleted Containers:\n").mentions("\n\nDeleted Networks:\nsea\n\nTotal reclaimed space: ");
    assert_eq!(names(lab, &["volume", "ls", "-q"]).len(), 2);
    lab.canoa(&["rm", "-f", "busy"]).ok();
    let said = lab.canoa(&["system", "prune", "-af", "--volumes"]).ok();
    let said = said
        .mentions("Deleted Volumes:\n")
        .mentions("Deleted Images:\nuntagged: base:latest\ndeleted: sha256:");
    said.is_silent_on("data");
    assert_eq!(names(lab, &["volume", "ls", "-q"]), ["data"]);
    assert_eq!(names(lab, &["images", "-q"]), [""; 0]);
    let refused = lab.canoa(&["system", "prune", "-f", "--volumes", "--filter", "until=1h"]).exits(1);
    refused.complains_about("The \"until\" filter is not supported with \"--volumes\"");
}

fn who_does_not_say_yes_keeps_everything(lab: &Lab) {
    lab.canoa(&["create", "--name", "idle", "base"]).ok();
    lab.canoa(&["network", "create", "sea"]).ok();
    for answer in ["", "\n", "n\n", "yes\n", "no y\n"] {
        for what in ["container", "network", "volume", "image", "system"] {
            let asked = lab.canoa_reading(answer.as_bytes(), &[what, "prune"]).ok();
            asked
                .mentions("WARNING! This will remove")
                .mentions("\nAre you sure you want to continue? [y/N] ");
        }
    }
    assert_eq!(containers(lab), ["idle"]);
    lab.canoa_reading(b"Y\n", &["container", "prune"]).ok().mentions("Deleted Containers:\n");
    lab.canoa_reading(b" y \n", &["network", "prune"]).ok().mentions("Deleted Networks:\nsea\n");
}

fn filters_that_make_no_sense_are_refused_in_dockers_words(lab: &Lab) {
    for (words, complaint) in [
        (["container", "nope=1"], "invalid filter 'nope'"),
        (["network", "dangling=true"], "invalid filter 'dangling'"),
        (["volume", "until=1h"], "invalid filter 'until'"),
        (["image", "nope=1"], "invalid filter 'nope'"),
        (["container", "until=nope"], "failed to parse value as time or duration: \"nope\""),
        (["image", "until=2020-13-01"], "parsing time \"2020-13-01\""),
        (["volume", "all=perhaps"], "invalid filter 'all=[perhaps]'"),
    ] {
        for ran in [
            lab.canoa(&[words[0], "prune", "-f", "--filter", words[1]]),
            docker(lab, &[words[0], "prune", "-f", "--filter", words[1]]),
        ] {
            let words = format!("Error response from daemon: {complaint}");
            assert!(ran.code == 1 && ran.stderr.contains(&words), "{ran}");
        }
    }
    let twice = post(lab, "/containers/prune", r#"{"until":["1h","2h"]}"#);
    assert_eq!(twice["message"], "more than one until filter specified");
    let perhaps = post(lab, "/images/prune", r#"{"dangling":["perhaps"]}"#);
    assert_eq!(perhaps["message"], "invalid filter 'dangling=[perhaps]'");
}

fn pruning_prints_what_the_stock_client_prints(lab: &Lab) {
    lab.with_daemon();
    let reading = |answer: &str, words: &[&str]| -> (Ran, Ran) {
        let ours = lab.canoa_reading(answer.as_bytes(), words);
        let mut theirs = super::docker_client::command(lab, words);
        theirs.stdin(std::fs::File::open(lab.folder.join("tmp/input")).unwrap());
        (ours, lab.finish(&mut theirs))
    };
    for words in [
        &["container", "prune"][..],
        &["network", "prune"],
        &["volume", "prune"],
        &["volume", "prune", "-a"],
        &["image", "prune"],
        &["image", "prune", "-a"],
        &["system", "prune"],
        &["system", "prune", "-a"],
        &["system", "prune", "--volumes"],
        &["system", "prune", "-a", "--volumes", "--filter", "label=b", "--filter", "label!=a"],
        &["system", "prune", "--filter", "until=1h", "--filter", "label=x"],
    ] {
        // Nothing is there: both may be told to go on.
        for answer in ["y\n", "n\n", ""] {
            let (ours, theirs) = reading(answer, words);
            assert_eq!(
                (&ours.stdout, ours.code),
                (&theirs.stdout, theirs.code),
                "{words:?} {answer:?}\n{ours}\n{theirs}"
            );
        }
    }
    // What is different each time is an id.
    let furnish = || {
        lab.canoa(&["create", "--name", "idle", "-v", "/anonymous", "base"]).ok();
        lab.canoa(&["network", "create", "sea"]).ok();
        lab.canoa(&["volume", "create", "data"]).ok();
        lab.canoa(&["tag", "base", "again:1"]).ok();
    };
    let without_ids = |text: &str| -> Vec<String> {
        let line = |line: &str| {
            let id = line.rsplit([' ', ':']).next().unwrap_or_default();
            let is_id = id.len() == 64 && id.bytes().all(|digit| digit.is_ascii_hexdigit());
            if is_id { line.replace(id, "ID") } else { line.to_owned() }
        };
        text.lines().map(line).collect()
    };
    for words in [
        &["system", "prune", "-f"][..],
        &["system", "prune", "-f", "-a", "--volumes"],
        &["container", "prune", "-f"],
        &["network", "prune", "-f"],
        &["volume", "prune", "-f"],
        &["volume", "prune", "-f", "-a"],
        &["image", "prune", "-f", "-a"],
    ] {
        let clean = || {
            docker(lab, &["system", "prune", "-af"]);
            docker(lab, &["volume", "prune", "-af"]);
        };
        clean();
        furnish();
        if words[0] != "container" && words[0] != "system" {
            lab.canoa(&["rm", "idle"]).ok();
        }
        let ours = lab.canoa(words);
        clean();
        furnish();
        if words[0] != "container" && words[0] != "system" {
            lab.canoa(&["rm", "idle"]).ok();
        }
        let theirs = docker(lab, words);
        let text = |ran: &Ran| {
            let mut lines = without_ids(&ran.stdout);
            // Ids stand before names, or behind them.
            lines.sort();
            lines
        };
        assert_eq!((text(&ours), ours.code), (text(&theirs), theirs.code), "{words:?}\n{ours}\n{theirs}");
    }
}

/// At its end that of another thread comes, too.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn pruning_never_takes_what_somebody_is_about_to_use(lab: &Lab) {
    assert!(Kind::of_the_engine().is_canoa());
    lab.canoa(&["run", "--rm", "base", "true"]).ok();
    let over = AtomicBool::new(false);
    let socket = lab.socket();
    let engine = format!("unix://{}", socket.display());
    // Each of these programs has nothing of the lab's but its engine.
    let binary = lab.binary.clone();
    let canoa = |words: &[&str]| {
        let mut command = std::process::Command::new(&binary);
        command.args(["-H", &engine]).args(words).stdin(std::process::Stdio::null());
        Ran::new(words.join(" "), command.output().unwrap())
    };
    let pruned = std::thread::scope(|scope| {
        // Also where something below fails: else nobody would hear of it.
        let _ends = Ends(&over);
        let pruner = scope.spawn(|| {
            let mut times = 0;
            while !over.load(Ordering::Relaxed) {
                canoa(&["system", "prune", "-af", "--volumes"]).ok();
                canoa(&["volume", "prune", "-af"]).ok();
                times += 1;
            }
            times
        });
        for number in 0..40 {
            let (volume, sea) = (format!("v{number}:/v"), format!("sea{number}"));
            let check = ["base", "sh", "-c", "echo x > /v/file && cat /v/file"];
            // A network that is there, and that the first container joins in this moment.
            let ran = canoa(&["network", "create", &sea]).ok();
            let run = ["run", "--rm", "-v", &volume, "-v", "/anonymous"];
            let ran = match number % 2 {
                0 => canoa(&[&run[..], &check].concat()),
                _ => {
                    let joined = canoa(&[&run[..], &["--network", ran.text()], &check].concat());
                    // It may have gone before anybody asked for it.
                    if joined.code == 125
                        && joined.stderr.contains("not found")
                        && !joined.stderr.contains("No such container")
                    {
                        continue;
                    }
                    joined
                }
            };
            ran.ok().says("x");
            let name = format!("c{number}");
            canoa(&["run", "-d", "--name", &name, "-v", &volume, "base", "sleep", "1000"]).ok();
            canoa(&["exec", &name, "ls", "/v"]).ok();
            canoa(&["rm", "-f", &name]).ok();
        }
        over.store(true, Ordering::Relaxed);
        pruner.join().unwrap()
    });
    assert!(pruned > 3, "pruned {pruned} times");
}
