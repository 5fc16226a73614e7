//! Lesson 1's program: run something in namespaces of its own, or inside those of another.
//!
//! ```text
//! cargo run -p lesson-01 -- run [--hostname NAME] PROGRAM [ARGUMENT]…
//! cargo run -p lesson-01 -- exec PID PROGRAM [ARGUMENT]…
//! ```

use std::ffi::OsStr;

use namespaces::flags::{Flags, finish};
use namespaces::{Command, Foreground, Isolation, Namespaces, Process, Result, Status, exec, set_hostname};

const USAGE: &str = "usage: lesson-01 run [--hostname NAME] PROGRAM … | exec PID PROGRAM …";

fn main() {
    let mut words = std::env::args_os().skip(1);
    let outcome = match words.next().as_deref().and_then(OsStr::to_str) {
        Some("run") => Flags::parse(words, &["hostname"], &["PROGRAM"]).map(run),
        Some("exec") => Flags::parse(words, &[], &["PID", "PROGRAM"]).map(enter),
        _ => Err(USAGE.into()),
    };
    finish("lesson-01", outcome)
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
