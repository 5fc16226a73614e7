//! Pictures and glossaries, spoilt in one place each.

use std::fs;

use super::Sample;

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
    fs::remove_file(sample.book.join("en/src/pictures/cat.svg")).unwrap();
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
