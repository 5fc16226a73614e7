//! The learner's loop, in a small repository of the test's own: one lesson, two exercises.
#![allow(clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const LIB: &str = r#"//! Two sums.

/// Adds.
pub fn add(a: u32, b: u32) -> u32 {
    // ANCHOR: ex-01-1
    // 1. Add them,
    //    whatever they are.
    a.wrapping_add(b)
    // ANCHOR_END: ex-01-1
}

/// Doubles.
pub fn double(a: u32) -> u32 {
    // ANCHOR: ex-01-2
    // 1. Add it to itself.
    add(a, a)
    // ANCHOR_END: ex-01-2
}
"#;

const TESTS: &str = r#"
#[test]
fn a_sum_is_a_sum() {
    assert_eq!(lesson_01::add(2, 3), 5, "two and three");
}

#[test]
fn a_double_is_twice() {
    assert_eq!(lesson_01::double(4), 8, "twice four");
}
"#;

const COURSE: &str = r#"
gain = { en = "canoa adds with your code.", es = "canoa suma con tu código." }
see = "canoa add"

[[exercise]]
id = "ex-01-1"
title = { en = "Add", es = "Sumar" }
minutes = 5
tests = ["a_sum_is_a_sum"]
breaks = ["a_double_is_twice"]
uses = "a, b"
man = ["add(1)"]
reference = "84458da9d4bb"
hint = [{ en = "one", es = "uno" }, { en = "two", es = "dos" }, { en = "three", es = "tres" }]

[[exercise]]
id = "ex-01-2"
title = { en = "Double", es = "Doblar" }
minutes = 5
tests = ["a_double_is_twice"]
uses = "a"
man = ["double(1)"]
reference = "23eb727bcb4b"
hint = [{ en = "one", es = "uno" }, { en = "two", es = "dos" }, { en = "three", es = "tres" }]
"#;

/// A repository with one lesson.
struct Fork {
    folder: TempDir,
}

impl Fork {
    fn new() -> Fork {
        let fork = Fork { folder: TempDir::new().unwrap() };
        let lesson = "[package]\nname = \"lesson-01\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
        fork.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"lessons/01-namespaces\"]\n");
        fork.write(".gitignore", "/target\n/.taller\n");
        fork.write("lessons/01-namespaces/Cargo.toml", lesson);
        fork.write("lessons/01-namespaces/src/lib.rs", LIB);
        fork.write("lessons/01-namespaces/tests/sums.rs", TESTS);
        fork.write("lessons/01-namespaces/lesson.toml", COURSE);
        fork.git(&["init", "--quiet"]);
        fork.commit();
        fork
    }

    fn git(&self, words: &[&str]) {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
        let output =
            Command::new("git").args(identity).args(words).current_dir(self.folder.path()).output().unwrap();
        assert!(output.status.success(), "git {words:?}: {output:?}");
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "as it is"]);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_workshop"));
        command.args(words).env("CARGO_MANIFEST_DIR", self.path("workshop")).env("LC_ALL", "C");
        command.env_remove("CARGO_TARGET_DIR").current_dir(self.folder.path());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).stdin(Stdio::null()).output().unwrap()
    }

    /// What a command that succeeds says.
    fn says(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What one that doesn't says.
    fn fails(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(!output.status.success(), "{words:?}: {output:?}");
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    fn lib(&self) -> String {
        self.read("lessons/01-namespaces/src/lib.rs")
    }

    /// The learner types.
    fn answer(&self, from: &str, to: &str) {
        let text = self.lib();
        assert!(text.contains(from), "{text}");
        self.write("lessons/01-namespaces/src/lib.rs", &text.replace(from, to));
    }
}

const BLANK_ADD: &str = "    let _ = (a, b);\n    todo!(\"ex-01-1: Add\")\n";

#[test]
fn a_lesson_is_played_from_blank_to_green() {
    let fork = Fork::new();
    let start = fork.says(&["start", "1"]);
    assert!(start.contains("Blank exercises: 2. Red tests, as they should be: 2."), "{start}");
    assert!(start.contains("lessons/01-namespaces/src/lib.rs:6"), "{start}");
    assert!(
        fork.lib().contains(&format!("    // 1. Add them,\n    //    whatever they are.\n{BLANK_ADD}")),
        "{}",
        fork.lib()
    );

    let red = fork.fails(&["check"]);
    assert!(
        red.contains("✗ ex-01-1") && red.contains("ex-01-1: Add") && red.contains("a_sum_is_a_sum"),
        "{red}"
    );
    assert!(!red.contains("\na_double_is_twice"), "one thing at a time: {red}");

    fork.answer(BLANK_ADD, "    a - b\n");
    let wrong = fork.fails(&["check", "ex-01-1"]);
    assert!(wrong.contains("overflow") || wrong.contains("two and three"), "{wrong}");

    fork.answer("    a - b\n", "    a + b\n");
    let next = fork.fails(&["check"]);
    assert!(next.contains("✓ ex-01-1") && next.contains("✗ ex-01-2") && next.contains("lib.rs:15"), "{next}");
    assert!(fork.says(&[]).contains("1/2"), "{}", fork.says(&[]));

    fork.answer("    let _ = &a;\n    todo!(\"ex-01-2: Double\")\n", "    2 * a\n");
    let green = fork.says(&["check"]);
    assert!(green.contains("canoa adds with your code") && green.contains("canoa add"), "{green}");
    assert!(fork.says(&[]).contains("2/2"), "{}", fork.says(&[]));
}

#[test]
fn code_that_does_not_compile_gets_the_compiler_s_words() {
    let fork = Fork::new();
    fork.says(&["start", "1"]);
    fork.answer(BLANK_ADD, "    a plus b\n");
    let said = fork.fails(&["check"]);
    assert!(said.contains("doesn't compile") && said.contains("a plus b"), "{said}");
}

#[test]
fn hints_come_one_by_one_and_the_last_names_the_answer() {
    let fork = Fork::new();
    fork.says(&["start", "1"]);
    let first = fork.says(&["hint"]);
    assert!(first.contains("1/3  one") && !first.contains("two"), "{first}");
    fork.says(&["hint", "ex-01-1"]);
    let last = fork.says(&["hint"]);
    assert!(last.contains("3/3  three") && last.contains("solve ex-01-1"), "{last}");
    assert!(fork.says(&["--lang", "es", "hint"]).contains("3/3  tres"));
}

#[test]
fn an_answer_that_a_command_replaces_is_kept_and_comes_back() {
    let fork = Fork::new();
    fork.says(&["start", "1"]);
    fork.answer(BLANK_ADD, "    b + a // mine\n");
    let answered = fork.lib();

    let started = fork.says(&["start", "1"]);
    assert!(started.contains("Blank exercises: 1."), "the answered one is left alone: {started}");
    fork.fails(&["reset", "ex-01-1"]);
    assert_eq!(fork.lib(), answered, "without a terminal the answer to the question is no");

    let solved = fork.says(&["solve", "ex-01-1"]);
    assert!(solved.contains("resume ex-01-1"), "{solved}");
    assert!(fork.lib().contains("a.wrapping_add(b)"));
    fork.says(&["resume", "ex-01-1"]);
    assert_eq!(fork.lib(), answered);

    fork.says(&["reset", "ex-01-1", "--yes"]);
    assert!(fork.lib().contains(BLANK_ADD));
    fork.says(&["resume", "ex-01-1"]);
    assert_eq!(fork.lib(), answered);
}

#[test]
fn who_is_asked_and_says_no_gets_what_they_wish_and_no_error() {
    let fork = Fork::new();
    fork.says(&["start", "1"]);
    fork.says(&["solve", "ex-01-2"]);
    fork.answer(BLANK_ADD, "    b + a // mine\n");
    let answered = fork.lib();
    let words = ["reset", "ex-01-1"];
    for (typed, blank) in [("n\n", false), ("y\n", true)] {
        // With nobody to ask it is one.
        assert!(fork.fails(&words).contains("nobody is here to ask"));
        let terminal = nix::pty::openpty(None, None).unwrap();
        fs::File::from(terminal.master.try_clone().unwrap()).write_all(typed.as_bytes()).unwrap();
        let output = fork.command(&words).stdin(Stdio::from(terminal.slave)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{typed}: {output:?}");
        assert_eq!(
            (said.contains("Nothing was changed."), fork.lib() == answered),
            (!blank, !blank),
            "{said}"
        );
    }
    assert!(fork.lib().contains(BLANK_ADD));
}

#[test]
fn all_solved_again_is_the_reference_to_the_byte() {
    let fork = Fork::new();
    fork.says(&["start", "1"]);
    fork.says(&["solve", "ex-01-1"]);
    fork.says(&["solve", "ex-01-2"]);
    assert_eq!(fork.lib(), LIB);
}

#[test]
fn the_reference_is_found_in_git_when_the_learner_has_committed_over_it() {
    let fork = Fork::new();
    fork.says(&["start", "1"]);
    fork.answer(BLANK_ADD, "    b + a\n");
    fork.commit();
    // A fresh clone has no .taller.
    fs::remove_dir_all(fork.path(".taller")).unwrap();
    assert!(fork.says(&["diff", "ex-01-1"]).contains("+    a.wrapping_add(b)"));
    fork.says(&["solve", "ex-01-1"]);
    assert!(fork.lib().contains("a.wrapping_add(b)"));
}

#[test]
fn save_makes_room_for_a_merge_and_resume_goes_on() {
    let fork = Fork::new();
    fork.says(&["start", "1"]);
    fork.answer(BLANK_ADD, "    b + a\n");
    let mine = fork.lib();
    fork.says(&["save"]);
    assert_eq!(fork.lib(), LIB);
    // What comes from upstream is around the regions, and in another file.
    fork.answer("//! Two sums.\n", "//! Two sums, and more.\n");
    fork.write("lessons/01-namespaces/src/sums.rs", &fork.lib());
    fork.write("lessons/01-namespaces/src/lib.rs", "mod sums;\npub use sums::*;\n");
    fork.says(&["resume"]);
    assert_eq!(
        fork.read("lessons/01-namespaces/src/sums.rs"),
        mine.replace("Two sums.", "Two sums, and more.")
    );
    assert!(fork.fails(&["resume"]).contains("nothing was saved"));
}

#[test]
fn a_region_that_is_not_whole_is_named_and_nothing_is_touched() {
    let fork = Fork::new();
    for (from, to, said) in [
        ("    // ANCHOR: ex-01-2\n", "", "one of its two anchors is gone"),
        ("ex-01-2", "ex-01-9", "its anchors are gone"),
        ("    add(a, a)\n", "<<<<<<< HEAD\n    add(a, a)\n=======\n>>>>>>> theirs\n", "conflict"),
    ] {
        fork.answer(from, to);
        let broken = fork.lib();
        for words in
            [&["start", "1", "--yes"][..], &["solve", "ex-01-2"], &["reset", "ex-01-2", "--yes"], &["save"]]
        {
            let refused = fork.fails(words);
            assert!(refused.contains("ex-01-2") && refused.contains(said), "{words:?}: {refused}");
            assert_eq!(fork.lib(), broken, "{words:?}");
        }
        // Green or not: nothing could be noted of it, and `watch` would check it for ever.
        if said != "conflict" {
            for words in [&["check"][..], &["check", "ex-01-2"]] {
                let refused = fork.fails(words);
                assert!(refused.contains("ex-01-2") && refused.contains(said), "{words:?}: {refused}");
            }
        }
        fork.write("lessons/01-namespaces/src/lib.rs", LIB);
    }
}

#[test]
fn a_disk_that_is_full_leaves_the_old_file_whole() {
    let fork = Fork::new();
    fork.says(&["start", "1"]);
    fork.answer(BLANK_ADD, "    b + a\n");
    let before = fork.lib();
    let output = on_a_full_disk(&fork, &["solve", "ex-01-1", "--lang", "es"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("No queda lugar"), "{said}");
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(fork.lib(), before);
    let drafts = |folder: &Path| {
        fs::read_dir(folder)
            .unwrap()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(".taller-draft"))
            .count()
    };
    assert_eq!(drafts(&fork.path("lessons/01-namespaces/src")), 0);
}

#[test]
fn a_disk_that_is_full_takes_no_verdict_from_the_screen() {
    let fork = Fork::new();
    fork.says(&["start", "1"]);
    fork.answer(BLANK_ADD, "    b + a\n");
    fork.says(&["check", "ex-01-1"]);
    let output = on_a_full_disk(&fork, &["check", "ex-01-1"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("✓ ex-01-1"), "{output:?}");
    assert!(said.contains("Your progress isn't noted") && said.contains("Make room"), "{output:?}");
}

/// A limit on the size of files is a full disk that needs no root.
fn on_a_full_disk(fork: &Fork, words: &[&str]) -> Output {
    let command = fork.command(words);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args());
    limited
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env_remove("CARGO_TARGET_DIR")
        .current_dir(fork.folder.path());
    limited.output().unwrap()
}

#[test]
fn watch_goes_from_one_red_test_to_the_next_and_ends_when_all_is_green() {
    let fork = Fork::new();
    fork.says(&["start", "1"]);
    let mut watch = fork.command(&["watch"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut until = |words: &str| {
        let mut seen = String::new();
        while !seen.contains(words) {
            seen += &(lines.next().unwrap_or_else(|| panic!("no {words:?} in {seen}")).unwrap() + "\n");
        }
        seen
    };
    let first = until("waiting for you");
    assert!(first.contains("✗ ex-01-1") && !first.contains("ex-01-2"), "{first}");
    fork.answer(BLANK_ADD, "    a + b\n");
    let second = until("waiting for you");
    assert!(second.contains("✓ ex-01-1") && second.contains("✗ ex-01-2"), "{second}");
    fork.answer("    let _ = &a;\n    todo!(\"ex-01-2: Double\")\n", "    2 * a\n");
    until("The lesson is green");
    assert!(watch.wait().unwrap().success());
}

#[test]
fn watch_leaves_for_later_what_cannot_be_run_here_and_says_at_the_end_what_is_left() {
    let fork = Fork::new();
    let ignored = "#[ignore = \"needs more\"]\nfn a_sum_is_a_sum";
    fork.write("lessons/01-namespaces/tests/sums.rs", &TESTS.replace("fn a_sum_is_a_sum", ignored));
    fork.says(&["start", "1"]);
    let mut watch = fork.command(&["watch"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map_while(Result::ok);
    let first: Vec<_> = lines.by_ref().take_while(|line| !line.contains("waiting for you")).collect();
    let first = first.join("\n");
    assert!(first.contains("– ex-01-1  Add\n  left for later") && first.contains("✗ ex-01-2"), "{first}");
    fork.answer("    let _ = &a;\n    todo!(\"ex-01-2: Double\")\n", "    2 * a\n");
    let rest = lines.collect::<Vec<_>>().join("\n");
    assert!(watch.wait().unwrap().success());
    assert!(rest.contains("✓ ex-01-2") && rest.contains("Left:\n  ex-01-1  Add\n"), "{rest}");
    assert!(rest.contains("needs more") && rest.contains("cargo workshop watch --sudo"), "{rest}");
}

#[test]
fn a_test_of_all_exercises_sends_the_learner_to_the_one_that_it_names() {
    let fork = Fork::new();
    let both = "\n#[test]\nfn both_are_right() {\n    panic!(\"ex-01-2: half of it\");\n}\n";
    fork.write("lessons/01-namespaces/tests/sums.rs", &format!("{TESTS}{both}"));
    fork.says(&["start", "1"]);
    fork.answer(BLANK_ADD, "    a + b\n");
    fork.answer("    let _ = &a;\n    todo!(\"ex-01-2: Double\")\n", "    2 * a\n");
    let red = fork.fails(&["check"]);
    assert!(red.contains("✗ both_are_right\n  ex-01-2: half of it") && red.contains("hint ex-01-2"), "{red}");
    assert!(red.contains("Write  lessons/01-namespaces/src/lib.rs:15"), "{red}");
}

#[test]
fn who_has_no_sudo_is_told_that_it_is_missing() {
    let fork = Fork::new();
    fork.says(&["start", "1"]);
    let output = fork.command(&["check", "--sudo"]).env("PATH", fork.path("bin")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("no sudo on this machine"), "{output:?}");
}

#[test]
fn under_sudo_the_test_programs_run_and_nothing_else() {
    let fork = Fork::new();
    fork.says(&["start", "1"]);
    // In sudo's place, a program that writes down what it is asked to run.
    let sudo = fork.path("bin/sudo");
    fork.write("bin/sudo", "#!/bin/sh\necho \"$@\" >> \"$0.log\"\nshift\nexec \"$@\"\n");
    fs::set_permissions(&sudo, Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", fork.path("bin").display(), std::env::var("PATH").unwrap());
    let output = fork.command(&["check", "--sudo"]).env("PATH", path).output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    let asked = fork.read("bin/sudo.log");
    assert!(asked.lines().all(|line| line.contains("/target/debug/deps/")), "{asked}");
    assert!(asked.contains("/sums-") && !asked.contains("cargo test"), "{asked}");
}

#[test]
fn who_asks_for_what_is_not_there_is_told_what_is() {
    let fork = Fork::new();
    assert!(fork.fails(&["start", "7"]).contains("1 to 6"));
    assert!(fork.fails(&["start", "2"]).contains("no exercises yet"));
    for id in ["ex-01-9", "ex-", "ex-\u{e9}1-1", "", "no"] {
        let said = fork.fails(&["hint", id]);
        assert!(said.contains("there is no exercise") || said.contains("there is no lesson"), "{id}: {said}");
    }
    assert!(fork.fails(&["hint"]).contains("no exercise is open"));
}
