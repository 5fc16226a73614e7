//! A lesson as it lies before the learner: its exercises, each with what stands in the tree.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::exercise::{Course, Exercise};
use crate::keep;
use crate::language::Language;
use crate::lessons::{LESSONS, Lesson};
use crate::progress::Progress;
use crate::reference;
use crate::region::State;
use crate::workspace::{Found, Place};

/// One lesson, opened.
#[derive(Debug)]
pub struct Desk {
    /// The repository's folder.
    pub home: PathBuf,
    /// The language of all messages.
    pub language: Language,
    /// Which lesson.
    pub lesson: &'static Lesson,
    /// Its `lesson.toml`.
    pub course: Course,
    /// How far the learner is.
    pub progress: Progress,
}

/// How an exercise stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The reference, never blanked: not begun.
    NotBegun,
    /// Blanked.
    Blank,
    /// Something is written; its tests haven't passed with it, or weren't run.
    Written,
    /// The learner's text, and its tests have passed.
    Green,
    /// The reference, because the learner asked for it.
    Given,
    /// Its region can't be found.
    Lost,
}

impl Desk {
    /// Opens a lesson.
    pub fn open(home: &Path, language: Language, number: u8) -> Result<Desk> {
        let Some(lesson) = LESSONS.iter().find(|lesson| lesson.number == number) else {
            bail!(
                "{}",
                match language {
                    Language::English =>
                        format!("there is no lesson {number}: they are 1 to {}", LESSONS.len()),
                    Language::Spanish =>
                        format!("no hay lección {number}: van de la 1 a la {}", LESSONS.len()),
                }
            );
        };
        let Some(course) = Course::read(home, lesson)? else {
            bail!(
                "{}",
                match language {
                    Language::English =>
                        format!("lesson {number} has no exercises yet: read it, and run its tests"),
                    Language::Spanish =>
                        format!("la lección {number} todavía no tiene ejercicios: léela y corre sus pruebas"),
                }
            );
        };
        let progress = Progress::read(home)?;
        Ok(Desk { home: home.to_owned(), language, lesson, course, progress })
    }

    /// Opens the lesson of this exercise: `ex-03-2`.
    pub fn of_exercise(home: &Path, language: Language, id: &str) -> Result<(Desk, Exercise)> {
        let number = id.strip_prefix("ex-").and_then(|rest| rest.get(..2)?.parse().ok());
        if let Some(number) = number {
            let desk = Desk::open(home, language, number)?;
            if let Some(exercise) = desk.course.exercise(id).cloned() {
                return Ok((desk, exercise));
            }
        }
        bail!(
            "{}",
            match language {
                Language::English =>
                    format!("there is no exercise {id:?}: \"cargo workshop status\" lists them"),
                Language::Spanish => format!("no hay ejercicio {id:?}: «cargo taller status» los enumera"),
            }
        )
    }

    /// The lesson that is being worked on: the one started last, else the first.
    pub fn current(home: &Path, language: Language) -> Result<Desk> {
        let number = Progress::read(home)?.lesson.unwrap_or(1);
        Desk::open(home, language, number)
    }

    /// Where an exercise is in the tree.
    pub fn place(&self, exercise: &Exercise) -> Result<Found> {
        Place::find(&self.home, self.lesson, &exercise.id)
    }

    /// The same for who can't go on without it: what is wrong, and what to do.
    pub fn must_place(&self, exercise: &Exercise) -> Result<Place> {
        let lost = match self.place(exercise)? {
            Ok(place) => return Ok(place),
            Err(lost) => lost,
        };
        let id = &exercise.id;
        let file = lost.path.as_deref().unwrap_or(Path::new(self.lesson.folder));
        let file = file.strip_prefix(&self.home).unwrap_or(file).display();
        bail!(
            "{}",
            match self.language {
                Language::English => format!(
                    "{id} can't be found in {file}: {}.\nIt stands between these two lines, once in the lesson:\n  \
                 // ANCHOR: {id}\n  // ANCHOR_END: {id}\n\"git diff\" shows what has changed; nothing was touched.",
                    lost.why
                ),
                Language::Spanish => format!(
                    "no encuentro {id} en {file}: {}.\nEstá entre estas dos líneas, una sola vez en la lección:\n  \
                 // ANCHOR: {id}\n  // ANCHOR_END: {id}\n«git diff» muestra qué cambió; no se tocó nada.",
                    lost.why.spanish()
                ),
            }
        )
    }

    /// The reference's text.
    pub fn reference(&self, exercise: &Exercise) -> Result<String> {
        reference::find(&self.home, self.lesson, exercise)
    }

    /// How it stands.
    pub fn standing(&self, exercise: &Exercise) -> Result<Standing> {
        let Ok(place) = self.place(exercise)? else { return Ok(Standing::Lost) };
        if self.progress.is_green(&exercise.id, place.lines()) {
            return Ok(Standing::Green);
        }
        // The digest is enough to know the reference by: no need to look for its text.
        if reference::digest(place.lines()) == exercise.reference {
            let given = self.progress.given.contains_key(&exercise.id);
            return Ok(if given { Standing::Given } else { Standing::NotBegun });
        }
        Ok(match place.state(exercise, "") {
            State::Blank => Standing::Blank,
            State::Reference | State::Answer => Standing::Written,
        })
    }

    /// Puts other lines into an exercise's region; an answer that stood there is kept. Where it is now.
    pub fn put(&self, exercise: &Exercise, place: &Place, lines: &str) -> Result<Option<PathBuf>> {
        let kept = match self.standing(exercise)? {
            Standing::Written | Standing::Green => {
                Some(keep::answer(&self.home, &exercise.id, place.lines())?)
            }
            _ => None,
        };
        place.replace(lines)?;
        Ok(kept)
    }

    /// What is said of an answer that was put aside.
    pub fn kept(&self, id: &str, path: &Path) -> String {
        let path = path.strip_prefix(&self.home).unwrap_or(path).display();
        match self.language {
            Language::English => {
                format!("Your answer is kept in {path}. To have it back: cargo workshop resume {id}\n")
            }
            Language::Spanish => {
                format!("Tu respuesta queda guardada en {path}. Para recuperarla: cargo taller resume {id}\n")
            }
        }
    }
}
