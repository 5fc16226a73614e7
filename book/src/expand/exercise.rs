//! `{{#exercise ex-03-2}}`: what is to be done, the hints and the solution, each of them folded away.

use std::path::Path;

use anyhow::Result;
use workshop::exercise::Exercise;

use crate::language::Language;
use crate::quote::{self, Task};

/// The exercise with this id, in the page's language, as Markdown.
///
/// # Errors
/// If there is no such exercise.
pub fn shown(home: &Path, id: &str, language: Language) -> Result<String> {
    let task = quote::task(home, id)?;
    let Task { blank, answer, .. } = &task;
    let place = place(&task, language);
    let solution = language.pick("Solution", "Solución");
    let solution = folded(solution, &format!("```rust\n{answer}```"));
    let title = task.exercise.title.of(language.of_workshop());
    let (about, hints) = (about(&task.exercise, language), hints(&task.exercise, language));
    Ok(format!("### {title} {{#{id}}}\n\n{place}\n{about}\n\n```rust\n{blank}```\n\n{hints}{solution}"))
}

fn place(task: &Task, language: Language) -> String {
    let (file, function) = (task.file.display(), &task.function);
    match language.pick("where", "dónde") {
        "where" => format!("- Where: `{function}` in `{file}`"),
        _ => format!("- Dónde: `{function}` en `{file}`"),
    }
}

/// How long it takes, what judges it, what to read.
fn about(exercise: &Exercise, language: Language) -> String {
    let tests: Vec<String> = exercise.tests.iter().map(|test| format!("`{test}`")).collect();
    let man: Vec<String> = exercise.man.iter().map(|page| man_link(page)).collect();
    let (time, read, tests_are, hint_is) =
        language.pick(("Time", "Read", "Tests", "Hints"), ("Tiempo", "Lee", "Pruebas", "Pistas"));
    let (minutes, man, tests) = (exercise.minutes, man.join(", "), tests.join(", "));
    let (command, id) = (language.pick("cargo workshop", "cargo taller"), &exercise.id);
    format!(
        "- {time}: ≈ {minutes} min\n- {read}: {man}\n- {tests_are} (`{command} check {id}`): {tests}\n\
         - {hint_is}: `{command} hint {id}`"
    )
}

/// `clone(2)`, linked to the page; what is no manual page stays as it is.
fn man_link(page: &str) -> String {
    let parts = page.strip_suffix(')').and_then(|rest| rest.split_once('('));
    match parts {
        Some((name, section)) if section.starts_with(|c: char| c.is_ascii_digit()) => {
            let folder = &section[..1];
            format!("[{page}](https://man7.org/linux/man-pages/man{folder}/{name}.{section}.html)")
        }
        _ => page.to_owned(),
    }
}

fn hints(exercise: &Exercise, language: Language) -> String {
    let word = language.pick("Hint", "Pista");
    let hint = |(number, hint): (usize, &workshop::exercise::Words)| {
        folded(&format!("{word} {number}"), &literal(hint.of(language.of_workshop()))) + "\n\n"
    };
    (1..).zip(&exercise.hints).map(hint).collect()
}

/// A hint is written for the terminal, and its code has signs that Markdown would take for its own: the
/// `_` of a pattern, the `<` of a type. What stands between backticks is safe already.
fn literal(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut in_code = false;
    for sign in text.chars() {
        in_code ^= sign == '`';
        match sign {
            '<' if !in_code => written.push_str("&lt;"),
            '_' | '*' | '[' | '\\' if !in_code => written.extend(['\\', sign]),
            _ => written.push(sign),
        }
    }
    written
}

fn folded(summary: &str, text: &str) -> String {
    format!("<details><summary>{summary}</summary>\n\n{text}\n\n</details>")
}
