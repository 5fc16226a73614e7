//! `hint`, `diff`, `solve`, `reset`, `save`, `resume`: what one can do about an exercise.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use similar::TextDiff;

use crate::desk::{Desk, Standing};
use crate::exercise::Exercise;
use crate::language::Language;
use crate::{keep, region, screen};

/// The exercise that is meant: this one, else the first that isn't green.
fn meant(home: &Path, language: Language, id: Option<&str>) -> Result<(Desk, Exercise)> {
    if let Some(id) = id {
        return Desk::of_exercise(home, language, id);
    }
    let desk = Desk::current(home, language)?;
    for exercise in &desk.course.exercises {
        if matches!(desk.standing(exercise)?, Standing::Blank | Standing::Written | Standing::Lost) {
            let exercise = exercise.clone();
            return Ok((desk, exercise));
        }
    }
    bail!(
        "{}",
        language.pick(
            "no exercise is open: cargo workshop start N opens those of a lesson",
            "no hay ningún ejercicio abierto: cargo taller start N abre los de una lección",
        )
    )
}

/// One hint more than the last time.
pub fn hint(home: &Path, language: Language, id: Option<&str>) -> Result<String> {
    let (mut desk, exercise) = meant(home, language, id)?;
    let shown = desk.progress.hints.entry(exercise.id.clone()).or_default();
    *shown = (*shown + 1).min(exercise.hints.len());
    let shown = *shown;
    desk.progress.write(home)?;
    let mut text = format!("{}  {}\n", screen::bold(&exercise.id), exercise.title.of(language));
    for (number, hint) in exercise.hints.iter().take(shown).enumerate() {
        text += &format!(
            "\n{}/{}  {}\n",
            number + 1,
            exercise.hints.len(),
            screen::wrapped(hint.of(language), 5)
        );
    }
    text += &match (language, shown == exercise.hints.len()) {
        (Language::English, false) => "\nAgain, for one more.\n".to_owned(),
        (Language::Spanish, false) => "\nOtra vez, para una más.\n".to_owned(),
        (Language::English, true) => format!(
            "\nThat was the last.\nTo read  {}\nThe answer itself: cargo workshop solve {}\n",
            screen::wrapped(&exercise.man.join(", "), 9),
            exercise.id
        ),
        (Language::Spanish, true) => format!(
            "\nEra la última.\nPara leer  {}\nLa respuesta misma: cargo taller solve {}\n",
            screen::wrapped(&exercise.man.join(", "), 11),
            exercise.id
        ),
    };
    Ok(text)
}

/// The learner's text beside the reference.
pub fn diff(home: &Path, language: Language, id: Option<&str>) -> Result<String> {
    let (desk, exercise) = meant(home, language, id)?;
    let (place, reference) = (desk.must_place(&exercise)?, desk.reference(&exercise)?);
    if region::same(place.lines(), &reference) {
        return Ok(format!(
            "{}: {}\n",
            exercise.id,
            language.pick("no difference from the reference", "no hay diferencia con la referencia")
        ));
    }
    let diff = TextDiff::from_lines(place.lines(), reference.as_str());
    let header = (place.shown(home), language.pick("reference", "referencia").to_owned());
    let text = diff.unified_diff().header(&header.0, &header.1).to_string();
    Ok(text
        .split_inclusive('\n')
        .map(|line| match line.as_bytes().first() {
            Some(b'+') => screen::green(line),
            Some(b'-') => screen::red(line),
            _ => line.to_owned(),
        })
        .collect())
}

/// The reference's text, in place of the learner's, which is kept.
pub fn solve(home: &Path, language: Language, id: &str) -> Result<String> {
    let (mut desk, exercise) = Desk::of_exercise(home, language, id)?;
    let (place, reference) = (desk.must_place(&exercise)?, desk.reference(&exercise)?);
    let kept = desk.put(&exercise, &place, &reference)?;
    desk.progress.given.insert(id.to_owned(), true);
    desk.progress.green.remove(id);
    desk.progress.write(home)?;
    let mut text = kept.map_or(String::new(), |path| desk.kept(id, &path));
    let shown = place.shown(home);
    text += &match language {
        Language::English => format!("{id} is solved: read it in {shown}\n"),
        Language::Spanish => format!("{id} está resuelto: léelo en {shown}\n"),
    };
    Ok(text)
}

/// Blank again.
pub fn reset(home: &Path, language: Language, id: Option<&str>, yes: bool) -> Result<String> {
    let (mut desk, exercise) = meant(home, language, id)?;
    let (place, reference) = (desk.must_place(&exercise)?, desk.reference(&exercise)?);
    let id = exercise.id.as_str();
    let answered = matches!(desk.standing(&exercise)?, Standing::Written | Standing::Green);
    let question = match language {
        Language::English => format!("Blank your answer to {id}? It is kept. [y/N]"),
        Language::Spanish => format!("¿Dejo en blanco {id}? Tu respuesta se guarda. [s/N]"),
    };
    match if answered && !yes { screen::yes(&question) } else { Some(true) } {
        Some(true) => {}
        // As they wish: that is no error.
        Some(false) => return Ok(language.pick("Nothing was changed.\n", "No cambié nada.\n").to_owned()),
        None => bail!(
            "{}",
            language.pick(
                "nothing was changed: nobody is here to ask (--yes answers the question beforehand)",
                "no cambié nada: no hay a quién preguntarle (--yes responde de antemano)"
            )
        ),
    }
    let blank = region::blank(&reference, id, exercise.title.of(Language::English), &exercise.uses);
    let kept = desk.put(&exercise, &place, &blank)?;
    desk.progress.given.remove(id);
    desk.progress.green.remove(id);
    desk.progress.write(home)?;
    let mut text = kept.map_or(String::new(), |path| desk.kept(id, &path));
    let shown = desk.must_place(&exercise)?.shown(home);
    text += &match language {
        Language::English => format!("{id} is blank again: {shown}\n"),
        Language::Spanish => format!("{id} está otra vez en blanco: {shown}\n"),
    };
    Ok(text)
}

/// Puts all of a lesson's answers aside, and the reference in their place: for a merge, or to lend
/// somebody the machine.
pub fn save(home: &Path, language: Language) -> Result<String> {
    let desk = Desk::current(home, language)?;
    let mut saved = vec![];
    for exercise in &desk.course.exercises {
        let place = desk.must_place(exercise)?;
        if region::same(place.lines(), &desk.reference(exercise)?) {
            continue;
        }
        saved.push((exercise, place.lines().to_owned()));
    }
    if saved.is_empty() {
        bail!(
            "{}",
            language.pick(
                "there is nothing to save: every exercise is as the reference has it",
                "no hay nada que guardar: todos los ejercicios están como en la referencia"
            )
        );
    }
    // All of them are on the disk before the first is replaced.
    for (exercise, lines) in &saved {
        // What was saved before and never taken back isn't lost either.
        if let Ok(before) = fs::read_to_string(saved_at(home, &exercise.id)) {
            keep::answer(home, &exercise.id, &before)?;
        }
        keep::write(&saved_at(home, &exercise.id), lines)?;
    }
    for (exercise, _) in &saved {
        // Anew each time: the one before has changed the file, when both are in one.
        let place = desk.must_place(exercise)?;
        place.replace(&desk.reference(exercise)?)?;
    }
    let count = saved.len();
    Ok(match language {
        Language::English => format!(
            "{count} exercises are put aside in .taller/saved; the lesson is as the reference has it.\nGo on with them: cargo workshop resume\n"
        ),
        Language::Spanish => format!(
            "Respuestas guardadas aparte en .taller/saved: {count}; la lección está como en la referencia.\nPara seguir con ellas: cargo taller resume\n"
        ),
    })
}

/// Puts back what `save` put aside; or, with an id, the answer that was replaced last.
pub fn resume(home: &Path, language: Language, id: Option<&str>) -> Result<String> {
    let mut text = String::new();
    let back = |desk: &Desk, exercise: &Exercise, from: &Path, text: &mut String| -> Result<()> {
        let lines = fs::read_to_string(from).with_context(|| format!("reading {}", from.display()))?;
        let place = desk.must_place(exercise)?;
        if let Some(kept) = desk.put(exercise, &place, &lines)?.filter(|kept| kept != from) {
            *text += &desk.kept(&exercise.id, &kept);
        }
        let id = &exercise.id;
        let shown = place.shown(home);
        *text += &match language {
            Language::English => format!("{id} is as you had it: {shown}\n"),
            Language::Spanish => format!("{id} está como lo tenías: {shown}\n"),
        };
        Ok(())
    };
    if let Some(id) = id {
        let (desk, exercise) = Desk::of_exercise(home, language, id)?;
        let Some(last) = keep::answers(home, id).pop() else {
            bail!(
                "{}",
                match language {
                    Language::English => format!("no answer of {id} has been kept: none was replaced"),
                    Language::Spanish =>
                        format!("no hay respuestas guardadas de {id}: no se ha reemplazado ninguna"),
                }
            );
        };
        back(&desk, &exercise, &last, &mut text)?;
        return Ok(text);
    }
    let desk = Desk::current(home, language)?;
    for exercise in &desk.course.exercises {
        let saved = saved_at(home, &exercise.id);
        if saved.exists() {
            back(&desk, exercise, &saved, &mut text)?;
            // Only now that it is back.
            fs::remove_file(&saved).with_context(|| format!("removing {}", saved.display()))?;
        }
    }
    if text.is_empty() {
        bail!(
            "{}",
            language.pick(
                "nothing was saved: cargo workshop save does that",
                "no hay nada guardado: para eso está cargo taller save"
            )
        );
    }
    Ok(text)
}

fn saved_at(home: &Path, id: &str) -> std::path::PathBuf {
    keep::folder(home).join("saved").join(format!("{id}.rs"))
}
