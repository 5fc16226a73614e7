//! What outlives a container: volumes, and folders of the host.

use std::fs;

use e2e::case;
use e2e::case::Case;
use e2e::image::{Entry, Image, busybox_layer, layer};
use e2e::lab::Lab;
use e2e::registry::{Behaviour, OwnRegistry};

pub const CASES: &[Case] = &[
    case!(a_named_volume_outlives_its_container),
    case!(a_volume_is_created_listed_inspected_and_removed),
    case!(a_volume_in_use_is_not_removed),
    case!(a_folder_of_the_host_is_shared_both_ways),
    case!(a_read_only_folder_is_read_only),
    case!(a_single_file_can_be_lent),
    case!(a_volume_of_no_name_goes_with_rm),
    case!(a_target_that_is_a_link_stays_inside_the_root),
];

fn a_named_volume_outlives_its_container(lab: &Lab) {
    lab.canoa(&["run", "--rm", "-v", "kept:/data", "base", "sh", "-c", "echo precious > /data/file"]).ok();
    lab.canoa(&["run", "--rm", "-v", "kept:/elsewhere", "base", "cat", "/elsewhere/file"])
        .ok()
        .says("precious");
    lab.canoa(&["volume", "ls"]).ok().mentions("kept");
    let ran = lab.canoa(&["run", "--rm", "-v", "kept:/data:ro", "base", "sh", "-c", "echo x > /data/file"]);
    assert_ne!(ran.code, 0, "{ran}");
}

fn a_volume_is_created_listed_inspected_and_removed(lab: &Lab) {
    lab.canoa(&["volume", "create", "mine"]).ok().says("mine");
    // Once more is no error.
    lab.canoa(&["volume", "create", "mine"]).ok().says("mine");
    lab.canoa(&["volume", "ls"]).ok().says("DRIVER    VOLUME NAME\nlocal     mine");
    lab.canoa(&["volume", "ls", "-q"]).ok().says("mine");
    let told = lab.canoa(&["volume", "inspect", "mine"]).ok();
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told[0]["Name"], "mine");
    assert_eq!(told[0]["Driver"], "local");
    let folder = told[0]["Mountpoint"].as_str().unwrap();
    assert!(folder.ends_with("/volumes/mine/_data"), "{folder}");
    lab.canoa(&["run", "--rm", "-v", "mine:/data", "base", "touch", "/data/there"]).ok();
    assert!(fs::metadata(folder).is_ok_and(|meta| meta.is_dir()));
    lab.canoa(&["volume", "rm", "mine"]).ok().says("mine");
    lab.canoa(&["volume", "ls", "-q"]).ok().says("");
    assert!(!fs::exists(folder).unwrap());
}

fn a_volume_in_use_is_not_removed(lab: &Lab) {
    lab.canoa(&["create", "--name", "user", "-v", "mine:/data", "base", "true"]).ok();
    lab.canoa(&["volume", "rm", "mine"]).exits(1).complains_about("in use");
    lab.canoa(&["rm", "user"]).ok();
    lab.canoa(&["volume", "rm", "mine"]).ok();
}

fn a_folder_of_the_host_is_shared_both_ways(lab: &Lab) {
    let folder = lab.folder.join("home/shared");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("from-outside"), "hello").unwrap();
    let volume = format!("{}:/in/side", folder.display());
    let script = "cat /in/side/from-outside; echo back > /in/side/from-inside";
    lab.canoa(&["run", "--rm", "-v", &volume, "base", "sh", "-c", script]).ok().says("hello");
    assert_eq!(fs::read_to_string(folder.join("from-inside")).unwrap(), "back\n");
}

fn a_read_only_folder_is_read_only(lab: &Lab) {
    let folder = lab.folder.join("home/shared");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("file"), "hello").unwrap();
    let volume = format!("{}:/in/side:ro", folder.display());
    let script =
        "cat /in/side/file; echo no > /in/side/file; echo no > /in/side/other; mkdir /in/side/folder";
    let ran = lab.canoa(&["run", "--rm", "-v", &volume, "base", "sh", "-c", script]);
    assert_ne!(ran.code, 0);
    assert_eq!(ran.stderr.to_lowercase().matches("read-only file system").count(), 3, "{ran}");
    ran.says("hello");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), "hello");
}

fn a_single_file_can_be_lent(lab: &Lab) {
    let file = lab.folder.join("home/file");
    fs::write(&file, "hello").unwrap();
    let volume = format!("{}:/etc/lent:ro", file.display());
    lab.canoa(&["run", "--rm", "-v", &volume, "base", "cat", "/etc/lent"]).ok().says("hello");
}

fn a_volume_of_no_name_goes_with_rm(lab: &Lab) {
    lab.canoa(&["run", "--rm", "-v", "/data", "base", "sh", "-c", "echo x > /data/file"]).ok();
    lab.canoa(&["volume", "ls", "-q"]).ok().says("");
}

fn a_target_that_is_a_link_stays_inside_the_root(lab: &Lab) {
    // In the image, /way is a link to a folder which the image has, and the host, too.
    let victim = lab.folder.join("home/victim");
    fs::create_dir(&victim).unwrap();
    let inside = format!("{}/", victim.to_str().unwrap().trim_start_matches('/'));
    let way = layer(&[Entry::Folder(&inside), Entry::Link("way", victim.to_str().unwrap())]).unwrap();
    let image = Image::of(&[busybox_layer().unwrap(), way]).unwrap();
    let registry = OwnRegistry::start(image, Behaviour::Good);
    let image = format!("{}/sly:1", registry.host);
    let ran = lab.canoa(&["run", "--rm", "-v", "mine:/way", &image, "sh", "-c", "echo caught > /way/file"]);
    assert_eq!(fs::read_dir(&victim).unwrap().count(), 0, "{ran}");
    ran.ok();
    lab.canoa(&["run", "--rm", "-v", "mine:/data", "base", "cat", "/data/file"]).ok().says("caught");
}
