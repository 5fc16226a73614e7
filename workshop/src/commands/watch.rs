//! `watch`: checks again whenever a file of the lesson is saved.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime};
use std::{fs, io::Write};

use anyhow::Result;

use super::check::{What, check};
use crate::desk::{Desk, Standing};
use crate::language::Language;

/// Goes on until the learner ends it, or the lesson is green.
pub fn watch(home: &Path, language: Language, sudo: bool) -> Result<String> {
    let desk = Desk::current(home, language)?;
    let folder = home.join("lessons").join(desk.lesson.folder);
    let mut green = String::new();
    loop {
        let seen = times(&folder);
        // The first that isn't green, alone: seconds instead of the whole lesson. When it is, the next.
        let desk = Desk::current(home, language)?;
        let mut what = What::Lesson(desk.lesson.number);
        for exercise in &desk.course.exercises {
            if matches!(desk.standing(exercise)?, Standing::Blank | Standing::Written | Standing::Lost) {
                what = What::Exercise(exercise.id.clone());
                break;
            }
        }
        show("\x1b[2J\x1b[H")?;
        show(&green)?;
        green.clear();
        if crate::screen::colours() {
            show(&crate::screen::dim(language.pick("building and testing…", "compilo y pruebo…")))?;
        }
        let (text, code) = check(home, language, &what, sudo)
            .unwrap_or_else(|error| (format!("{error:#}\n"), std::process::ExitCode::FAILURE));
        if crate::screen::colours() {
            show("\r\x1b[K")?;
        }
        show(&text)?;
        if code == std::process::ExitCode::SUCCESS {
            if matches!(what, What::Lesson(_)) {
                return Ok(String::new());
            }
            // It is wiped off at once: to be seen above what is next.
            green = text;
            continue;
        }
        show(language.pick(
            "\n(waiting for you to save a file; Ctrl-C ends)\n",
            "\n(espero a que guardes un archivo; Ctrl-C termina)\n",
        ))?;
        while times(&folder) == seen {
            sleep(Duration::from_millis(200));
        }
        // An editor may write in several steps.
        sleep(Duration::from_millis(100));
    }
}

fn show(text: &str) -> Result<()> {
    let text = if crate::screen::colours() { text } else { text.trim_start_matches("\x1b[2J\x1b[H") };
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
