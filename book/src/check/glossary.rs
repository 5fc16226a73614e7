//! Glossaries: the same terms in both languages, each under its own language's alphabet.
//!
//! An entry is one item of a list, `- <a id="layer"></a>**layer** (*capa*): what it is`. Its id is the same
//! in both languages, so that pages can link to it; its place is not, since *capa* begins with a c.

use super::page::{Entry, Page};

/// Checks the entries of a page by themselves: the line, and what.
pub fn problems(page: &Page) -> Vec<(usize, String)> {
    let mut problems = Vec::new();
    for (at, entry) in page.entries.iter().enumerate() {
        let taken = page.headings.iter().any(|heading| heading.id.as_deref() == Some(&entry.id));
        if taken || page.entries[..at].iter().any(|other| other.id == entry.id) {
            problems.push((entry.line, format!("a second place with the id {:?}", entry.id)));
        }
        if at > 0 && sorted_by(&page.entries[at - 1]) > sorted_by(entry) {
            let before = &page.entries[at - 1].term;
            problems
                .push((entry.line, format!("{} comes after {before}: the list is alphabetical", entry.term)));
        }
    }
    problems
}

/// Where the second page's entries depart from the first's; the line is the second's.
pub fn differences(first: &Page, second: &Page) -> Vec<(usize, String)> {
    let mut problems = Vec::new();
    let find = |page: &Page, id: &str| page.entries.iter().position(|entry| entry.id == id);
    for entry in &second.entries {
        let Some(twin) = find(first, &entry.id).map(|at| &first.entries[at]) else {
            problems.push((entry.line, format!("the entry {:?}, which the other language lacks", entry.id)));
            continue;
        };
        if (&twin.term, &twin.pair) != (&entry.pair, &entry.term) {
            let (term, pair) = (&entry.term, &entry.pair);
            problems.push((
                entry.line,
                format!("{term} ({pair}), where the other language has {} ({})", twin.term, twin.pair),
            ));
        }
        if twin.links != entry.links {
            problems.push((entry.line, format!("{} links elsewhere than in the other language", entry.term)));
        }
    }
    for entry in first.entries.iter().filter(|entry| find(second, &entry.id).is_none()) {
        problems.push((0, format!("lacks the entry {:?}", entry.id)));
    }
    problems
}

/// What the alphabet goes by: letters without their accents; ñ comes after all of n.
fn sorted_by(entry: &Entry) -> String {
    let mut key = String::new();
    for letter in entry.term.to_lowercase().chars() {
        match letter {
            'á' => key.push('a'),
            'é' => key.push('e'),
            'í' => key.push('i'),
            'ó' => key.push('o'),
            'ú' | 'ü' => key.push('u'),
            'ñ' => key.push_str("n~"),
            ' ' => key.push(' '),
            letter if letter.is_alphanumeric() => key.push(letter),
            _ => {}
        }
    }
    key
}
