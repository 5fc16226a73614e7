//! What strangers have written, and people read: a record that was made elsewhere, or changed by hand.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::process::Command;

/// What the program prints about a folder with one record, in which these are its name, image and command.
fn listed(name: &str, image: &str, command: &str) -> String {
    let root = tempfile::tempdir().unwrap();
    let id = "ab".repeat(32);
    let folder = root.path().join("containers").join(&id);
    fs::create_dir_all(&folder).unwrap();
    let record = serde_json::json!({
        "version": 1, "id": id, "name": name, "created_at": "2026-01-01T00:00:00Z",
        "state": {
            "status": "created", "process": null, "exit_code": 0, "error": "", "oom_killed": false,
            "started_at": null, "finished_at": null
        },
        "config": {
            "image": image, "layers": [], "args": [command], "env": [], "directory": "/", "user": "",
            "interactive": false, "tty": false, "volumes": [], "memory": null, "nano_cpus": null, "pids": null,
            "init": false, "remove": false
        }
    });
    fs::write(folder.join("container.json"), record.to_string()).unwrap();
    let program = std::env::var("CARGO_BIN_EXE_lesson-06");
    let program = program.unwrap_or_else(|_| env!("CARGO_BIN_EXE_lesson-06").to_owned());
    let output = Command::new(program).arg("--root").arg(root.path()).args(["ps", "-a"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn no_record_steers_the_terminal_on_which_it_is_listed() {
    assert!(listed("boat", "base", "sh -c 'exit 42'").ends_with("boat\n"));
    let text = listed("bo\x1b[1mat", "base\r", "\x1b[2J\n\x1b]0;x\x07");
    assert_eq!(text.lines().count(), 2, "one line for the container: {text:?}");
    assert!(!text.chars().any(|letter| letter.is_control() && letter != '\n'), "{text:?}");
    assert!(text.contains(r"\u{1b}[2J\n") && text.ends_with("bo\\u{1b}[1mat\n"), "{text:?}");
}
