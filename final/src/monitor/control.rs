//! The connections to a monitor: the engine's, from the start, and those that come later.
//!
//! Each carries one JSON object a line (`bundle::Request`, `bundle::Event`), until it asks to be
//! attached: from then on it carries the process's own bytes.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use lifecycle::pty::{Size, send_descriptor};
use lifecycle::{Client, Streams};
use namespaces::Result;

use super::wiring::Wiring;
use crate::bundle::{Event, Request};

/// A line longer than this is no request of ours.
const LONGEST_LINE: usize = 64 * 1024;

/// Everybody who is connected.
pub(super) struct Control {
    listener: Option<UnixListener>,
    connections: Vec<Connection>,
    started: Event,
    /// The merged file system, for who asks.
    root: Option<OwnedFd>,
}

struct Connection {
    socket: UnixStream,
    /// Bytes of a line whose end isn't here yet.
    line: Vec<u8>,
    /// Whether it wants to hear of the end.
    watches: bool,
}

enum After {
    Stays,
    Closes,
    /// It became a client of the streams, with these as its input's first bytes.
    Attaches(crate::bundle::Streams, Vec<u8>),
}

impl Control {
    /// The engine watches from the beginning: it is told of the start at once.
    pub(super) fn new(
        listener: Option<UnixListener>,
        engine: UnixStream,
        started: Event,
        root: Option<OwnedFd>,
    ) -> Control {
        if let Some(listener) = &listener {
            let _ = listener.set_nonblocking(true);
        }
        let _ = engine.set_nonblocking(true);
        tell(&engine, &started);
        let engine = Connection { socket: engine, line: vec![], watches: true };
        Control { listener, connections: vec![engine], started, root }
    }

    /// What to wait for; the answers are expected by [`Control::serve`] in the same order.
    pub(super) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let listener = self.listener.iter().map(|listener| listener.as_fd());
        listener.chain(self.connections.iter().map(|connection| connection.socket.as_fd())).collect()
    }

    /// Serves those that are ready.
    pub(super) fn serve(&mut self, ready: &[bool], streams: &mut Streams, mut wiring: Option<&mut Wiring>) {
        let (listener_ready, ready) = ready.split_at(usize::from(self.listener.is_some()));
        let mut connections = vec![];
        for (mut connection, ready) in std::mem::take(&mut self.connections).into_iter().zip(ready) {
            match if *ready {
                self.read(&mut connection, streams, wiring.as_deref_mut())
            } else {
                After::Stays
            } {
                After::Stays => connections.push(connection),
                After::Closes => {}
                After::Attaches(wants, typed) => attach(connection.socket, wants, &typed, streams),
            }
        }
        self.connections = connections;
        if listener_ready == [true]
            && let Some(Ok((socket, _))) = self.listener.as_ref().map(UnixListener::accept)
        {
            let _ = socket.set_nonblocking(true);
            self.connections.push(Connection { socket, line: vec![], watches: false });
        }
    }

    /// Tells everybody who watches.
    pub(super) fn tell_all(&self, event: &Event) {
        for connection in self.connections.iter().filter(|connection| connection.watches) {
            tell(&connection.socket, event);
        }
    }

    fn read(
        &self,
        connection: &mut Connection,
        streams: &mut Streams,
        mut wiring: Option<&mut Wiring>,
    ) -> After {
        let mut bytes = [0; 4096];
        match connection.socket.read(&mut bytes) {
            Ok(0) => return After::Closes,
            Ok(length) => connection.line.extend(&bytes[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return After::Closes,
        }
        while let Some(end) = connection.line.iter().position(|byte| *byte == b'\n') {
            let rest = connection.line.split_off(end + 1);
            let line = std::mem::replace(&mut connection.line, rest);
            match serde_json::from_slice(&line) {
                Ok(Request::Attach(wants)) => {
                    return After::Attaches(wants, std::mem::take(&mut connection.line));
                }
                Ok(Request::Watch {}) => {
                    connection.watches = true;
                    tell(&connection.socket, &self.started);
                }
                Ok(Request::Resize { rows, columns }) => {
                    // It can only fail where there is no terminal, and then there is nothing to do.
                    let _ = streams.resize(Size { rows, columns });
                }
                Ok(Request::Root {}) => {
                    let (Some(root), Ok(mut text)) = (&self.root, serde_json::to_vec(&Event::Root {})) else {
                        return After::Closes;
                    };
                    text.push(b'\n');
                    if send_descriptor(&connection.socket, &text, root).is_err() {
                        return After::Closes;
                    }
                }
                Ok(Request::Plug { interface, zones }) => {
                    let done = wiring.as_deref_mut().map(|wiring| wiring.plug(&interface, zones));
                    answer(&connection.socket, done);
                }
                Ok(Request::Unplug { interface, next, zones }) => {
                    let done = wiring.as_deref_mut().map(|wiring| wiring.unplug(&interface, next, zones));
                    answer(&connection.socket, done);
                }
                Err(_) => return After::Closes,
            }
        }
        if connection.line.len() > LONGEST_LINE { After::Closes } else { After::Stays }
    }
}

fn attach(socket: UnixStream, wants: crate::bundle::Streams, typed: &[u8], streams: &mut Streams) {
    let framed = !streams.is_terminal();
    if let Ok(client) = Client::on_socket(socket.into(), wants.stdin, [wants.stdout, wants.stderr], framed) {
        streams.attach(client, typed);
    }
}

/// What came of it; an exec has no network of its own.
fn answer(socket: &UnixStream, done: Option<Result<()>>) {
    let event = match done {
        Some(Ok(())) => Event::Done {},
        Some(Err(error)) => Event::Refused { message: error.to_string() },
        None => Event::Refused { message: "it has no network of its own".to_owned() },
    };
    tell(socket, &event);
}

/// One event as one line. Who doesn't listen any more is not our concern.
pub(super) fn tell(mut socket: &UnixStream, event: &Event) {
    if let Ok(mut line) = serde_json::to_vec(event) {
        line.push(b'\n');
        let _ = socket.write_all(&line);
    }
}
