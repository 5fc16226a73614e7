//! Parity: what must be the same in both languages, page by page and in the same order.

use std::fmt::Display;
use std::path::Path;

use super::page::Page;
use super::{Problem, SUMMARY, Tree, glossary, picture};
use crate::transcript::read::{Transcript, transcripts};

/// Compares two trees in the folder `book`.
pub fn problems(book: &Path, first: &Tree, second: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (here, there) in [(first, second), (second, first)] {
        for name in here.pages.keys().filter(|name| !there.pages.contains_key(*name)) {
            let what = format!("has no twin {}", there.folder.join(name).display());
            problems.push(Problem { page: here.folder.join(name), line: 0, what });
        }
    }
    for (name, page) in &first.pages {
        if let Some(twin) = second.pages.get(name) {
            let there = second.folder.join(name);
            problems.extend(
                differences(name, page, twin, &first.folder.join(name).display())
                    .into_iter()
                    .chain(glossary::differences(page, twin))
                    .chain(redrawn(page, twin, &book.join(&first.folder), &book.join(&second.folder)))
                    .map(|(line, what)| Problem { page: there.clone(), line, what }),
            );
        }
    }
    problems
}

/// Pictures that differ in more than their words.
fn redrawn(first: &Page, second: &Page, here: &Path, there: &Path) -> Vec<(usize, String)> {
    let both = first.pictures.iter().zip(&second.pictures);
    both.filter(|(a, b)| {
        a.target == b.target && picture::differ(&here.join(&a.target), &there.join(&b.target))
    })
    .map(|(_, b)| (b.line, format!("{} is drawn otherwise than in the other language", b.target)))
    .collect()
}

/// Where the second page departs from the first; the line is the second's.
fn differences(name: &Path, first: &Page, second: &Page, twin: &impl Display) -> Vec<(usize, String)> {
    let headings = |page: &Page| -> Vec<(usize, String)> {
        let shown = |id: &Option<String>| id.as_ref().map(|id| format!(" {{#{id}}}")).unwrap_or_default();
        page.headings
            .iter()
            .map(|h| (h.line, format!("heading {}{}", "#".repeat(h.level), shown(&h.id))))
            .collect()
    };
    let includes = |page: &Page| -> Vec<(usize, String)> {
        let shown = |anchor: &Option<String>| anchor.as_ref().map(|a| format!(":{a}")).unwrap_or_default();
        page.includes.iter().map(|i| (i.line, format!("include {}{}", i.path, shown(&i.anchor)))).collect()
    };
    let links = |page: &Page| -> Vec<(usize, String)> {
        page.links.iter().map(|l| (l.line, format!("link to {}", l.target))).collect()
    };
    let pictures = |page: &Page| -> Vec<(usize, String)> {
        page.pictures.iter().map(|p| (p.line, format!("picture {}", p.target))).collect()
    };
    let exercises = |page: &Page| named("exercise", &page.exercises);
    let differences = |page: &Page| named("difference", &page.differences);
    let asides = |page: &Page| named("aside", &page.asides);
    let outline = |page: &Page| -> Vec<(usize, String)> {
        page.outline.iter().map(|entry| (0, format!("entry {entry}"))).collect()
    };
    let mut problems = Vec::new();
    let mut compare = |first: Vec<(usize, String)>, second: Vec<(usize, String)>| {
        problems.extend(first_difference(&first, &second, twin));
    };
    compare(headings(first), headings(second));
    compare(includes(first), includes(second));
    compare(links(first), links(second));
    compare(pictures(first), pictures(second));
    compare(exercises(first), exercises(second));
    compare(differences(first), differences(second));
    compare(asides(first), asides(second));
    // One that is malformed is a problem of its page.
    if let (Ok(first), Ok(second)) = (transcripts(&first.text), transcripts(&second.text)) {
        compare(shown(&first), shown(&second));
    }
    if name == Path::new(SUMMARY) {
        compare(outline(first), outline(second));
    }
    problems
}

fn named(what: &str, list: &[(usize, String)]) -> Vec<(usize, String)> {
    list.iter().map(|(line, name)| (*line, format!("{what} {name}"))).collect()
}

/// Transcripts are the same to the byte: they are what a machine says.
fn shown(list: &[Transcript]) -> Vec<(usize, String)> {
    let text = |one: &Transcript| {
        let lines: Vec<&str> = one.text.lines().collect();
        format!("transcript {:?}", lines.join(" ⏎ "))
    };
    list.iter().map(|one| (one.line, text(one))).collect()
}

/// Only the first difference: what follows it is mostly its consequence.
fn first_difference(
    first: &[(usize, String)],
    second: &[(usize, String)],
    twin: &impl Display,
) -> Option<(usize, String)> {
    for at in 0..first.len().max(second.len()) {
        match (first.get(at), second.get(at)) {
            (Some((_, a)), Some((_, b))) if a == b => {}
            (Some((line, a)), Some((here, b))) => {
                return Some((*here, format!("{b}, where {twin}:{line} has {a}")));
            }
            (Some((line, a)), None) => return Some((0, format!("lacks the {a} of {twin}:{line}"))),
            (None, Some((here, b))) => return Some((*here, format!("{b}, which {twin} lacks"))),
            (None, None) => {}
        }
    }
    None
}
