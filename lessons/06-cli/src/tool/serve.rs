//! Between a program, its log and the person who started it, until it ends.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};

use anyhow::Result;
use lifecycle::log::LogWriter;
use lifecycle::pty::Size;
use lifecycle::stdio::Ends;
use lifecycle::terminal::{RawMode, size};
use lifecycle::{Client, Streams};
use namespaces::{Child, FORWARDED, Process, Signals};
use nix::sys::signal::Signal;

/// The signals that are meant for the program; and the word that our terminal has another size.
pub fn catch_signals() -> Result<Signals> {
    Ok(Signals::catch(FORWARDED.into_iter().chain([Signal::SIGWINCH]))?)
}

/// Hands to and fro, and gives the exit code. In the foreground, what the program says comes to our
/// own output, and what is typed goes to it if it is `interactive`.
// ANCHOR: serve
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
        let ready = streams.turn(&[child.as_fd(), signals.as_fd()], None)?;
        trouble = trouble.or(streams.log_trouble());
        while let Some(signal) = signals.next()? {
            match (signal.signal, size(io::stdin())) {
                (libc::SIGWINCH, Some((rows, columns))) => streams.resize(Size { rows, columns })?,
                (libc::SIGWINCH, None) => {}
                (signal, _) => drop(process.signal(signal)?),
            }
        }
        if ready[0] {
            break child.wait()?;
        }
    };
    // Somebody may read our output slowly (`| less`): there is time, unless we are told to end.
    while streams.is_owed() {
        streams.turn(&[signals.as_fd()], None)?;
        if signals.next()?.is_some_and(|caught| caught.signal != libc::SIGWINCH) {
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
// ANCHOR_END: serve
