//! `-v`: `/host:/container[:options]`, `name:/container[:options]`, or `/container` alone.

use std::env;
use std::path::{Component, Path, PathBuf};

/// What one `-v` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Volume {
    /// A folder of the engine's host, or a named volume, in the API's own writing: `source:target[:mode]`.
    Bind(String),
    /// A volume of its own, without a name.
    Anonymous(String),
}

/// Reads one `-v`.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str) -> Result<Volume, String> {
    let wrong = |why: &str| format!("{text:?}: {why}; write /host:/container, name:/container or …:ro");
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, mode) = match parts[..] {
        [target] => (None, target, None),
        [source, target] => (Some(source), target, None),
        [source, target, mode] => (Some(source), target, Some(mode)),
        _ => return Err(wrong("it has too many parts")),
    };
    if !target.starts_with('/') {
        return Err(wrong("the path in the container must be absolute"));
    }
    if clean(Path::new(target)) == Path::new("/") {
        return Err(wrong("the path in the container must not be /"));
    }
    let Some(source) = source else { return Ok(Volume::Anonymous(target.to_owned())) };
    if source.is_empty() {
        return Err(wrong("the source is missing"));
    }
    if mode == Some("") {
        return Err(wrong("nothing follows the last colon"));
    }
    let mode = mode.map(|mode| format!(":{mode}")).unwrap_or_default();
    Ok(Volume::Bind(format!("{}:{target}{mode}", absolute(source)?)))
}

/// A path relative to here, `./x`, `..`; the engine may live in another folder. Everything else
/// that is not absolute is the name of a volume.
pub(super) fn absolute(source: &str) -> Result<String, String> {
    if source != "." && source != ".." && !source.starts_with("./") && !source.starts_with("../") {
        return Ok(source.to_owned());
    }
    let here = env::current_dir().map_err(|error| format!("finding the current folder: {error}"))?;
    Ok(clean(&here.join(source)).display().to_string())
}

/// Without `.` and `..`, by the words alone: the path may be another machine's.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                cleaned.pop();
            }
            other => cleaned.push(other),
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_are_understood() {
        assert_eq!(parse("/a:/b:ro"), Ok(Volume::Bind("/a:/b:ro".into())));
        assert_eq!(parse("data:/b"), Ok(Volume::Bind("data:/b".into())));
        assert_eq!(parse("/b"), Ok(Volume::Anonymous("/b".into())));
    }

    #[test]
    fn a_relative_source_is_relative_to_here() {
        let here = env::current_dir().unwrap();
        assert_eq!(parse("./x:/b"), Ok(Volume::Bind(format!("{}/x:/b", here.display()))));
        let parent = here.parent().unwrap().display();
        assert_eq!(parse("..:/b"), Ok(Volume::Bind(format!("{parent}:/b"))));
    }

    #[test]
    fn malformed_ones_are_refused() {
        for wrong in ["", "a", "/a:b", ":/b", "/a:/b:", "/a:/b:ro:x", "/a:", "/a:/", "/", "/a:/b/.."] {
            assert!(parse(wrong).unwrap_err().contains("write /host:/container"), "{wrong}");
        }
    }
}
