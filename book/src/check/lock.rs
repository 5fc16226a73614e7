//! The lock, `book/lock.toml`: which text of one language belongs to which of the other.
//!
//! It has the digests of each section's two texts. Who changes one of them changes its twin, too, and
//! then says so by `cargo run -p book -- accept`, which shows in the diff. Until then the gate is red.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use workshop::reference::digest;

use super::page::Page;
use super::{Problem, Tree};

/// The file, in the book's folder.
const FILE: &str = "lock.toml";

const HEAD: &str = "\
# Which texts of the two languages say the same, section by section: their digests.
# Written by `cargo run -p book -- accept`, once both say it.
";

/// The digests of a section's two texts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    en: String,
    es: String,
}

/// By page, and by section.
type Lock = BTreeMap<String, BTreeMap<String, Pair>>;

/// A section as it is now.
struct Section {
    id: String,
    /// Its heading's line in either language.
    lines: [usize; 2],
    pair: Pair,
}

/// Where the pages aren't as they were accepted.
///
/// # Errors
/// If the lock can't be read.
pub fn problems(book: &Path, first: &Tree, second: &Tree) -> Result<Vec<Problem>> {
    let lock = read(book)?;
    let mut problems = Vec::new();
    for (name, page) in &first.pages {
        let Some(twin) = second.pages.get(name) else { continue };
        let known = lock.get(&*name.to_string_lossy()).cloned().unwrap_or_default();
        let sections = sections(page, twin);
        let mut both = Vec::new();
        for section in &sections {
            let Section { id, lines, pair } = section;
            let changed = known.get(id).map(|old| (old.en != pair.en, old.es != pair.es));
            let (tree, line, other) = match changed {
                Some((false, false)) => continue,
                Some((true, false)) => (first, lines[0], second),
                Some((false, true)) => (second, lines[1], first),
                Some((true, true)) | None => {
                    both.push(id.as_str());
                    continue;
                }
            };
            let what = format!(
                "{{#{id}}} has changed, and {} hasn't: change it, too; then cargo run -p book -- accept",
                other.folder.join(name).display()
            );
            problems.push(Problem { page: tree.folder.join(name), line, what });
        }
        both.extend(known.keys().map(String::as_str).filter(|id| sections.iter().all(|s| s.id != *id)));
        if !both.is_empty() {
            let what = format!(
                "new or changed in both languages: {}. If both say the same: cargo run -p book -- accept",
                both.join(", ")
            );
            problems.push(Problem { page: name.clone(), line: 0, what });
        }
    }
    let gone = |page: &&String| !first.pages.contains_key(Path::new(page));
    problems.extend(lock.keys().filter(gone).map(|page| {
        let what = "is gone, and still in lock.toml: cargo run -p book -- accept".to_owned();
        Problem { page: page.into(), line: 0, what }
    }));
    Ok(problems)
}

/// Writes the lock for the pages as they are now. Returns the sections whose pair is new.
///
/// # Errors
/// If it can't be read or written.
pub fn accept(book: &Path, first: &Tree, second: &Tree) -> Result<Vec<String>> {
    let lock = read(book)?;
    let mut text = HEAD.to_owned();
    let mut new = Vec::new();
    for (name, page) in &first.pages {
        let Some(twin) = second.pages.get(name) else { continue };
        let name = name.to_string_lossy();
        let sections = sections(page, twin);
        if sections.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n[{name:?}]");
        for Section { id, pair, .. } in sections {
            let _ = writeln!(text, "{id} = {{ en = {:?}, es = {:?} }}", pair.en, pair.es);
            if lock.get(&*name).and_then(|page| page.get(&id)) != Some(&pair) {
                new.push(format!("{name}#{id}"));
            }
        }
    }
    let path = book.join(FILE);
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    Ok(new)
}

fn read(book: &Path) -> Result<Lock> {
    let path = book.join(FILE);
    let doing = || format!("reading {} (cargo run -p book -- accept writes it)", path.display());
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Lock::new()),
        other => toml::from_str(&other.with_context(doing)?).with_context(doing),
    }
}

/// The sections that both pages have. Others are a matter of parity.
fn sections(page: &Page, twin: &Page) -> Vec<Section> {
    let (english, spanish) = (texts(page), texts(twin));
    let pair = |(line, id, en): (usize, &str, String)| {
        let (other, _, es) = spanish.iter().find(|(_, other, _)| *other == id)?;
        let pair = Pair { en, es: es.clone() };
        Some(Section { id: id.to_owned(), lines: [line, *other], pair })
    };
    english.into_iter().filter_map(pair).collect()
}

/// Each section's first line, id and digest. A section ends where the next heading of any level stands.
fn texts(page: &Page) -> Vec<(usize, &str, String)> {
    let lines: Vec<&str> = page.text.lines().collect();
    let ends = page.headings.iter().skip(1).map(|next| next.line - 1).chain([lines.len()]);
    let mut texts: Vec<(usize, &str, String)> = Vec::new();
    for (heading, end) in page.headings.iter().zip(ends) {
        // An id that is there twice is a problem of its page.
        if let Some(id) = &heading.id
            && texts.iter().all(|(_, known, _)| known != id)
        {
            texts.push((heading.line, id.as_str(), digest(&lines[heading.line - 1..end].join("\n"))));
        }
    }
    texts
}
