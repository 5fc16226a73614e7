//! Pictures: each exists, tells a screen reader what it shows, follows the theme, can be read on a
//! telephone, and is drawn alike in both languages.

use std::fs;
use std::path::Path;

use super::page::Page;

/// The widest drawing that, on a screen of 360 pixels, still has letters of a readable size.
const WIDEST: f64 = 360.0;
/// The smallest letters, in units of the drawing.
const SMALLEST: f64 = 11.0;

/// Checks the pictures of `page`, the file at `path`.
pub fn problems(path: &Path, page: &Page) -> Vec<(usize, String)> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut problems = Vec::new();
    for picture in &page.pictures {
        let target = &picture.target;
        match fs::read_to_string(folder.join(target)) {
            Ok(svg) => problems.extend(
                defects(&svg, target, &picture.alt)
                    .into_iter()
                    .map(|what| (picture.line, format!("{target} {what}"))),
            ),
            Err(error) => {
                problems.push((picture.line, format!("shows {target}, which can't be read: {error}")))
            }
        }
    }
    problems
}

fn defects(svg: &str, target: &str, alt: &str) -> Vec<String> {
    let mut defects = Vec::new();
    let name = Path::new(target).file_stem().unwrap_or_default().to_string_lossy();
    let (title, desc) = (format!("picture-{name}-title"), format!("picture-{name}-desc"));
    for wanted in [r#"role="img""#.to_owned(), format!(r#"aria-labelledby="{title} {desc}""#)] {
        if !svg.contains(&wanted) {
            defects.push(format!("lacks {wanted}"));
        }
    }
    for (tag, id) in [("title", &title), ("desc", &desc)] {
        if between(svg, &format!("<{tag} id=\"{id}\">"), "<").is_none_or(|text| text.trim().is_empty()) {
            defects.push(format!("lacks the words in <{tag} id=\"{id}\">, which screen readers say"));
        }
    }
    if between(svg, &format!("<title id=\"{title}\">"), "<").is_some_and(|words| words != alt) {
        defects.push(format!("has another title than the page gives it, {alt:?}"));
    }
    for value in ["fill", "stroke"].iter().flat_map(|name| values(svg, name)) {
        if !["none", "currentColor"].contains(&value) {
            defects.push(format!(
                "has the colour {value:?}, which does not follow the theme: currentColor does"
            ));
        }
    }
    if values(svg, "font-size").iter().any(|size| size.parse().is_ok_and(|size: f64| size < SMALLEST)) {
        defects.push(format!("has letters smaller than {SMALLEST}, too small on a telephone"));
    }
    let width = values(svg, "viewBox").first().and_then(|view| view.split(' ').nth(2)?.parse::<f64>().ok());
    if width.is_none_or(|width| width > WIDEST) {
        defects.push(format!("needs a viewBox at most {WIDEST} wide, or it is too small on a telephone"));
    }
    defects
}

/// The drawing without its words: what must be the same in both languages.
fn shape(svg: &str) -> String {
    let mut shape = String::new();
    let mut rest = svg;
    while let Some((before, after)) = next_words(rest) {
        shape.push_str(before);
        rest = &after[after.find('<').unwrap_or(after.len())..];
    }
    shape + rest
}

/// The first place at which words begin: what comes before it, and all that comes after.
fn next_words(svg: &str) -> Option<(&str, &str)> {
    let start = ["<title", "<desc", "<text", "<tspan"].iter().filter_map(|tag| svg.find(tag)).min()?;
    Some(svg.split_at(start + svg[start..].find('>')? + 1))
}

/// Whether two drawings differ in more than their words.
pub fn differ(first: &Path, second: &Path) -> bool {
    match (fs::read_to_string(first), fs::read_to_string(second)) {
        (Ok(first), Ok(second)) => shape(&first) != shape(&second),
        // One that is missing is a problem of its page.
        _ => false,
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(start)?.1.split_once(end)?.0)
}

/// What an attribute says, each time that it stands there.
fn values<'a>(svg: &'a str, name: &str) -> Vec<&'a str> {
    svg.split(&format!(" {name}=\"")).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_a_drawing_without_its_words() {
        let english = r#"<svg><title id="a">Cat</title><path d="M0 0"/><text x="1">cat</text></svg>"#;
        let spanish = r#"<svg><title id="a">Gato</title><path d="M0 0"/><text x="1">gato</text></svg>"#;
        assert_eq!(shape(english), shape(spanish));
        assert_ne!(shape(english), shape(&spanish.replace("x=\"1\"", "x=\"2\"")));
    }
}
