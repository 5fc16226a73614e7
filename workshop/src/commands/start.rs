//! `start 3`: blanks the exercises of a lesson, and says where to begin.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::desk::{Desk, Standing};
use crate::language::Language;
use crate::{doctor, region, screen};

/// Blanks what isn't blank yet. Answers are replaced only if `yes`, or after asking.
pub fn start(home: &Path, language: Language, number: u8, yes: bool) -> Result<String> {
    let mut desk = Desk::open(home, language, number)?;
    let exercises = desk.course.exercises.clone();
    // First everything that can go wrong, before the first file is touched.
    let mut places = vec![];
    let mut answered = vec![];
    for exercise in &exercises {
        places.push((exercise, desk.must_place(exercise)?.lines().len(), desk.reference(exercise)?));
        if matches!(desk.standing(exercise)?, Standing::Written | Standing::Green) {
            answered.push(exercise.id.as_str());
        }
    }
    let list = answered.join(", ");
    let question = match language {
        Language::English => format!("You have answers to {list}. Blank them, too? They are kept. [y/N]"),
        Language::Spanish => {
            format!("Ya respondiste {list}. ¿Dejo en blanco eso también? Tus respuestas se guardan. [s/N]")
        }
    };
    let said = if answered.is_empty() || yes { Some(true) } else { screen::yes(&question) };
    let fresh = said == Some(true);
    if !fresh && answered.len() == exercises.len() {
        let words = language.pick(
            "Nothing was changed. To begin again, answer with y, or add --yes; your answers are kept in any case.",
            "No cambié nada. Para empezar de nuevo responde con s, o agrega --yes; tus respuestas se guardan en \
             todo caso.",
        );
        // Whoever was asked has it as they wish. A script has not.
        ensure!(said.is_some(), "{words}");
        return Ok(format!("{words}\n"));
    }
    let mut text = String::new();
    for (exercise, _, reference) in &places {
        if !fresh && answered.contains(&exercise.id.as_str()) {
            continue;
        }
        let place = desk.must_place(exercise)?;
        let blank =
            region::blank(reference, &exercise.id, exercise.title.of(Language::English), &exercise.uses);
        if let Some(kept) = desk.put(exercise, &place, &blank)? {
            text += &desk.kept(&exercise.id, &kept);
        }
        desk.progress.green.remove(&exercise.id);
        desk.progress.given.remove(&exercise.id);
    }
    desk.progress.lesson = Some(number);
    desk.progress.write(home)?;

    let mut open = vec![];
    for exercise in &exercises {
        if desk.standing(exercise)? == Standing::Blank {
            open.push(exercise);
        }
    }
    let red: BTreeSet<_> = open.iter().flat_map(|exercise| exercise.red()).collect();
    let red = red.len();
    let Some(first) = open.first() else { return Ok(text) };
    let place = desk.must_place(first)?.shown(home);
    let title = screen::bold(&format!("{number}. {}", desk.lesson.title(language)));
    let folder = desk.lesson.folder;
    let first_title = first.title.of(language);
    let with_root = match doctor::needs_root(number) {
        true => language.pick(
            "\n(Some of them run here only with --sudo: cargo workshop doctor says why.)",
            "\n(Algunas aquí solo corren con --sudo: cargo taller doctor dice por qué.)",
        ),
        false => "",
    };
    text += &match language {
        Language::English => format!(
            "{title}. Blank exercises: {}. Red tests, as they should be: {red}.{with_root}\n\n\
             Read    book/en/src/{folder}.md   (cargo run -p book -- serve)\n\
             Open    {place}\n        {}: {first_title}, about {} minutes\n\
             Write   your code in the place of `let _ = …` (it names what you will need) and\n        \
             `todo!(…)`; the numbered comments say the steps\n\
             Then    cargo workshop watch      (it runs the right tests whenever you save)\n\
             Stuck   cargo workshop hint\n",
            open.len(),
            first.id,
            first.minutes
        ),
        Language::Spanish => format!(
            "{title}. Ejercicios en blanco: {}. Pruebas en rojo, como debe ser: {red}.{with_root}\n\n\
             Lee       book/es/src/{folder}.md   (cargo run -p book -- serve)\n\
             Abre      {place}\n          {}: {first_title}, unos {} minutos\n\
             Escribe   tu código en lugar de `let _ = …` (nombra lo que vas a necesitar) y de\n          \
             `todo!(…)`; los comentarios numerados dicen los pasos\n\
             Después   cargo taller watch        (corre las pruebas que tocan cada vez que guardas)\n\
             ¿Y si no sale?   cargo taller hint\n",
            open.len(),
            first.id,
            first.minutes
        ),
    };
    Ok(text)
}
