//! The six lessons: where each one is, and how to run it.

use std::path::{Path, PathBuf};

use crate::language::Language;

/// A lesson.
#[derive(Debug)]
pub struct Lesson {
    /// Its number, from 1.
    pub number: u8,
    /// Its folder below `lessons/`; the book's page is called the same.
    pub folder: &'static str,
    english: &'static str,
    spanish: &'static str,
    /// What to pass to its program in order to see what it teaches.
    pub see: &'static str,
}

/// All of them, in their order.
pub const LESSONS: [Lesson; 6] = [
    Lesson {
        number: 1,
        folder: "01-namespaces",
        english: "Namespaces",
        spanish: "Espacios de nombres",
        see: "run sh",
    },
    Lesson {
        number: 2,
        folder: "02-chroot",
        english: "A file system of its own",
        spanish: "Un sistema de archivos propio",
        see: "run sh",
    },
    Lesson {
        number: 3,
        folder: "03-cgroups",
        english: "Limits",
        spanish: "Límites",
        see: "run --memory 64m sh",
    },
    Lesson { number: 4, folder: "04-images", english: "Images", spanish: "Imágenes", see: "run base sh" },
    Lesson { number: 5, folder: "05-network", english: "The network", spanish: "La red", see: "run base sh" },
    Lesson { number: 6, folder: "06-cli", english: "The tool", spanish: "La herramienta", see: "--help" },
];

impl Lesson {
    /// Its sources.
    pub fn source(&self, home: &Path) -> PathBuf {
        home.join("lessons").join(self.folder).join("src")
    }

    /// Its title.
    pub fn title(&self, language: Language) -> &'static str {
        language.pick(self.english, self.spanish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lesson_is_where_the_list_says_in_both_languages() {
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for lesson in &LESSONS {
            let manifest = home.join("lessons").join(lesson.folder).join("Cargo.toml");
            let manifest = std::fs::read_to_string(manifest).unwrap();
            assert!(manifest.contains(&format!("name = \"lesson-0{}\"", lesson.number)));
            for code in ["en", "es"] {
                assert!(home.join(format!("book/{code}/src/{}.md", lesson.folder)).is_file());
            }
        }
    }
}
