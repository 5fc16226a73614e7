//! Lesson 1's program: run something in namespaces of its own, or inside those of another.
//!
//! `cargo run -p lesson-01 -- run sh`, and without a word it says what else there is.

use std::ffi::OsStr;

use namespaces::flags::{Flags, Word, program};
use namespaces::{Command, Foreground, Isolation, Namespaces, Process, Result, Status, exec, set_hostname};

const USAGE: &str = "usage: lesson-01 run [--hostname NAME] PROGRAM … | exec PID PROGRAM …";

fn main() {
    let words: [Word; 2] =
        [("run", &["hostname"], &["PROGRAM"], run), ("exec", &[], &["PID", "PROGRAM"], enter)];
    program("lesson-01", USAGE, &words)
}

// ANCHOR: run
fn run(flags: Flags) -> Result<Status> {
    let foreground = Foreground::new()?;
    let command = Command::new(&flags.rest);

    let child = Isolation::container().spawn(|| {
        foreground.enter()?;
        set_hostname(flags.value("hostname").unwrap_or(OsStr::new("container")))?;
        exec(&command)
    })?;
    foreground.wait(&child.release()?)
}
// ANCHOR_END: run

// ANCHOR: enter
fn enter(flags: Flags) -> Result<Status> {
    let foreground = Foreground::new()?;
    let target = Namespaces::of(Process::parse(&flags.rest[0])?)?;
    let command = Command::new(&flags.rest[1..]);

    target.for_children()?;
    let child = Isolation::none().spawn(|| {
        foreground.enter()?;
        target.enter()?;
        exec(&command)
    })?;
    foreground.wait(&child.release()?)
}
// ANCHOR_END: enter
