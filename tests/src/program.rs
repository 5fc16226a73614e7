//! What came out of a program, and what it should have been.

use std::fmt;
use std::process::Output;

/// A program that has run.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The command line, for the report.
    pub what: String,
    /// The exit code, or 128 + the signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// From what std has.
    pub fn new(what: String, output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let code = output.status.code().or_else(|| output.status.signal().map(|signal| 128 + signal));
        Ran {
            what,
            code: code.unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// It must have ended with 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// It must have ended with `code`.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert!(self.code == code, "should have exited with {code}:\n{self}");
        self
    }

    /// It must have said exactly this on standard output, give or take white space around it.
    #[track_caller]
    pub fn says(self, what: &str) -> Self {
        assert!(self.stdout.trim() == what, "should have said {what:?}:\n{self}");
        self
    }

    /// Standard output must hold this.
    #[track_caller]
    pub fn mentions(self, what: &str) -> Self {
        assert!(self.stdout.contains(what), "should have mentioned {what:?}:\n{self}");
        self
    }

    /// Standard output must not hold this.
    #[track_caller]
    pub fn is_silent_on(self, what: &str) -> Self {
        assert!(!self.stdout.contains(what), "should not have mentioned {what:?}:\n{self}");
        self
    }

    /// Standard error must hold this, whatever the case of its letters.
    #[track_caller]
    pub fn complains_about(self, what: &str) -> Self {
        let said = self.stderr.to_lowercase();
        assert!(said.contains(&what.to_lowercase()), "should have complained about {what:?}:\n{self}");
        self
    }

    /// One clear line on standard error, which names what it is about, and nothing on standard output.
    ///
    /// A pointer to `--help` below it, as Docker and clap have it, is let through: no second message.
    #[track_caller]
    pub fn complains_in_one_line_about(self, what: &str) -> Self {
        let lines: Vec<&str> = self
            .stderr
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.contains("--help'."))
            .collect();
        assert!(lines.len() == 1, "should have complained in one line:\n{self}");
        let lower = self.stderr.to_lowercase();
        assert!(lower.contains(&what.to_lowercase()), "should have complained about {what:?}:\n{self}");
        assert!(!lower.contains("panicked"), "should not have panicked:\n{self}");
        assert!(self.stdout.is_empty(), "should have said nothing on standard output:\n{self}");
        self
    }

    /// Standard output without the white space around it: an id, an address.
    pub fn text(&self) -> &str {
        self.stdout.trim()
    }

    /// The lines of standard output.
    pub fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ {}", self.what)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            for line in text.lines() {
                writeln!(f, "  {name}: {line}")?;
            }
        }
        write!(f, "  exit code {}", self.code)
    }
}
