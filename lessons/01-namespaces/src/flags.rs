//! The words and flags of the lessons' programs: `lesson-01 run [--name VALUE]… [--] WORD…`.
//!
//! Lesson 6 brings clap; until then thirty lines do. Words are not always text: to Linux a file's
//! name is bytes, all but NUL and `/`. So they stay what Rust calls an [`OsString`].

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::process::exit;

use crate::{Error, Result as StepResult, Status};

/// The flags, and the words after them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Flags {
    values: BTreeMap<String, OsString>,
    /// The first word that is no flag, and all that follow, flags or not.
    pub rest: Vec<OsString>,
}

impl Flags {
    /// Takes words apart. `known` are the flags that there are, each with a value; `needed` says what
    /// the first of the other words are, and that they must be there.
    ///
    /// # Errors
    /// A sentence that names the flag which isn't known or has no value, or the word that is missing.
    pub fn parse(
        words: impl IntoIterator<Item = OsString>,
        known: &[&str],
        needed: &[&str],
    ) -> Result<Flags, String> {
        let mut flags = Flags::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if !word.as_encoded_bytes().starts_with(b"-") {
                flags.rest.push(word);
                break;
            }
            if word == "--" {
                break;
            }
            let name = word.to_str().and_then(|word| word.strip_prefix("--"));
            let Some(name) = name.filter(|name| known.contains(name)) else {
                let list: Vec<String> = known.iter().map(|name| format!("--{name}")).collect();
                let known = if list.is_empty() { "none".into() } else { list.join(", ") };
                return Err(format!("unknown flag {}: known are {known}", word.display()));
            };
            let value = words.next().ok_or_else(|| format!("--{name} needs a value after it"))?;
            flags.values.insert(name.to_owned(), value);
        }
        flags.rest.extend(words);
        match needed.get(flags.rest.len()) {
            Some(missing) => Err(format!("{missing} is missing")),
            None => Ok(flags),
        }
    }

    /// The value that was given to this flag.
    pub fn value(&self, name: &str) -> Option<&OsStr> {
        self.values.get(name).map(OsString::as_os_str)
    }

    /// The value of a flag that has to be text.
    ///
    /// # Errors
    /// When it isn't: names the flag and the value.
    pub fn text(&self, name: &str) -> StepResult<Option<&str>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let not_text =
            || Error::new("read flag", format!("--{name}"), format!("{value:?} is not UTF-8 text"));
        value.to_str().map(Some).ok_or_else(not_text)
    }
}

/// One of a program's commands: its name, the flags that it knows, the words that it needs, and what
/// it does. (The two lists are as for [`Flags::parse`].)
pub type Word<'a> = (&'a str, &'a [&'a str], &'a [&'a str], fn(Flags) -> StepResult<Status>);

/// The whole of a lesson's program: does what its first word says, and ends with the container's exit
/// code, or with one line that says what went wrong and Docker's code for it.
pub fn program(name: &str, usage: &str, words: &[Word<'_>]) -> ! {
    let mut given = std::env::args_os().skip(1);
    let first = given.next();
    let outcome = match words.iter().find(|(word, ..)| first.as_deref() == Some(OsStr::new(word))) {
        Some((_, known, needed, action)) => Flags::parse(given, known, needed).map(action),
        None => Err(usage.to_owned()),
    };
    let (message, code) = match outcome {
        Ok(Ok(status)) => exit(status.code()),
        Ok(Err(error)) => (error.to_string(), error.exit_code()),
        Err(usage) => (usage, 125),
    };
    eprintln!("{name}: {message}");
    exit(code)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn parse(words: &[&str], known: &[&str], needed: &[&str]) -> Result<Flags, String> {
        Flags::parse(words.iter().map(OsString::from), known, needed)
    }

    #[test]
    fn flags_of_the_program_itself_are_left_alone() {
        let flags = parse(&["--hostname", "barco", "ls", "--hostname", "-x"], &["hostname"], &[]).unwrap();
        assert_eq!(flags.text("hostname").unwrap(), Some("barco"));
        assert_eq!(flags.rest, ["ls", "--hostname", "-x"]);
        assert_eq!(parse(&["--", "--hostname"], &["hostname"], &[]).unwrap().rest, ["--hostname"]);
    }

    #[test]
    fn an_unknown_flag_and_a_missing_value_are_named() {
        for word in ["--color", "-h", "-", "--hostname=x", "---"] {
            let error = parse(&[word], &["hostname", "root"], &[]).unwrap_err();
            assert_eq!(error, format!("unknown flag {word}: known are --hostname, --root"));
        }
        assert_eq!(parse(&["--foo"], &[], &[]).unwrap_err(), "unknown flag --foo: known are none");
        assert_eq!(
            parse(&["--hostname"], &["hostname"], &[]).unwrap_err(),
            "--hostname needs a value after it"
        );
    }

    #[test]
    fn a_word_that_is_missing_is_named() {
        let needed = ["PID", "PROGRAM"];
        assert_eq!(parse(&[], &[], &needed).unwrap_err(), "PID is missing");
        assert_eq!(parse(&["7"], &[], &needed).unwrap_err(), "PROGRAM is missing");
        assert_eq!(parse(&["7", "ls", "/"], &[], &needed).unwrap().rest.len(), 3);
    }

    #[test]
    fn what_is_not_text_is_kept_as_it_is_or_an_error_never_a_panic() {
        let bytes = OsStr::from_bytes(b"\xff\xfe").to_owned();
        let words = ["--hostname".into(), bytes.clone(), bytes.clone()];
        let flags = Flags::parse(words, &["hostname"], &["PROGRAM"]).unwrap();
        assert_eq!((flags.value("hostname"), &flags.rest[0]), (Some(bytes.as_os_str()), &bytes));
        let error = flags.text("hostname").unwrap_err().to_string();
        assert_eq!(error, r#"read flag --hostname: "\xFF\xFE" is not UTF-8 text"#);
        let flag = OsStr::from_bytes(b"--\xff").to_owned();
        assert!(Flags::parse([flag], &[], &[]).unwrap_err().starts_with("unknown flag --"));
    }
}
