//! The gate, and that it goes red: each test spoils one thing in a small pair of books.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{accept, check};

mod notations;
mod pictures;

/// A repository with a small book in two languages in which all is well; gone with the value.
struct Sample {
    /// The book's folder.
    book: PathBuf,
    _home: TempDir,
}

impl Sample {
    fn new() -> Sample {
        let home = tempfile::tempdir().unwrap();
        let sample = Sample { book: home.path().join("book"), _home: home };
        sample.write("code.rs", "// ANCHOR: heart\nfn heart() {}\n// ANCHOR_END: heart\n");
        for (language, title, heading) in [("en", "Summary", "The heart"), ("es", "Índice", "El corazón")] {
            sample.write(
                &format!("{language}/src/SUMMARY.md"),
                &format!("# {title}\n\n- [x](one.md)\n  - [y](two.md)\n"),
            );
            sample.write(
                &format!("{language}/src/one.md"),
                &format!("# {heading} {{#heart}}\n\n```rust\n{{{{#include ../../code.rs:heart}}}}\n```\n\n[x](two.md#end)\n"),
            );
            sample.write(
                &format!("{language}/src/two.md"),
                &format!("# {heading} {{#end}}\n\n[x](https://example.org)\n"),
            );
        }
        sample
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.book.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces `old` in a page.
    fn edit(&self, page: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.book.join(page)).unwrap();
        assert!(text.contains(old), "{page} holds {old:?}");
        self.write(page, &text.replacen(old, new, 1));
    }

    /// What the gate says, one problem a line, once both languages were accepted as they are.
    fn verdict(&self) -> String {
        accept(&self.book).unwrap();
        self.verdict_by_the_lock()
    }

    /// The same with the lock as it is.
    fn verdict_by_the_lock(&self) -> String {
        check(&self.book).unwrap().iter().map(|problem| format!("{problem}\n")).collect()
    }
}

#[test]
fn both_books_pass_the_gate() {
    let problems = check(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let list: String = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    assert!(problems.is_empty(), "the books in book/en and book/es have problems:{list}\n");
}

#[test]
fn a_pair_in_which_all_is_well_passes() {
    assert_eq!(Sample::new().verdict(), "");
}

#[test]
fn a_page_in_one_language_only_is_refused() {
    let sample = Sample::new();
    sample.write("es/src/three.md", "# Tres {#three}\n");
    assert_eq!(sample.verdict(), "es/src/three.md: has no twin en/src/three.md\n");
}

#[test]
fn a_missing_anchor_is_refused() {
    let sample = Sample::new();
    sample.write("code.rs", "// ANCHOR: other\nfn heart() {}\n// ANCHOR_END: other\n");
    let verdict = sample.verdict();
    assert!(
        verdict.contains("en/src/one.md:4: quotes ../../code.rs:heart, but there is no pair"),
        "{verdict}"
    );
    assert!(verdict.contains("es/src/one.md:4:"), "{verdict}");
}

#[test]
fn an_anchor_that_nothing_ends_is_refused() {
    let sample = Sample::new();
    sample.write("code.rs", "// ANCHOR: heart\nfn heart() {}\n");
    assert!(sample.verdict().contains("no pair of ANCHOR: heart"), "{}", sample.verdict());
}

#[test]
fn an_anchor_around_nothing_is_refused() {
    let sample = Sample::new();
    sample.write(
        "code.rs",
        "// ANCHOR: heart\n// ANCHOR: inner\n\n// ANCHOR_END: inner\n// ANCHOR_END: heart\n",
    );
    assert!(sample.verdict().contains("quotes ../../code.rs:heart, which is empty"), "{}", sample.verdict());
}

#[test]
fn a_quoted_file_that_is_gone_is_refused() {
    let sample = Sample::new();
    fs::remove_file(sample.book.join("code.rs")).unwrap();
    assert!(
        sample.verdict().contains("quotes ../../code.rs:heart, which can't be read"),
        "{}",
        sample.verdict()
    );
}

#[test]
fn a_quote_by_line_numbers_is_refused() {
    let sample = Sample::new();
    for page in ["en/src/one.md", "es/src/one.md"] {
        sample.edit(page, "code.rs:heart", "code.rs:2:2");
    }
    assert!(sample.verdict().contains("by line numbers, which go stale"), "{}", sample.verdict());
}

#[test]
fn a_heading_that_differs_is_refused() {
    let sample = Sample::new();
    sample.edit("es/src/one.md", "{#heart}", "{#corazon}");
    assert_eq!(
        sample.verdict(),
        "es/src/one.md:1: heading # {#corazon}, where en/src/one.md:1 has heading # {#heart}\n"
    );
}

#[test]
fn a_heading_of_another_level_is_refused() {
    let sample = Sample::new();
    sample.edit("es/src/two.md", "# El", "## El");
    assert!(sample.verdict().contains("heading ## {#end}, where"), "{}", sample.verdict());
}

#[test]
fn a_heading_without_an_id_is_refused() {
    let sample = Sample::new();
    for page in ["en/src/one.md", "es/src/one.md"] {
        sample.edit(page, " {#heart}", "");
    }
    assert!(
        sample.verdict().contains("one.md:1: a heading without an explicit {#id}"),
        "{}",
        sample.verdict()
    );
}

#[test]
fn two_headings_with_one_id_are_refused() {
    let sample = Sample::new();
    for page in ["en/src/two.md", "es/src/two.md"] {
        sample.edit(page, "[x]", "## x {#end}\n\n[x]");
    }
    assert!(sample.verdict().contains("two.md:3: a second heading {#end}"), "{}", sample.verdict());
}

#[test]
fn a_page_that_quotes_less_than_its_twin_is_refused() {
    let sample = Sample::new();
    sample.edit("es/src/one.md", "{{#include ../../code.rs:heart}}", "fn heart() {}");
    assert!(sample.verdict().contains("es/src/one.md: lacks the include"), "{}", sample.verdict());
}

#[test]
fn a_link_to_a_page_or_heading_that_is_not_there_is_refused() {
    for (target, said) in
        [("nowhere.md", "no such page"), ("two.md#nowhere", "no heading"), ("../../x.md", "no such page")]
    {
        let sample = Sample::new();
        for page in ["en/src/one.md", "es/src/one.md"] {
            sample.edit(page, "two.md#end", target);
        }
        assert!(sample.verdict().contains(&format!("links to {target}, and th")), "{}", sample.verdict());
        assert!(sample.verdict().contains(said), "{}", sample.verdict());
    }
}

#[test]
fn a_link_that_only_one_language_has_is_refused() {
    let sample = Sample::new();
    sample.edit("en/src/two.md", "[x](https://example.org)", "");
    assert!(
        sample.verdict().contains("link to https://example.org, which en/src/two.md lacks"),
        "{}",
        sample.verdict()
    );
}

#[test]
fn a_summary_of_another_shape_is_refused() {
    let sample = Sample::new();
    sample.edit("es/src/SUMMARY.md", "  - [y]", "- [y]");
    let verdict = sample.verdict();
    assert!(
        verdict.contains("es/src/SUMMARY.md: entry 0 two.md, where en/src/SUMMARY.md:0 has entry 2 two.md"),
        "{verdict}"
    );
}

#[test]
fn a_code_block_that_is_never_closed_is_refused() {
    let sample = Sample::new();
    for page in ["en/src/two.md", "es/src/two.md"] {
        sample.edit(page, "[x](https://example.org)", "```rust\nfn x() {}");
    }
    assert!(sample.verdict().contains("two.md:3: this code block is never closed"), "{}", sample.verdict());
}

#[test]
fn what_a_merge_left_unresolved_is_refused() {
    let sample = Sample::new();
    for page in ["en/src/two.md", "es/src/two.md"] {
        sample.edit(page, "[x](https://example.org)", "<<<<<<< HEAD");
    }
    assert!(sample.verdict().contains("two.md:3: a conflict of a merge"), "{}", sample.verdict());
}

#[test]
fn headings_and_links_inside_code_are_text() {
    let sample = Sample::new();
    sample.write(
        "en/src/two.md",
        "# The heart {#end}\n\n```sh\n# a comment\n[x](y.md)\n```\n\n`[x](y.md)` [x](https://example.org)\n",
    );
    assert_eq!(sample.verdict(), "");
}
