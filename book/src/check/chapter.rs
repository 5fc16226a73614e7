//! Chapters: each lesson's has the same sections, and all of its lesson's exercises.

use std::path::Path;

use workshop::exercise::Course;
use workshop::lessons::{LESSONS, Lesson};

use super::page::Page;
use crate::transcript::read::transcripts;
use crate::{expand, quote};

/// The sections that every lesson's chapter has, in this order; between `predict` and `exercises` stands
/// the code, in sections of the chapter's own.
const SECTIONS: [&str; 8] =
    ["here", "attack", "kernel", "predict", "exercises", "outside", "left-out", "summary"];

/// How many pictures and how many executed transcripts a chapter has, at least.
const PICTURES: usize = 2;
const TRANSCRIPTS: usize = 3;

/// Checks the page called `name`: the line, and what. `home` is the repository's folder.
pub fn problems(home: &Path, name: &Path, page: &Page) -> Vec<(usize, String)> {
    let lesson = LESSONS.iter().find(|lesson| name.with_extension("") == Path::new(lesson.folder));
    let mut problems = notations(home, lesson, page);
    if let Some(lesson) = lesson {
        problems.extend(form(page));
        problems.extend(unquoted(home, lesson, page));
    }
    problems
}

/// Whether everything that is named is there, and where it belongs.
fn notations(home: &Path, lesson: Option<&Lesson>, page: &Page) -> Vec<(usize, String)> {
    let mut problems = Vec::new();
    problems.extend(transcripts(&page.text).err());
    for (line, id) in &page.exercises {
        let ours = lesson.is_some_and(|lesson| id.starts_with(&format!("ex-{:02}-", lesson.number)));
        match quote::task(home, id) {
            _ if !ours => problems.push((*line, format!("{id} is no exercise of this page's lesson"))),
            Err(error) => problems.push((*line, format!("shows an exercise, and {error:#}"))),
            Ok(_) => {}
        }
    }
    for (line, lessons) in &page.differences {
        if let Err(error) = expand::difference::shown(home, lessons, crate::language::LANGUAGES[0]) {
            problems.push((*line, format!("shows a difference, and {error:#}")));
        }
    }
    problems
}

fn form(page: &Page) -> Vec<(usize, String)> {
    let mut problems = Vec::new();
    let ids: Vec<_> = page
        .headings
        .iter()
        .filter(|heading| heading.level == 2)
        .map(|heading| heading.id.as_deref())
        .collect();
    let mut last = 0;
    for id in SECTIONS {
        match ids.iter().position(|known| *known == Some(id)) {
            None => problems.push((0, format!("lacks the section ## … {{#{id}}}"))),
            Some(at) if at < last => problems.push((0, format!("has the section {{#{id}}} too early"))),
            Some(at) => last = at,
        }
    }
    let pictures = page.pictures.len();
    if pictures < PICTURES {
        problems.push((0, format!("has {pictures} pictures of {PICTURES}")));
    }
    let executed = transcripts(&page.text).unwrap_or_default().iter().filter(|one| !one.flags.norun).count();
    if executed < TRANSCRIPTS {
        problems.push((0, format!("has {executed} executed transcripts of {TRANSCRIPTS}")));
    }
    problems
}

/// Exercises of the lesson that the chapter hasn't, or twice, or in another order.
fn unquoted(home: &Path, lesson: &Lesson, page: &Page) -> Vec<(usize, String)> {
    let course = match Course::read(home, lesson) {
        Ok(Some(course)) => course,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![(0, format!("{error:#}"))],
    };
    let wanted: Vec<&String> = course.exercises.iter().map(|exercise| &exercise.id).collect();
    let shown: Vec<&String> = page.exercises.iter().map(|(_, id)| id).collect();
    if wanted == shown {
        Vec::new()
    } else {
        vec![(0, format!("has the exercises {shown:?}, and its lesson {wanted:?}"))]
    }
}
