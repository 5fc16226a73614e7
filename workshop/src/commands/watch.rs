//! `watch`: checks again whenever a file of the lesson is saved.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime};
use std::{fs, io::Write};

use anyhow::Result;

use super::check::{Checked, End, What, checked};
use crate::desk::{Desk, Standing};
use crate::exercise::Exercise;
use crate::language::Language;
use crate::screen;

/// Goes on until the learner ends it, the lesson is green, or all that can be run here is.
pub fn watch(home: &Path, language: Language, sudo: bool) -> Result<String> {
    let desk = Desk::current(home, language)?;
    let folder = home.join("lessons").join(desk.lesson.folder);
    // What is said of those before: it is wiped off at once, and has to be seen above what is next.
    let mut before = String::new();
    // Those whose tests can't be run here, and why: nobody should have to wait at one of them.
    let mut later: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let seen = times(&folder);
        // The first that isn't green, alone: seconds instead of the whole lesson. When it is, the next.
        let desk = Desk::current(home, language)?;
        let mut open = vec![];
        for exercise in &desk.course.exercises {
            if matches!(desk.standing(exercise)?, Standing::Blank | Standing::Written | Standing::Lost) {
                open.push(exercise);
            }
        }
        let next = open.iter().find(|exercise| !later.contains_key(&exercise.id));
        let what = match next {
            Some(exercise) => What::Exercise(exercise.id.clone()),
            None if open.is_empty() => What::Lesson(desk.lesson.number),
            None => {
                show("\x1b[2J\x1b[H")?;
                return Ok(before + &left(&open, &later, language, sudo));
            }
        };
        show("\x1b[2J\x1b[H")?;
        show(&before)?;
        // Where nothing is wiped off, once is enough.
        if !screen::colours() {
            before.clear();
        }
        if screen::colours() {
            show(&screen::dim(language.pick("building and testing…", "compilo y pruebo…")))?;
        }
        let Checked { text, end } = checked(home, language, &what, sudo)
            .unwrap_or_else(|error| Checked { text: format!("{error:#}\n"), end: End::Red });
        if screen::colours() {
            show("\r\x1b[K")?;
        }
        match (end, next) {
            (End::Green, None) => {
                show(&text)?;
                return Ok(String::new());
            }
            (End::Green, Some(_)) => before += &text,
            (End::CannotRun(reason), Some(exercise)) => {
                before += &passed_over(exercise, language, sudo);
                later.insert(exercise.id.clone(), reason);
            }
            (End::Red | End::CannotRun(_), _) => {
                show(&text)?;
                show(language.pick(
                    "\n(waiting for you to save a file; Ctrl-C ends)\n",
                    "\n(espero a que guardes un archivo; Ctrl-C termina)\n",
                ))?;
                while times(&folder) == seen {
                    sleep(Duration::from_millis(200));
                }
                before.clear();
                // An editor may write in several steps.
                sleep(Duration::from_millis(100));
            }
        }
    }
}

/// An exercise whose tests this user, or this machine, can't run.
fn passed_over(exercise: &Exercise, language: Language, sudo: bool) -> String {
    let why = match (language, sudo) {
        (Language::English, false) => "left for later: its tests can't be run without --sudo",
        (Language::English, true) => "left for later: its tests can't be run on this machine",
        (Language::Spanish, false) => "queda para después: sus pruebas no pueden correr sin --sudo",
        (Language::Spanish, true) => "queda para después: sus pruebas no pueden correr en esta máquina",
    };
    format!("{} {}  {}\n  {why}\n\n", screen::dim("–"), exercise.id, exercise.title.of(language))
}

/// At the end: what couldn't be run, why, and how to go on.
fn left(open: &[&Exercise], later: &BTreeMap<String, String>, language: Language, sudo: bool) -> String {
    let list: String =
        open.iter().map(|exercise| format!("  {}  {}\n", exercise.id, exercise.title.of(language))).collect();
    let reason = open.first().and_then(|exercise| later.get(&exercise.id)).map_or("", String::as_str);
    let reason = screen::wrapped(reason, 2);
    match language {
        Language::English => format!(
            "All that can be run here is green. Left:\n{list}\nTheir tests can't be run here:\n  {reason}\n\n\
             Go on   {}\n",
            if sudo {
                "cargo workshop doctor   (what this machine lacks)"
            } else {
                "cargo workshop watch --sudo"
            }
        ),
        Language::Spanish => format!(
            "Todo lo que puede correr aquí está en verde. Quedan:\n{list}\nSus pruebas no pueden correr aquí:\n  {reason}\n\n\
             Sigue   {}\n",
            if sudo {
                "cargo taller doctor   (qué le falta a esta máquina)"
            } else {
                "cargo taller watch --sudo"
            }
        ),
    }
}

fn show(text: &str) -> Result<()> {
    let text = if screen::colours() { text } else { text.trim_start_matches("\x1b[2J\x1b[H") };
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// When each file of the lesson was last written.
fn times(folder: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(data) = entry.metadata() else { continue };
            if data.is_dir() {
                folders.push(entry.path());
            } else if let Ok(time) = data.modified() {
                found.insert(entry.path(), time);
            }
        }
    }
    found
}
