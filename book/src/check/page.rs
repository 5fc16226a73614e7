//! A page as the gate sees it: its headings, what it quotes and shows, where it links to.

use crate::{expand, picture};

/// What stands in a page, in its order. Lines are counted from 1.
#[derive(Debug, Default)]
pub struct Page {
    /// All of it, as it was written.
    pub text: String,
    pub headings: Vec<Heading>,
    pub includes: Vec<Include>,
    /// Those of entries are the entries' own.
    pub links: Vec<Link>,
    pub pictures: Vec<Picture>,
    pub entries: Vec<Entry>,
    /// `{{#exercise ex-03-2}}`: the line, and the id.
    pub exercises: Vec<(usize, String)>,
    /// `{{#difference 02-chroot 03-cgroups}}`: the line, and the two lessons.
    pub differences: Vec<(usize, String)>,
    /// What is folded away, `<details>`, and notes, `> [!NOTE]`: the line, and which of them.
    pub asides: Vec<(usize, String)>,
    /// The line at which a code block begins that nothing ends.
    pub unclosed: Option<usize>,
    /// For SUMMARY.md: each entry's depth and what it is, without its text.
    pub outline: Vec<String>,
}

/// A heading, `## Its text {#its-id}`.
#[derive(Debug)]
pub struct Heading {
    pub line: usize,
    pub level: usize,
    /// The explicit id: headings are translated, ids are not.
    pub id: Option<String>,
}

/// `{{#include path:anchor}}`.
#[derive(Debug)]
pub struct Include {
    pub line: usize,
    pub path: String,
    /// What follows the path; mdBook allows line numbers, too.
    pub anchor: Option<String>,
}

/// `[text](target)`.
#[derive(Debug)]
pub struct Link {
    pub line: usize,
    pub target: String,
}

/// `![alt](target)` on a line of its own.
#[derive(Debug)]
pub struct Picture {
    pub line: usize,
    pub alt: String,
    pub target: String,
}

/// A glossary's entry, `- <a id="layer"></a>**layer** (*capa*): what it is`.
#[derive(Debug)]
pub struct Entry {
    pub line: usize,
    pub id: String,
    /// The term in the page's language, and in the other one; where both are the same, it stands there once.
    pub term: String,
    pub pair: String,
    pub links: Vec<String>,
}

impl Page {
    /// Reads a page. This knows as much Markdown as the gate needs; the book keeps to it.
    pub fn read(text: &str) -> Page {
        let mut page = Page { text: text.to_owned(), ..Page::default() };
        let mut fence: Option<(usize, String)> = None;
        for (line, text) in (1..).zip(text.lines()) {
            page.includes.extend(include_of(line, text));
            let start = text.trim_start();
            let ticks: String = start.chars().take_while(|&c| c == '`').collect();
            match &fence {
                Some((_, open)) if ticks.len() >= open.len() && start.trim_end() == ticks => fence = None,
                Some(_) => {}
                None if ticks.len() >= 3 => fence = Some((line, ticks)),
                None => page.read_prose(line, text),
            }
        }
        page.unclosed = fence.map(|(line, _)| line);
        page
    }

    fn read_prose(&mut self, line: usize, text: &str) {
        if let Some((alt, target)) = picture::of_line(text) {
            let (alt, target) = (alt.to_owned(), target.to_owned());
            self.pictures.push(Picture { line, alt, target });
            return;
        }
        if let Some(entry) = entry_of(line, text) {
            self.entries.push(entry);
            return;
        }
        self.exercises.extend(expand::notation(text, "exercise").map(|id| (line, id.to_owned())));
        self.differences.extend(expand::notation(text, "difference").map(|two| (line, two.to_owned())));
        self.asides.extend(aside_of(text).map(|aside| (line, aside.to_owned())));
        let level = text.chars().take_while(|&c| c == '#').count();
        if (1..=6).contains(&level) && text[level..].starts_with(' ') {
            self.headings.push(Heading { line, level, id: id_of(text) });
        }
        let links = link_targets(&without_code(text));
        let depth = text.len() - text.trim_start().len();
        match (links.first(), text.trim()) {
            (Some(target), _) => self.outline.push(format!("{depth} {target}")),
            (None, "") => {}
            (None, "---") => self.outline.push("---".to_owned()),
            (None, _) => self.outline.push(format!("{} part", "#".repeat(level))),
        }
        self.links.extend(links.into_iter().map(|target| Link { line, target }));
    }

    /// What is wrong with the page taken by itself: the line, and what.
    pub fn problems(&self, is_summary: bool) -> Vec<(usize, String)> {
        let mut problems = Vec::new();
        // What a merge leaves where both sides changed the same: mdBook would print it.
        for (line, text) in (1..).zip(self.text.lines()) {
            if text.starts_with("<<<<<<< ") || text.starts_with(">>>>>>> ") {
                problems.push((line, "a conflict of a merge, to be resolved".to_owned()));
            }
        }
        if let Some(line) = self.unclosed {
            problems.push((line, "this code block is never closed".to_owned()));
        }
        let mut seen: Vec<&str> = Vec::new();
        for heading in &self.headings {
            match heading.id.as_deref() {
                Some(id) if seen.contains(&id) => {
                    problems.push((heading.line, format!("a second heading {{#{id}}}")))
                }
                Some(id) => seen.push(id),
                // SUMMARY.md's headings name parts, and mdBook gives those no id.
                None if !is_summary => {
                    problems.push((heading.line, "a heading without an explicit {#id}".to_owned()));
                }
                None => {}
            }
        }
        problems
    }
}

fn id_of(heading: &str) -> Option<String> {
    let (_, id) = heading.trim_end().strip_suffix('}')?.rsplit_once("{#")?;
    (!id.is_empty()).then(|| id.to_owned())
}

fn entry_of(line: usize, text: &str) -> Option<Entry> {
    let (id, rest) = text.strip_prefix("- <a id=\"")?.split_once("\"></a>**")?;
    let (term, rest) = rest.split_once("**")?;
    let (pair, rest) = match rest.strip_prefix(": ") {
        Some(rest) => (term, rest),
        None => rest.strip_prefix(" (*")?.split_once("*): ")?,
    };
    let links = link_targets(&without_code(rest));
    Some(Entry { line, id: id.to_owned(), term: term.to_owned(), pair: pair.to_owned(), links })
}

fn include_of(line: usize, text: &str) -> Option<Include> {
    let (before, rest) = text.split_once("{{#include ").or_else(|| text.split_once("{{#rustdoc_include "))?;
    // A backslash in front makes mdBook show the words themselves.
    if before.ends_with('\\') {
        return None;
    }
    let (inside, _) = rest.split_once("}}")?;
    let (path, anchor) = match inside.trim().split_once(':') {
        Some((path, anchor)) => (path, Some(anchor.to_owned())),
        None => (inside.trim(), None),
    };
    Some(Include { line, path: path.to_owned(), anchor })
}

/// What begins or ends something folded away, or a note (`> [!NOTE]`).
fn aside_of(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let folded = ["<details>", "</details>"].into_iter().find(|tag| text.starts_with(tag));
    folded.or_else(|| Some(text.strip_prefix("> [!")?.split_once(']')?.0))
}

/// The line with what stands between backticks taken out.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

fn link_targets(line: &str) -> Vec<String> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect()
}
