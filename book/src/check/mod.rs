//! The gate: what must hold of the two books before anybody reads them.
//!
//! mdBook itself is lenient: a missing anchor becomes an empty block, a broken link stays a link, and it
//! exits with 0. So everything is checked here, on the Markdown as it was written.

mod chapter;
mod glossary;
mod include;
mod link;
mod lock;
mod page;
mod parity;
mod picture;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::language::{LANGUAGES, Language};
use page::Page;

/// Something that is wrong with a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The page, from the book's folder on: `es/src/glossary.md`.
    pub page: PathBuf,
    /// The line, counted from 1; 0 where it is the whole page.
    pub line: usize,
    /// What is wrong, and where it helps, how it would be right.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.page.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.what)
    }
}

/// The page that lists the others: it is mdBook's table of contents.
const SUMMARY: &str = "SUMMARY.md";

/// One language's tree: its pages by their name in `src/`.
struct Tree {
    /// `en/src` or `es/src`.
    folder: PathBuf,
    pages: BTreeMap<PathBuf, Page>,
}

/// Checks the books in the folder `book` (which holds `en` and `es`); an empty answer means all is well.
///
/// # Errors
/// Only if the pages can't be read at all.
pub fn check(book: &Path) -> Result<Vec<Problem>> {
    let home = book.parent().unwrap_or(book);
    let trees = read_trees(book)?;
    let mut problems = Vec::new();
    for tree in &trees {
        for (name, page) in &tree.pages {
            let path = tree.folder.join(name);
            let found = [
                page.problems(name == Path::new(SUMMARY)),
                include::problems(home, &book.join(&path), page),
                picture::problems(&book.join(&path), page),
                glossary::problems(page),
                link::problems(tree, name, page),
                chapter::problems(home, name, page),
            ];
            problems.extend(found.into_iter().flatten().map(|(line, what)| Problem {
                page: path.clone(),
                line,
                what,
            }));
        }
    }
    let [first, second] = &trees;
    problems.extend(parity::problems(book, first, second));
    problems.extend(lock::problems(book, first, second)?);
    Ok(problems)
}

/// Writes down that both languages say the same as they are now. Returns the sections that are new.
///
/// # Errors
/// If the pages can't be read, or the lock can't be written.
pub fn accept(book: &Path) -> Result<Vec<String>> {
    let [first, second] = read_trees(book)?;
    lock::accept(book, &first, &second)
}

fn read_trees(book: &Path) -> Result<[Tree; 2]> {
    let read = |language: Language| {
        let folder = Path::new(language.code).join("src");
        anyhow::Ok(Tree { pages: read_pages(&book.join(&folder))?, folder })
    };
    let [first, second] = LANGUAGES;
    Ok([read(first)?, read(second)?])
}

fn read_pages(folder: &Path) -> Result<BTreeMap<PathBuf, Page>> {
    let mut pages = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        let reading = || format!("reading the pages in {}", current.display());
        for entry in fs::read_dir(&current).with_context(reading)? {
            let path = entry.with_context(reading)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let text =
                    fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
                pages.insert(path.strip_prefix(folder).unwrap_or(&path).to_owned(), Page::read(&text));
            }
        }
    }
    Ok(pages)
}

#[cfg(test)]
mod tests;
