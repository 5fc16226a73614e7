//! The search index of the Spanish book, in which letters have no accents: who types `imagenes` finds
//! *imágenes*.
//!
//! mdBook makes an index for English: it takes off English endings, and in the browser even an `é` at the
//! beginning of a word, which is no letter to it. So its texts are indexed again here, and `search.js`
//! does the same to the words that somebody types.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use elasticlunr::pipeline::{FnWrapper, Pipeline};
use elasticlunr::{IndexBuilder, Language, lang};
use serde_json::Value;

/// What mdBook writes around the index.
const HEAD: &str = "window.search = Object.assign(window.search, JSON.parse('";
const TAIL: &str = "'));";

/// What makes the same of the words that are typed.
const TYPED: &str = include_str!("search.js");

/// The fields that are searched.
const FIELDS: [&str; 3] = ["title", "body", "breadcrumbs"];

/// Makes the index of the built book in `site` anew.
///
/// # Errors
/// If it isn't there, or isn't as mdBook 0.5 writes it.
pub fn without_accents(site: &Path) -> Result<()> {
    let path = find(site)?;
    let doing = || format!("indexing {} again", path.display());
    let script = fs::read_to_string(&path).with_context(doing)?;
    let text = script.strip_prefix(HEAD).and_then(|rest| rest.strip_suffix(TAIL)).with_context(doing)?;
    let mut whole: Value = serde_json::from_str(&unescaped(text)).with_context(doing)?;
    whole["index"] = again(&whole["index"]["documentStore"]["docs"])?;
    let text = whole.to_string().replace('\\', "\\\\").replace('\'', "\\'");
    fs::write(&path, format!("{TYPED}{HEAD}{text}{TAIL}")).with_context(doing)
}

/// `searchindex-DIGEST.js`
fn find(site: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(site).with_context(|| format!("reading {}", site.display()))?;
    let is_index = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("searchindex") && name.ends_with(".js")
    };
    let mut paths = entries.flatten().map(|entry| entry.path());
    paths.find(is_index).with_context(|| format!("{} has no search index", site.display()))
}

/// A JavaScript string's text: mdBook escapes `\` and `'`, nothing else.
fn unescaped(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        whole.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    whole
}

fn again(documents: &Value) -> Result<Value> {
    let documents = documents.as_object().context("the search index has no texts")?;
    let mut numbers: Vec<usize> = documents.keys().filter_map(|number| number.parse().ok()).collect();
    numbers.sort_unstable();
    let builder = IndexBuilder::with_language(Box::new(Spanish));
    let mut index = FIELDS.into_iter().fold(builder, IndexBuilder::add_field).build();
    for number in numbers.iter().map(usize::to_string) {
        let field = |name| documents[&number][name].as_str().unwrap_or_default();
        index.add_doc(&number, FIELDS.map(field));
    }
    Ok(serde_json::to_value(&index)?)
}

struct Spanish;

impl Language for Spanish {
    fn name(&self) -> String {
        "Spanish".to_owned()
    }

    fn code(&self) -> String {
        "es".to_owned()
    }

    fn tokenize(&self, text: &str) -> Vec<String> {
        lang::tokenize_whitespace(text)
    }

    fn make_pipeline(&self) -> Pipeline {
        // `search.js` has one of this name.
        Pipeline { queue: vec![Box::new(FnWrapper("plainLetters".to_owned(), plain))] }
    }
}

/// The word in plain letters, without the punctuation around it.
fn plain(word: String) -> Option<String> {
    let letter = |letter: char| match letter {
        'á' => 'a',
        'é' => 'e',
        'í' => 'i',
        'ó' => 'o',
        'ú' | 'ü' => 'u',
        'ñ' => 'n',
        other => other,
    };
    let word: String = word.chars().map(letter).collect();
    let word = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
    (!word.is_empty() && word.len() <= LONGEST).then(|| word.to_owned())
}

/// Longer ones are digests and the like.
const LONGEST: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_without_their_accents() {
        let plain = |word: &str| plain(word.to_owned()).unwrap_or_default();
        assert_eq!(plain("«imágenes»,"), "imagenes");
        assert_eq!(plain("tamaño"), "tamano");
        assert_eq!(plain("—"), "");
        let documents = serde_json::json!({ "0": { "title": "Él", "body": "", "breadcrumbs": "" } });
        let index = again(&documents).unwrap();
        assert_eq!(index["index"]["title"]["root"]["e"]["l"]["df"], 1, "{index}");
        assert_eq!(index["pipeline"], serde_json::json!(["plainLetters"]));
    }

    #[test]
    fn a_script_is_read_as_it_was_written() {
        assert_eq!(unescaped(r"it\'s \\n \\\\"), r"it's \n \\");
    }
}
