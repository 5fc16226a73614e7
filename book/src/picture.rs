//! Pictures: SVG files beside the pages, which the build puts into the page itself.
//!
//! A page names its picture as Markdown does, `![Title](pictures/NAME.svg)` on a line of its own, so that
//! whoever reads the Markdown sees it too. A browser that gets it as `<img>` keeps the page's colours out
//! of it; as part of the page it takes them on, whatever the theme. `book/PICTURES.md` says the rest.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Reads a line that is a picture of ours and nothing else: its alternative text, and the file.
pub fn of_line(line: &str) -> Option<(&str, &str)> {
    let (alt, target) = line.trim().strip_prefix("![")?.strip_suffix(')')?.split_once("](")?;
    (target.ends_with(".svg") && !target.contains("://")).then_some((alt, target))
}

/// The picture at `path` as a block of HTML. To Markdown a `<div>` opens one, which goes on until the first
/// empty line.
///
/// # Errors
/// If it can't be read.
pub fn as_block(path: &Path) -> Result<String> {
    let svg = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let lines: Vec<&str> = svg.lines().filter(|line| !line.trim().is_empty()).collect();
    Ok(format!("\n<div class=\"picture\">\n{}\n</div>\n", lines.join("\n")))
}
