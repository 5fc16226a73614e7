//! Somebody who is attached, and what they have not taken yet.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{MsgFlags, send};
use nix::sys::stat::fstat;

use crate::log::Stream;

/// So much a pipe takes at once that says it is ready (`PIPE_BUF`).
const A_LITTLE: usize = 4096;

/// Somebody who is attached, through a socket or a terminal.
#[derive(Debug)]
pub struct Client {
    /// From here comes input, if they give any.
    pub(super) input: Option<File>,
    /// Here goes output.
    pub(super) output: File,
    /// Whether that is a socket.
    socket: bool,
    wants: [bool; 2],
    /// Whether each piece gets Docker's eight bytes before it, which tell output from error.
    framed: bool,
    pub(super) queue: VecDeque<u8>,
    pub(super) gone: bool,
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
        Ok(Client { input, output, socket: true, wants, framed, queue: VecDeque::new(), gone: false })
    }

    /// This program's own input and output, unframed.
    pub fn on_terminal(input: Option<OwnedFd>, output: OwnedFd, wants: [bool; 2]) -> Client {
        Client {
            input: input.map(File::from),
            socket: fstat(&output).is_ok_and(|seen| seen.st_mode & libc::S_IFMT == libc::S_IFSOCK),
            output: output.into(),
            wants,
            framed: false,
            queue: VecDeque::new(),
            gone: false,
        }
    }

    pub(super) fn take(&mut self, stream: Stream, bytes: &[u8]) {
        if !self.wants[stream as usize] || self.gone {
            return;
        }
        if self.framed {
            self.queue.extend([stream as u8 + 1, 0, 0, 0]);
            self.queue.extend((bytes.len() as u32).to_be_bytes());
        }
        self.queue.extend(bytes);
        if self.socket {
            self.flush();
        }
    }

    /// Hands on what they take without making us wait; called when they are ready to take something.
    pub(super) fn flush(&mut self) {
        while !self.queue.is_empty() {
            let bytes = self.queue.as_slices().0;
            // A socket is asked not to wait just for this write. Anything else (a pipe, or a terminal, shared
            // with the shell, whose mode isn't ours to change) has said that it is ready, and gets a little.
            let written = match self.socket {
                true => send(self.output.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL)
                    .map_err(io::Error::from),
                false => self.output.write(&bytes[..bytes.len().min(A_LITTLE)]),
            };
            match written {
                Ok(written) => drop(self.queue.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.gone = true;
                    self.queue.clear();
                }
            }
            if !self.socket {
                return;
            }
        }
    }
}
