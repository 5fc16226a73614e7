//! What takes how much room: `system df`.

use std::fs;
use std::path::Path;

use e2e::case;
use e2e::case::Case;
use e2e::engine::Kind;
use e2e::lab::Lab;
use e2e::need::Need;
use serde_json::Value;

use super::docker_client::docker;

const DOCKER: &[Need] = &[Need::Canoa, Need::Tool("docker")];
const CURL: &[Need] = &[Need::Tool("curl")];
const CANOA: &[Need] = &[Need::Canoa, Need::Tool("curl")];

pub const CASES: &[Case] = &[
    case!(system_df_counts_what_du_counts).needs(CURL),
    case!(a_layer_of_two_images_counts_once).needs(CANOA),
    case!(system_df_tells_of_the_kinds_that_are_asked_for).needs(CURL),
    case!(system_df_prints_what_the_stock_client_prints).needs(DOCKER).within(180),
];

/// Asks the engine itself.
pub fn ask(lab: &Lab, path: &str) -> Value {
    lab.with_daemon();
    let socket = lab.socket();
    let url = format!("http://x{path}");
    let said = lab.host(&["curl", "-sg", "--unix-socket", &socket.to_string_lossy(), &url]).ok();
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{path}: {error}: {said}"))
}

/// The lengths of the files below a folder: what `du` says, without the folders themselves.
pub fn du(lab: &Lab, folder: &Path) -> u64 {
    let sum = |words: &[&str]| -> u64 {
        let said = lab.host(words).ok();
        said.lines().iter().map(|line| line.split_whitespace().next().unwrap().parse::<u64>().unwrap()).sum()
    };
    let folder = folder.to_string_lossy();
    let all = sum(&["du", "--apparent-size", "--bytes", "--summarize", &folder]);
    let folders = lab.host(&["find", &folder, "-type", "d", "-printf", "%s\\n"]).ok();
    all - folders.lines().iter().map(|size| size.parse::<u64>().unwrap()).sum::<u64>()
}

/// Makes files of all kinds in a container and its volume.
fn furnish(lab: &Lab) {
    let write = "mkdir -p /d/deep /some && head -c 70000 /dev/zero > /d/deep/file && ln /d/deep/file /d/again && \
                 ln -s deep/file /d/link && head -c 12345 /dev/zero > /some/file && ln /some/file /some/again && \
                 dd if=/dev/zero of=/some/hole bs=1 count=1 seek=999999 2>/dev/null; sleep 1000";
    lab.canoa(&["run", "-d", "--name", "box", "-v", "data:/d", "base", "sh", "-c", write]).ok();
    e2e::lab::eventually("all is written", || {
        lab.canoa(&["exec", "box", "test", "-s", "/some/hole"]).code == 0
    });
    lab.canoa(&["create", "--name", "idle", "-v", "/anonymous", "base"]).ok();
    lab.canoa(&["volume", "create", "unused"]).ok();
}

fn system_df_counts_what_du_counts(lab: &Lab) {
    furnish(lab);
    let usage = ask(lab, "/v1.41/system/df");
    let named = |list: &str, key: &str, name: &str| -> Value {
        let all = usage[list].as_array().unwrap();
        let is = |one: &&Value| one[key] == name || one[key][0] == name;
        all.iter().find(is).unwrap_or_else(|| panic!("no {name} in {usage}")).clone()
    };
    let volume = named("Volumes", "Name", "data");
    let data = volume["Mountpoint"].as_str().unwrap();
    assert_eq!(volume["UsageData"]["Size"], du(lab, Path::new(data)));
    assert_eq!(
        (&volume["UsageData"]["Size"], &volume["UsageData"]["RefCount"]),
        (&(70_000 + 9).into(), &1.into())
    );
    assert_eq!(named("Volumes", "Name", "unused")["UsageData"]["RefCount"], 0);
    let changed = lab.inspect("box")["GraphDriver"]["Data"]["UpperDir"].as_str().unwrap().to_owned();
    let container = named("Containers", "Names", "/box");
    assert_eq!(container["SizeRw"], du(lab, Path::new(&changed)));
    assert!(container["SizeRw"].as_u64().unwrap() >= 12_345 + 1_000_000, "{container}");
    let image = named("Images", "RepoTags", "base:latest");
    let (size, all) = (image["Size"].as_u64().unwrap(), container["SizeRootFs"].as_u64().unwrap());
    assert_eq!(all, size + container["SizeRw"].as_u64().unwrap());
    assert_eq!((&image["SharedSize"], &image["Containers"]), (&0.into(), &2.into()));
    assert_eq!(usage["LayersSize"], size);
    let layer = lab.canoa(&["image", "inspect", "-f", "{{.GraphDriver.Data.UpperDir}}", "base"]).ok();
    if Kind::of_the_engine().is_canoa() {
        assert_eq!(size, du(lab, Path::new(layer.text())));
    }
    assert!(usage["BuildCache"].is_null(), "{usage}");
    // A list of what `ps` lists.
    let mut listed = ask(lab, "/v1.41/containers/json?all=1&size=1");
    let mut told = usage["Containers"].clone();
    for list in [&mut listed, &mut told] {
        list.as_array_mut().unwrap().iter_mut().for_each(|one| one["Status"] = Value::Null);
    }
    assert_eq!(listed, told);
}

fn a_layer_of_two_images_counts_once(lab: &Lab) {
    // Made twice it is two images, of the same files if nothing has changed on the host.
    lab.canoa(&["pull", "base"]).ok();
    lab.canoa(&["pull", "base"]).ok();
    let root = lab.data_root().join("images/layers");
    let on_disk = || -> u64 {
        let layers = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path());
        layers.filter(|path| path.is_dir()).map(|path| du(lab, &path)).sum()
    };
    let usage = ask(lab, "/system/df");
    let images = usage["Images"].as_array().unwrap();
    assert_eq!(images.len(), 2, "{usage}");
    let layers = |image: &Value| {
        lab.canoa(&["image", "inspect", "-f", "{{json .RootFS.Layers}}", image["Id"].as_str().unwrap()])
            .ok()
            .stdout
    };
    assert_eq!(layers(&images[0]), layers(&images[1]));
    for image in images {
        assert_eq!(image["SharedSize"], image["Size"]);
    }
    assert_eq!((&usage["LayersSize"], &usage["LayersSize"]), (&on_disk().into(), &images[0]["Size"]));
    // The one that has lost its name goes, and nothing is free by that.
    lab.canoa(&["image", "prune", "-f"])
        .ok()
        .mentions("deleted: sha256:")
        .mentions("Total reclaimed space: 0B");
    let usage = ask(lab, "/system/df");
    assert_eq!((&usage["Images"][0]["SharedSize"], &usage["LayersSize"]), (&0.into(), &on_disk().into()));
    assert_eq!(usage["Images"].as_array().unwrap().len(), 1);
}

fn system_df_tells_of_the_kinds_that_are_asked_for(lab: &Lab) {
    lab.canoa(&["volume", "create", "data"]).ok();
    if Kind::of_the_engine().is_canoa() {
        let some = ask(lab, "/v1.47/system/df?type=volume&type=container");
        assert_eq!((&some["Images"], &some["LayersSize"]), (&Value::Null, &0.into()));
        assert_eq!(
            (&some["Volumes"][0]["Name"], &some["Containers"]),
            (&"data".into(), &Value::Array(vec![]))
        );
        assert_eq!(ask(lab, "/v1.47/system/df?type=build-cache")["Volumes"], Value::Null);
        let wrong = ask(lab, "/v1.47/system/df?type=boat");
        assert_eq!(wrong["message"], "unknown object type: boat");
    }
    // Before 1.42 nobody could ask.
    assert_eq!(ask(lab, "/v1.41/system/df?type=boat")["Volumes"][0]["Name"], "data");
}

fn system_df_prints_what_the_stock_client_prints(lab: &Lab) {
    let same = |words: &[&str]| {
        let (ours, theirs) = (lab.canoa(words), docker(lab, words));
        let text = |text: &str| -> Vec<String> {
            // Ages go on between the two.
            let line = |line: &str| {
                let line = line.replace("Less than a second", "0 seconds").replace("1 second ", "1 seconds ");
                let words: Vec<_> = line.split_whitespace().collect();
                let age = |at: usize| words.get(at + 1) == Some(&"seconds");
                let kept = (0..words.len()).map(|at| if age(at) { "some" } else { words[at] });
                kept.collect::<Vec<_>>().join(" ")
            };
            text.lines().map(line).collect()
        };
        assert_eq!((text(&ours.stdout), ours.code), (text(&theirs.stdout), theirs.code), "{words:?}");
    };
    same(&["system", "df"]);
    same(&["system", "df", "-v"]);
    furnish(lab);
    for words in [
        &[][..],
        &["-v"],
        &["--format", "json"],
        &["--format", "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}"],
        &["--format", "table {{.Type}}\\t{{.Size}}"],
        &["--format", "{{.Nope}}"],
        &[
            "-v",
            "--format",
            "{{range .Images}}{{.Repository}} {{.Tag}} {{.ID}} {{.Size}} {{.SharedSize}} {{.UniqueSize}} {{.Containers}}{{end}}",
        ],
        &["-v", "--format", "{{range .Volumes}}{{.Name}} {{.Links}} {{.Size}};{{end}}{{len .BuildCache}}"],
        &["-v", "--format", "{{range .Containers}}{{.ID}} {{.Names}} {{.LocalVolumes}} {{.Size}};{{end}}"],
    ] {
        same(&[&["system", "df"], words].concat());
    }
    lab.canoa(&["rm", "-f", "box"]).ok();
    same(&["system", "df"]);
    same(&["system", "df", "-v"]);
}
