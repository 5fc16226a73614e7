//! Quoted code: every `{{#include}}` must resolve to text that is not empty.

use std::fs;
use std::path::Path;

use super::page::{Include, Page};

/// Checks what `page`, the file at `path`, quotes.
pub fn problems(path: &Path, page: &Page) -> Vec<(usize, String)> {
    let folder = path.parent().unwrap_or(Path::new("."));
    page.includes.iter().filter_map(|include| Some((include.line, problem(folder, include)?))).collect()
}

fn problem(folder: &Path, include: &Include) -> Option<String> {
    let path = &include.path;
    let text = match fs::read_to_string(folder.join(path)) {
        Ok(text) => text,
        Err(error) => return Some(format!("quotes {path}, which can't be read: {error}")),
    };
    let quoted = match include.anchor.as_deref() {
        None => text,
        Some(anchor) if anchor.starts_with(|c: char| c.is_ascii_digit() || c == ':') => {
            return Some(format!("quotes {path} by line numbers, which go stale: use an anchor"));
        }
        Some(anchor) => match anchored(&text, anchor) {
            Some(quoted) => quoted,
            None => {
                return Some(format!(
                    "quotes {path}:{anchor}, but there is no pair of ANCHOR: {anchor} and ANCHOR_END: {anchor}"
                ));
            }
        },
    };
    quoted.trim().is_empty().then(|| format!("what it quotes of {path} is empty"))
}

/// The text between `ANCHOR: name` and `ANCHOR_END: name`, without the marks of others in between.
pub fn anchored(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines();
    lines.find(|line| mark(line, "ANCHOR:") == Some(name))?;
    let mut quoted = String::new();
    for line in lines {
        if mark(line, "ANCHOR_END:") == Some(name) {
            return Some(quoted);
        }
        if mark(line, "ANCHOR:").is_none() && mark(line, "ANCHOR_END:").is_none() {
            quoted.push_str(line);
            quoted.push('\n');
        }
    }
    None
}

/// The name that a mark gives: mdBook takes letters, digits, `_` and `-`.
fn mark<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let rest = line.split_once(word)?.1.trim_start();
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_inside_a_quote_are_left_out_and_do_not_end_it() {
        let text = "// ANCHOR: outer\na\n// ANCHOR: in\nb\n// ANCHOR_END: in\nc\n// ANCHOR_END: outer\nd\n";
        assert_eq!(anchored(text, "outer").as_deref(), Some("a\nb\nc\n"));
        assert_eq!(anchored(text, "in").as_deref(), Some("b\n"));
        assert_eq!(anchored(text, "out"), None, "a name is a whole one");
    }
}
