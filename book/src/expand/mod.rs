//! The notations of the pages, which become plain Markdown before mdBook sees them.
//!
//! | in a page | becomes |
//! |---|---|
//! | `![Title](pictures/NAME.svg)` on a line of its own | the drawing itself |
//! | `{{#include PATH:ANCHOR}}` in a code block | the reference's lines, exercises blank |
//! | `{{#exercise ex-03-2}}` on a line of its own | the exercise: [`exercise`] |
//! | `{{#difference 02-chroot 03-cgroups}}` on a line of its own | what changes in the main: [`difference`] |
//! | a code block `console,norun` and the like | one that is just `console` |

pub mod difference;
pub mod exercise;

use std::path::Path;

use anyhow::{Context, Result};

use crate::language::Language;
use crate::{picture, quote};

/// Where a page is: what it names is looked for from there.
pub struct Place<'a> {
    /// The repository's folder.
    pub home: &'a Path,
    /// The page's own folder.
    pub folder: &'a Path,
    /// The page's language.
    pub language: Language,
}

/// The words of a line that is `{{#name words}}` and nothing else.
pub fn notation<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let words = line.trim().strip_prefix("{{#")?.strip_suffix("}}")?.strip_prefix(name)?;
    words.starts_with(' ').then(|| words.trim())
}

/// The page as mdBook gets it.
///
/// # Errors
/// If something that the page names isn't there.
pub fn expand(page: &str, place: &Place<'_>) -> Result<String> {
    let mut whole = String::with_capacity(page.len());
    let mut fence: Option<String> = None;
    for line in page.lines() {
        let start = line.trim_start();
        let ticks: String = start.chars().take_while(|&c| c == '`').collect();
        let is_fence = ticks.len() >= 3;
        whole.push_str(&match &fence {
            Some(_) => in_code(line, place)?,
            None if is_fence => plain_fence(line),
            None => in_prose(line, place)?,
        });
        whole.push('\n');
        match &fence {
            Some(open) if ticks.len() >= open.len() && start.trim_end() == ticks => fence = None,
            None if is_fence => fence = Some(ticks),
            _ => {}
        }
    }
    Ok(whole)
}

fn in_code(line: &str, place: &Place<'_>) -> Result<String> {
    let Some(words) = notation(line, "include") else { return Ok(line.to_owned()) };
    let (path, anchor) = match words.split_once(':') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (words, None),
    };
    let quoted = quote::quote(place.home, &place.folder.join(path), anchor)
        .with_context(|| format!("quoting {words}"))?;
    Ok(quoted.trim_end().to_owned())
}

fn in_prose(line: &str, place: &Place<'_>) -> Result<String> {
    if let Some((_, target)) = picture::of_line(line) {
        picture::as_block(&place.folder.join(target))
    } else if let Some(id) = notation(line, "exercise") {
        exercise::shown(place.home, id, place.language)
    } else if let Some(lessons) = notation(line, "difference") {
        difference::shown(place.home, lessons, place.language)
    } else {
        Ok(line.to_owned())
    }
}

/// What follows the language of a transcript is for the program that runs it.
fn plain_fence(line: &str) -> String {
    match line.split_once("```console,") {
        Some((indent, _)) => format!("{indent}```console"),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests;
