//! `lessons/NN/lesson.toml`: the exercises of a lesson, and what `canoa` gains by it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::unistd::geteuid;
use serde::Deserialize;

use crate::language::Language;
use crate::lessons::Lesson;

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    en: String,
    es: String,
}

impl Words {
    /// The one of this language.
    pub fn of(&self, language: Language) -> &str {
        language.pick(&self.en, &self.es).trim()
    }
}

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Course {
    /// What `canoa` does with the learner's code once all is green.
    pub gain: Words,
    /// The command that shows it.
    pub see: String,
    /// In the order in which they are done.
    #[serde(rename = "exercise")]
    pub exercises: Vec<Exercise>,
}

/// One exercise.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exercise {
    /// `ex-03-2`: it never changes, whatever happens to names and files around it.
    pub id: String,
    /// What is to be written, in a few words.
    pub title: Words,
    /// How long it takes, roughly.
    pub minutes: u32,
    /// The tests that judge it, as cargo prints them.
    pub tests: Vec<String>,
    /// Other tests of the lesson that stand on it, and fail with it.
    #[serde(default)]
    pub breaks: Vec<String>,
    /// And these as well where the learner isn't root: then every container stands on id maps.
    #[serde(default)]
    pub breaks_without_root: Vec<String>,
    /// Those that do so only on a machine with the first version of cgroups, or a hybrid one.
    #[serde(default)]
    pub breaks_v1: Vec<String>,
    /// Those that do so only on a machine with the second version alone.
    #[serde(default)]
    pub breaks_v2: Vec<String>,
    /// What only the answer uses, as expressions: the blank mentions it, or the compiler would.
    #[serde(default)]
    pub uses: String,
    /// What to read: `clone(2)`.
    pub man: Vec<String>,
    /// The reference's text, as the first digits of its SHA-256: by it, it is found in git's history.
    pub reference: String,
    /// Three, from a nudge to nearly the answer.
    #[serde(rename = "hint")]
    pub hints: Vec<Words>,
}

impl Exercise {
    /// All tests that fail while it is blank, for whoever runs them, on this machine.
    pub fn red(&self) -> impl Iterator<Item = &String> {
        let by_user = if geteuid().is_root() { &[][..] } else { &self.breaks_without_root };
        // A file that only the top of the second version's tree has, where everybody mounts it.
        let v2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
        let by_version = if v2 { &self.breaks_v2 } else { &self.breaks_v1 };
        self.tests.iter().chain(&self.breaks).chain(by_user).chain(by_version)
    }
}

impl Course {
    /// Reads a lesson's file. Lessons without one have no exercises.
    pub fn read(home: &Path, lesson: &Lesson) -> Result<Option<Course>> {
        let path = home.join("lessons").join(lesson.folder).join("lesson.toml");
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.with_context(|| format!("reading {}", path.display()))?,
        };
        let course: Course = toml::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
        let prefix = format!("ex-{:02}-", lesson.number);
        for exercise in &course.exercises {
            ensure!(
                exercise.id.starts_with(&prefix),
                "{}: {} is no id of this lesson",
                path.display(),
                exercise.id
            );
        }
        Ok(Some(course))
    }

    /// The exercise of which these words speak, as a test's do: `ex-03-4: …`.
    pub fn named_in(&self, words: &str) -> Option<&Exercise> {
        let place = |exercise: &Exercise| words.find(&format!("{}:", exercise.id));
        let named = self.exercises.iter().filter_map(|exercise| Some((place(exercise)?, exercise)));
        named.min_by_key(|(place, _)| *place).map(|(_, exercise)| exercise)
    }

    /// The exercise with this id.
    pub fn exercise(&self, id: &str) -> Option<&Exercise> {
        self.exercises.iter().find(|exercise| exercise.id == id)
    }
}
