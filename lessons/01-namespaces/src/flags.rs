//! The flags of the lessons' programs: `run [--name value]… [--switch]… PROGRAM [ARGUMENT]…`.
//!
//! Lesson 6 brings clap; until then thirty lines do.

use std::collections::BTreeMap;
use std::process::exit;

use crate::{Result as StepResult, Status};

/// What stands before the program's name, and the rest.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Flags {
    values: BTreeMap<String, String>,
    /// The first word that is no flag, and all that follow, flags or not.
    pub rest: Vec<String>,
}

impl Flags {
    /// Takes words apart. `known` are the flags that this lesson has, each with a value.
    ///
    /// # Errors
    /// A sentence that names the flag which isn't known or has no value.
    pub fn parse(words: impl IntoIterator<Item = String>, known: &[&str]) -> Result<Flags, String> {
        let mut flags = Flags::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let Some(name) = word.strip_prefix("--") else {
                flags.rest.push(word);
                flags.rest.extend(words);
                break;
            };
            if !known.contains(&name) {
                return Err(format!("unknown flag --{name}: this lesson knows --{}", known.join(", --")));
            }
            let value = words.next().ok_or_else(|| format!("--{name} needs a value after it"))?;
            flags.values.insert(name.to_owned(), value);
        }
        Ok(flags)
    }

    /// The value that was given to this flag.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

/// How each lesson's program ends: with its container's exit code, or with one line that says what
/// went wrong and Docker's code for it.
pub fn finish(program: &str, outcome: Result<StepResult<Status>, String>) -> ! {
    let (message, code) = match outcome {
        Ok(Ok(status)) => exit(status.code()),
        Ok(Err(error)) => (error.to_string(), error.exit_code()),
        Err(usage) => (usage, 125),
    };
    eprintln!("{program}: {message}");
    exit(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_the_program_itself_are_left_alone() {
        let words = ["--hostname", "barco", "ls", "--hostname", "x"].map(String::from);
        let flags = Flags::parse(words, &["hostname"]).unwrap();
        assert_eq!(flags.value("hostname"), Some("barco"));
        assert_eq!(flags.rest, ["ls", "--hostname", "x"]);
    }

    #[test]
    fn an_unknown_flag_and_a_missing_value_are_named() {
        let parse = |word: &str| Flags::parse([word.to_owned()], &["hostname"]).unwrap_err();
        assert!(parse("--color").contains("--color"));
        assert!(parse("--hostname").contains("needs a value"));
    }
}
