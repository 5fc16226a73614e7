//! `{{#difference 02-chroot 03-cgroups}}`: what changes in the main program from one lesson to the next.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use similar::TextDiff;
use workshop::lessons::LESSONS;
use workshop::workspace;

use crate::language::Language;
use crate::quote;

/// The difference between the two lessons' `src/main.rs`, and the files that the second one has.
///
/// # Errors
/// If there are no such lessons.
pub fn shown(home: &Path, lessons: &str, language: Language) -> Result<String> {
    let (old, new) = lessons.split_once(' ').context("a difference is between two lessons")?;
    for lesson in [old, new] {
        let known = LESSONS.iter().any(|known| known.folder == lesson);
        ensure!(known, "{lesson} is no lesson's folder");
    }
    let main = |lesson: &str| home.join("lessons").join(lesson).join("src/main.rs");
    // The old lesson's exercises are done; the new one's are still to be written.
    let (before, after) = (quote::solved(home, &main(old))?, quote::quote(home, &main(new), None)?);
    let diff = TextDiff::from_lines(&before, &after);
    let (from, to) = (format!("lessons/{old}/src/main.rs"), format!("lessons/{new}/src/main.rs"));
    let diff = diff.unified_diff().context_radius(2).header(&from, &to).to_string();
    let files = files(home, new)?;
    let said = language
        .pick("The crate of this lesson has these files:", "El crate de esta lección tiene estos archivos:");
    Ok(format!("```diff\n{diff}```\n\n{said} {files}"))
}

/// Its sources, in the order of their names.
fn files(home: &Path, lesson: &str) -> Result<String> {
    let folder = home.join("lessons").join(lesson).join("src");
    fs::metadata(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let name =
        |path: &std::path::PathBuf| format!("`{}`", path.strip_prefix(&folder).unwrap_or(path).display());
    let files: Vec<String> = workspace::sources(&folder)?.iter().map(name).collect();
    Ok(format!("{}.", files.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::LANGUAGES;

    fn lines_with_todo(lessons: &str) -> Vec<String> {
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let shown = shown(home, lessons, LANGUAGES[0]).unwrap();
        shown.lines().filter(|line| line.contains("todo!")).map(str::to_owned).collect()
    }

    #[test]
    fn an_exercise_of_the_new_lesson_is_blank() {
        let lines = lines_with_todo("02-chroot 03-cgroups");
        assert!(lines.len() == 1 && lines[0].starts_with("+    todo!(\"ex-03-4"), "{lines:?}");
    }

    #[test]
    fn an_exercise_of_the_old_lesson_is_done() {
        assert_eq!(lines_with_todo("03-cgroups 04-images"), [""; 0]);
    }
}
