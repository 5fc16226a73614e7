//! The lesson's own program, run for the tests.

use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Output, Stdio};

/// Longer than this it waits for something that never comes.
const PATIENCE: u32 = 20;

/// How it ended, and what it printed.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map_or("none".to_owned(), |code| code.to_string());
        write!(f, "Exit code: {code}; it printed {:?}, and as errors:\n{}", self.out, self.err)
    }
}

impl Ran {
    fn new(words: &[&str], output: Output) -> Ran {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let ran = Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) };
        assert_ne!(
            output.status.signal(),
            Some(libc::SIGALRM),
            "lesson-01 {} was still waiting after {PATIENCE} s. (For its child's end? Only SIGCHLD tells it: ex-01-1.) {ran}",
            words.join(" ")
        );
        ran
    }
}

fn lesson(words: &[&str]) -> Command {
    // Where the tests run elsewhere than they were built, as in a virtual machine, this says where it is.
    let program =
        std::env::var_os("CARGO_BIN_EXE_lesson-01").unwrap_or(env!("CARGO_BIN_EXE_lesson-01").into());
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null());
    // SAFETY: between fork and exec, alarm(2) and umask(2) are among the calls that may be made.
    unsafe {
        command.pre_exec(|| {
            libc::alarm(PATIENCE);
            // Another than a program inside should have.
            libc::umask(0o077);
            Ok(())
        })
    };
    command
}

/// Runs it with these words.
pub fn run(words: &[&str]) -> Ran {
    Ran::new(words, lesson(words).output().expect("lesson-01 starts"))
}

/// The same with a variable set.
pub fn run_with(words: &[&str], name: &str, value: impl AsRef<OsStr>) -> Ran {
    Ran::new(words, lesson(words).env(name, value).output().expect("lesson-01 starts"))
}

/// A container that sleeps, until this is dropped.
pub struct Sleeper(Child);

impl Sleeper {
    pub fn new() -> Sleeper {
        // /proc is still the host's in this lesson, so the shell finds its pid on the host there.
        let script = "read pid rest < /proc/self/stat; echo $pid; exec sleep 60";
        let mut command = lesson(&["run", "sh", "-c", script]);
        Sleeper(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("lesson-01 starts"))
    }

    /// The pid, on the host, of what runs inside.
    pub fn pid_inside(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a line");
        if line.is_empty() {
            let mut errors = String::new();
            self.0.stderr.take().expect("piped").read_to_string(&mut errors).expect("text");
            panic!("no container to try it with: {errors}");
        }
        line.trim().to_owned()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.kill().expect("kill");
        self.0.wait().expect("wait");
    }
}

/// A number that nobody can have written into the code beforehand.
pub fn random() -> u32 {
    let mut bytes = [0; 4];
    std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes)).expect("/dev/urandom");
    u32::from_ne_bytes(bytes)
}
