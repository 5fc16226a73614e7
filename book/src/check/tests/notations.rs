//! The book's own notations and the lock, spoilt in one place each.

use super::{Sample, accept};

/// Both pages get the same text at their end.
fn with(text: &str) -> Sample {
    let sample = Sample::new();
    for page in ["en/src/two.md", "es/src/two.md"] {
        sample.edit(page, "[x](https://example.org)\n", &format!("[x](https://example.org)\n\n{text}"));
    }
    assert_eq!(sample.verdict(), "");
    sample
}

const TRANSCRIPT: &str = "```console\n$ echo a\na\n```\n";

#[test]
fn a_page_edited_in_one_language_only_is_refused_until_it_is_accepted() {
    let sample = with("Text.\n");
    sample.edit("es/src/two.md", "Text.", "Otro texto.");
    assert_eq!(
        sample.verdict_by_the_lock(),
        "es/src/two.md:1: {#end} has changed, and en/src/two.md hasn't: change it, too; then cargo run -p book -- accept\n"
    );
    sample.edit("en/src/two.md", "Text.", "Another text.");
    assert_eq!(
        sample.verdict_by_the_lock(),
        "two.md: new or changed in both languages: end. If both say the same: cargo run -p book -- accept\n"
    );
    assert_eq!(accept(&sample.book).unwrap(), ["two.md#end"]);
    assert_eq!(sample.verdict_by_the_lock(), "");
    sample.edit("en/src/two.md", "Another text.", "A third one.");
    assert!(sample.verdict_by_the_lock().starts_with("en/src/two.md:1: {#end} has changed"));
}

#[test]
fn a_section_is_locked_by_itself_and_one_that_goes_is_noticed() {
    let sample = with("## More {#more}\n\nText.\n");
    sample.edit("en/src/two.md", "Text.", "Texts.");
    assert!(
        sample.verdict_by_the_lock().contains("en/src/two.md:5: {#more}"),
        "{}",
        sample.verdict_by_the_lock()
    );
    for page in ["en/src/two.md", "es/src/two.md"] {
        let text = std::fs::read_to_string(sample.book.join(page)).unwrap();
        sample.write(page, text.split("## More").next().unwrap());
    }
    let verdict = sample.verdict_by_the_lock();
    assert!(verdict.contains("changed in both languages: more"), "{verdict}");
}

#[test]
fn a_transcript_that_differs_by_a_letter_is_refused() {
    for (old, new) in [("echo a", "echo b"), ("\na\n", "\nb\n"), ("console", "console,numbers"), ("$ ", "# ")]
    {
        let sample = with(TRANSCRIPT);
        sample.edit("es/src/two.md", TRANSCRIPT, &TRANSCRIPT.replacen(old, new, 1));
        assert!(sample.verdict().contains("es/src/two.md:5: transcript"), "{old}: {}", sample.verdict());
    }
    let sample = with(TRANSCRIPT);
    sample.edit("es/src/two.md", TRANSCRIPT, "");
    assert!(sample.verdict().contains("lacks the transcript"), "{}", sample.verdict());
}

#[test]
fn a_transcript_with_an_unknown_flag_is_refused() {
    let sample = with(TRANSCRIPT);
    for page in ["en/src/two.md", "es/src/two.md"] {
        sample.edit(page, "```console", "```console,twice");
    }
    assert!(sample.verdict().contains("two.md:5: a transcript knows no \"twice\""), "{}", sample.verdict());
}

#[test]
fn what_is_folded_away_or_noted_in_one_language_only_is_refused() {
    for (text, said) in [
        ("<details><summary>Q</summary>\n\nA\n\n</details>\n", "lacks the aside <details>"),
        ("> [!NOTE]\n> A\n", "lacks the aside NOTE"),
    ] {
        let sample = with(text);
        sample.edit("es/src/two.md", text, "A\n");
        assert!(sample.verdict().contains(said), "{}", sample.verdict());
    }
    let sample = with("> [!NOTE]\n> A\n");
    sample.edit("es/src/two.md", "NOTE", "TIP");
    assert!(sample.verdict().contains("aside TIP, where"), "{}", sample.verdict());
}

/// The chapter of lesson 1 as it must be, with one exercise.
fn with_a_chapter() -> Sample {
    let sample = Sample::new();
    let code = "fn one() {\n    // ANCHOR: ex-01-1\n    // 1. One.\n    1\n    // ANCHOR_END: ex-01-1\n}\nfn main() {}\n";
    sample.write("../lessons/01-namespaces/src/main.rs", code);
    sample.write("../lessons/02-chroot/src/main.rs", "fn main() {}\n");
    let digest = workshop::reference::digest("    // 1. One.\n    1\n");
    let words = "{ en = \"a\", es = \"a\" }";
    let toml = format!(
        "gain = {words}\nsee = \"s\"\n[[exercise]]\nid = \"ex-01-1\"\ntitle = {words}\nminutes = 1\n\
         tests = [\"t\"]\nman = [\"a(2)\"]\nreference = \"{digest}\"\nhint = [{words}]\n"
    );
    sample.write("../lessons/01-namespaces/lesson.toml", &toml);
    let picture = |language: &str, name: &str| {
        let svg = format!(
            "<svg viewBox=\"0 0 360 9\" role=\"img\" aria-labelledby=\"picture-{name}-title picture-{name}-desc\">\
             <title id=\"picture-{name}-title\">A</title><desc id=\"picture-{name}-desc\">A.</desc></svg>\n"
        );
        sample.write(&format!("{language}/src/pictures/{name}.svg"), &svg);
    };
    for language in ["en", "es"] {
        picture(language, "one");
        picture(language, "two");
        let section = |id: &str, text: &str| format!("## A {{#{id}}}\n\n{text}\n");
        let page = [
            "# A {#a}\n\n".to_owned(),
            section("here", "![A](pictures/one.svg)\n\n![A](pictures/two.svg)\n"),
            section("attack", TRANSCRIPT),
            section("kernel", TRANSCRIPT),
            section("predict", TRANSCRIPT),
            section("code", "{{#difference 01-namespaces 02-chroot}}\n"),
            section("exercises", "{{#exercise ex-01-1}}\n"),
            section("outside", if language == "en" { "[a](#ex-01-1)" } else { "[b](#ex-01-1)" }),
            section("left-out", ""),
            section("summary", ""),
        ];
        sample.write(&format!("{language}/src/01-namespaces.md"), &page.concat());
    }
    sample
}

#[test]
fn a_chapter_that_has_everything_passes() {
    assert_eq!(with_a_chapter().verdict(), "");
}

#[test]
fn a_chapter_that_lacks_something_is_refused() {
    for (old, new, said) in [
        ("{#attack}", "{#offence}", "lacks the section ## … {#attack}"),
        ("## A {#left-out}", "### A {#left-out}", "lacks the section ## … {#left-out}"),
        ("{{#exercise ex-01-1}}\n", "", "has the exercises [], and its lesson [\"ex-01-1\"]"),
        ("{#exercises}", "{#tasks}", "lacks the section ## … {#exercises}"),
        ("{#code}", "{#summary}", "a second heading {#summary}"),
        ("{{#exercise ex-01-1}}", "{{#exercise ex-01-1}}\n\n{{#exercise ex-01-1}}", "has the exercises"),
        ("{{#exercise ex-01-1}}", "{{#exercise ex-01-2}}", "lesson.toml has no exercise ex-01-2"),
        ("{{#exercise ex-01-1}}", "{{#exercise ex-02-1}}", "no exercise of this page's lesson"),
        ("02-chroot}}", "02-nowhere}}", "02-nowhere is no lesson's folder"),
        ("![A](pictures/two.svg)", "", "has 1 pictures of 2"),
        (TRANSCRIPT, "", "has 2 executed transcripts of 3"),
        (TRANSCRIPT, "```console,norun\n$ x\n```\n", "has 2 executed transcripts of 3"),
    ] {
        let sample = with_a_chapter();
        for page in ["en/src/01-namespaces.md", "es/src/01-namespaces.md"] {
            sample.edit(page, old, new);
        }
        let verdict = sample.verdict();
        assert!(verdict.contains(said), "{said}: {verdict}");
    }
    let sample = with_a_chapter();
    for page in ["en/src/01-namespaces.md", "es/src/01-namespaces.md"] {
        sample.edit(page, "{#outside}", "{#later}");
        sample.edit(page, "{#kernel}", "{#outside}");
        sample.edit(page, "{#later}", "{#kernel}");
    }
    assert!(sample.verdict().contains("has the section {#predict} too early"), "{}", sample.verdict());
}

#[test]
fn an_exercise_in_one_language_only_is_refused() {
    let sample = with_a_chapter();
    sample.edit("es/src/01-namespaces.md", "{{#exercise ex-01-1}}", "");
    assert!(sample.verdict().contains("lacks the exercise ex-01-1"), "{}", sample.verdict());
    let sample = with_a_chapter();
    sample.edit("es/src/01-namespaces.md", "{{#difference 01-namespaces 02-chroot}}", "");
    assert!(sample.verdict().contains("lacks the difference"), "{}", sample.verdict());
}
