//! The monitor: one process for each container, and one for each exec.
//!
//! It does the kernel's work through the lessons' crates, and then stays: it owns what its process
//! reads and says, its log and its exit status. It has one thread, since a process with several
//! can't be cloned safely, and it needs no daemon: the engine may die and come back meanwhile.
//!
//! - `run`: a container, from its bundle;
//! - `exec`: one more process in one;
//! - `plan`: from the bundle's words to the lessons' types;
//! - `control`: the connections to it;
//! - `join`: the namespaces that it shares with others;
//! - `wiring`: its cables and its name server, while it runs;
//! - `memory`: what it lets go of while it only waits;
//! - `supervise`: the loop, until the process has ended.

mod control;
mod exec;
mod join;
mod memory;
mod plan;
mod run;
mod supervise;
mod wiring;

use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use namespaces::{Result, step};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sched::{CloneFlags, setns};

use crate::bundle::{Event, Streams};
use crate::descriptors;

/// The descriptor on which the engine listens from the beginning.
const ENGINE: RawFd = 3;

/// What the engine says on the command line.
struct Options {
    /// Those who are attached before the start: a connection each.
    attached: Vec<(OwnedFd, Streams)>,
    /// The sockets of the published ports.
    ports: Vec<OwnedFd>,
    /// The network namespace in which the bridges are, if it isn't the engine's own.
    netns: Option<OwnedFd>,
}

/// `canoa monitor run BUNDLE | exec [--netns FD] [--port FD]… [--attach FD=stdin,stdout,stderr]…`
pub fn main(words: impl IntoIterator<Item = String>) -> ExitCode {
    let words: Vec<String> = words.into_iter().collect();
    // Started through a descriptor it would be called by its number, in `ps` and, with --init, in the
    // container's /proc/1/comm.
    let _ = nix::sys::prctl::set_name(c"canoa");
    descriptors::take_all();
    let Some(engine) = take_descriptor(ENGINE) else {
        eprintln!("canoa monitor: started by the daemon only, with a socket as descriptor 3");
        return ExitCode::from(125);
    };
    let engine = UnixStream::from(engine);
    let outcome = match words.split_first() {
        Some((command, rest)) if command == "run" || command == "exec" => {
            prepare(rest).and_then(|options| match (command.as_str(), rest.first()) {
                ("run", Some(bundle)) => run::run(Path::new(bundle), engine_copy(&engine)?, options),
                _ => exec::exec(engine_copy(&engine)?, options),
            })
        }
        _ => Err(namespaces::Error::new("read command line of", "canoa monitor", words.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            control::tell(&engine, &Event::Failed { message: error.to_string(), code: error.exit_code() });
            ExitCode::from(error.exit_code() as u8)
        }
    }
}

fn engine_copy(engine: &UnixStream) -> Result<UnixStream> {
    step("copy descriptor", ENGINE, || engine.try_clone())
}

fn prepare(words: &[String]) -> Result<Options> {
    // A session of its own: Ctrl-C at the daemon's terminal is not meant for us.
    let _ = nix::unistd::setsid();
    let mut options = Options { attached: vec![], ports: vec![], netns: None };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let value = if word.starts_with("--") { words.next() } else { None };
        match (word.as_str(), value) {
            ("--netns", Some(number)) => options.netns = number.parse().ok().and_then(take_descriptor),
            ("--port", Some(number)) => {
                options.ports.extend(number.parse().ok().and_then(take_descriptor));
            }
            ("--attach", Some(value)) => {
                let (number, streams) = value.split_once('=').unwrap_or((value, ""));
                let has = |name: &str| streams.split(',').any(|stream| stream == name);
                let streams = Streams { stdin: has("stdin"), stdout: has("stdout"), stderr: has("stderr") };
                if let Some(socket) = number.parse().ok().and_then(take_descriptor) {
                    options.attached.push((socket, streams));
                }
            }
            _ => {}
        }
    }
    Ok(options)
}

impl Options {
    /// Goes to where the bridges are.
    fn join(&self) -> Result<()> {
        match &self.netns {
            Some(netns) => step("join network namespace", "", || setns(netns, CloneFlags::CLONE_NEWNET)),
            None => Ok(()),
        }
    }
}

/// Takes over a descriptor that the engine has left open for us.
fn take_descriptor(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: only asks whether the number names an open descriptor.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if number < ENGINE || flags < 0 {
        return None;
    }
    // SAFETY: it is open, it came with the command line, and each number is taken once: nobody
    // else in this process owns it.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    // It must not go on to the container.
    fcntl(&descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).ok()?;
    Some(descriptor)
}
