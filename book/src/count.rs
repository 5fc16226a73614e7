//! How long the pages are: words of prose, pictures, transcripts, exercises.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::expand::notation;
use crate::language::LANGUAGES;
use crate::picture;
use crate::transcript::read::transcripts;

/// A table of the pages in the folder `book`: what each has, and its words in either language.
///
/// # Errors
/// If a page can't be read.
pub fn table(book: &Path) -> Result<String> {
    let [english, spanish] = LANGUAGES.map(|language| book.join(language.code).join("src"));
    let mut names: Vec<_> = fs::read_dir(&english)
        .with_context(|| format!("reading {}", english.display()))?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".md"))
        .collect();
    names.sort();
    let mut table = format!(
        "{:<20}{:>8}{:>8}{:>10}{:>13}{:>11}\n",
        "page", "en", "es", "pictures", "transcripts", "exercises"
    );
    for name in names {
        let read = |folder: &Path| fs::read_to_string(folder.join(&name)).unwrap_or_default();
        let (page, twin) = (read(&english), read(&spanish));
        let lines = |is: fn(&str) -> bool| page.lines().filter(|line| is(line)).count();
        let executed = transcripts(&page).unwrap_or_default().iter().filter(|one| !one.flags.norun).count();
        let _ = writeln!(
            table,
            "{name:<20}{:>8}{:>8}{:>10}{executed:>13}{:>11}",
            words(&page),
            words(&twin),
            lines(|line| picture::of_line(line).is_some()),
            lines(|line| notation(line, "exercise").is_some()),
        );
    }
    Ok(table)
}

/// Words of prose: what stands in code blocks and the book's own notations is none, nor are signs.
fn words(page: &str) -> usize {
    let mut in_code = false;
    let mut count = 0;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code && !line.trim_start().starts_with("{{#") {
            count += line.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count();
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_prose() {
        assert_eq!(words("## Two words\n\n- one | — 3\n\n```sh\nno\n```\n{{#exercise no}}\n"), 4);
    }
}
