//! The program itself, on this machine: it answers in both languages and leaves nothing behind.
// clippy.toml allows it in tests, but doesn't see that these helpers are a test's, too.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn workshop(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_workshop")).args(words).env("LC_ALL", "C").output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Every folder below `folder`, without following links.
fn folders(folder: &Path, depth: usize, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if depth > 0 {
                folders(&entry.path(), depth - 1, found);
            }
            found.insert(entry.path());
        }
    }
}

/// What a doctor could have left on this machine: groups, folders, mounts.
fn traces() -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    folders(Path::new("/sys/fs/cgroup"), 8, &mut found);
    let home = std::env::var_os("HOME").map(PathBuf::from);
    for place in ["/var/lib", "/tmp"].map(PathBuf::from).into_iter().chain(home.clone()) {
        folders(&place, 0, &mut found);
    }
    if let Some(home) = home {
        folders(&home.join(".local/share"), 1, &mut found);
    }
    found.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains("canoa-doctor")));
    found
}

#[test]
fn the_doctor_leaves_nothing_behind() {
    let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap();
    let hostname = || fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let before = (mounts(), hostname());
    let pid = {
        let mut doctor = Command::new(env!("CARGO_BIN_EXE_workshop"));
        let child = doctor.arg("doctor").stdout(std::process::Stdio::null()).spawn().unwrap();
        let pid = child.id();
        child.wait_with_output().unwrap();
        pid.to_string()
    };
    let mine: Vec<_> = traces().into_iter().filter(|path| path.to_string_lossy().ends_with(&pid)).collect();
    assert_eq!(mine, Vec::<PathBuf>::new(), "folders and groups named after the doctor's pid");
    assert_eq!((mounts(), hostname()), before, "mounts and host name");
}

#[test]
fn the_doctor_names_every_lesson_in_both_languages() {
    for (language, titles) in
        [("en", ["1  Namespaces", "6  The tool"]), ("es", ["1  Espacios de nombres", "6  La herramienta"])]
    {
        let output = workshop(&["doctor", "--lang", language]);
        for title in titles {
            assert!(text(&output).contains(title), "{language}: {}", text(&output));
        }
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let whole = !text(&output).contains('✗');
        assert_eq!(output.status.success(), whole, "the exit code says whether every lesson can be done");
    }
}

#[test]
fn without_words_it_says_what_to_do_next() {
    // In a folder where nobody has begun a lesson: in this one a learner may have.
    let folder = tempfile::TempDir::new().unwrap();
    let begin = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_workshop"));
        command.args(words).env("LC_ALL", "C").env("CARGO_MANIFEST_DIR", folder.path().join("workshop"));
        text(&command.output().unwrap())
    };
    let (english, spanish) = (begin(&[]), begin(&["--lang", "es"]));
    assert!(english.contains("Next:") && english.contains("cargo workshop doctor"), "{english}");
    assert!(spanish.contains("Sigue:") && spanish.contains("cargo taller doctor"), "{spanish}");
}

#[test]
fn help_is_in_the_language_asked_for() {
    assert!(text(&workshop(&["--lang", "es", "--help"])).contains("Enumera las lecciones"));
    assert!(text(&workshop(&["--help"])).contains("List the lessons"));
}

#[test]
fn unknown_words_and_languages_are_refused() {
    for words in [&["nonsense"][..], &["--lang", "fr"], &["--lang"]] {
        let output = workshop(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(!output.stderr.is_empty());
    }
}
