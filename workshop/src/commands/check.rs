//! `check`: runs the tests of a lesson or an exercise, and shows one thing: what is next.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Error, Result, bail};

use crate::desk::{Desk, Standing};
use crate::exercise::{Course, Exercise};
use crate::judge::{Judge, Judged, Verdict, Verdicts};
use crate::language::Language;
use crate::{keep, screen};

/// What to check.
#[derive(Debug, Clone)]
pub enum What {
    /// The lesson that was started last.
    Current,
    /// This lesson.
    Lesson(u8),
    /// This exercise.
    Exercise(String),
}

impl std::str::FromStr for What {
    type Err = String;

    /// `3`, `ex-03-2`; any other text is an exercise that isn't there, said later.
    fn from_str(text: &str) -> std::result::Result<What, String> {
        Ok(text.parse().map_or_else(|_| What::Exercise(text.to_owned()), What::Lesson))
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Checked {
    /// The screen.
    pub text: String,
    /// How it ended.
    pub end: End,
}

/// How it ended, for who goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// All of it is green.
    Green,
    /// Something is red, or doesn't compile.
    Red,
    /// Nothing is red, and this user, or this machine, can't run all of it: the reason.
    CannotRun(String),
}

/// Runs them; the screen, and success if all of it is green.
pub fn check(home: &Path, language: Language, what: &What, sudo: bool) -> Result<(String, ExitCode)> {
    let Checked { text, end } = checked(home, language, what, sudo)?;
    Ok((text, if end == End::Green { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

/// The same, for who wants to know more of its end.
pub fn checked(home: &Path, language: Language, what: &What, sudo: bool) -> Result<Checked> {
    let (mut desk, only) = match what {
        What::Current => (Desk::current(home, language)?, None),
        What::Lesson(number) => (Desk::open(home, language, *number)?, None),
        What::Exercise(id) => {
            let (desk, exercise) = Desk::of_exercise(home, language, id)?;
            (desk, Some(exercise))
        }
    };
    if sudo && !in_path("sudo") {
        bail!(
            "{}",
            language.pick(
                "there is no sudo on this machine: as root, install the package of that name, and allow yourself \
                 to use it",
                "en esta máquina no hay sudo: como root, instala el paquete de ese nombre y date permiso para \
                 usarlo",
            )
        );
    }
    let names = only.as_ref().map_or(vec![], |exercise| exercise.tests.clone());
    let package = format!("lesson-{:02}", desk.lesson.number);
    let judge = Judge { home, package, sudo, target: None };
    let verdicts = match judge.judge(&names)? {
        Judged::NotCompiled(words) => {
            return Ok(Checked { text: not_compiled(language, &words), end: End::Red });
        }
        Judged::Ran(verdicts) => verdicts,
    };
    let exercises = only.map_or_else(|| desk.course.exercises.clone(), |exercise| vec![exercise]);
    let mut text = String::new();
    let mut next = None;
    let mut only_ignored = true;
    for exercise in &exercises {
        let outcome = Outcome::of(exercise, &verdicts);
        let place = desk.place(exercise)?;
        // Without its anchors nothing can be noted of it, however green it is: that comes first.
        let lost = place.is_err();
        if let Ok(place) = place {
            let answered = !matches!(desk.standing(exercise)?, Standing::NotBegun | Standing::Given);
            if answered {
                desk.progress.judged(&exercise.id, place.lines(), matches!(outcome, Outcome::Green));
            }
        }
        let _ = writeln!(text, "{} {}  {}", outcome.mark(), exercise.id, exercise.title.of(language));
        only_ignored &= !lost && matches!(outcome, Outcome::Green | Outcome::Ignored(..));
        if next.is_none() && (lost || !matches!(outcome, Outcome::Green)) {
            next = Some((exercise, outcome));
        }
    }
    // What the tests said is said in any case.
    if let Err(error) = desk.progress.write(home) {
        let _ = writeln!(text, "{}", not_noted(language, &error));
    }
    text.push('\n');
    let whole = next.is_none() && names.is_empty();
    match next {
        Some((exercise, outcome)) => {
            text += &outcome.explain(&desk, exercise, sudo)?;
            let end = match outcome {
                Outcome::Ignored(_, reason) if only_ignored => End::CannotRun(reason.to_owned()),
                _ => End::Red,
            };
            return Ok(Checked { text, end });
        }
        None if whole => {
            // Tests that belong to no exercise: the lesson isn't green while one of them is red.
            if let Some((name, Verdict::Red(words))) =
                verdicts.iter().find(|(_, verdict)| matches!(verdict, Verdict::Red(_)))
            {
                // Of all exercises together; but its words mostly say whose work it looks at.
                text += &format!("{} ", screen::red("✗"));
                text += &match desk.course.named_in(words) {
                    Some(exercise) => Outcome::Red(name, words).explain(&desk, exercise, sudo)?,
                    None => failed(name, words, language),
                };
                return Ok(Checked { text, end: End::Red });
            }
            text += &gained(&desk, sudo);
        }
        None => {}
    }
    Ok(Checked { text, end: End::Green })
}

/// Whether there is such a command.
fn in_path(command: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(command).is_file())
}

/// The progress couldn't be written down.
fn not_noted(language: Language, error: &Error) -> String {
    let what = language.pick("Your progress isn't noted", "Tu progreso no quedó anotado");
    format!("{what}: {error:#}\n{}", keep::no_space(language, error).unwrap_or_default())
}

/// How an exercise's own tests ended.
enum Outcome<'a> {
    Green,
    /// The first that failed, and its words.
    Red(&'a str, &'a str),
    /// They can't be run here.
    Ignored(&'a str, &'a str),
    /// No such test has run: the exercise, or the tree, isn't what `lesson.toml` thinks.
    Absent(&'a str),
}

impl<'a> Outcome<'a> {
    fn of(exercise: &'a Exercise, verdicts: &'a Verdicts) -> Outcome<'a> {
        let mut outcome = Outcome::Green;
        for name in &exercise.tests {
            match verdicts.get(name) {
                Some(Verdict::Green) => {}
                Some(Verdict::Red(words)) => return Outcome::Red(name, words),
                Some(Verdict::Ignored(reason)) => outcome = Outcome::Ignored(name, reason),
                None => outcome = Outcome::Absent(name),
            }
        }
        outcome
    }

    fn mark(&self) -> String {
        match self {
            Outcome::Green => screen::green("✓"),
            Outcome::Red(..) | Outcome::Absent(_) => screen::red("✗"),
            Outcome::Ignored(..) => screen::dim("–"),
        }
    }

    /// One red test: what it says, where to write, where to read.
    fn explain(&self, desk: &Desk, exercise: &Exercise, sudo: bool) -> Result<String> {
        let language = desk.language;
        // Without its anchors there is nothing to go on with, however green it is.
        desk.must_place(exercise)?;
        let (name, words) = match self {
            Outcome::Green => return Ok(String::new()),
            Outcome::Red(name, words) => (name, (*words).to_owned()),
            Outcome::Ignored(name, reason) => (name, cannot_run(language, reason, sudo)),
            Outcome::Absent(name) => (
                name,
                language
                    .pick(
                        "No test of this name has run. Was it renamed?",
                        "No corrió ninguna prueba con este nombre. ¿Cambió de nombre?",
                    )
                    .to_owned(),
            ),
        };
        // A test of one exercise may fail by the answer to another, and then says so.
        let exercise = desk.course.named_in(&words).unwrap_or(exercise);
        let place = desk.must_place(exercise)?.shown(&desk.home);
        let (write, read, hint) = match language {
            Language::English => ("Write", "Read ", format!("Stuck  cargo workshop hint {}", exercise.id)),
            Language::Spanish => {
                ("Escribe en", "Lee       ", format!("Una pista:  cargo taller hint {}", exercise.id))
            }
        };
        let man = screen::wrapped(&exercise.man.join(", "), read.len() + 2);
        Ok(format!("{}\n{write}  {place}\n{read}  {man}\n{hint}\n", failed(name, &words, language)))
    }
}

/// A test's name, and what it says.
fn failed(name: &str, words: &str, language: Language) -> String {
    format!("{}\n{}\n", screen::bold(name), indent(&in_plain_words(words, language)))
}

/// Why it wasn't run, and what may help.
fn cannot_run(language: Language, reason: &str, sudo: bool) -> String {
    match (language, sudo) {
        (Language::English, false) => format!(
            "It can't be run here: {reason}.\nAs root it may be: add --sudo to the command. What this \
             machine lacks: cargo workshop doctor"
        ),
        (Language::English, true) => {
            format!(
                "It can't be run here: {reason}.\nWhat this machine lacks: sudo target/debug/workshop doctor"
            )
        }
        (Language::Spanish, false) => format!(
            "No puede correr aquí: {reason}.\nComo root tal vez sí: agrega --sudo al comando. Qué le falta \
             a esta máquina: cargo taller doctor"
        ),
        (Language::Spanish, true) => {
            format!(
                "No puede correr aquí: {reason}.\nQué le falta a esta máquina: sudo target/debug/workshop doctor"
            )
        }
    }
}

/// What `assert_eq!` says, without its own view of it: in our tests the left is what was found.
fn in_plain_words(words: &str, language: Language) -> String {
    let (found, expected) = match language {
        Language::English => ("  found:    ", "  expected: "),
        Language::Spanish => ("  hallado:  ", "  esperado: "),
    };
    let mut plain = String::new();
    let mut equal = false;
    for line in words.lines() {
        let line = if let Some(rest) = line.strip_prefix("assertion `left == right` failed") {
            equal = true;
            rest.trim_start_matches(": ").to_owned()
        } else if let (true, Some(rest)) = (equal, line.strip_prefix("  left: ")) {
            format!("{found}{rest}")
        } else if let (true, Some(rest)) = (equal, line.strip_prefix(" right: ")) {
            format!("{expected}{rest}")
        } else {
            line.to_owned()
        };
        plain += &(line + "\n");
    }
    plain
}

fn indent(words: &str) -> String {
    words
        .lines()
        .map(|line| format!("  {}\n", screen::wrapped(line, 2)))
        .collect::<String>()
        .trim_end()
        .to_owned()
}

fn not_compiled(language: Language, words: &str) -> String {
    let title = language
        .pick("It doesn't compile yet. The compiler says:", "Todavía no compila. El compilador dice:");
    format!("{}\n\n{words}\n", screen::red(title))
}

/// The command that shows it, for who needs root here: cargo stays with the learner.
fn see_as_root(see: &str) -> String {
    match see.strip_prefix("cargo run -p ").and_then(|rest| rest.split_once(" -- ")) {
        Some((package, words)) => format!("cargo build -p {package} && sudo target/debug/{package} {words}"),
        None => see.to_owned(),
    }
}

/// What a green lesson gives.
fn gained(desk: &Desk, sudo: bool) -> String {
    let Course { gain, see, .. } = &desk.course;
    let see = if sudo { see_as_root(see) } else { see.clone() };
    let next = desk.lesson.number + 1;
    let more = next <= 6;
    let gain = screen::wrapped(gain.of(desk.language), 0);
    match desk.language {
        Language::English => format!(
            "{}\n{gain}\n\nSee it:  {see}\n{}",
            screen::green("The lesson is green."),
            if more { format!("Next:    cargo workshop start {next}\n") } else { String::new() }
        ),
        Language::Spanish => format!(
            "{}\n{gain}\n\nMíralo:  {see}\n{}",
            screen::green("La lección está en verde."),
            if more { format!("Sigue:   cargo taller start {next}\n") } else { String::new() }
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn under_sudo_what_there_is_to_see_is_built_by_the_learner_and_run_by_root() {
        assert_eq!(
            see_as_root("cargo run -p lesson-03 -- run --pids 20 sh"),
            "cargo build -p lesson-03 && sudo target/debug/lesson-03 run --pids 20 sh"
        );
        assert_eq!(see_as_root("lsns"), "lsns");
    }

    #[test]
    fn a_failed_comparison_says_what_was_found_and_what_expected() {
        let said = "assertion `left == right` failed: ex-01-4: it ends\n  left: \"7\"\n right: \"8\"";
        assert_eq!(
            in_plain_words(said, Language::English),
            "ex-01-4: it ends\n  found:    \"7\"\n  expected: \"8\"\n"
        );
        assert_eq!(
            in_plain_words(said, Language::Spanish),
            "ex-01-4: it ends\n  hallado:  \"7\"\n  esperado: \"8\"\n"
        );
        // Where the two had to differ, neither was expected; and a program may say such lines itself.
        for other in ["assertion `left != right` failed\n  left: 1\n right: 1\n", "found\n  left: 2\n"] {
            assert_eq!(in_plain_words(other, Language::English), other);
        }
    }
}
