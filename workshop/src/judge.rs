//! Runs a lesson's tests, and reads what they say.
//!
//! The programs are built as the learner, always, and then run one by one: as the learner too, or under
//! sudo. So nothing in `target/` ever belongs to root.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

/// A test program that takes longer has met an endless loop, or waits for something that never comes.
const PATIENCE: Duration = Duration::from_secs(90);

/// How one test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It passed.
    Green,
    /// It failed, and this is what it said.
    Red(String),
    /// This machine, or this user, can't run it; the reason, if it gives one.
    Ignored(String),
}

/// All tests of a lesson, by name.
pub type Verdicts = BTreeMap<String, Verdict>;

/// What came of it.
#[derive(Debug)]
pub enum Judged {
    /// The code doesn't compile: the compiler's own words.
    NotCompiled(String),
    /// It does, and the tests have run.
    Ran(Verdicts),
}

/// A package to be judged.
#[derive(Debug, Clone)]
pub struct Judge<'a> {
    /// The repository's folder.
    pub home: &'a Path,
    /// `lesson-03`
    pub package: String,
    /// Whether to run the test programs as root.
    pub sudo: bool,
    /// Where to build, if not where cargo does.
    pub target: Option<&'a Path>,
}

impl Judge<'_> {
    /// Builds the package's tests, and runs them: all, or just those named.
    pub fn judge(&self, only: &[String]) -> Result<Judged> {
        let programs = match self.build()? {
            Ok(programs) => programs,
            Err(words) => return Ok(Judged::NotCompiled(words)),
        };
        let mut verdicts = Verdicts::new();
        // libtest takes several names at once, libtest-mimic one: so one by one.
        let names: Vec<_> = if only.is_empty() { vec![None] } else { only.iter().map(Some).collect() };
        for program in &programs.tests {
            for name in &names {
                run(program, &programs, *name, self.sudo, &mut verdicts)
                    .with_context(|| format!("running {}", program.display()))?;
            }
        }
        Ok(Judged::Ran(verdicts))
    }

    /// Builds; the compiler's words if it refuses.
    pub fn build(&self) -> Result<std::result::Result<Programs, String>> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.current_dir(self.home).args([
            "test",
            "--quiet",
            "--package",
            &self.package,
            "--lib",
            "--bins",
            "--tests",
        ]);
        command.args(["--no-run", "--message-format=json-render-diagnostics"]);
        // `cargo taller` is a `cargo run`: its own variables are about another package.
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR")
            {
                command.env_remove(name);
            }
        }
        if let Some(target) = self.target {
            command.env("CARGO_TARGET_DIR", target);
        }
        let output = command.output().context("starting cargo")?;
        if !output.status.success() {
            return Ok(Err(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let mut programs =
            Programs { said: String::from_utf8_lossy(&output.stderr).into_owned(), ..Programs::default() };
        for message in String::from_utf8_lossy(&output.stdout).lines() {
            let Ok(message) = serde_json::from_str::<Value>(message) else { continue };
            let Some(program) = message["executable"].as_str() else { continue };
            if message["profile"]["test"] == true {
                programs.tests.push(program.into());
            } else if let Some(name) = message["target"]["name"].as_str() {
                programs.variables.push((format!("CARGO_BIN_EXE_{name}"), program.to_owned()));
            }
            if let Some(manifest) = message["manifest_path"].as_str() {
                programs.folder = Path::new(manifest).parent().unwrap_or(self.home).to_owned();
            }
        }
        Ok(Ok(programs))
    }
}

/// What cargo has built.
#[derive(Debug, Default)]
pub struct Programs {
    /// The compiler's words: its warnings.
    pub said: String,
    tests: Vec<PathBuf>,
    /// The package's own programs, which its tests run: `CARGO_BIN_EXE_…`.
    variables: Vec<(String, String)>,
    folder: PathBuf,
}

fn run(
    program: &Path,
    programs: &Programs,
    only: Option<&String>,
    sudo: bool,
    verdicts: &mut Verdicts,
) -> Result<()> {
    let mut command = Command::new(if sudo { "sudo" } else { "env" });
    if sudo {
        command.args(["-E", "env"]);
    }
    command.args(programs.variables.iter().map(|(name, value)| format!("{name}={value}")));
    command.arg(format!("CARGO_MANIFEST_DIR={}", programs.folder.display())).arg(program);
    command.args(["--color", "never"]).env("RUST_BACKTRACE", "0");
    if let Some(name) = only {
        command.arg("--exact").arg(name);
    }
    let mut child = command
        .current_dir(&programs.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting it")?;
    let (tell, hear) = mpsc::channel();
    let stdout = child.stdout.take().context("its output")?;
    let lines = thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n').map_while(std::result::Result::ok) {
            if tell.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    // What a program writes about itself while it fails belongs to the picture, unless it floods it.
    let mut stderr = child.stderr.take().context("its errors")?;
    let errors = thread::spawn(move || {
        let mut text = vec![];
        let _ = stderr.by_ref().take(64 * 1024).read_to_end(&mut text);
        let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        String::from_utf8_lossy(&text).into_owned()
    });
    let (mut text, end) = (String::new(), Instant::now() + PATIENCE);
    loop {
        match hear.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => text += &(line + "\n"),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                // Ours, and only it: what it started dies with it (lesson 1).
                child.kill().context("ending it")?;
                text += "\n";
                verdicts.insert("(time)".to_owned(), Verdict::Red(format!("{} s", PATIENCE.as_secs())));
                break;
            }
        }
    }
    child.wait().context("waiting for it")?;
    if !verdicts.contains_key("(time)") {
        let _ = lines.join();
        text += &errors.join().unwrap_or_default();
    }
    read(&text, verdicts);
    Ok(())
}

/// Reads what libtest and libtest-mimic print:
///
/// ```text
/// test a_sentence ... ok
/// test another    ... FAILED
///
/// ---- another stdout ----
/// thread … panicked at …: the words
/// ```
fn read(text: &str, verdicts: &mut Verdicts) {
    for line in text.lines() {
        let Some((name, end)) = line.strip_prefix("test ").and_then(|line| line.split_once(" ... ")) else {
            continue;
        };
        // libtest-mimic writes the reason before the name, and pads the names to one length.
        let (kind, name) = match name.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            Some((kind, name)) => (kind, name),
            None => ("", name),
        };
        // The reason stands behind a comma, with libtest-mimic in brackets.
        let (word, reason) = end.trim().split_once([',', ' ']).unwrap_or((end.trim(), ""));
        let reason = reason.trim();
        let reason = reason.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(reason);
        let verdict = match word {
            "ok" => Verdict::Green,
            "ignored" => Verdict::Ignored(if reason.is_empty() { kind } else { reason }.to_owned()),
            _ => Verdict::Red(String::new()),
        };
        // Some run twice, as root and as an ordinary user: red counts more than green, and that more than
        // that one of them can't be run.
        let rank = |verdict: &Verdict| match verdict {
            Verdict::Red(_) => 2,
            Verdict::Green => 1,
            Verdict::Ignored(_) => 0,
        };
        let name = name.trim();
        if verdicts.get(name).is_none_or(|before| rank(before) < rank(&verdict)) {
            verdicts.insert(name.to_owned(), verdict);
        }
    }
    let (mut current, mut seen): (Option<&str>, BTreeMap<&str, Vec<String>>) = (None, BTreeMap::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("---- ").and_then(|line| line.strip_suffix(" ----")) {
            let name = name.strip_suffix(" stdout").unwrap_or(name);
            seen.entry(name).or_default().push(String::new());
            current = Some(name);
        } else if line.starts_with("failures:") || line.starts_with("test result:") {
            current = None;
        } else if let Some(said) = current.and_then(|name| seen.get_mut(name)?.last_mut()) {
            *said += &format!("{line}\n");
        }
    }
    for (name, said) in seen {
        if let Some(Verdict::Red(words)) = verdicts.get_mut(name) {
            // As root and as an ordinary user it mostly fails alike: that is said once.
            let mut said: Vec<String> = said.iter().map(|said| message(said)).collect();
            said.dedup();
            *words = said.join("\n");
        }
    }
}

/// What a failing test says, without the frame around it.
fn message(said: &str) -> String {
    let noise = |line: &&str| {
        !line.starts_with("note: run with `RUST_BACKTRACE")
            && !line.starts_with("thread '")
            && *line != "exit status: 1"
            && !line.is_empty()
    };
    said.lines().filter(noise).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_kinds_of_test_programs_print_is_understood() {
        let mut verdicts = Verdicts::new();
        read(
            "running 3 tests\ntest a_plain_one ... ok\ntest a_red_one ... FAILED\ntest a_slow_one ... ignored, takes an hour\n\n\
             failures:\n\n---- a_red_one stdout ----\n\nthread 'a_red_one' (7) panicked at tests/x.rs:7:5:\nassertion failed: 1\n  \
             left: 2\nnote: run with `RUST_BACKTRACE=1` environment variable\n\n\nfailures:\n    a_red_one\n\n\
             test result: FAILED. 1 passed\n",
            &mut verdicts,
        );
        read(
            "test [run as root] of_the_kernel  ... ignored\ntest other          ... FAILED\n\nfailures:\n\n---- other ----\nexpected 7, found 8\n\n\
             failures:\n    other\n",
            &mut verdicts,
        );
        // Twice, as root and as a user, in whatever order they end.
        read(
            "test [root] by_both  ... ignored (needs root: run it under sudo, if you may)\n\
             test [user] by_both  ... ok\ntest [user] red_once ... FAILED\ntest [root] red_once ... ok\n\
             test [root] by_root  ... ignored (needs root: run it under sudo, if you may)\n\n\
             ---- red_once ----\nfor a user\nexit status: 1\n\n---- red_once ----\nfor a user\n",
            &mut verdicts,
        );
        let red = |words: &str| Verdict::Red(words.to_owned());
        let ignored = |words: &str| Verdict::Ignored(words.to_owned());
        let expected = [
            ("a_plain_one", Verdict::Green),
            ("a_red_one", red("assertion failed: 1\n  left: 2")),
            ("a_slow_one", ignored("takes an hour")),
            ("by_both", Verdict::Green),
            ("by_root", ignored("needs root: run it under sudo, if you may")),
            ("of_the_kernel", ignored("run as root")),
            ("other", red("expected 7, found 8")),
            ("red_once", red("for a user")),
        ];
        assert_eq!(verdicts, expected.map(|(name, verdict)| (name.to_owned(), verdict)).into());
    }
}
