//! The learner's tree: which region is in which file, and changing it without losing anything.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use crate::exercise::Exercise;
use crate::keep;
use crate::lessons::Lesson;
use crate::region::{self, Broken, Region, State};

/// An exercise's place in the tree.
#[derive(Debug)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// All of it.
    text: String,
    region: Region,
}

/// The tree's answer to where an exercise is.
pub type Found = std::result::Result<Place, Lost>;

/// Why an exercise can't be worked on.
#[derive(Debug)]
pub struct Lost {
    /// The file in which something of it is, if any.
    pub path: Option<PathBuf>,
    /// What is wrong.
    pub why: Broken,
}

impl Place {
    /// Looks for the exercise's anchors in all of the lesson's sources: files are renamed.
    pub fn find(home: &Path, lesson: &Lesson, id: &str) -> Result<Found> {
        let mut lost = Lost { path: None, why: Broken::Gone };
        let mut found = None;
        for path in sources(&lesson.source(home))? {
            let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            match region::find(&text, id) {
                Ok(_) if found.is_some() => {
                    return Ok(Err(Lost { path: Some(path), why: Broken::Mixed }));
                }
                Ok(region) => found = Some(Place { path, text, region }),
                Err(Broken::Gone) => {}
                Err(why) => lost = Lost { path: Some(path), why },
            }
        }
        // A whole pair in one file and half a pair in another: somebody copied, and has to say which.
        Ok(match (found, lost.path.is_some()) {
            (Some(place), false) => Ok(place),
            (Some(_), true) => Err(Lost { why: Broken::Mixed, ..lost }),
            (None, _) => Err(lost),
        })
    }

    /// What stands there now.
    pub fn lines(&self) -> &str {
        self.region.of(&self.text)
    }

    /// The line to open an editor at: the first of the region.
    pub fn line(&self) -> usize {
        self.region.line + 1
    }

    /// `lessons/03-cgroups/src/v2.rs:47`
    pub fn shown(&self, home: &Path) -> String {
        let path = self.path.strip_prefix(home).unwrap_or(&self.path);
        format!("{}:{}", path.display(), self.line())
    }

    /// What it is, beside the reference.
    pub fn state(&self, exercise: &Exercise, reference: &str) -> State {
        region::state(self.lines(), &exercise.id, reference)
    }

    /// Puts other lines there. The file is exchanged whole: a full disk leaves the old one.
    pub fn replace(&self, lines: &str) -> Result<()> {
        // Somebody may have saved in their editor since we looked.
        let now =
            fs::read_to_string(&self.path).with_context(|| format!("reading {}", self.path.display()))?;
        if now != self.text {
            return Err(anyhow!("{} has changed meanwhile; try again", self.path.display()));
        }
        keep::write(&self.path, &self.region.replaced(&self.text, lines))
    }
}

/// All Rust sources below a folder, in the order of their names.
pub fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![];
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
