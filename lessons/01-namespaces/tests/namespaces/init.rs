//! PID 1, seen from outside.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use namespaces::{Child, Error, Isolation, init};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, dup2_stdout};

use crate::alone::alone;

/// A container with an init, in which a shell runs this; it has printed its first line.
fn start(script: &str) -> Result<Child, String> {
    let (reader, writer) = std::io::pipe().unwrap();
    // Nothing of the lesson's exec is needed here.
    let shell = || {
        SigSet::all().thread_unblock().unwrap();
        let error = Command::new("sh").args(["-c", script]).exec();
        Err(Error::new("exec", "sh", error))
    };
    let run = || {
        dup2_stdout(&writer).unwrap();
        init(shell)
    };
    let paused = Isolation::container().spawn(run).map_err(|error| error.to_string())?;
    let child = paused.release().map_err(|error| error.to_string())?;
    drop(writer);
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).unwrap();
    if line.is_empty() {
        Err(format!("PID 1 has ended: {:?} (101 is a panic: a todo! is left)", child.wait()))
    } else {
        Ok(child)
    }
}

/// Waits until something is so; whether it came.
fn soon(mut is_so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(4);
    while Instant::now() < end {
        if is_so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// How many zombies have this parent.
fn zombies_of(parent: Pid) -> usize {
    let stats = std::fs::read_dir("/proc").unwrap().flatten();
    let stats = stats.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    stats
        .filter(|stat| {
            let fields = stat.rsplit(')').next().unwrap_or_default().trim();
            fields.starts_with(&format!("Z {parent} "))
        })
        .count()
}

#[test]
fn an_init_reaps_every_orphan_also_those_that_end_at_once() {
    let seen = alone(|| {
        // Three orphans, and a child that stays. They can't end before the shell has told that they are there.
        let script = "for i in 1 2 3; do (sleep 0.3 &); done; echo ready; exec sleep 60";
        let child = match start(script) {
            Ok(child) => child,
            Err(error) => return error,
        };
        // While it is stopped they all end, and one SIGCHLD waits for it.
        kill(child.pid(), Signal::SIGSTOP).unwrap();
        let all = soon(|| zombies_of(child.pid()) == 3);
        kill(child.pid(), Signal::SIGCONT).unwrap();
        let reaped = soon(|| zombies_of(child.pid()) == 0);
        let left = zombies_of(child.pid());
        child.kill().unwrap();
        format!("three orphans ended: {all}; reaped: {reaped}, zombies left: {left}")
    });
    assert_eq!(
        seen, "three orphans ended: true; reaped: true, zombies left: 0",
        "ex-01-4: one SIGCHLD may stand for several that have ended: after it, reap until there is nobody"
    );
}

#[test]
fn an_init_passes_signals_on_and_ends_with_its_child_s_code() {
    let seen = alone(|| {
        let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done";
        let child = match start(script) {
            Ok(child) => child,
            Err(error) => return error,
        };
        kill(child.pid(), Signal::SIGTERM).unwrap();
        format!("{:?}", child.wait())
    });
    assert_eq!(
        seen, "Ok(Exited(7))",
        "ex-01-4: PID 1 passes SIGTERM on to its child, which ends with 7, and so does PID 1"
    );
    let seen = alone(|| match start("echo ready; kill -9 $$") {
        Ok(child) => format!("{:?}", child.wait()),
        Err(error) => error,
    });
    assert_eq!(
        seen, "Ok(Exited(137))",
        "ex-01-4: a child that a signal has ended counts as 128 and the signal's number"
    );
    let seen = alone(|| {
        let script = "trap 'exit 9' URG; trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done";
        let child = match start(script) {
            Ok(child) => child,
            Err(error) => return error,
        };
        kill(child.pid(), Signal::SIGURG).unwrap();
        // Long enough for the shell to end with 9, if it heard of it.
        std::thread::sleep(Duration::from_millis(300));
        kill(child.pid(), Signal::SIGTERM).unwrap();
        format!("{:?}", child.wait())
    });
    assert_eq!(
        seen, "Ok(Exited(7))",
        "ex-01-4: SIGURG is news of a socket and meant for nobody: PID 1 passes TERM on, and not URG"
    );
}
