//! Transcripts as they stand in a page: what is typed, and what is to be printed.
//!
//! ````md
//! ```console,numbers
//! $ cargo run -q -p lesson-01 -- run sh
//! # echo $$
//! 1
//! ```
//! ````
//!
//! `$ ` is typed into a bash, `# ` into what that has started (a shell in a container). A line that ends
//! in `\` goes on in the next one. Behind `console` stand flags: [`Flags`].

use anyhow::{Result, bail, ensure};

/// A code block that is a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// The line of the page at which the block begins, from 1.
    pub line: usize,
    /// The block as it was written: both languages have the same.
    pub text: String,
    /// What stands behind `console`.
    pub flags: Flags,
    /// What is typed, in its order.
    pub steps: Vec<Step>,
}

/// How a transcript is run and compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flags {
    /// `numbers`: each number stands for any number, the same one always for the same.
    pub numbers: bool,
    /// `norun`: it is only shown.
    pub norun: bool,
    /// `terminal=2`: in which shell it is typed.
    pub terminal: usize,
    /// `cgroup=v1`, `cgroup=v2`: where it is run.
    pub cgroup: Option<Cgroup>,
    /// `registry`: the page needs one.
    pub registry: bool,
}

/// A version of control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cgroup {
    /// A tree for each controller, or hybrid.
    V1,
    /// One tree.
    V2,
}

/// A command, and what it prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its line in the page.
    pub line: usize,
    /// The whole of it, without `$ `; it has line ends where `\` continued it.
    pub typed: String,
    /// What the page says that it prints, line by line.
    pub printed: Vec<String>,
}

/// The transcripts of a page, in their order.
///
/// # Errors
/// Where one is not as it must be, with its line.
pub fn transcripts(page: &str) -> Result<Vec<Transcript>, (usize, String)> {
    let mut found = Vec::new();
    let mut lines = (1..).zip(page.lines());
    while let Some((start, line)) = lines.next() {
        let ticks: String = line.trim_start().chars().take_while(|&c| c == '`').collect();
        if ticks.len() < 3 {
            continue;
        }
        // The whole block, whatever it is: one inside another is that one's text.
        let block: Vec<(usize, &str)> = lines.by_ref().take_while(|(_, line)| line.trim() != ticks).collect();
        let info = line.trim_start().trim_start_matches('`').trim();
        let mut words = info.split(',').map(str::trim);
        if words.next() != Some("console") {
            continue;
        }
        let wrong = |error: anyhow::Error| (start, format!("{error:#}"));
        let flags = flags(words).map_err(wrong)?;
        let steps = steps(&block).map_err(wrong)?;
        let text =
            [info].into_iter().chain(block.iter().map(|(_, line)| *line)).collect::<Vec<_>>().join("\n");
        found.push(Transcript { line: start, text, flags, steps });
    }
    Ok(found)
}

fn flags<'a>(words: impl Iterator<Item = &'a str>) -> Result<Flags> {
    let mut flags = Flags { numbers: false, norun: false, terminal: 1, cgroup: None, registry: false };
    for word in words {
        match word {
            "numbers" => flags.numbers = true,
            "norun" => flags.norun = true,
            "registry" => flags.registry = true,
            "cgroup=v1" => flags.cgroup = Some(Cgroup::V1),
            "cgroup=v2" => flags.cgroup = Some(Cgroup::V2),
            _ => match word.strip_prefix("terminal=").and_then(|number| number.parse().ok()) {
                Some(number @ 1..=9) => flags.terminal = number,
                _ => bail!("a transcript knows no {word:?}"),
            },
        }
    }
    Ok(flags)
}

fn steps(block: &[(usize, &str)]) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    let mut goes_on = false;
    for (line, text) in block {
        let typed = text.strip_prefix("$ ").or_else(|| text.strip_prefix("# "));
        match (steps.last_mut(), typed) {
            (Some(step), _) if goes_on => {
                let rest = text.strip_prefix("  ");
                ensure!(
                    rest.is_some(),
                    "line {line} goes on with the one before, and begins with two spaces"
                );
                step.typed.push('\n');
                step.typed.push_str(rest.unwrap_or_default());
            }
            (_, Some(typed)) => {
                steps.push(Step { line: *line, typed: typed.to_owned(), printed: Vec::new() });
            }
            (Some(step), None) => step.printed.push((*text).to_owned()),
            (None, None) => bail!("a transcript begins with what is typed: \"$ \" or \"# \""),
        }
        goes_on = (goes_on || typed.is_some()) && text.ends_with('\\');
    }
    ensure!(!steps.is_empty(), "a transcript without a command");
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_block_by_block() {
        let page = "# A\n\n```console,numbers,terminal=2\n$ one \\\n  two\n1\n\n# three\n```\n\n```rust\n$ x\n```\n\n````md\n```console\n$ y\n```\n````\n";
        let found = transcripts(page).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 3);
        assert!(found[0].flags.numbers && found[0].flags.terminal == 2 && !found[0].flags.norun);
        let step = |line, typed: &str, printed: &[&str]| Step {
            line,
            typed: typed.into(),
            printed: printed.iter().map(|&line| line.into()).collect(),
        };
        assert_eq!(found[0].steps, [step(4, "one \\\ntwo", &["1", ""]), step(8, "three", &[])]);
    }

    #[test]
    fn what_is_not_as_it_must_be_says_where() {
        for (page, said) in [
            ("\n```console,nuumbers\n$ x\n```\n", "knows no \"nuumbers\""),
            ("\n```console,terminal=0\n$ x\n```\n", "terminal=0"),
            ("\n```console\nx\n```\n", "begins with what is typed"),
            ("\n```console\n```\n", "without a command"),
            ("\n```console\n$ x \\\ny\n```\n", "two spaces"),
        ] {
            let (line, what) = transcripts(page).unwrap_err();
            assert!(line == 2 && what.contains(said), "{page}: {what}");
        }
    }
}
