//! Images from a registry.

use e2e::case;
use e2e::case::Case;
use e2e::image::{Entry, Image, layer};
use e2e::lab::Lab;
use e2e::need::Need;
use e2e::registry::{Behaviour, DebianRegistry, OwnRegistry};
use e2e::terminal::Terminal;

pub const CASES: &[Case] = &[
    case!(a_debian_image_of_several_layers_is_pulled_and_runs)
        .needs(&[Need::Debian, Need::Users])
        .within(180),
    case!(later_layers_change_and_remove_what_earlier_ones_brought).needs(&[Need::Debian]).within(180),
    case!(an_image_is_pulled_listed_and_removed).in_both_forms(),
    case!(an_image_that_is_not_here_is_pulled_by_run),
    case!(pulling_on_a_terminal_shows_progress),
    case!(an_image_goes_by_its_digest_too),
    case!(an_image_in_use_is_not_removed),
    case!(a_download_that_was_cut_once_is_resumed_or_begun_again),
    case!(a_foreign_platform_is_an_error_that_names_it),
    case!(a_layer_that_writes_outside_the_root_touches_nothing_there),
    case!(base_is_made_afresh_when_it_is_pulled).needs(&[Need::Canoa]),
];

fn a_debian_image_of_several_layers_is_pulled_and_runs(lab: &Lab) {
    let registry = DebianRegistry::start(lab);
    let image = format!("{}/debian:bookworm", registry.host);
    let ran = lab.canoa(&["run", "--rm", &image, "cat", "/etc/os-release"]).ok();
    ran.mentions("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"");
    // Its own programs run, by its own libraries, and its package manager finds everything in place.
    lab.canoa(&["run", "--rm", &image, "perl", "-e", "print 6 * 7"]).ok().says("42");
    lab.canoa(&["run", "--rm", &image, "dpkg", "--audit"]).ok().says("");
    lab.canoa(&["run", "--rm", &image, "stat", "-c", "%a %U", "/etc/passwd", "/tmp", "/usr/bin/su"])
        .ok()
        .says("644 root\n1777 root\n4755 root");
    let again = lab.canoa(&["pull", &image]).ok();
    again.mentions(&format!("Status: Image is up to date for {image}"));
}

fn later_layers_change_and_remove_what_earlier_ones_brought(lab: &Lab) {
    let registry = DebianRegistry::start(lab);
    let image = format!("{}/debian:bookworm", registry.host);
    let script = "cd /opt; find . | sort; cat boat/added boat/replaced boat/cabin/shown boat/linked";
    lab.canoa(&["run", "--rm", &image, "sh", "-c", script]).ok().says(
        ".\n./boat\n./boat/added\n./boat/cabin\n./boat/cabin/shown\n./boat/linked\n./boat/replaced\n\
         put here by layer 2\nput here by layer 3\nthe only one\nput here by layer 2",
    );
}

fn an_image_is_pulled_listed_and_removed(lab: &Lab) {
    let registry = OwnRegistry::with_busybox(Behaviour::Good);
    let image = format!("{}/some/box:1", registry.host);
    let pulled = lab.canoa(&["pull", &image]).ok();
    pulled.mentions("Digest: sha256:").mentions(&format!("Status: Downloaded newer image for {image}"));
    let table = lab.canoa(&["images"]).ok();
    assert!(table.lines()[0].starts_with("REPOSITORY"), "{table}");
    let row = table.lines().iter().find(|line| line.contains("some/box")).unwrap().to_string();
    let words: Vec<_> = row.split_whitespace().collect();
    assert_eq!(&words[..2], &[&image[..image.len() - 2], "1"], "{table}");
    let id = words[2].to_owned();
    assert_eq!(id.len(), 12, "{table}");
    // By its id as well as by its name.
    lab.canoa(&["run", "--rm", &id, "cat", "/etc/note"]).ok().says("the upper layer");
    lab.canoa(&["rmi", &image]).ok().mentions(&format!("Untagged: {image}")).mentions("Deleted: sha256:");
    lab.canoa(&["images"]).ok().is_silent_on("some/box");
    lab.canoa(&["rmi", &image]).exits(1).complains_about("o such image");
}

fn an_image_that_is_not_here_is_pulled_by_run(lab: &Lab) {
    let registry = OwnRegistry::with_busybox(Behaviour::Good);
    let image = format!("{}/box", registry.host);
    let ran = lab.canoa(&["run", "--rm", &image, "cat", "/etc/note"]).ok().says("the upper layer");
    ran.complains_about(&format!("Unable to find image '{image}:latest' locally"));
    let ran = lab.canoa(&["run", "--rm", &image, "cat", "/etc/note"]).ok();
    assert_eq!(ran.stderr, "", "{ran}");
}

fn pulling_on_a_terminal_shows_progress(lab: &Lab) {
    let registry = OwnRegistry::with_busybox(Behaviour::Good);
    lab.with_daemon();
    let mut pull = Terminal::start(lab.command(&["pull", &format!("{}/box:1", registry.host)]));
    assert_eq!(pull.ends(), 0);
    pull.sees("Pull complete");
    pull.sees("Status: Downloaded newer image");
}

fn an_image_goes_by_its_digest_too(lab: &Lab) {
    let registry = OwnRegistry::with_busybox(Behaviour::Good);
    let pulled = lab.canoa(&["pull", &format!("{}/box:1", registry.host)]).ok();
    let digest = pulled.lines().iter().find_map(|line| line.strip_prefix("Digest: ")).unwrap().to_owned();
    let image = format!("{}/box@{digest}", registry.host);
    lab.canoa(&["run", "--rm", &image, "cat", "/etc/note"]).ok().says("the upper layer");
    // What the registry has is not what the digest says.
    let wrong = format!("{}/box@sha256:{}", registry.host, "0".repeat(64));
    lab.canoa(&["pull", &wrong]).exits(1).complains_about("digest");
}

fn an_image_in_use_is_not_removed(lab: &Lab) {
    let registry = OwnRegistry::with_busybox(Behaviour::Good);
    let image = format!("{}/box:1", registry.host);
    lab.canoa(&["create", "--name", "user", &image]).ok();
    lab.canoa(&["rmi", &image]).exits(1).complains_about("conflict");
    lab.canoa(&["start", "user"]).ok();
    lab.canoa(&["rm", "-f", "user"]).ok();
    lab.canoa(&["rmi", &image]).ok();
}

fn a_download_that_was_cut_once_is_resumed_or_begun_again(lab: &Lab) {
    let registry = OwnRegistry::with_busybox(Behaviour::CutsLayersOnce);
    let image = format!("{}/box:1", registry.host);
    lab.canoa(&["run", "--rm", &image, "cat", "/etc/note"]).ok().says("the upper layer");
}

fn a_foreign_platform_is_an_error_that_names_it(lab: &Lab) {
    let layer = layer(&[Entry::File("note", b"", 0o644)]).unwrap();
    let image = Image::of_architecture(&[layer], "s390x").unwrap();
    let registry = OwnRegistry::start(image, Behaviour::Good);
    let image = format!("{}/box:1", registry.host);
    // Docker lets it pass with a warning and fails at the exec: here it is an error at once.
    let ran = lab.canoa(&["run", "--rm", &image, "true"]);
    assert!(ran.code == 125 || ran.code == 127, "{ran}");
    if e2e::engine::Kind::of_the_engine().is_canoa() {
        ran.exits(125).complains_about("s390x");
    }
}

fn a_layer_that_writes_outside_the_root_touches_nothing_there(lab: &Lab) {
    let victim = lab.folder.join("home/victim");
    std::fs::write(&victim, "untouched").unwrap();
    let climb = format!("{}{}", "../".repeat(12), victim.display()).replace("//", "/");
    let absolute = victim.to_string_lossy().into_owned();
    let link = lab.folder.join("home").to_string_lossy().into_owned();
    let through_link = "out/victim";
    let layers = [
        vec![Entry::File(&climb, b"climbed", 0o644)],
        vec![Entry::File(&absolute, b"absolute", 0o644)],
        vec![Entry::Link("out", &link), Entry::File(through_link, b"through a link", 0o644)],
    ];
    for entries in layers {
        let registry = OwnRegistry::start(Image::of(&[layer(&entries).unwrap()]).unwrap(), Behaviour::Good);
        // Refused or made harmless: either will do.
        lab.canoa(&["pull", &format!("{}/hostile:1", registry.host)]);
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "untouched", "{entries:?}");
    }
}

fn base_is_made_afresh_when_it_is_pulled(lab: &Lab) {
    lab.canoa(&["run", "--rm", "base", "true"]).ok();
    lab.canoa(&["pull", "base"]).ok();
    lab.canoa(&["images"]).ok().mentions("base");
    lab.canoa(&["run", "--rm", "base", "true"]).ok();
}
