//! Between a process and those who listen to it: its log, and whoever is attached.
//!
//! One loop around [poll(2)], in one thread, serves all of them. Whoever is attached has a queue of
//! what they have not taken yet; while somebody's is long, nothing more is read from the process,
//! which then waits in its next write, as it would at a slow terminal.
//!
//! [poll(2)]: https://man7.org/linux/man-pages/man2/poll.2.html

mod client;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use namespaces::{Result, step};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

pub use self::client::Client;
use crate::log::{LogWriter, Stream};
use crate::pty::{self, Size};
use crate::stdio::Ends;

/// As long as somebody has so much to take yet, the process is not read.
const LONG_QUEUE: usize = 256 * 1024;
/// How much is read at a time.
const CHUNK: usize = 64 * 1024;
/// A program that says line after line is not woken up for at each: after one piece the next is left to
/// gather for so long. Nobody sees so short a delay, and it makes one write to the log of a thousand.
const GATHER: Duration = Duration::from_millis(1);

/// A process's streams.
#[derive(Debug)]
pub struct Streams {
    input: Option<File>,
    /// What was typed, and not read by the process yet.
    typed: VecDeque<u8>,
    /// Nothing more will be typed: once `typed` is empty the input is closed.
    no_more_input: bool,
    outputs: Vec<Output>,
    terminal: bool,
    log: Option<LogWriter>,
    log_trouble: Option<io::Error>,
    clients: Vec<Client>,
    input_ends_with_client: bool,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Output {
    stream: Stream,
    file: File,
    ended: bool,
    /// Until then what it says may gather.
    rests_until: Option<Instant>,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy)]
enum Source {
    Other(usize),
    Output(usize),
    Input,
    ClientInput(usize),
    ClientOutput(usize),
}

impl Streams {
    /// `input_ends_with_client`: when an attached client's input ends, so does the process's.
    pub fn new(ends: Ends, log: Option<LogWriter>, input_ends_with_client: bool) -> Self {
        Streams {
            input: ends.input,
            typed: VecDeque::new(),
            no_more_input: false,
            outputs: ends
                .outputs
                .into_iter()
                .map(|(stream, file)| Output { stream, file, ended: false, rests_until: None })
                .collect(),
            terminal: ends.terminal,
            log,
            log_trouble: None,
            clients: vec![],
            input_ends_with_client,
            buffer: vec![0; CHUNK],
        }
    }

    /// Whether the process is at a terminal: then clients get raw bytes.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Somebody more. `already_typed` is input that came before.
    pub fn attach(&mut self, client: Client, already_typed: &[u8]) {
        if client.input.is_some() && self.input.is_some() {
            self.typed.extend(already_typed);
        }
        self.clients.push(client);
    }

    /// Why the log couldn't be written, once for each time that it began: for the person who looks after
    /// this process. (What is missing the log says itself, when it can be written again.)
    pub fn log_trouble(&mut self) -> Option<io::Error> {
        self.log_trouble.take()
    }

    /// Whether somebody has not taken all of their output yet.
    pub fn is_owed(&self) -> bool {
        self.clients.iter().any(|client| !client.queue.is_empty())
    }

    /// The terminal's window has another size now.
    pub fn resize(&self, size: Size) -> Result<()> {
        match self.outputs.first() {
            Some(output) if self.terminal => pty::resize(&output.file, size),
            _ => Ok(()),
        }
    }

    /// Waits until something happens (or the time is over), does what there is to do, and tells
    /// which of `others` are ready to be read.
    pub fn turn(&mut self, others: &[BorrowedFd<'_>], mut timeout: Option<Duration>) -> Result<Vec<bool>> {
        let now = Instant::now();
        // What is waited for; what isn't asked for anything would only tell its hang-up for ever.
        let mut watched: Vec<(Source, PollFd<'_>)> = vec![];
        let mut watch = |source, fd, flags| watched.push((source, PollFd::new(fd, flags)));
        for (index, fd) in others.iter().enumerate() {
            watch(Source::Other(index), *fd, PollFlags::POLLIN);
        }
        if self.clients.iter().all(|client| client.queue.len() <= LONG_QUEUE) {
            for (index, output) in self.outputs.iter().enumerate() {
                match output.rests_until.and_then(|until| until.checked_duration_since(now)) {
                    Some(rest) if !rest.is_zero() => {
                        timeout = Some(timeout.map_or(rest, |time| time.min(rest)));
                    }
                    _ => watch(Source::Output(index), output.file.as_fd(), PollFlags::POLLIN),
                }
            }
        }
        if let Some(input) = self.input.as_ref().filter(|_| !self.typed.is_empty()) {
            watch(Source::Input, input.as_fd(), PollFlags::POLLOUT);
        }
        let takes_input = self.input.is_none() || self.typed.is_empty();
        for (index, client) in self.clients.iter().enumerate() {
            if let Some(input) = client.input.as_ref().filter(|_| takes_input) {
                watch(Source::ClientInput(index), input.as_fd(), PollFlags::POLLIN);
            }
            let flags = if client.queue.is_empty() { PollFlags::empty() } else { PollFlags::POLLOUT };
            watch(Source::ClientOutput(index), client.output.as_fd(), flags);
        }

        let (sources, mut polled): (Vec<Source>, Vec<PollFd<'_>>) = watched.into_iter().unzip();
        let timeout = timeout.map(TimeSpec::from_duration);
        step("poll", "", || match ppoll(&mut polled, timeout, None) {
            Err(Errno::EINTR) => Ok(0),
            other => other,
        })?;
        let ready: Vec<(Source, PollFlags)> = sources
            .into_iter()
            .zip(polled.iter().map(|polled| polled.revents().unwrap_or(PollFlags::empty())))
            .filter(|(_, flags)| !flags.is_empty())
            .collect();
        drop(polled);

        let mut others_ready = vec![false; others.len()];
        for (source, flags) in ready {
            match source {
                Source::Other(index) => others_ready[index] = true,
                Source::Output(index) => self.read_output(index),
                Source::Input => self.write_input(),
                Source::ClientInput(index) => self.read_client(index),
                Source::ClientOutput(index) => {
                    self.clients[index].flush();
                    // Gone for both directions; a client that only ends its input isn't.
                    self.clients[index].gone |= flags.intersects(PollFlags::POLLHUP | PollFlags::POLLERR);
                }
            }
        }
        self.outputs.retain(|output| !output.ended);
        self.clients.retain(|client| !client.gone);
        Ok(others_ready)
    }

    /// The process has ended: takes what it still had said, and hands out everything.
    pub fn finish(&mut self) -> Result<()> {
        let start = Instant::now();
        let goes_on = |start: Instant| start.elapsed() < Duration::from_secs(10);
        // What is in the pipes now is all; who else holds them (a process that was left behind by
        // an exec) is not waited for.
        while goes_on(start) && self.something_to_read()? {
            self.outputs.iter_mut().for_each(|output| output.rests_until = None);
            // While somebody's queue is long, nothing is read: then this waits for them.
            self.turn(&[], Some(Duration::from_millis(100)))?;
        }
        if let Some(log) = &mut self.log {
            self.log_trouble = log.finish().err().or(self.log_trouble.take());
        }
        self.outputs.clear();
        while goes_on(start) && self.is_owed() {
            self.turn(&[], Some(Duration::from_millis(100)))?;
        }
        Ok(())
    }

    fn something_to_read(&self) -> Result<bool> {
        let mut polled: Vec<PollFd<'_>> =
            self.outputs.iter().map(|output| PollFd::new(output.file.as_fd(), PollFlags::POLLIN)).collect();
        step("poll", "", || match ppoll(&mut polled, Some(TimeSpec::from_duration(Duration::ZERO)), None) {
            Err(Errno::EINTR) => Ok(true),
            other => other.map(|ready| ready > 0),
        })
    }

    fn read_output(&mut self, index: usize) {
        let output = &mut self.outputs[index];
        match output.file.read(&mut self.buffer) {
            Ok(length) if length > 0 => {
                let bytes = &self.buffer[..length];
                if let Some(log) = &mut self.log
                    && let Err(error) = log.write(output.stream, bytes)
                {
                    self.log_trouble = Some(error);
                }
                // A full pipe is read on at once: its program waits.
                output.rests_until = (length < self.buffer.len()).then(|| Instant::now() + GATHER);
                self.clients.iter_mut().for_each(|client| client.take(output.stream, bytes));
            }
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            // The end; a terminal says EIO when nobody has it open any more.
            Ok(_) | Err(_) => output.ended = true,
        }
    }

    fn read_client(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let Some(input) = &mut client.input else { return };
        match input.read(&mut self.buffer) {
            Ok(length) if length > 0 => {
                // Without an input to write to, what is typed is thrown away.
                if self.input.is_some() {
                    self.typed.extend(&self.buffer[..length]);
                    self.write_input();
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Ok(_) | Err(_) => {
                client.input = None;
                self.no_more_input |= self.input_ends_with_client;
                self.write_input();
            }
        }
    }

    fn write_input(&mut self) {
        let Some(input) = &mut self.input else { return };
        while !self.typed.is_empty() {
            match input.write(self.typed.as_slices().0) {
                Ok(written) => drop(self.typed.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The process has closed its input.
                Err(_) => {
                    self.input = None;
                    self.typed.clear();
                    return;
                }
            }
        }
        // A terminal has no end of input but Ctrl-D, which is a character.
        if self.no_more_input && !self.terminal {
            self.input = None;
        }
    }
}
