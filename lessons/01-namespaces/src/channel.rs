//! The socket between a parent and the child it cloned.
//!
//! One pair of `SOCK_SEQPACKET` sockets ([unix(7)]) carries everything that the two say to each
//! other. A packet is a message, so no length has to be written, and the other side's end closes
//! as a file does. That end is a message, too:
//!
//! - The child's end has `CLOEXEC` set. When the parent reads *end of file* and no error came
//!   before it, `execve` has succeeded.
//! - When a child that waits for its release reads end of file, its parent has died.
//!
//! [unix(7)]: https://man7.org/linux/man-pages/man7/unix.7.html

use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send as send_packet, socketpair};

use crate::step::Error;

/// What is said between the two.
#[derive(Debug, Clone, PartialEq, Eq)]
// ANCHOR: message
pub(crate) enum Message {
    /// Parent to child: you may run now.
    Go,
    /// Child to parent: a step is done.
    Step { name: String, on: String, micros: u64, file: String, line: u32 },
    /// Child to parent: a step failed, and I end.
    Failed(Error),
}
// ANCHOR_END: message

/// No packet is larger: at the most six fields, in characters of up to four bytes.
const PACKET: usize = 6 * 4 * LONGEST + 6;

/// A field is cut to so many characters.
const LONGEST: usize = 1024;

/// Makes the pair: (the parent's end, the child's end).
pub(crate) fn pair() -> nix::Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
}

/// Sends one message as one packet.
pub(crate) fn send(socket: RawFd, message: &Message) -> nix::Result<()> {
    // NOSIGNAL: a parent that died is an error to return here, not a SIGPIPE to die from.
    send_packet(socket, &message.encode(), MsgFlags::MSG_NOSIGNAL).map(drop)
}

/// Waits for the next message; `None` when the other end is closed.
pub(crate) fn receive(socket: &OwnedFd) -> io::Result<Option<Message>> {
    let mut packet = vec![0; PACKET];
    loop {
        match recv(socket.as_raw_fd(), &mut packet, MsgFlags::empty()) {
            Err(nix::Error::EINTR) => continue,
            // A peer that died with unread packets of ours shows as a reset: it is closed.
            Ok(0) | Err(nix::Error::ECONNRESET) => return Ok(None),
            Err(errno) => return Err(errno.into()),
            Ok(length) => {
                return Message::decode(&packet[..length])
                    .map(Some)
                    .ok_or_else(|| ErrorKind::InvalidData.into());
            }
        }
    }
}

/// Whether the other end is closed: its process has ended.
pub(crate) fn is_closed(socket: RawFd) -> bool {
    let mut socket = libc::pollfd { fd: socket, events: 0, revents: 0 };
    // SAFETY: one structure, which lives until the call is over; it doesn't wait.
    let found = unsafe { libc::poll(&raw mut socket, 1, 0) };
    found == 1 && socket.revents & (libc::POLLHUP | libc::POLLERR) != 0
}

impl Message {
    /// Fields separated by NUL; one in a field itself is shown as `?`, and a long field is cut, so that
    /// whatever a step is done on arrives as a message.
    fn encode(&self) -> Vec<u8> {
        let fields: Vec<String> = match self {
            Message::Go => vec!["go".into()],
            Message::Step { name, on, micros, file, line } => {
                vec![
                    "step".into(),
                    name.clone(),
                    on.clone(),
                    micros.to_string(),
                    file.clone(),
                    line.to_string(),
                ]
            }
            Message::Failed(Error { step, on, errno, hint }) => {
                vec!["failed".into(), step.clone(), on.clone(), errno.to_string(), hint.clone()]
            }
        };
        let field = |field: &String| -> String { field.replace('\0', "?").chars().take(LONGEST).collect() };
        fields.iter().map(field).collect::<Vec<_>>().join("\0").into_bytes()
    }

    fn decode(packet: &[u8]) -> Option<Message> {
        let text = String::from_utf8_lossy(packet);
        let fields: Vec<&str> = text.split('\0').collect();
        Some(match fields.as_slice() {
            ["go"] => Message::Go,
            ["step", name, on, micros, file, line] => Message::Step {
                name: (*name).into(),
                on: (*on).into(),
                micros: micros.parse().ok()?,
                file: (*file).into(),
                line: line.parse().ok()?,
            },
            ["failed", step, on, errno, hint] => Message::Failed(Error {
                step: (*step).into(),
                on: (*on).into(),
                errno: errno.parse().ok()?,
                hint: (*hint).into(),
            }),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_as_it_was_sent_and_a_closed_end_reads_as_none() {
        let (parent, child) = pair().unwrap();
        let sent = Message::Failed(Error {
            step: "mount proc".into(),
            on: "/proc".into(),
            errno: 1,
            hint: String::new(),
        });
        send(child.as_raw_fd(), &sent).unwrap();
        assert_eq!(receive(&parent).unwrap(), Some(sent));
        let on = format!("a\0b{}", "ñ".repeat(100_000));
        send(child.as_raw_fd(), &Message::Failed(Error::new("exec", on, "too long"))).unwrap();
        let Some(Message::Failed(error)) = receive(&parent).unwrap() else { panic!("no error") };
        assert!(error.on.starts_with("a?bñ") && error.on.len() < 4096, "{error}");
        drop(child);
        assert_eq!(receive(&parent).unwrap(), None);
    }
}
