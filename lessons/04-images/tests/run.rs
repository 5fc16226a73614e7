//! What is seen from inside a container whose root is an image.
//!
//! As in the lessons before the tests run the lesson's own program, and need no privilege.
#![allow(missing_docs, dead_code, clippy::unwrap_used, clippy::expect_used)]

#[path = "support/registry.rs"]
mod registry;

use std::path::Path;
use std::process::{Command, Output};

use images::{Platform, Store};
use registry::{Registry, image, layer};
use tempfile::TempDir;

fn lesson(store: &Path, words: &[&str]) -> Output {
    let (verb, rest) = words.split_first().unwrap();
    // Where the tests run elsewhere than they were built, as in a virtual machine, this says where it is.
    let program =
        std::env::var_os("CARGO_BIN_EXE_lesson-04").unwrap_or(env!("CARGO_BIN_EXE_lesson-04").into());
    Command::new(program).args([verb, "--store"]).arg(store).args(rest).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn its_root_is_the_image_and_what_it_writes_is_its_own() {
    let folder = TempDir::new().unwrap();
    let run = |script: &str| text(&lesson(folder.path(), &["run", "base", "sh", "-c", script]));
    assert_eq!(run("echo written > /mark; rm /etc/passwd; cat /mark; ls /etc"), "written\ngroup\nos-release");
    // The next one begins with the image as it was.
    assert_eq!(run("ls /mark 2>&1 | wc -l; cat /mark; ls /etc").lines().last(), Some("passwd"));
    let root = run("cat /proc/self/mountinfo");
    assert!(root.lines().any(|line| line.contains(" / / ") && line.contains(" - overlay ")), "{root}");
    // And of neither anything is left.
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("container-")), "{left:?}");
    let host = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!host.contains(folder.path().to_str().unwrap()), "{host}");
}

#[test]
fn a_pulled_image_is_run_as_its_config_says() {
    let (registry, folder) = (Registry::start(), TempDir::new().unwrap());
    // The tools are base's, as a second image's lower layer: pulled by nobody, here by name.
    let script = b"#!/bin/sh\necho \"$GREETING from $(pwd)\"\n";
    text(&lesson(folder.path(), &["pull", "base"]));
    let store = Store::open(folder.path()).unwrap();
    let base = store.resolve("base").unwrap();
    let archive = std::fs::read(store.blob_path(&base.config.rootfs.diff_ids[0])).unwrap();

    let host = Platform::host();
    let tools = registry::compress(&archive);
    let manifest = image(&registry, (&host.os, &host.architecture), &[tools, layer(&[("hello", script)])]);
    registry.put("app/manifests/latest", manifest);
    let name = registry.reference("latest").familiar();
    let output = lesson(folder.path(), &["run", &name, "sh", "/hello"]);
    assert_eq!(text(&output), "from /");
    assert!(String::from_utf8_lossy(&output.stderr).contains("Pull complete"));
    // Without a program of ours it is the image's own: sh, which reads an empty input and ends.
    assert_eq!(text(&lesson(folder.path(), &["run", &name])), "");
}

#[test]
fn what_goes_wrong_is_one_line_and_docker_s_exit_code() {
    let folder = TempDir::new().unwrap();
    for (words, code, said) in [
        (&["run", "Base"][..], 125, "lowercase"),
        (&["run", "127.0.0.1:1/x"], 125, "refused"),
        (&["run", "base", "no-such-program"], 127, "no-such-program"),
        (&["run", "base", "/etc/passwd"], 126, "/etc/passwd"),
        (&["run", "--memory", "64x", "base", "true"], 125, "64x"),
        (&["run"], 125, "IMAGE is missing"),
    ] {
        let output = lesson(folder.path(), words);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {error}");
        assert!(error.contains(said) && error.lines().count() == 1, "{words:?}: {error}");
    }
}
