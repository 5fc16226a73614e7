//! Links: each that stays inside the book leads to a page that exists, and to a heading, an entry or an
//! exercise in it.

use std::path::{Component, Path, PathBuf};

use super::Tree;
use super::page::Page;

/// Checks the links of `page`, called `name` in `tree`. Links to other sites are not followed: the gate
/// needs no network.
pub fn problems(tree: &Tree, name: &Path, page: &Page) -> Vec<(usize, String)> {
    let of_entries = page.entries.iter().flat_map(|entry| entry.links.iter().map(|link| (entry.line, link)));
    page.links
        .iter()
        .map(|link| (link.line, &link.target))
        .chain(of_entries)
        .filter(|(_, target)| !is_external(target))
        .filter_map(|(line, target)| Some((line, problem(tree, name, target)?)))
        .collect()
}

fn is_external(target: &str) -> bool {
    ["https://", "http://", "mailto:"].iter().any(|scheme| target.starts_with(scheme))
}

fn problem(tree: &Tree, name: &Path, target: &str) -> Option<String> {
    let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
    let wanted = if path.is_empty() { Some(name.to_owned()) } else { beside(name, path) };
    let Some(page) = wanted.and_then(|wanted| tree.pages.get(&wanted)) else {
        return Some(format!("links to {target}, and there is no such page"));
    };
    let found = fragment.is_empty()
        || page.headings.iter().any(|heading| heading.id.as_deref() == Some(fragment))
        || page.exercises.iter().any(|(_, id)| id == fragment)
        || page.entries.iter().any(|entry| entry.id == fragment);
    (!found).then(|| format!("links to {target}, and that page has no heading {{#{fragment}}}"))
}

/// The page that `path` means in a link on the page `from`; none where it leaves the book.
fn beside(from: &Path, path: &str) -> Option<PathBuf> {
    let mut whole = from.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(part) => whole.push(part),
            Component::CurDir => {}
            Component::ParentDir if whole.pop() => {}
            _ => return None,
        }
    }
    Some(whole)
}
