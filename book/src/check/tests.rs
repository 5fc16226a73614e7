//! The gate, and that it goes red: each test spoils one thing in a small pair of books.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::check;

/// A folder with a small book in two languages in which all is well; gone with the value.
struct Sample(PathBuf);

impl Sample {
    fn new() -> Sample {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let sample = Sample(std::env::temp_dir().join(format!("canoa-gate-{}-{number}", std::process::id())));
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
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces `old` in a page.
    fn edit(&self, page: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.0.join(page)).unwrap();
        assert!(text.contains(old), "{page} holds {old:?}");
        self.write(page, &text.replacen(old, new, 1));
    }

    /// What the gate says, one problem a line.
    fn verdict(&self) -> String {
        check(&self.0).unwrap().iter().map(|problem| format!("{problem}\n")).collect()
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
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
    fs::remove_file(sample.0.join("code.rs")).unwrap();
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
fn headings_and_links_inside_code_are_text() {
    let sample = Sample::new();
    sample.write(
        "en/src/two.md",
        "# The heart {#end}\n\n```sh\n# a comment\n[x](y.md)\n```\n\n`[x](y.md)` [x](https://example.org)\n",
    );
    assert_eq!(sample.verdict(), "");
}

/// A picture in both languages, in which all is well.
fn with_pictures() -> Sample {
    let sample = Sample::new();
    for (language, word) in [("en", "Cat"), ("es", "Gato")] {
        let page = format!("# {word} {{#cat}}\n\n![{word}](pictures/cat.svg)\n");
        sample.write(&format!("{language}/src/three.md"), &page);
        let svg = format!(
            "<svg viewBox=\"0 0 360 100\" role=\"img\" aria-labelledby=\"picture-cat-title picture-cat-desc\">\
             <title id=\"picture-cat-title\">{word}</title><desc id=\"picture-cat-desc\">{word}.</desc>\
             <path stroke=\"currentColor\" d=\"M0 0 L9 9\"/><text font-size=\"12\">{word}</text></svg>\n"
        );
        sample.write(&format!("{language}/src/pictures/cat.svg"), &svg);
    }
    sample
}

#[test]
fn a_picture_in_both_languages_passes() {
    assert_eq!(with_pictures().verdict(), "");
}

#[test]
fn a_picture_that_not_everybody_can_read_is_refused() {
    for (old, new, said) in [
        (r#" role="img""#, "", "lacks role="),
        ("picture-cat-title picture-cat-desc", "cat", "lacks aria-labelledby="),
        ("Gato.</desc>", "</desc>", "lacks the words in <desc"),
        (">Gato</title>", ">Gata</title>", "has another title than the page gives it"),
        ("currentColor", "#000", "does not follow the theme"),
        (r#"font-size="12""#, r#"font-size="9""#, "letters smaller than 11"),
        ("0 0 360 100", "0 0 720 100", "viewBox at most 360 wide"),
    ] {
        let sample = with_pictures();
        sample.edit("es/src/pictures/cat.svg", old, new);
        let verdict = sample.verdict();
        assert!(
            verdict.contains("es/src/three.md:3: pictures/cat.svg ") && verdict.contains(said),
            "{said}: {verdict}"
        );
    }
}

#[test]
fn a_picture_that_is_not_there_is_refused() {
    let sample = with_pictures();
    fs::remove_file(sample.0.join("en/src/pictures/cat.svg")).unwrap();
    assert!(sample.verdict().contains("en/src/three.md:3: shows pictures/cat.svg"), "{}", sample.verdict());
}

#[test]
fn a_picture_redrawn_in_one_language_is_refused() {
    let sample = with_pictures();
    sample.edit("es/src/pictures/cat.svg", "L9 9", "L8 8");
    assert_eq!(
        sample.verdict(),
        "es/src/three.md:3: pictures/cat.svg is drawn otherwise than in the other language\n"
    );
}

#[test]
fn a_picture_in_one_language_only_is_refused() {
    let sample = with_pictures();
    sample.edit("es/src/three.md", "![Gato](pictures/cat.svg)", "");
    assert!(sample.verdict().contains("lacks the picture pictures/cat.svg"), "{}", sample.verdict());
}

/// A glossary whose two orders differ, and a page that links to an entry of it.
fn with_a_glossary() -> Sample {
    let sample = Sample::new();
    sample.write(
        "en/src/words.md",
        "# W {#w}\n\n- <a id=\"host\"></a>**host** (*anfitrión*): a machine.\n\
         - <a id=\"kernel\"></a>**kernel**: what all ask.\n\
         - <a id=\"layer\"></a>**layer** (*capa*): a part of an [image](one.md).\n",
    );
    sample.write(
        "es/src/words.md",
        "# P {#w}\n\n- <a id=\"host\"></a>**anfitrión** (*host*): una máquina.\n\
         - <a id=\"layer\"></a>**capa** (*layer*): una parte de una [imagen](one.md).\n\
         - <a id=\"kernel\"></a>**kernel**: a quien todos preguntan.\n",
    );
    for page in ["en/src/two.md", "es/src/two.md"] {
        sample.edit(page, "https://example.org", "words.md#layer");
    }
    sample
}

#[test]
fn a_glossary_has_each_languages_own_order() {
    assert_eq!(with_a_glossary().verdict(), "");
}

#[test]
fn a_glossary_out_of_order_or_of_step_is_refused() {
    for (old, new, said) in [
        ("**anfitrión** (*host*)", "**máquina** (*host*)", "capa comes after máquina"),
        (
            "**anfitrión** (*host*)",
            "**anfitriona** (*host*)",
            "where the other language has host (anfitrión)",
        ),
        ("**kernel**", "**núcleo**", "núcleo (núcleo), where the other language has kernel (kernel)"),
        ("\"host\"", "\"guest\"", "lacks the entry \"host\""),
        ("\"host\"", "\"layer\"", "a second place with the id \"layer\""),
        ("[imagen](one.md)", "imagen", "capa links elsewhere"),
        ("(one.md)", "(nowhere.md)", "links to nowhere.md, and there is no such page"),
    ] {
        let sample = with_a_glossary();
        sample.edit("es/src/words.md", old, new);
        assert!(sample.verdict().contains(said), "{said}: {}", sample.verdict());
    }
}
