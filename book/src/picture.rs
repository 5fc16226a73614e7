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

/// `page` with its pictures in it; they are looked for in `folder`, the page's own.
///
/// # Errors
/// If a picture can't be read.
pub fn put_in(page: &str, folder: &Path) -> Result<String> {
    let mut whole = String::with_capacity(page.len());
    let mut in_code = false;
    for line in page.lines() {
        in_code ^= line.trim_start().starts_with("```");
        match of_line(line).filter(|_| !in_code) {
            Some((_, target)) => {
                let path = folder.join(target);
                let svg = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
                whole.push_str(&as_block(&svg));
            }
            None => whole.push_str(line),
        }
        whole.push('\n');
    }
    Ok(whole)
}

/// To Markdown a `<div>` opens a block of HTML, which goes on until the first empty line.
fn as_block(svg: &str) -> String {
    let lines: Vec<&str> = svg.lines().filter(|line| !line.trim().is_empty()).collect();
    format!("\n<div class=\"picture\">\n{}\n</div>\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_stands_in_the_page_and_code_stays_as_it_is() {
        let folder = std::env::temp_dir().join(format!("canoa-picture-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.svg"), "<svg>\n\n<path/>\n</svg>\n").unwrap();
        let page = "One\n\n![A](a.svg)\n\n```md\n![A](a.svg)\n```\n";
        let whole = put_in(page, &folder).unwrap();
        assert_eq!(
            whole,
            "One\n\n\n<div class=\"picture\">\n<svg>\n<path/>\n</svg>\n</div>\n\n\n```md\n![A](a.svg)\n```\n"
        );
        assert!(put_in("![B](b.svg)", &folder).is_err(), "a picture that is missing isn't left out silently");
        fs::remove_dir_all(folder).unwrap();
    }
}
