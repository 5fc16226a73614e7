//! The reference's text of an exercise, wherever it still is.
//!
//! A learner's tree, and in a fork git's newest commit, hold the learner's own text. `lesson.toml` has
//! the digest of the reference's; the text with that digest is in the tree, in `.taller`, or in one of
//! the commits that touched the lesson.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::exercise::Exercise;
use crate::keep;
use crate::lessons::Lesson;
use crate::region;
use crate::workspace::Place;

/// The digest that `lesson.toml` names: of the lines, whatever their ends.
pub fn digest(lines: &str) -> String {
    let mut hash = Sha256::new();
    for line in lines.lines() {
        hash.update(line);
        hash.update("\n");
    }
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Finds it, and notes it in `.taller` for the next time.
///
/// # Errors
/// If it is nowhere, or the note can't be written.
pub fn find(home: &Path, lesson: &Lesson, exercise: &Exercise) -> Result<String> {
    let lines = look(home, lesson, exercise)?;
    let note = note(home, exercise);
    if fs::read_to_string(&note).ok().as_deref() != Some(&lines) {
        keep::write(&note, &lines)?;
    }
    Ok(lines)
}

/// Finds it, and writes nothing: for who only reads.
///
/// # Errors
/// If it is nowhere.
pub fn look(home: &Path, lesson: &Lesson, exercise: &Exercise) -> Result<String> {
    let right = |lines: &str| digest(lines) == exercise.reference;
    if let Ok(lines) = fs::read_to_string(note(home, exercise))
        && right(&lines)
    {
        return Ok(lines);
    }
    let here = match Place::find(home, lesson, &exercise.id)? {
        Ok(place) if right(place.lines()) => Some(place.lines().to_owned()),
        _ => None,
    };
    match here {
        Some(lines) => Ok(lines),
        None => in_history(home, lesson, &exercise.id, right),
    }
}

fn note(home: &Path, exercise: &Exercise) -> PathBuf {
    keep::folder(home).join("reference").join(format!("{}.rs", exercise.id))
}

/// Looks through the commits that touched the lesson, the newest first.
fn in_history(home: &Path, lesson: &Lesson, id: &str, right: impl Fn(&str) -> bool) -> Result<String> {
    let folder = format!("lessons/{}/src", lesson.folder);
    for commit in git(home, &["log", "--all", "--format=%H", "--", &folder])?.lines() {
        // An anchor's line ends with the id, or a carriage return.
        let pattern = format!("ANCHOR: {id}[[:space:]]*$");
        let Ok(files) = git(home, &["grep", "-l", "-e", &pattern, commit, "--", &folder]) else { continue };
        for file in files.lines() {
            let text = git(home, &["show", file])?;
            if let Ok(region) = region::find(&text, id)
                && right(region.of(&text))
            {
                return Ok(region.of(&text).to_owned());
            }
        }
    }
    bail!(
        "the reference's text of {id} is neither in the tree nor in git's history (a shallow clone? git fetch --unshallow)"
    )
}

fn git(home: &Path, words: &[&str]) -> Result<String> {
    let doing = || format!("running git {}", words.join(" "));
    let output = Command::new("git").arg("-C").arg(home).args(words).output().with_context(doing)?;
    if !output.status.success() {
        bail!("{}: {}", doing(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
