//! Bad input: one clear line that says what, on what, why; the right exit code; nothing half-made.

use std::fs;
use std::path::Path;

use e2e::case;
use e2e::case::Case;
use e2e::engine::Kind;
use e2e::lab::Lab;
use e2e::need::Need;
use e2e::registry::{Behaviour, OwnRegistry, free_port};

pub const CASES: &[Case] = &[
    case!(an_unknown_container_is_named).in_both_forms(),
    case!(an_unknown_image_is_named),
    case!(an_unknown_command_is_named),
    case!(an_unknown_network_is_named),
    case!(an_unknown_volume_is_named),
    case!(a_command_of_canoas_that_there_is_not_is_named),
    case!(a_name_that_is_taken_is_refused),
    case!(a_name_that_is_none_is_refused),
    case!(a_malformed_reference_is_refused),
    case!(a_malformed_size_is_refused),
    case!(malformed_numbers_are_refused),
    case!(a_malformed_volume_is_refused),
    case!(a_user_that_is_not_in_the_image_is_named),
    case!(a_registry_that_is_not_there_is_an_error),
    case!(a_registry_that_answers_401_is_an_error),
    case!(a_registry_that_answers_500_is_an_error),
    case!(an_image_that_the_registry_has_not_is_an_error),
    // Docker tries again and again, for minutes.
    case!(a_download_that_is_cut_is_an_error).needs(&[Need::Canoa]),
    case!(a_layer_of_another_digest_is_an_error),
    case!(a_manifest_that_is_none_is_an_error),
    case!(a_full_disk_is_an_error_and_leaves_nothing_half_made).needs(&[Need::Root]),
    case!(a_file_as_data_root_is_an_error).needs(&[Need::Canoa]),
    case!(a_data_root_in_a_folder_that_can_not_be_is_an_error).needs(&[Need::Canoa]),
    case!(an_engine_that_is_not_there_is_an_error),
];

/// Everything that the engine knows and keeps, by name: what was half-made would be among it.
fn kept(lab: &Lab) -> Vec<String> {
    let mut paths = Vec::new();
    let mut folders = vec![lab.data_root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            // A link's target is none of ours.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
            paths.push(entry.path().to_string_lossy().into_owned());
        }
    }
    paths.sort();
    for list in [&["ps", "-aq"][..], &["images", "-aq"], &["volume", "ls", "-q"], &["network", "ls", "-q"]] {
        paths.push(format!("{list:?}: {}", lab.canoa(list).ok().text()));
    }
    paths
}

/// Tries something that must leave nothing behind.
#[track_caller]
fn leaves_nothing(lab: &Lab, attempt: impl FnOnce()) {
    lab.canoa(&["run", "--rm", "base", "true"]).ok();
    let before = kept(lab);
    attempt();
    let after = kept(lab);
    let new: Vec<_> = after.iter().filter(|path| !before.contains(path)).collect();
    // Docker keeps folders of its own there; it is canoa that is on trial.
    assert!(new.is_empty() || !Kind::of_the_engine().is_canoa(), "half-made: {new:#?}");
}

fn an_unknown_container_is_named(lab: &Lab) {
    leaves_nothing(lab, || {
        // Docker adds a second line here, which sums up.
        lab.canoa(&["start", "missing"]).exits(1).complains_about("o such container: missing");
        for command in ["stop", "kill", "rm", "wait", "attach", "logs", "top", "export"] {
            lab.canoa(&[command, "missing"])
                .exits(1)
                .complains_in_one_line_about("o such container: missing");
        }
        lab.canoa(&["exec", "missing", "true"])
            .exits(1)
            .complains_in_one_line_about("o such container: missing");
        let inspect = lab.canoa(&["inspect", "missing"]).exits(1);
        inspect.mentions("[]").complains_about("o such object: missing");
    });
}

fn an_unknown_image_is_named(lab: &Lab) {
    leaves_nothing(lab, || {
        lab.canoa(&["rmi", "missing"]).exits(1).complains_about("o such image: missing");
        // There is no network in a lab: the hub can't be asked.
        let ran = lab.canoa(&["run", "--rm", "missing-image", "true"]).exits(125);
        ran.complains_about("missing-image");
    });
}

fn an_unknown_command_is_named(lab: &Lab) {
    leaves_nothing(lab, || {
        lab.canoa(&["run", "--rm", "base", "no-such-command"])
            .exits(127)
            .complains_in_one_line_about("no-such-command");
        lab.canoa(&["run", "--rm", "base", "/no/such/file"])
            .exits(127)
            .complains_in_one_line_about("/no/such/file");
        lab.canoa(&["run", "--rm", "base", "/etc"]).exits(126).complains_in_one_line_about("/etc");
    });
}

fn an_unknown_network_is_named(lab: &Lab) {
    leaves_nothing(lab, || {
        lab.canoa(&["run", "--rm", "--network", "missing", "base", "true"])
            .exits(125)
            .complains_in_one_line_about("network missing not found");
        let inspect = lab.canoa(&["network", "inspect", "missing"]).exits(1);
        inspect.complains_about("missing");
    });
}

fn an_unknown_volume_is_named(lab: &Lab) {
    leaves_nothing(lab, || {
        lab.canoa(&["volume", "rm", "missing"]).exits(1).complains_in_one_line_about("missing");
        lab.canoa(&["volume", "inspect", "missing"]).exits(1).complains_about("missing");
    });
}

fn a_command_of_canoas_that_there_is_not_is_named(lab: &Lab) {
    let ran = lab.canoa_alone(&["no-such-command"]);
    assert_ne!(ran.code, 0);
    ran.complains_about("no-such-command");
}

fn a_name_that_is_taken_is_refused(lab: &Lab) {
    lab.canoa(&["create", "--name", "taken", "base", "true"]).ok();
    leaves_nothing(lab, || {
        let ran = lab.canoa(&["run", "--name", "taken", "base", "true"]).exits(125);
        ran.complains_in_one_line_about("taken").complains_about("already in use");
        // 1 in some of Docker's versions, 125 in others.
        let ran = lab.canoa(&["create", "--name", "taken", "base", "true"]);
        assert_ne!(ran.code, 0, "{ran}");
        ran.complains_in_one_line_about("taken");
    });
    lab.canoa(&["rm", "taken"]).ok();
    lab.canoa(&["create", "--name", "taken", "base", "true"]).ok();
}

fn a_name_that_is_none_is_refused(lab: &Lab) {
    leaves_nothing(lab, || {
        for name in ["a b", "../up", "-dash", "x", "ñandú", "a/b"] {
            let ran = lab.canoa(&["run", &format!("--name={name}"), "base", "true"]).exits(125);
            ran.complains_in_one_line_about("name");
        }
        lab.canoa(&["volume", "create", "../up"]).exits(1).complains_in_one_line_about("../up");
    });
}

fn a_malformed_reference_is_refused(lab: &Lab) {
    // Docker doesn't always say which.
    let about = |reference| if Kind::of_the_engine().is_canoa() { reference } else { "" };
    leaves_nothing(lab, || {
        for reference in ["UPPER", "a b", "box:", "box@sha256:12", "http://box", "-dash", "../up", "box::1"] {
            lab.canoa(&["pull", "--", reference]).exits(1).complains_in_one_line_about(about(reference));
            let ran = lab.canoa(&["run", "--rm", "--", reference, "true"]).exits(125);
            ran.complains_about(about(reference));
        }
    });
}

fn a_malformed_size_is_refused(lab: &Lab) {
    leaves_nothing(lab, || {
        let too_much = "99999999999999999999g";
        for size in ["64x", "m", "64mm", "1.2.3m", "0x10", too_much] {
            // Docker lets it overflow, and then finds it too small.
            if size == too_much && !Kind::of_the_engine().is_canoa() {
                continue;
            }
            let ran = lab.canoa(&["run", "--rm", "-m", size, "base", "true"]).exits(125);
            ran.complains_in_one_line_about(size);
        }
        let less = lab.canoa(&["run", "--rm", "-m", "1k", "base", "true"]).exits(125);
        less.complains_about("emory");
    });
}

fn malformed_numbers_are_refused(lab: &Lab) {
    leaves_nothing(lab, || {
        for (flag, value) in [("--cpus", "many"), ("--cpus", "-1"), ("--pids-limit", "few")] {
            let ran = lab.canoa(&["run", "--rm", &format!("{flag}={value}"), "base", "true"]);
            assert_eq!(ran.code, 125, "{ran}");
        }
    });
}

fn a_malformed_volume_is_refused(lab: &Lab) {
    leaves_nothing(lab, || {
        for volume in ["mine:relative", "mine:/data:rx", "a b:/data", "mine:/", "a:/b:/c:/d"] {
            let ran = lab.canoa(&["run", "--rm", "-v", volume, "base", "true"]).exits(125);
            assert!(ran.stderr.lines().next().is_some_and(|line| line.len() > 20), "{ran}");
        }
    });
}

fn a_user_that_is_not_in_the_image_is_named(lab: &Lab) {
    leaves_nothing(lab, || {
        lab.canoa(&["run", "--rm", "-u", "nobody-here", "base", "true"])
            .exits(125)
            .complains_in_one_line_about("nobody-here");
    });
}

/// The pull must fail with one line that names the image or the registry and mentions this.
#[track_caller]
fn the_pull_fails(lab: &Lab, host: &str, about: &str) {
    leaves_nothing(lab, || {
        let image = format!("{host}/some/box:1");
        // What was shown of the progress may stand on standard output: Docker's does.
        let pull = lab.canoa(&["pull", &image]).exits(1);
        assert_eq!(pull.stderr.lines().filter(|line| !line.is_empty()).count(), 1, "{pull}");
        assert!(pull.stderr.to_lowercase().contains(&about.to_lowercase()), "nothing about {about}:\n{pull}");
        let run = lab.canoa(&["run", "--rm", &image, "true"]).exits(125);
        assert!(run.stderr.to_lowercase().contains(&about.to_lowercase()), "nothing about {about}:\n{run}");
        assert!(!run.stderr.contains("panicked"), "{run}");
    });
}

fn a_registry_that_is_not_there_is_an_error(lab: &Lab) {
    the_pull_fails(lab, &format!("127.0.0.1:{}", free_port()), "connection refused");
}

fn a_registry_that_answers_401_is_an_error(lab: &Lab) {
    let registry = OwnRegistry::with_busybox(Behaviour::Status(401));
    let about = if Kind::of_the_engine().is_canoa() { "login" } else { "" };
    the_pull_fails(lab, &registry.host, about);
}

fn a_registry_that_answers_500_is_an_error(lab: &Lab) {
    let registry = OwnRegistry::with_busybox(Behaviour::Status(500));
    let about = if Kind::of_the_engine().is_canoa() { "500" } else { "" };
    the_pull_fails(lab, &registry.host, about);
}

fn an_image_that_the_registry_has_not_is_an_error(lab: &Lab) {
    let registry = OwnRegistry::with_busybox(Behaviour::Status(404));
    let about = if Kind::of_the_engine().is_canoa() { "some/box" } else { "" };
    the_pull_fails(lab, &registry.host, about);
}

fn a_download_that_is_cut_is_an_error(lab: &Lab) {
    let registry = OwnRegistry::with_busybox(Behaviour::CutsLayers);
    the_pull_fails(lab, &registry.host, "");
}

fn a_layer_of_another_digest_is_an_error(lab: &Lab) {
    let registry = OwnRegistry::with_busybox(Behaviour::WrongLayer);
    let about = if Kind::of_the_engine().is_canoa() { "sha256:" } else { "" };
    the_pull_fails(lab, &registry.host, about);
}

fn a_manifest_that_is_none_is_an_error(lab: &Lab) {
    let registry = OwnRegistry::with_busybox(Behaviour::WrongManifest);
    the_pull_fails(lab, &registry.host, "");
}

fn a_full_disk_is_an_error_and_leaves_nothing_half_made(lab: &Lab) {
    // Room for base and a little, but not for another image.
    fs::create_dir_all(lab.data_root()).unwrap();
    let root = lab.data_root().to_string_lossy().into_owned();
    lab.host(&["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", &root]).ok();
    let registry = OwnRegistry::with_busybox(Behaviour::Good);
    let image = format!("{}/some/box:1", registry.host);
    leaves_nothing(lab, || {
        let filler = Path::new(&root).join("filler");
        // Fails when it is full, as it should.
        lab.host(&["dd", "if=/dev/zero", &format!("of={}", filler.display()), "bs=64k"]);
        lab.canoa(&["pull", &image]).exits(1).complains_about("no space left on device");
        let run = lab.canoa(&["run", "--rm", "base", "true"]);
        assert!(run.code == 125 && run.stderr.to_lowercase().contains("no space left on device"), "{run}");
        fs::remove_file(filler).unwrap();
    });
    // And as soon as there is room, it goes on.
    lab.canoa(&["run", "--rm", &image, "cat", "/etc/note"]).ok().says("the upper layer");
}

fn a_file_as_data_root_is_an_error(lab: &Lab) {
    fs::write(lab.data_root(), "not a folder").unwrap();
    let ran = daemon_on(lab, &lab.data_root());
    ran.exits(1).complains_in_one_line_about(&lab.data_root().to_string_lossy());
    assert_eq!(fs::read_to_string(lab.data_root()).unwrap(), "not a folder");
    assert!(!lab.socket().exists());
}

fn a_data_root_in_a_folder_that_can_not_be_is_an_error(lab: &Lab) {
    let ran = daemon_on(lab, Path::new("/proc/canoa"));
    ran.exits(1).complains_in_one_line_about("/proc/canoa");
}

fn daemon_on(lab: &Lab, data_root: &Path) -> e2e::program::Ran {
    let mut command = lab.program(&lab.binary);
    command.arg("daemon").args(["-H", &format!("unix://{}", lab.socket().display())]);
    command.arg("--data-root").arg(data_root).arg("--exec-root").arg(lab.exec_root());
    lab.finish(&mut command)
}

fn an_engine_that_is_not_there_is_an_error(lab: &Lab) {
    // Named explicitly, so it is not started.
    let ran = lab.canoa_alone(&["ps"]);
    ran.exits(1).complains_in_one_line_about(&lab.socket().to_string_lossy());
    let ran = lab.canoa_alone(&["run", "--rm", "base", "true"]);
    ran.exits(125).complains_in_one_line_about(&lab.socket().to_string_lossy());
}
