//! The notations, on a repository of one lesson and a page of each language.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::language::LANGUAGES;

const CODE: &str = "\
// ANCHOR: all
/// Adds.
pub fn add(a: u32, b: u32) -> u32 {
    // ANCHOR: ex-01-1
    // 1. Add them.
    a + b
    // ANCHOR_END: ex-01-1
}
// ANCHOR_END: all
";

const TOML: &str = r#"
gain = { en = "Sums.", es = "Sumas." }
see = "sum"

[[exercise]]
id = "ex-01-1"
title = { en = "A sum", es = "Una suma" }
minutes = 5
tests = ["two_and_three"]
uses = "a, b"
man = ["clone(2)"]
reference = "DIGEST"
hint = [{ en = "plus?", es = "¿más?" }, { en = "b", es = "b" }, { en = "Ok(_) or Vec<u8>, `a_b`, Err(_)", es = "c" }]
"#;

/// A repository; gone with the value.
struct Sample(PathBuf);

impl Sample {
    fn new(name: &str) -> Sample {
        let home = std::env::temp_dir().join(format!("canoa-expand-{name}-{}", std::process::id()));
        let sample = Sample(home);
        sample.write("lessons/01-namespaces/src/lib.rs", CODE);
        sample.write("lessons/01-namespaces/src/main.rs", "fn main() {\n    one();\n}\n");
        sample.write("lessons/02-chroot/src/main.rs", "fn main() {\n    one();\n    two();\n}\n");
        let digest = workshop::reference::digest("    // 1. Add them.\n    a + b\n");
        sample.write("lessons/01-namespaces/lesson.toml", &TOML.replace("DIGEST", &digest));
        sample
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn expand(&self, page: &str, language: usize) -> Result<String> {
        let folder = self.0.join("book/en/src");
        fs::create_dir_all(&folder).unwrap();
        expand(page, &Place { home: &self.0, folder: &folder, language: LANGUAGES[language] })
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const QUOTE: &str = "```rust\n{{#include ../../../lessons/01-namespaces/src/lib.rs:all}}\n```\n";

const BLANK: &str = "// 1. Add them.\n    let _ = (a, b);\n    todo!(\"ex-01-1: A sum\")\n";

#[test]
fn a_quote_shows_the_exercise_blank() {
    let sample = Sample::new("quote");
    let page = sample.expand(QUOTE, 1).unwrap();
    assert_eq!(
        page,
        format!("```rust\n/// Adds.\npub fn add(a: u32, b: u32) -> u32 {{\n    {BLANK}}}\n```\n")
    );
}

#[test]
fn a_quote_is_the_references_whatever_the_tree_holds() {
    let sample = Sample::new("reference");
    let git = |words: &[&str]| {
        let git = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        let done = std::process::Command::new("git")
            .arg("-C")
            .arg(&sample.0)
            .args(git)
            .args(words)
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "the reference"]);
    let before = sample.expand(&format!("{QUOTE}\n{{{{#exercise ex-01-1}}}}\n"), 0).unwrap();
    let answer = CODE.replace("    // 1. Add them.\n    a + b\n", "    b + a // mine\n");
    assert_ne!(answer, CODE);
    sample.write("lessons/01-namespaces/src/lib.rs", &answer);
    let after = sample.expand(&format!("{QUOTE}\n{{{{#exercise ex-01-1}}}}\n"), 0).unwrap();
    assert_eq!(before, after);
    assert!(after.contains("a + b"), "the solution is there, once");
    assert!(!sample.0.join(".taller").exists(), "to read the book is not to begin a lesson");
}

#[test]
fn an_exercise_has_its_texts_in_the_pages_language() {
    let sample = Sample::new("exercise");
    let english = sample.expand("{{#exercise ex-01-1}}\n", 0).unwrap();
    for words in [
        "### A sum {#ex-01-1}\n",
        "`add` in `lessons/01-namespaces/src/lib.rs`",
        "5 min",
        "`two_and_three`",
        "[clone(2)](https://man7.org/linux/man-pages/man2/clone.2.html)",
        "cargo workshop hint ex-01-1",
        "<details><summary>Hint 1</summary>\n\nplus?\n\n</details>",
        r"Ok(\_) or Vec&lt;u8>, `a_b`, Err(\_)",
        "<details><summary>Solution</summary>\n\n```rust\n// 1. Add them.\na + b\n```\n",
    ] {
        assert!(english.contains(words), "{words}: {english}");
    }
    let spanish = sample.expand("{{#exercise ex-01-1}}\n", 1).unwrap();
    for words in ["### Una suma {#ex-01-1}", "¿más?", "Pista 3", "Solución", "cargo taller hint ex-01-1"] {
        assert!(spanish.contains(words), "{words}: {spanish}");
    }
}

#[test]
fn an_exercise_that_is_not_there_is_an_error() {
    let sample = Sample::new("unknown");
    for id in ["ex-01-2", "ex-02-1", "ex-09-1", "exercise"] {
        assert!(sample.expand(&format!("{{{{#exercise {id}}}}}\n"), 0).is_err(), "{id}");
    }
    let inside_an_answer = "```rust\n{{#include ../../../lessons/01-namespaces/src/lib.rs:secret}}\n```\n";
    let secret = CODE.replace("    a + b\n", "    // ANCHOR: secret\n    a + b\n    // ANCHOR_END: secret\n");
    sample.write("lessons/01-namespaces/src/lib.rs", &secret);
    assert!(sample.expand(inside_an_answer, 0).is_err(), "no quote shows an answer");
}

#[test]
fn a_difference_is_the_two_mains_and_the_files() {
    let sample = Sample::new("difference");
    let page = sample.expand("{{#difference 01-namespaces 02-chroot}}\n", 0).unwrap();
    assert!(page.contains("+    two();\n") && page.contains("`main.rs`."), "{page}");
    assert!(sample.expand("{{#difference 01-namespaces nowhere}}\n", 0).is_err());
}

#[test]
fn notations_inside_code_are_text_and_transcripts_lose_their_flags() {
    let sample = Sample::new("text");
    let page =
        "````md\n{{#exercise ex-09-9}}\n```console,norun\n![A](a.svg)\n````\n\n```console,norun\n$ x\n```\n";
    let whole = sample.expand(page, 0).unwrap();
    assert_eq!(whole, page.replace("\n\n```console,norun", "\n\n```console"));
}

#[test]
fn a_picture_stands_in_the_page() {
    let sample = Sample::new("picture");
    sample.write("book/en/src/a.svg", "<svg>\n\n<path/>\n</svg>\n");
    let whole = sample.expand("One\n\n![A](a.svg)\n", 0).unwrap();
    assert_eq!(whole, "One\n\n\n<div class=\"picture\">\n<svg>\n<path/>\n</svg>\n</div>\n\n");
    assert!(sample.expand("![B](b.svg)\n", 0).is_err(), "a picture that is missing isn't left out silently");
}
