//! Between a program, its log and the person who started it, until it ends.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};

use anyhow::Result;
use lifecycle::log::LogWriter;
use lifecycle::pty::Size;
use lifecycle::stdio::Ends;
use lifecycle::terminal::{RawMode, size};
use lifecycle::{Client, Streams};
use namespaces::{Child, Process, step};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What is meant for the program, when somebody sends it to us; and the word that our terminal has
/// another size.
const CAUGHT: [Signal; 7] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
];

/// The signals that have come to us. From the moment that this is made none of them ends us: we
/// must live until we have cleaned up.
pub struct Signals(SignalFd);

impl Signals {
    /// Before the program is started, so that none is lost. (The program itself begins with no
    /// signal blocked: see lesson 1's `exec`.)
    pub fn catch() -> Result<Signals> {
        let signals: SigSet = CAUGHT.into_iter().collect();
        step("block signals", "", || signals.thread_block())?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Signals(step("watch signals", "", || SignalFd::with_flags(&signals, flags))?))
    }

    fn next(&self) -> Result<Option<i32>> {
        Ok(step("read signal", "", || self.0.read_signal())?.map(|signal| signal.ssi_signo as i32))
    }
}

/// Hands to and fro, and gives the exit code. In the foreground, what the program says comes to our
/// own output, and what is typed goes to it if it is `interactive`.
pub fn serve(
    child: &Child,
    ends: Ends,
    signals: Signals,
    log: Option<LogWriter>,
    foreground: bool,
    interactive: bool,
) -> Result<i32> {
    let process = Process::with_pid(child.pid().as_raw())?;
    let mut streams = Streams::new(ends, log, true);
    let own = |fd: &dyn AsFd| -> io::Result<OwnedFd> { fd.as_fd().try_clone_to_owned() };
    let mut raw = None;
    let mut trouble = None;
    if foreground {
        let input = if interactive { Some(own(&io::stdin())?) } else { None };
        if streams.is_terminal() && io::stdin().is_terminal() {
            raw = Some(RawMode::enter(io::stdin().as_fd())?);
        }
        streams.attach(Client::on_terminal(input, own(&io::stdout())?, [true, false]), &[]);
        streams.attach(Client::on_terminal(None, own(&io::stderr())?, [false, true]), &[]);
    }
    let status = loop {
        let ready = streams.turn(&[child.as_fd(), signals.0.as_fd()], None)?;
        trouble = trouble.or(streams.log_trouble());
        while let Some(signal) = signals.next()? {
            match (signal, size(io::stdin())) {
                (libc::SIGWINCH, Some((rows, columns))) => streams.resize(Size { rows, columns })?,
                (libc::SIGWINCH, None) => {}
                _ => drop(process.signal(signal)?),
            }
        }
        if ready[0] {
            break child.wait()?;
        }
    };
    // Somebody may read our output slowly (`| less`): there is time, unless we are told to end.
    while streams.is_owed() {
        streams.turn(&[signals.0.as_fd()], None)?;
        if signals.next()?.is_some_and(|signal| signal != libc::SIGWINCH) {
            break;
        }
    }
    streams.finish()?;
    drop(raw);
    if let Some(error) = trouble.or(streams.log_trouble()) {
        eprintln!("lesson-06: something is missing in the log: {error}");
    }
    Ok(status.code())
}
