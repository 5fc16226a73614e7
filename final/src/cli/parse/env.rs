//! Environment variables: `-e NAME=value`, `-e NAME` (as it is here), `--env-file FILE`.

use std::env;
use std::fs;

use crate::cli::failure::Failure;

/// Puts files and flags together, the flags last, so that they win.
///
/// # Errors
/// A file that cannot be read, or a line without a name; the exit status is Docker's, 125.
pub fn collect(flags: &[String], files: &[String]) -> Result<Vec<String>, Failure> {
    let mut variables = Vec::new();
    for file in files {
        let text = fs::read_to_string(file)
            .map_err(|error| Failure::new(format!("reading --env-file {file}: {error}")).code(125))?;
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let place = format!("--env-file {file}, line {}", number + 1);
            variables.extend(one(line, &place)?);
        }
    }
    for flag in flags {
        variables.extend(one(flag, "--env")?);
    }
    Ok(variables)
}

/// One variable; a bare name that is not set here is left out, says Docker.
fn one(text: &str, place: &str) -> Result<Option<String>, Failure> {
    let name = text.split('=').next().unwrap_or_default();
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(Failure::new(format!("{place}: {text:?} has no name: write NAME=value")).code(125));
    }
    if name.len() < text.len() {
        return Ok(Some(text.to_owned()));
    }
    Ok(env::var(name).ok().map(|value| format!("{name}={value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_takes_the_value_from_here() {
        let path = env::var("PATH").unwrap();
        let flags = ["A=b=c".to_owned(), "PATH".to_owned(), "NOT_SET_ANYWHERE".to_owned(), "E=".to_owned()];
        assert_eq!(collect(&flags, &[]).unwrap(), ["A=b=c", &format!("PATH={path}"), "E="]);
    }

    #[test]
    fn a_file_may_have_comments_and_flags_come_after_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "# why\n\nA=1\n  B=two words\n").unwrap();
        let name = file.path().to_str().unwrap().to_owned();
        assert_eq!(collect(&["A=2".to_owned()], &[name]).unwrap(), ["A=1", "B=two words", "A=2"]);
    }

    #[test]
    fn a_variable_without_a_name_is_refused() {
        for wrong in ["=x", "", "a b=c"] {
            assert!(matches!(collect(&[wrong.to_owned()], &[]), Err(Failure::Said { code: 125, .. })));
        }
    }
}
