//! Lesson 1's program: run something in namespaces of its own, or inside those of another.
//!
//! ```text
//! cargo run -p lesson-01 -- run [--hostname NAME] PROGRAM [ARGUMENT]…
//! cargo run -p lesson-01 -- exec PID PROGRAM [ARGUMENT]…
//! ```

use namespaces::flags::{Flags, finish};
use namespaces::{Command, Isolation, Namespaces, Process, Result, Status, exec, set_hostname};

fn main() {
    let mut words = std::env::args().skip(1);
    let outcome = match words.next().as_deref() {
        Some("run") => Flags::parse(words, &["hostname"]).map(run),
        Some("exec") => Flags::parse(words, &[]).map(enter),
        _ => Err("usage: lesson-01 run [--hostname NAME] PROGRAM … | exec PID PROGRAM …".into()),
    };
    finish("lesson-01", outcome)
}

// ANCHOR: run
fn run(flags: Flags) -> Result<Status> {
    let command = Command::new(flags.rest.clone());
    let child = Isolation::container().spawn(|| {
        set_hostname(flags.value("hostname").unwrap_or("container"))?;
        exec(&command)
    })?;
    child.release()?.wait()
}
// ANCHOR_END: run

fn enter(flags: Flags) -> Result<Status> {
    let pid = flags.rest.first().and_then(|word| word.parse().ok()).unwrap_or(0);
    let target = Namespaces::of(Process::with_pid(pid)?)?;
    let command = Command::new(flags.rest.iter().skip(1));
    target.for_children()?;
    let child = Isolation::none().spawn(|| {
        target.enter()?;
        exec(&command)
    })?;
    child.release()?.wait()
}
