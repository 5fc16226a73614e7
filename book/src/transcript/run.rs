//! Runs a page's transcripts, all of them in their order and in the same shells.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::time::Duration;

use anyhow::Result;

use super::compare::{self, Numbers};
use super::read::{Cgroup, Step, Transcript};
use super::terminal::{Answer, Terminal};

/// Where the machine isn't as the book says.
#[derive(Debug)]
pub struct Failure {
    /// The line of the page.
    pub line: usize,
    typed: String,
    book: Vec<String>,
    printed: Vec<String>,
    /// What happened beside that.
    note: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "line {}: {}{}", self.line, self.typed, self.note)?;
        for (name, lines) in [("the book", &self.book), ("printed", &self.printed)] {
            writeln!(f, "  {name}:")?;
            for line in lines {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}

/// What a page is run with.
pub struct Runner<Start> {
    /// Starts a shell.
    pub start: Start,
    /// The version of control groups here.
    pub cgroup: Cgroup,
    /// How long one command may take.
    pub limit: Duration,
}

impl<Start: FnMut() -> Result<Terminal>> Runner<Start> {
    /// Runs the transcripts of a page; an empty answer means that all is as the book says.
    ///
    /// # Errors
    /// If a shell can't be started.
    pub fn run(&mut self, transcripts: &[Transcript]) -> Result<Vec<Failure>> {
        let mut terminals: BTreeMap<usize, Terminal> = BTreeMap::new();
        let mut seen = Numbers::default();
        let mut failures = Vec::new();
        let here = |transcript: &&Transcript| {
            !transcript.flags.norun && transcript.flags.cgroup.is_none_or(|wanted| wanted == self.cgroup)
        };
        for transcript in transcripts.iter().filter(here) {
            let number = transcript.flags.terminal;
            let terminal = match terminals.entry(number) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert((self.start)()?),
            };
            let mut numbers = transcript.flags.numbers.then(Numbers::default);
            for step in &transcript.steps {
                let typed = numbers.as_mut().map_or_else(
                    || step.typed.clone(),
                    |numbers| {
                        seen.learn(numbers);
                        seen.put_in(&step.typed)
                    },
                );
                match terminal.type_line(&typed, self.limit) {
                    Ok(Answer::Printed(lines)) => failures.extend(difference(step, lines, numbers.as_mut())),
                    // Mostly because what was to be started before, and to read this, hasn't.
                    Err(error) => {
                        let note = format!("  ← {error:#}");
                        failures.push(Failure { note, ..failure(step, Vec::new()) });
                        return Ok(failures);
                    }
                    // Whatever is typed next, that command would get it.
                    Ok(Answer::Hangs(lines)) => {
                        let note = format!("  ← not done after {} s", self.limit.as_secs());
                        failures.push(Failure { note, ..failure(step, lines) });
                        return Ok(failures);
                    }
                }
            }
            if let Some(numbers) = &numbers {
                seen.learn(numbers);
            }
        }
        Ok(failures)
    }
}

fn difference(step: &Step, printed: Vec<String>, numbers: Option<&mut Numbers>) -> Option<Failure> {
    let printed: Vec<String> = printed.iter().map(|line| as_typed(line)).collect();
    (!compare::fits(&step.printed, &printed, numbers)).then(|| failure(step, printed))
}

/// A bash that reads from a pipe says at which line it is, and one at a terminal doesn't.
fn as_typed(line: &str) -> String {
    let digits = |text: &str| text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    match line.split_once("bash: line ") {
        Some(("", rest)) if rest[rest.len() - digits(rest)..].starts_with(": ") => {
            format!("bash{}", &rest[rest.len() - digits(rest)..])
        }
        _ => line.to_owned(),
    }
}

fn failure(step: &Step, printed: Vec<String>) -> Failure {
    let Step { line, typed, printed: book } = step.clone();
    Failure { line, typed, book, printed, note: String::new() }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::transcript::read::transcripts;

    fn run(page: &str) -> Vec<Failure> {
        let start = || {
            let mut bash = Command::new("bash");
            bash.args(["--norc", "--noprofile"]).env("LC_ALL", "C.UTF-8");
            Terminal::start(bash)
        };
        let limit = Duration::from_secs(3);
        Runner { start, cgroup: Cgroup::V1, limit }.run(&transcripts(page).unwrap()).unwrap()
    }

    fn block(flags: &str, text: &str) -> String {
        format!("```console{flags}\n{text}```\n\n")
    }

    fn is_red(page: &str, line: usize) -> String {
        let failures = run(page);
        assert_eq!(failures.iter().map(|failure| failure.line).collect::<Vec<_>>(), [line], "{failures:?}");
        failures[0].to_string()
    }

    #[test]
    fn what_is_as_the_book_says_is_green() {
        let page = block("", "$ a=1; echo $a\n1\n$ echo e >&2; false\ne\n$ echo $?\n1\n$ printf x\nx\n")
            + &block(
                "",
                "$ sh\n# echo $a inside; false\ninside\n# echo $?\n1\n# exit 3\n$ echo $? $a\n3 1\n",
            )
            + &block(",terminal=2", "$ echo [$a]\n[]\n$ echo one \\\n  two\none two\n")
            + &block("", "$ nonsense\nbash: nonsense: command not found\n");
        assert!(run(&page).is_empty(), "{:?}", run(&page));
    }

    #[test]
    fn a_wrong_line_is_red_and_says_where_and_what() {
        let said = is_red(&(block("", "$ true\n") + &block("", "$ echo a; echo b\na\nc\n")), 6);
        assert!(said.contains("the book:\n    a\n    c\n  printed:\n    a\n    b\n"), "{said}");
        is_red(&block("", "$ echo more\n"), 2);
        is_red(&block("", "$ true\nless\n"), 2);
    }

    #[test]
    fn a_command_that_hangs_is_red_and_ends_the_page() {
        let said = is_red(&block("", "$ echo a; exec sleep 1000\na\n$ echo never\nnever\n"), 2);
        assert!(said.contains("not done after 3 s") && said.contains("printed:\n    a\n"), "{said}");
    }

    #[test]
    fn a_shell_that_ends_too_early_hides_nothing_of_what_went_before() {
        let failures = run(&block("", "$ nothing-like-it 2> /dev/null; echo a\nb\n# exit\n# true\n$ true\n"));
        assert_eq!(failures.iter().map(|failure| failure.line).collect::<Vec<_>>(), [2, 4], "{failures:?}");
        assert!(failures[1].to_string().contains("the shell has ended"), "{failures:?}");
    }

    #[test]
    fn what_is_for_another_machine_is_not_run() {
        let page = block(",norun", "$ false\nx\n") + &block(",cgroup=v2", "$ false\nx\n");
        assert!(run(&page).is_empty());
        is_red(&block(",cgroup=v1", "$ false\nx\n"), 2);
    }

    #[test]
    fn numbers_stand_for_others_and_are_typed_again() {
        let page = block(",numbers", "$ echo $$; echo 5\n1234\n7\n$ echo 1234 of 7\n1234 of 7\n");
        let said = is_red(&page, 5);
        assert!(said.contains("of 7"), "7 is too short to be put into a command: {said}");
        let page = block(",numbers", "$ echo $$\n1234\n")
            + &block(",numbers,terminal=2", "$ test -d /proc/1234 && echo $PPID $$\n1 2\n");
        assert!(run(&page).is_empty(), "{:?}", run(&page));
    }
}
