//! Images for another kind of machine.

use std::process::Command;

use e2e::case;
use e2e::case::Case;
use e2e::image::{self, Entry, Image, layer};
use e2e::lab::Lab;
use e2e::need::Need;
use e2e::program::Ran;
use e2e::registry::OwnRegistry;

pub const CASES: &[Case] = &[
    case!(a_foreign_image_is_pulled_and_shown_and_does_not_run),
    case!(both_platforms_are_kept_and_the_last_one_pulled_has_the_name),
    case!(a_variant_is_chosen_or_an_older_one_of_it),
    case!(run_and_create_fetch_the_platform_that_they_want),
    case!(a_platform_that_is_not_there_is_an_error_that_names_it),
    case!(docker_asks_for_a_platform).needs(&[Need::Tool("docker")]),
];

/// This machine's, as Go calls it, and one that it isn't.
fn platforms() -> (&'static str, &'static str) {
    match std::env::consts::ARCH {
        "aarch64" => ("linux/arm64", "linux/amd64"),
        _ => ("linux/amd64", "linux/arm64"),
    }
}

/// Three platforms under one name. What they hold says which one it is; the foreign one's program is for
/// another machine, by its header at least.
fn registry() -> OwnRegistry {
    let (here, foreign) = platforms();
    let note = |text: &str| layer(&[Entry::File("note", text.as_bytes(), 0o644)]).unwrap();
    let mut program = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xf3\0\x01\0\0\0".to_vec();
    program.resize(64, 0);
    let tools = layer(&[Entry::Folder("bin/"), Entry::File("bin/sh", &program, 0o755)]).unwrap();
    let architecture = |platform: &str| platform.split('/').nth(1).unwrap().to_owned();
    let ours = Image::of(&[image::busybox_layer().unwrap(), note(here)]).unwrap();
    let theirs = Image::of_architecture(&[tools.clone(), note(foreign)], &architecture(foreign)).unwrap();
    let old = |variant| Image::of_variant(&[tools.clone(), note(variant)], "arm", variant).unwrap();
    OwnRegistry::with_index(&[
        (foreign, theirs),
        (here, ours),
        ("linux/arm/v6", old("v6")),
        ("linux/arm/v5", old("v5")),
    ])
}

fn shown(lab: &Lab, image: &str) -> String {
    let format = "{{.Os}}/{{.Architecture}}";
    lab.canoa(&["image", "inspect", "-f", format, image]).ok().text().to_owned()
}

fn id(lab: &Lab, image: &str) -> String {
    lab.canoa(&["image", "inspect", "-f", "{{.Id}}", image]).ok().text().to_owned()
}

fn a_foreign_image_is_pulled_and_shown_and_does_not_run(lab: &Lab) {
    let (here, foreign) = platforms();
    let image = format!("{}/box:1", registry().host);
    lab.canoa(&["pull", "--platform", foreign, &image]).ok().mentions("Status: Downloaded newer image");
    assert_eq!(shown(lab, &image), foreign);
    // Whoever hasn't asked for it is told, and what it runs is no program here.
    let ran = lab.canoa(&["run", "--rm", &image, "sh"]).exits(126);
    let ran = ran.complains_about(&format!("WARNING: The requested image's platform ({foreign})"));
    ran.complains_about(&format!("does not match the detected host platform ({here}"))
        .complains_about("exec /bin/sh: exec format error");
    let ran = lab.canoa(&["run", "--rm", "--platform", foreign, &image, "sh"]).exits(126);
    assert!(!ran.stderr.contains("WARNING"), "{ran}");
    lab.canoa(&["ps", "-aq"]).ok().says("");
}

fn both_platforms_are_kept_and_the_last_one_pulled_has_the_name(lab: &Lab) {
    let (here, foreign) = platforms();
    let image = format!("{}/box:1", registry().host);
    lab.canoa(&["pull", &image]).ok();
    let ours = id(lab, &image);
    assert_eq!(shown(lab, &image), here);
    lab.canoa(&["run", "--rm", &image, "cat", "/note"]).ok().says(here);
    lab.canoa(&["pull", "--platform", foreign, &image]).ok().mentions("Status: Downloaded newer image");
    let theirs = id(lab, &image);
    assert_ne!(ours, theirs);
    assert_eq!(shown(lab, &image), foreign);
    // The other one is still here, by its id, and runs.
    assert_eq!(shown(lab, &ours), here);
    lab.canoa(&["run", "--rm", &ours, "cat", "/note"]).ok().says(here);
    lab.canoa(&["pull", "--platform", here, &image]).ok();
    assert_eq!(id(lab, &image), ours);
    assert_eq!(shown(lab, &theirs), foreign);
}

fn a_variant_is_chosen_or_an_older_one_of_it(lab: &Lab) {
    let image = format!("{}/box:1", registry().host);
    let variant = |platform: &str| {
        lab.canoa(&["pull", "-q", "--platform", platform, &image]).ok();
        lab.canoa(&["image", "inspect", "-f", "{{.Architecture}}/{{.Variant}}", &image])
            .ok()
            .text()
            .to_owned()
    };
    assert_eq!(variant("linux/arm/v5"), "arm/v5");
    assert_eq!(variant("linux/arm/v7"), "arm/v6", "a v7 processor runs v6, and that better than v5");
    assert_eq!(variant("linux/arm/v6"), "arm/v6");
}

fn run_and_create_fetch_the_platform_that_they_want(lab: &Lab) {
    let (here, foreign) = platforms();
    let image = format!("{}/box:1", registry().host);
    lab.canoa(&["pull", "-q", "--platform", foreign, &image]).ok();
    // It is here, but not for that machine.
    let ran = lab.canoa(&["run", "--rm", "--pull", "never", "--platform", here, &image, "cat", "/note"]);
    ran.exits(125).complains_about(&format!("does not match the specified platform ({here})"));
    let ran = lab.canoa(&["run", "--rm", "--platform", here, &image, "cat", "/note"]).ok().says(here);
    ran.complains_about("Unable to find image");
    lab.canoa(&["create", "--name", "box", "--platform", foreign, &image, "sh"]).ok();
    let of_box = lab.inspect("box")["Image"].as_str().unwrap().to_owned();
    assert_eq!(shown(lab, &of_box), foreign);
}

fn a_platform_that_is_not_there_is_an_error_that_names_it(lab: &Lab) {
    let (here, foreign) = platforms();
    let image = format!("{}/box:1", registry().host);
    for platform in ["linux/s390x", "plan9/mips"] {
        lab.canoa(&["pull", "--platform", platform, &image]).exits(1).complains_about(platform);
        lab.canoa(&["run", "--platform", platform, &image]).exits(125).complains_about(platform);
    }
    for wrong in ["linux", "linux/arm/v7/x", "linux/am d64", "/", "\u{1b}/x"] {
        for words in [&["pull"][..], &["run"], &["create"]] {
            let ran = lab.canoa(&[words, &["--platform", wrong, &image]].concat());
            assert!(ran.code != 0 && !ran.stderr.contains('\u{1b}'), "{ran}");
        }
    }
    // What is made of this machine's own tools can't be had for another.
    lab.canoa(&["pull", "--platform", foreign, "base"]).exits(1).complains_about(foreign);
    lab.canoa(&["run", "--rm", "--platform", here, "base", "true"]).ok();
    let ran = lab.canoa(&["run", "--rm", "--platform", foreign, "base", "true"]);
    ran.exits(125).complains_about(foreign);
    lab.canoa(&["ps", "-aq"]).ok().says("");
}

fn docker(lab: &Lab, arguments: &[&str]) -> Ran {
    lab.with_daemon();
    let mut command: Command = lab.program("docker");
    command.env("DOCKER_HOST", format!("unix://{}", lab.socket().display())).args(arguments);
    lab.finish(&mut command)
}

fn docker_asks_for_a_platform(lab: &Lab) {
    let (here, foreign) = platforms();
    let image = format!("{}/box:1", registry().host);
    docker(lab, &["pull", "--platform", foreign, &image]).ok();
    docker(lab, &["image", "inspect", "-f", "{{.Architecture}}", &image])
        .ok()
        .says(foreign.split('/').nth(1).unwrap());
    let ran = docker(lab, &["run", "--rm", &image, "sh"]);
    assert_ne!(ran.code, 0);
    ran.complains_about("The requested image's platform").complains_about("exec format error");
    docker(lab, &["run", "--rm", "--platform", here, &image, "cat", "/note"]).ok().says(here);
    docker(lab, &["run", "--rm", "--platform", "linux/s390x", &image]).exits(125).complains_about("s390x");
}
