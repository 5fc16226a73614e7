//! Quotes: what the book shows of a source file, which is the reference's text with the exercises blank.
//!
//! The reader's own tree may hold a half-written answer. What stands between the anchors of an exercise
//! is therefore never taken from there: `lesson.toml` has the digest of the reference's lines, and the
//! workshop finds the lines with that digest in the tree or in git's history.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use workshop::exercise::{Course, Exercise};
use workshop::language::Language;
use workshop::lessons::{LESSONS, Lesson};
use workshop::workspace::Place;
use workshop::{reference, region};

/// The lines of the file at `path` between the anchors of this name, or all of them, without what all
/// have as their indentation. `home` is the repository's folder.
///
/// # Errors
/// If there is no such file or anchor, or nothing between its two marks: mdBook would show an empty block.
pub fn quote(home: &Path, path: &Path, anchor: Option<&str>) -> Result<String> {
    let text = blanked(home, path)?;
    let quoted = match anchor {
        None => without_marks(&text),
        Some(anchor) if anchor.starts_with(|c: char| c.is_ascii_digit() || c == ':') => {
            bail!("by line numbers, which go stale: use an anchor");
        }
        Some(anchor) => anchored(&text, anchor).with_context(|| {
            format!("but there is no pair of ANCHOR: {anchor} and ANCHOR_END: {anchor} (outside of answers)")
        })?,
    };
    ensure!(!quoted.trim().is_empty(), "which is empty");
    Ok(dedented(&quoted))
}

/// An exercise as the book shows it.
pub struct Task {
    /// Its texts.
    pub exercise: Exercise,
    /// Where it is, from the repository's folder.
    pub file: PathBuf,
    /// The function that it is in.
    pub function: String,
    /// What the learner finds there.
    pub blank: String,
    /// The reference's lines.
    pub answer: String,
}

/// Looks an exercise up: `ex-03-2`.
///
/// # Errors
/// If there is no such exercise.
pub fn task(home: &Path, id: &str) -> Result<Task> {
    let number = id.strip_prefix("ex-").and_then(|rest| rest.get(..2)?.parse().ok());
    let lesson = LESSONS.iter().find(|lesson| Some(lesson.number) == number);
    let lesson = lesson.with_context(|| format!("{id} is no exercise's id"))?;
    let course = Course::read(home, lesson)?;
    let exercise = course.as_ref().and_then(|course| course.exercise(id));
    let exercise = exercise.with_context(|| format!("lesson.toml has no exercise {id}"))?;
    let place = match Place::find(home, lesson, id)? {
        Ok(place) => place,
        Err(lost) => bail!("{id} is not in lessons/{}/src: {}", lesson.folder, lost.why),
    };
    let answer = answer(home, lesson, Some(exercise), place.lines())?;
    let text = fs::read_to_string(&place.path)?;
    Ok(Task {
        exercise: exercise.clone(),
        file: place.path.strip_prefix(home).unwrap_or(&place.path).to_owned(),
        function: function_around(&text, place.line() - 1),
        blank: dedented(&blank(Some(exercise), id, &answer)),
        answer: dedented(&without_marks(&answer)),
    })
}

/// The file's text with the reference's answer to every exercise, without marks: how a lesson that the
/// reader has finished looks.
///
/// # Errors
/// If there is no such file, or an exercise's marks are broken.
pub fn solved(home: &Path, path: &Path) -> Result<String> {
    Ok(without_marks(&filled(home, path, |_, _, answer| answer.to_owned())?))
}

/// The file's text with every exercise blank.
fn blanked(home: &Path, path: &Path) -> Result<String> {
    filled(home, path, blank)
}

/// The file's text with what `fill` makes of each exercise, its id and the reference's answer.
fn filled(
    home: &Path,
    path: &Path,
    fill: impl Fn(Option<&Exercise>, &str, &str) -> String,
) -> Result<String> {
    let mut text = fs::read_to_string(path).context("which can't be read")?;
    let path = path.canonicalize()?;
    let home = home.canonicalize()?;
    let Some(lesson) = LESSONS.iter().find(|lesson| path.starts_with(lesson.source(&home))) else {
        return Ok(text);
    };
    let course = Course::read(&home, lesson)?;
    let ids: Vec<String> = region::ids(&text).map(str::to_owned).collect();
    for id in ids {
        let region = match region::find(&text, &id) {
            Ok(region) => region,
            Err(broken) => bail!("in which {id} is broken: {broken}"),
        };
        let exercise = course.as_ref().and_then(|course| course.exercise(&id));
        let answer = answer(&home, lesson, exercise, region.of(&text))?;
        text = region.replaced(&text, &fill(exercise, &id, &answer));
    }
    Ok(text)
}

/// The reference's lines; while the lesson has no texts yet, those in the tree.
fn answer(home: &Path, lesson: &Lesson, exercise: Option<&Exercise>, here: &str) -> Result<String> {
    exercise.map_or_else(|| Ok(here.to_owned()), |exercise| reference::look(home, lesson, exercise))
}

/// The same that `cargo workshop start` writes into the learner's tree; it is English there, too.
fn blank(exercise: Option<&Exercise>, id: &str, answer: &str) -> String {
    let title = exercise.map_or("to be written", |exercise| exercise.title.of(Language::English));
    region::blank(answer, id, title, exercise.map_or("", |exercise| &exercise.uses))
}

/// The name of the function whose body this line (from 1) is in: the one that begins last before it.
fn function_around(text: &str, line: usize) -> String {
    let lines: Vec<&str> = text.lines().take(line).collect();
    let name = |line: &&str| {
        let (before, rest) = line.split_once("fn ")?;
        let words = ["", "pub", "pub(crate)", "pub(super)", "unsafe", "const", "extern", "\"C\"", "async"];
        let is_head = before.split_whitespace().all(|word| words.contains(&word));
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        (is_head && end > 0).then(|| rest[..end].to_owned())
    };
    lines.iter().rev().find_map(name).unwrap_or_default()
}

/// The text between `ANCHOR: name` and `ANCHOR_END: name`, without the marks of others in between.
pub fn anchored(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines();
    lines.find(|line| mark(line, "ANCHOR:") == Some(name))?;
    let mut quoted = String::new();
    for line in lines {
        if mark(line, "ANCHOR_END:") == Some(name) {
            return Some(without_marks(&quoted));
        }
        quoted.push_str(line);
        quoted.push('\n');
    }
    None
}

/// The text without any anchors.
pub fn without_marks(text: &str) -> String {
    let is_mark = |line: &str| mark(line, "ANCHOR:").is_some() || mark(line, "ANCHOR_END:").is_some();
    text.lines().filter(|line| !is_mark(line)).flat_map(|line| [line, "\n"]).collect()
}

/// The name that a mark gives: mdBook takes letters, digits, `_` and `-`.
fn mark<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let rest = line.split_once(word)?.1.trim_start();
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
    Some(&rest[..end])
}

/// The text without the indentation that all its lines have: a telephone's screen is narrow.
fn dedented(text: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let common = text.lines().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or(0);
    text.lines().flat_map(|line| [line.get(common..).unwrap_or_default(), "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_inside_a_quote_are_left_out_and_do_not_end_it() {
        let text = "// ANCHOR: outer\na\n// ANCHOR: in\nb\n// ANCHOR_END: in\nc\n// ANCHOR_END: outer\nd\n";
        assert_eq!(anchored(text, "outer").as_deref(), Some("a\nb\nc\n"));
        assert_eq!(anchored(text, "in").as_deref(), Some("b\n"));
        assert_eq!(anchored(text, "out"), None, "a name is a whole one");
    }

    #[test]
    fn the_function_is_the_one_that_begins_last() {
        let text = "fn one() {}\n\nimpl X {\n    /// fn three\n    pub fn two(\n        &self,\n    ) {\n        let a = b;\n";
        assert_eq!(function_around(text, 8), "two");
        assert_eq!(function_around(text, 2), "one");
    }

    #[test]
    fn what_all_lines_are_indented_by_is_taken_off() {
        assert_eq!(dedented("    a\n\n      b\n"), "a\n\n  b\n");
    }
}
