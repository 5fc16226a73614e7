//! What people read: the help, and what the command line itself refuses.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;

fn says(words: &[&str]) -> String {
    let program = std::env::var("CARGO_BIN_EXE_lesson-06");
    let program = program.unwrap_or_else(|_| env!("CARGO_BIN_EXE_lesson-06").to_owned());
    let output = Command::new(program).args(words).env("COLUMNS", "100").output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    format!("{}{}", String::from_utf8(text).unwrap(), output.status)
}

#[test]
fn help_lists_the_words_and_gives_an_example() {
    insta::assert_snapshot!(says(&["--help"]));
}

#[test]
fn help_of_run_says_what_each_flag_is_for() {
    insta::assert_snapshot!(says(&["run", "--help"]));
}

#[test]
fn what_is_no_command_or_no_flag_is_named() {
    let all = [
        &["swim"][..],
        &["run"],
        &["run", "--memory", "64x", "base"],
        &["run", "--cpus", "nan", "base"],
        &["run", "--cpus=-1", "base"],
        &["exec", "boat"],
        &["stop", "-t", "-1", "boat"],
        &["ps", "--tall"],
    ];
    insta::assert_snapshot!(all.map(says).join("\n---\n"));
}
