//! Running cases: the main of a test program.
//!
//! Three processes stand behind each case. The *watcher* is this program again, single-threaded
//! (`--in-lab CASE`): it makes the lab, waits with an eye on the clock, and tidies up. Inside, the lab's
//! *init* is PID 1, which only reaps. Its child is the *case*.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context, Result, bail};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, geteuid, getpid};

use crate::case::Case;
use crate::lab::{Form, Lab};
use crate::{cgroup, engine, need, promise, sweep, walls};

/// The exit code of a case that its watcher ended because its time was over.
const TIMED_OUT: i32 = 124;

/// Runs the cases as `cargo test` would: the same flags, the same output.
pub fn main(cases: &[&[Case]]) -> ExitCode {
    let cases: Vec<Case> = cases.iter().flat_map(|group| group.iter().copied()).collect();
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--in-lab") {
        return match watch_named(&cases, &arguments[1..]) {
            Ok(code) => ExitCode::from(code as u8),
            Err(error) => {
                eprintln!("the lab: {error:#}");
                ExitCode::FAILURE
            }
        };
    }
    let arguments = Arguments::from_args();
    if !arguments.list
        && let Err(error) = prepare()
    {
        eprintln!("preparing the tests: {error:#}");
        return ExitCode::from(101);
    }
    let trials = promise::trials().into_iter().chain(cases.iter().flat_map(trials));
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if !geteuid().is_root() {
        cgroup::remove_parents();
    }
    conclusion.exit_code()
}

/// What is done once, before the first case.
fn prepare() -> Result<()> {
    sweep::sweep()?;
    let binary = engine::binary()?;
    // SAFETY: no other thread has been started yet.
    unsafe { env::set_var("CANOA_BIN", binary) };
    Ok(())
}

/// A case once, or twice where the long forms of the commands are tried, too.
fn trials(case: &Case) -> Vec<Trial> {
    let forms: &[Form] = if case.both_forms { &[Form::Short, Form::Long] } else { &[Form::Short] };
    let trial = |form: &Form| {
        let (case, form) = (*case, *form);
        let name = match form {
            Form::Short => case.name.to_owned(),
            Form::Long => format!("{}__in_the_long_form", case.name),
        };
        Trial::ignorable_test(name, move || attempt(&case, form))
    };
    forms.iter().map(trial).collect()
}

fn attempt(case: &Case, form: Form) -> Result<Completion, Failed> {
    let missing = need::no_namespaces().or_else(|| case.needs.iter().find_map(|need| need.missing()));
    if let Some(missing) = missing {
        return need::refuse(missing);
    }
    let output = Command::new("/proc/self/exe")
        .args(["--in-lab", case.name, form.name()])
        .output()
        .map_err(|error| format!("starting this program again: {error}"))?;
    if output.status.success() {
        return Ok(Completion::Completed);
    }
    let mut message = match output.status.code() {
        Some(TIMED_OUT) => format!("not done after {} s\n", case.seconds),
        _ => String::new(),
    };
    let _ = write!(
        message,
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Err(message.into())
}

fn watch_named(cases: &[Case], arguments: &[OsString]) -> Result<i32> {
    let [name, form] = arguments else { bail!("--in-lab wants a case and a form") };
    let case = cases
        .iter()
        .chain([&promise::WAITS])
        .find(|case| name == case.name)
        .context("there is no such case")?;
    let form = if form == Form::Long.name() { Form::Long } else { Form::Short };
    watch(case, form)
}

/// Makes the lab, runs the case in it, and leaves nothing of it behind. Returns its exit code.
///
/// Must be called while the process has a single thread.
pub fn watch(case: &Case, form: Form) -> Result<i32> {
    behind_walls(Duration::from_secs(case.seconds), |name, folder| {
        let lab = Lab::open(name, folder.to_owned(), form)?;
        // Where the case says what is wrong, and what: nobody needs a trace of the way into a lab.
        std::panic::set_hook(Box::new(|panic| {
            let at = panic.location().map(ToString::to_string).unwrap_or_default();
            eprintln!("{at}: {}", panic.payload_as_str().unwrap_or("panicked"));
        }));
        // It panics if the sentence isn't true; the panic's message goes to stderr, and so to the report.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (case.run)(&lab)));
        if result.is_err() {
            lab.tell_what_the_daemon_said();
        }
        Ok(if result.is_ok() { 0 } else { 101 })
    })
}

/// Runs `job` in a lab of its own, and leaves nothing of it behind. It is called in another process, with
/// the lab's name and folder; its exit code, or 124 if it wasn't done within `limit`, is returned here.
///
/// Must be called while the process has a single thread.
pub fn behind_walls(limit: Duration, job: impl FnOnce(&str, &Path) -> Result<i32>) -> Result<i32> {
    let root = geteuid().is_root();
    let name = sweep::lab_name(getpid())?;
    let folder = sweep::folder_of_labs().join(&name);

    // Should the test program be killed, this process hears of it and still tidies up.
    let mut signals = SigSet::empty();
    signals.extend([Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
    signals.thread_block()?;
    prctl::set_pdeathsig(Signal::SIGTERM)?;

    fs::create_dir(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let result = (|| {
        if root {
            cgroup::create(&name)?;
        } else {
            // Without a pid namespace, what a case leaves running becomes this process's child.
            prctl::set_child_subreaper(true)?;
        }
        match walls::fork_into(root)? {
            None => {
                let code = inside(&name, &folder, &signals, job).unwrap_or_else(|error| {
                    eprintln!("the lab: {error:#}");
                    1
                });
                std::process::exit(code)
            }
            Some(child) => wait(child, &signals, limit),
        }
    })();
    let tidied = tidy(&name, &folder, root);
    let code = result?;
    tidied?;
    Ok(code)
}

/// In the lab: as root this is its PID 1, which starts the job and reaps; as a user it is the job.
fn inside(
    name: &str,
    folder: &Path,
    signals: &SigSet,
    job: impl FnOnce(&str, &Path) -> Result<i32>,
) -> Result<i32> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    if geteuid().is_root() {
        walls::furnish(name, folder)?;
        if let Some(child) = walls::fork_into(false)? {
            return reap_until(child);
        }
    }
    signals.thread_unblock()?;
    job(name, folder)
}

/// What PID 1 owes its namespace: every orphan is its child, and stays a zombie until it is reaped.
fn reap_until(case: Pid) -> Result<i32> {
    loop {
        match waitpid(None, None) {
            Ok(status) if status.pid() == Some(case) => return Ok(code(status)),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("waiting for the case"),
        }
    }
}

/// Waits for the lab's first process, until its time is over or somebody wants us to stop.
fn wait(child: Pid, signals: &SigSet, limit: Duration) -> Result<i32> {
    let events = SignalFd::new(signals)?;
    let end = Instant::now() + limit;
    loop {
        // As an ordinary user's subreaper this process has orphans to reap, too.
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG))? {
                WaitStatus::StillAlive => break,
                status if status.pid() == Some(child) => return Ok(code(status)),
                _ => {}
            }
        }
        let left = end.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let happened =
            poll(&mut [PollFd::new(std::os::fd::AsFd::as_fd(&events), PollFlags::POLLIN)], timeout);
        let stop = match happened {
            Ok(0) => Some(TIMED_OUT),
            Err(Errno::EINTR) => None,
            Err(error) => return Err(error).context("waiting for signals"),
            Ok(_) => match events.read_signal()? {
                Some(signal) if signal.ssi_signo != Signal::SIGCHLD as u32 => Some(143),
                _ => None,
            },
        };
        if let Some(code) = stop {
            // With its PID 1 the whole namespace dies.
            kill(child, Signal::SIGKILL)?;
            waitpid(child, None)?;
            return Ok(code);
        }
    }
}

fn code(status: WaitStatus) -> i32 {
    match status {
        WaitStatus::Exited(_, code) => code,
        WaitStatus::Signaled(_, signal, _) => 128 + signal as i32,
        _ => 1,
    }
}

fn tidy(name: &str, folder: &Path, root: bool) -> Result<()> {
    if root {
        cgroup::remove(name)?;
    } else {
        sweep::kill_children()?;
    }
    sweep::remove_folder(folder)
}
