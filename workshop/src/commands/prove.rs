//! `prove`: the workshop checks itself. For who writes exercises, and for CI.
//!
//! In a copy of the tree, for every exercise: blanked, the crate compiles without a warning, and the
//! tests that fail are exactly those that `lesson.toml` declares; a wrong answer, the mistake that people
//! really make (`tests/wrong/ID.rs`), fails with words that point at it; solved, every byte is as before.
//! And with all of them blank, solved in their order, each turns its own tests green.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::desk::Desk;
use crate::exercise::Exercise;
use crate::judge::{Judge, Judged, Verdict, Verdicts};
use crate::language::Language;
use crate::lessons::{LESSONS, Lesson};
use crate::workspace::{Place, sources};
use crate::{keep, reference, region};

/// Longer than this and a learner looks at something else: a red test must be red soon.
const SOON: Duration = Duration::from_secs(30);

/// Proves the exercises of this lesson, or of all.
pub fn prove(home: &Path, lesson: Option<u8>) -> Result<String> {
    let home = &home.canonicalize().context("the repository's folder")?;
    let mut faults = vec![];
    let (mut count, start) = (0, Instant::now());
    let copy = copy(home)?;
    for lesson in LESSONS.iter().filter(|known| lesson.is_none_or(|number| known.number == number)) {
        let Ok(desk) = Desk::open(&copy, Language::English, lesson.number) else { continue };
        let target = home.join("target/taller/build");
        let judge = Judge {
            home: &copy,
            package: format!("lesson-{:02}", lesson.number),
            sudo: false,
            target: Some(&target),
        };
        let proof = Proof { desk: &desk, judge };
        for (exercise, proved) in proof.all()? {
            count += 1;
            if let Err(fault) = proved {
                faults.push(format!("{exercise}: {fault:#}"));
            }
        }
    }
    ensure!(faults.is_empty(), "{} of {count} exercises:\n{}", faults.len(), faults.join("\n"));
    Ok(format!("{count} exercises are proved, in {} s\n", start.elapsed().as_secs()))
}

struct Proof<'a> {
    desk: &'a Desk,
    judge: Judge<'a>,
}

impl Proof<'_> {
    fn all(&self) -> Result<Vec<(String, Result<()>)>> {
        let before = bytes(&self.desk.home, self.desk.lesson)?;
        let mut proved = vec![];
        let start = Instant::now();
        // With a wrong digest there is no reference to go on with.
        let texts = self.texts();
        let stop = texts.is_err();
        told(&mut proved, "texts", start, texts);
        if stop {
            return Ok(proved);
        }
        self.compiles_quietly()?;
        let start = Instant::now();
        let whole = self.run()?;
        let green_took = start.elapsed();
        told(&mut proved, "the reference", start, reds(&whole, &BTreeSet::new()));
        for exercise in &self.desk.course.exercises {
            let start = Instant::now();
            told(&mut proved, &exercise.id, start, self.exercise(exercise, &whole, green_took));
            // Whatever came of it, the next one begins with the reference.
            self.put(exercise, &self.desk.reference(exercise)?)?;
        }
        let start = Instant::now();
        let solved = same(&before, &bytes(&self.desk.home, self.desk.lesson)?);
        told(&mut proved, "solved again", start, solved);
        let start = Instant::now();
        told(&mut proved, "one after the other", start, self.in_order());
        for exercise in &self.desk.course.exercises {
            self.put(exercise, &self.desk.reference(exercise)?)?;
        }
        Ok(proved)
    }

    /// What can be seen without a compiler.
    fn texts(&self) -> Result<()> {
        let exercises = &self.desk.course.exercises;
        let mut anchors = BTreeSet::new();
        for path in sources(&self.desk.lesson.source(&self.desk.home))? {
            anchors.extend(region::ids(&fs::read_to_string(path)?).map(str::to_owned));
        }
        let ids: BTreeSet<_> = exercises.iter().map(|exercise| exercise.id.clone()).collect();
        ensure!(ids.len() == exercises.len(), "an id is there twice");
        ensure!(anchors == ids, "anchors in the sources: {anchors:?}; in lesson.toml: {ids:?}");
        let mut changed = vec![];
        for exercise in exercises {
            let digest = reference::digest(self.desk.must_place(exercise)?.lines());
            if digest != exercise.reference {
                changed.push(format!("{}: reference = \"{digest}\"", exercise.id));
            }
        }
        ensure!(changed.is_empty(), "the reference has changed:\n{}", changed.join("\n"));
        for exercise in exercises {
            let place = self.desk.must_place(exercise)?;
            ensure!(exercise.hints.len() == 3, "{}: three hints", exercise.id);
            ensure!(!exercise.tests.is_empty() && !exercise.man.is_empty(), "{}: tests and man", exercise.id);
            let code: Vec<_> = code(place.lines()).collect();
            ensure!((3..=45).contains(&code.len()), "{}: {} lines of code", exercise.id, code.len());
            for language in [Language::English, Language::Spanish] {
                ensure!(
                    !exercise.title.of(language).is_empty(),
                    "{}: a title in both languages",
                    exercise.id
                );
                for hint in &exercise.hints {
                    let hint = hint.of(language);
                    let told = code.iter().filter(|line| line.len() > 12 && hint.contains(**line)).count();
                    ensure!(
                        !hint.is_empty() && told * 2 <= code.len(),
                        "{}: a hint is empty, or the answer",
                        exercise.id
                    );
                }
            }
        }
        Ok(())
    }

    fn exercise(&self, exercise: &Exercise, whole: &Verdicts, green_took: Duration) -> Result<()> {
        self.put(exercise, &self.blank(exercise)?)?;
        self.compiles_quietly()?;
        let start = Instant::now();
        let verdicts = self.run()?;
        let took = start.elapsed();
        let mut declared: BTreeSet<_> = exercise.red().cloned().collect();
        for name in &declared {
            ensure!(whole.contains_key(name), "there is no test {name}");
        }
        for name in &exercise.tests {
            ensure!(whole[name] == Verdict::Green, "{name} can't be run here: nothing is proved");
        }
        // Of those that only stand on it, some are for root alone.
        declared.retain(|name| whole[name] == Verdict::Green);
        reds(&verdicts, &declared)?;
        ensure!(took < green_took + SOON, "the tests took {} s to fail", took.as_secs());
        for name in &exercise.tests {
            let named = matches!(&verdicts[name], Verdict::Red(words) if words.contains(&exercise.id));
            ensure!(named, "{name} fails without naming {}: {:?}", exercise.id, verdicts[name]);
        }
        self.wrong(exercise)
    }

    /// The mistake that people make, and what the tests say of it.
    fn wrong(&self, exercise: &Exercise) -> Result<()> {
        let lesson = self.desk.home.join("lessons").join(self.desk.lesson.folder);
        let path = lesson.join("tests/wrong").join(format!("{}.rs", exercise.id));
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let (first, answer) = text.split_once('\n').unwrap_or_default();
        let Some(expected) = first.strip_prefix("//! The tests say: ") else {
            bail!("{} begins with \"//! The tests say: \"", path.display());
        };
        self.put(exercise, answer)?;
        match self.judge.judge(&exercise.tests)? {
            Judged::NotCompiled(words) => bail!("the wrong answer doesn't compile: {words}"),
            Judged::Ran(verdicts) => {
                let said =
                    |verdict: &Verdict| matches!(verdict, Verdict::Red(words) if words.contains(expected));
                ensure!(
                    verdicts.values().any(said),
                    "no test says {expected:?} of the wrong answer: {verdicts:?}"
                );
            }
        }
        Ok(())
    }

    /// The learner's way: all are blank, and are solved one after the other. Each one's tests are green
    /// as soon as it is, so they may stand on nothing that comes later.
    fn in_order(&self) -> Result<()> {
        for exercise in &self.desk.course.exercises {
            self.put(exercise, &self.blank(exercise)?)?;
        }
        self.compiles_quietly()?;
        for exercise in &self.desk.course.exercises {
            self.put(exercise, &self.desk.reference(exercise)?)?;
            let Judged::Ran(verdicts) = self.judge.judge(&exercise.tests)? else {
                bail!("with {} solved and those after it blank, it doesn't compile", exercise.id);
            };
            reds(&verdicts, &BTreeSet::new())
                .with_context(|| format!("{} is solved, those after it are blank", exercise.id))?;
        }
        Ok(())
    }

    fn blank(&self, exercise: &Exercise) -> Result<String> {
        let reference = self.desk.reference(exercise)?;
        Ok(region::blank(&reference, &exercise.id, exercise.title.of(Language::English), &exercise.uses))
    }

    fn put(&self, exercise: &Exercise, lines: &str) -> Result<()> {
        Place::replace(&self.desk.must_place(exercise)?, lines)
    }

    fn compiles_quietly(&self) -> Result<()> {
        match self.judge.build()? {
            Err(words) => bail!("it doesn't compile: {words}"),
            Ok(programs) => {
                ensure!(!programs.said.contains("warning"), "the compiler warns: {}", programs.said)
            }
        }
        Ok(())
    }

    fn run(&self) -> Result<Verdicts> {
        match self.judge.judge(&[])? {
            Judged::NotCompiled(words) => bail!("it doesn't compile: {words}"),
            Judged::Ran(verdicts) => Ok(verdicts),
        }
    }
}

/// Says at once what came of it: a lesson takes minutes, and whoever waits for it wants to begin mending.
fn told(proved: &mut Vec<(String, Result<()>)>, what: &str, start: Instant, result: Result<()>) {
    let seconds = start.elapsed().as_secs();
    match &result {
        Ok(()) => println!("{what} proved ({seconds} s)"),
        Err(fault) => println!("{what} NOT PROVED ({seconds} s): {fault:#}"),
    }
    let _ = std::io::stdout().flush();
    proved.push((what.to_owned(), result));
}

/// Whether just these are red.
fn reds(verdicts: &Verdicts, expected: &BTreeSet<String>) -> Result<()> {
    let red: BTreeSet<_> = verdicts
        .iter()
        .filter(|(_, verdict)| matches!(verdict, Verdict::Red(_)))
        .map(|(name, _)| name.clone())
        .collect();
    let (more, less): (Vec<_>, Vec<_>) =
        (red.difference(expected).collect(), expected.difference(&red).collect());
    let words = |name: &&String| match &verdicts[*name] {
        Verdict::Red(words) => format!("{name}: {words}"),
        _ => String::new(),
    };
    let more: Vec<_> = more.iter().map(words).collect();
    ensure!(more.is_empty(), "red, and not declared:\n  {}", more.join("\n  "));
    ensure!(less.is_empty(), "declared, and not red: {less:?}");
    Ok(())
}

/// Lines that aren't empty, comments or braces.
fn code(lines: &str) -> impl Iterator<Item = &str> {
    lines
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//") && line.chars().any(char::is_alphanumeric))
}

fn bytes(home: &Path, lesson: &Lesson) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let read = |path: PathBuf| fs::read(&path).map(|bytes| (path, bytes));
    Ok(sources(&lesson.source(home))?.into_iter().map(read).collect::<std::io::Result<_>>()?)
}

fn same(before: &[(PathBuf, Vec<u8>)], after: &[(PathBuf, Vec<u8>)]) -> Result<()> {
    for (old, new) in before.iter().zip(after) {
        ensure!(old == new, "{} is another than before", old.0.display());
    }
    Ok(())
}

/// The tree as it is, without what git ignores, at a place of its own: always the same, so that cargo
/// knows what it has built.
fn copy(home: &Path) -> Result<PathBuf> {
    let copy = home.join("target/taller/tree");
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| format!("removing {}", copy.display()))?;
    }
    let list = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(home)
        .output()
        .context("running git ls-files")?;
    ensure!(list.status.success(), "git ls-files: {}", String::from_utf8_lossy(&list.stderr));
    for name in String::from_utf8_lossy(&list.stdout).split_terminator('\0') {
        let (from, to) = (home.join(name), copy.join(name));
        // Deleted, and git doesn't know yet.
        if !from.is_file() {
            continue;
        }
        fs::create_dir_all(to.parent().unwrap_or(&copy))?;
        fs::copy(&from, &to).with_context(|| format!("copying {}", from.display()))?;
    }
    // Cargo must not take the copy for a part of the workspace around it; it has its own Cargo.toml.
    keep::write(&copy.join(".taller/copy"), "made by cargo taller prove\n")?;
    Ok(copy)
}
