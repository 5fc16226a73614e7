//! Between a process and those who listen to it: its log, and whoever is attached.
//!
//! One loop around [poll(2)], in one thread, serves all of them. Whoever is attached has a queue of
//! what they have not taken yet; while somebody's is long, nothing more is read from the process,
//! which then waits in its next write, as it would at a slow terminal.
//!
//! [poll(2)]: https://man7.org/linux/man-pages/man2/poll.2.html

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use namespaces::{Result, step};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};

use crate::log::{LogWriter, Stream};
use crate::pty::{self, Size};
use crate::stdio::Ends;

/// As long as somebody has so much to take yet, the process is not read.
const LONG_QUEUE: usize = 256 * 1024;
/// How much is read at a time.
const CHUNK: usize = 64 * 1024;

/// Somebody who is attached, through a socket or a terminal.
#[derive(Debug)]
pub struct Client {
    /// From here comes input, if they give any.
    input: Option<File>,
    /// Here goes output.
    output: File,
    wants: [bool; 2],
    /// Whether each piece gets Docker's eight bytes before it, which tell output from error.
    framed: bool,
    queue: VecDeque<u8>,
    gone: bool,
}

impl Client {
    /// One socket for both directions. `wants` is standard output and standard error.
    pub fn on_socket(
        socket: OwnedFd,
        gives_input: bool,
        wants: [bool; 2],
        framed: bool,
    ) -> io::Result<Client> {
        let output = File::from(socket);
        let input = if gives_input { Some(output.try_clone()?) } else { None };
        Ok(Client { input, output, wants, framed, queue: VecDeque::new(), gone: false })
    }

    /// This program's own input and output, unframed.
    pub fn on_terminal(input: Option<OwnedFd>, output: OwnedFd, wants: [bool; 2]) -> Client {
        Client {
            input: input.map(File::from),
            output: output.into(),
            wants,
            framed: false,
            queue: VecDeque::new(),
            gone: false,
        }
    }

    fn take(&mut self, stream: Stream, bytes: &[u8]) {
        if !self.wants[stream as usize] || self.gone {
            return;
        }
        if self.framed {
            self.queue.extend([stream as u8 + 1, 0, 0, 0]);
            self.queue.extend((bytes.len() as u32).to_be_bytes());
        }
        self.queue.extend(bytes);
        self.flush();
    }

    fn flush(&mut self) {
        while !self.queue.is_empty() {
            match write_some(&self.output, self.queue.as_slices().0) {
                Ok(written) => drop(self.queue.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.gone = true;
                    self.queue.clear();
                }
            }
        }
    }
}

/// Writes what goes without waiting. A socket is asked not to wait just for this write; anything
/// else (a terminal, shared with the shell, whose mode isn't ours to change) has said that it is
/// ready and gets a little.
fn write_some(file: &File, bytes: &[u8]) -> io::Result<usize> {
    match send(file.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
        Err(Errno::ENOTSOCK) => {
            let mut file = file;
            file.write(&bytes[..bytes.len().min(4096)])
        }
        other => Ok(other?),
    }
}

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
    clients: Vec<Client>,
    input_ends_with_client: bool,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Output {
    stream: Stream,
    file: File,
    ended: bool,
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
                .map(|(stream, file)| Output { stream, file, ended: false })
                .collect(),
            terminal: ends.terminal,
            log,
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

    /// The terminal's window has another size now.
    pub fn resize(&self, size: Size) -> Result<()> {
        match self.outputs.first() {
            Some(output) if self.terminal => pty::resize(&output.file, size),
            _ => Ok(()),
        }
    }

    /// Waits until something happens (or the time is over), does what there is to do, and tells
    /// which of `others` are ready to be read.
    pub fn turn(&mut self, others: &[BorrowedFd<'_>], timeout: Option<Duration>) -> Result<Vec<bool>> {
        // What is waited for; what isn't asked for anything would only tell its hang-up for ever.
        let mut watched: Vec<(Source, PollFd<'_>)> = vec![];
        let mut watch = |source, fd, flags| watched.push((source, PollFd::new(fd, flags)));
        for (index, fd) in others.iter().enumerate() {
            watch(Source::Other(index), *fd, PollFlags::POLLIN);
        }
        if self.clients.iter().all(|client| client.queue.len() <= LONG_QUEUE) {
            for (index, output) in self.outputs.iter().enumerate() {
                watch(Source::Output(index), output.file.as_fd(), PollFlags::POLLIN);
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
        let timeout = timeout
            .map_or(PollTimeout::NONE, |time| u16::try_from(time.as_millis()).unwrap_or(u16::MAX).into());
        step("poll", "", || match poll(&mut polled, timeout) {
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
        // What is in the pipes now is all; who else holds them (a process that was left behind by
        // an exec) is not waited for.
        let start = Instant::now();
        let patience = Duration::from_secs(10);
        while !self.outputs.is_empty() && start.elapsed() < patience && self.something_to_read()? {
            self.turn(&[], Some(Duration::ZERO))?;
            if self.clients.iter().any(|client| client.queue.len() > LONG_QUEUE) {
                self.outputs_wait(start, patience)?;
            }
        }
        if let Some(log) = &mut self.log {
            let _ = log.finish();
        }
        self.outputs.clear();
        self.outputs_wait(start, patience)
    }

    /// Until nobody has anything to take any more, or the patience with them is over.
    fn outputs_wait(&mut self, start: Instant, patience: Duration) -> Result<()> {
        while self.clients.iter().any(|client| !client.queue.is_empty()) && start.elapsed() < patience {
            self.turn(&[], Some(Duration::from_millis(100)))?;
        }
        Ok(())
    }

    fn something_to_read(&self) -> Result<bool> {
        let mut polled: Vec<PollFd<'_>> =
            self.outputs.iter().map(|output| PollFd::new(output.file.as_fd(), PollFlags::POLLIN)).collect();
        step("poll", "", || match poll(&mut polled, PollTimeout::ZERO) {
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
                    // A full disk must not stop the program; who is attached still hears it.
                    tracing::warn!("the log is given up: {error}");
                    self.log = None;
                }
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
