//! Where the learner is, what is green, what is next.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;

use crate::desk::{Desk, Standing};
use crate::exercise::Course;
use crate::language::Language;
use crate::lessons::{LESSONS, Lesson};
use crate::progress::Progress;
use crate::screen;

/// `cargo taller` with no words: a bar for each lesson, and one next step.
pub fn overview(home: &Path, language: Language) -> Result<String> {
    let progress = Progress::read(home)?;
    let mut text =
        format!("{}\n\n", screen::bold(language.pick("canoa · your workshop", "canoa · tu taller")));
    for lesson in &LESSONS {
        let (mut bar, mut count) = (String::new(), language.pick("to read", "para leer").to_owned());
        if Course::read(home, lesson)?.is_some() {
            let desk = Desk::open(home, language, lesson.number)?;
            let (done, all) = counted(&desk)?;
            (bar, count) = (screen::bar(done, all), format!("{done}/{all}"));
        }
        let here = if progress.lesson == Some(lesson.number) {
            language.pick("  ◀ you are here", "  ◀ estás aquí")
        } else {
            ""
        };
        let _ = writeln!(text, "  {}  {:<31}{bar:<10} {count}{here}", lesson.number, lesson.title(language));
    }
    text += "\n";
    let (command, current) = match progress.lesson {
        None => (language.pick("cargo workshop doctor", "cargo taller doctor"), None),
        Some(number) => (language.pick("cargo workshop watch", "cargo taller watch"), Some(number)),
    };
    match current {
        None => {
            text += &match language {
                Language::English => format!(
                    "Next:  see what this machine can do   {command}\n       read the introduction          book/en/src/introduction.md\n       begin with lesson 1            cargo workshop start 1\n\nEn español: cargo taller --lang es\n"
                ),
                Language::Spanish => format!(
                    "Sigue:  mira qué puede hacer esta máquina   {command}\n        lee la introducción                 book/es/src/introduction.md\n        empieza por la lección 1            cargo taller start 1\n\nIn English: cargo workshop --lang en\n"
                ),
            }
        }
        Some(number) => text += &next(&Desk::open(home, language, number)?, command)?,
    }
    Ok(text)
}

/// The first exercise that is open, or the lesson after.
fn next(desk: &Desk, watch: &str) -> Result<String> {
    let language = desk.language;
    for exercise in &desk.course.exercises {
        let standing = desk.standing(exercise)?;
        if matches!(standing, Standing::Green | Standing::Given | Standing::NotBegun) {
            continue;
        }
        let (id, title) = (&exercise.id, exercise.title.of(language));
        let place = match desk.place(exercise)? {
            Ok(place) => place.shown(&desk.home),
            Err(lost) => lost.path.map_or(String::new(), |path| path.display().to_string()),
        };
        let hint = language.pick("cargo workshop hint", "cargo taller hint");
        return Ok(format!(
            "{}  {id}  {title}\n  {place}\n  {watch}   {hint}\n",
            language.pick("Next:", "Sigue:")
        ));
    }
    let number = desk.lesson.number;
    let (done, all) = counted(desk)?;
    Ok(match (language, done == all && number < 6) {
        (Language::English, true) => format!("Next:  cargo workshop start {}\n", number + 1),
        (Language::Spanish, true) => format!("Sigue:  cargo taller start {}\n", number + 1),
        (Language::English, false) => format!("Next:  cargo workshop check {number}\n"),
        (Language::Spanish, false) => format!("Sigue:  cargo taller check {number}\n"),
    })
}

/// `status`: every exercise of every lesson.
pub fn status(home: &Path, language: Language) -> Result<String> {
    let mut text = String::new();
    for lesson in &LESSONS {
        let code = language.pick("en", "es");
        let _ = writeln!(text, "{}", screen::bold(&format!("{}  {}", lesson.number, lesson.title(language))));
        if Course::read(home, lesson)?.is_some() {
            let desk = Desk::open(home, language, lesson.number)?;
            for exercise in &desk.course.exercises {
                let (mark, words) = shown(desk.standing(exercise)?, language);
                let _ = writeln!(
                    text,
                    "   {mark} {}  {}  {}",
                    exercise.id,
                    exercise.title.of(language),
                    screen::dim(words)
                );
            }
        }
        let Lesson { folder, see, number, .. } = lesson;
        let _ = writeln!(
            text,
            "   {}  lessons/{folder}/src · book/{code}/src/{folder}.md · cargo run -p lesson-0{number} -- {see}\n",
            screen::dim(language.pick("where", "dónde")),
        );
    }
    Ok(text)
}

fn shown(standing: Standing, language: Language) -> (String, &'static str) {
    match standing {
        Standing::Green => (screen::green("✓"), ""),
        Standing::Given => (screen::dim("="), language.pick("(the reference's)", "(la de referencia)")),
        Standing::NotBegun => (screen::dim("·"), ""),
        Standing::Blank => ("○".to_owned(), language.pick("(blank)", "(en blanco)")),
        Standing::Written => ("●".to_owned(), language.pick("(not checked)", "(sin comprobar)")),
        Standing::Lost => (screen::red("?"), language.pick("(its anchors are gone)", "(faltan sus anclas)")),
    }
}

/// Green exercises, and all.
fn counted(desk: &Desk) -> Result<(usize, usize)> {
    let mut done = 0;
    for exercise in &desk.course.exercises {
        done += usize::from(matches!(desk.standing(exercise)?, Standing::Green | Standing::Given));
    }
    Ok((done, desk.course.exercises.len()))
}
