//! Asking the host's servers what isn't ours to know.
//!
//! Every question gets a socket of its own while it waits: connected to the server, so that the
//! kernel drops what others send, and with a port and an id that nobody can guess. All of these
//! sockets are opened once, at the beginning, and used again and again. That limits how much can
//! wait at the same time; and a process may go elsewhere afterwards: the sockets stay where the
//! servers can be reached, be it 127.0.0.53.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use namespaces::{Result, step};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrStorage, connect, recv, send, socket,
};

use super::message::{HEADER, question_section};

/// So many questions wait at the same time.
pub const AT_ONCE: usize = 32;
/// … by TCP, which is for the rare long answer.
pub const TCP_AT_ONCE: usize = 4;
/// How long a server may take before the next one is asked.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// How many servers are asked: resolv.conf(5) has no more, either.
const SERVERS: usize = 3;
/// An answer has at most this many bytes: the length has two.
const LONGEST: usize = 65535;

/// The servers, and the sockets to ask them.
#[derive(Debug)]
pub struct Upstream {
    servers: Vec<SocketAddr>,
    datagram: Vec<OwnedFd>,
    stream: Vec<OwnedFd>,
    random: RandomState,
    count: u64,
}

/// A question that waits for its answer.
#[derive(Debug)]
pub struct Pending {
    socket: OwnedFd,
    /// Who asked.
    pub client: SocketAddr,
    /// Until when.
    pub deadline: Instant,
    /// As it came, with the id that the client gave it.
    question: Vec<u8>,
    /// The id that it has on the way.
    id: u16,
    /// Which server is asked next.
    next: usize,
}

/// What came of it.
#[derive(Debug)]
pub enum Answer {
    /// Wait.
    NotYet,
    /// This, as the client may have it.
    Given(Vec<u8>),
    /// No server could answer.
    None,
}

impl Upstream {
    /// Opens the sockets in the network namespace where the caller is; `servers` are those of the
    /// host's `/etc/resolv.conf`, say.
    pub fn open(servers: &[SocketAddr]) -> Result<Upstream> {
        let mut servers: Vec<SocketAddr> = servers.iter().copied().take(SERVERS).collect();
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let new = |family, kind| socket(family, kind, flags, None);
        // An IPv6 socket reaches both kinds, if the kernel knows IPv6 at all.
        let mut family = AddressFamily::Inet;
        if servers.iter().any(SocketAddr::is_ipv6) {
            match new(AddressFamily::Inet6, SockType::Datagram) {
                Ok(_) => family = AddressFamily::Inet6,
                Err(_) => servers.retain(SocketAddr::is_ipv4),
            }
        }
        if family == AddressFamily::Inet6 {
            servers = servers.into_iter().map(mapped).collect();
        }
        let open = |kind, count: usize| {
            let all = || (0..count).map(|_| new(family, kind)).collect::<nix::Result<Vec<OwnedFd>>>();
            step("open sockets", format!("for name servers ({count})"), all)
        };
        let count = |most: usize| if servers.is_empty() { 0 } else { most };
        Ok(Upstream {
            datagram: open(SockType::Datagram, count(AT_ONCE))?,
            stream: open(SockType::Stream, count(TCP_AT_ONCE))?,
            servers,
            random: RandomState::new(),
            count: 0,
        })
    }

    /// Asks the first server by UDP. `None`: there is none, or all sockets are in use.
    pub fn ask(&mut self, question: &[u8], client: SocketAddr) -> Option<Pending> {
        let socket = self.datagram.pop()?;
        let question = question.to_vec();
        let mut pending = Pending { socket, client, deadline: Instant::now(), question, id: 0, next: 0 };
        if self.ask_next(&mut pending) {
            return Some(pending);
        }
        self.take_back(pending);
        None
    }

    /// Asks the next server. `false`: there is no other.
    pub fn ask_next(&mut self, pending: &mut Pending) -> bool {
        while let Some(server) = self.servers.get(pending.next).copied() {
            pending.next += 1;
            pending.id = self.unguessable();
            let question = with_id(&pending.question, pending.id);
            disconnect(&pending.socket);
            // It fails at once where no route leads to the server.
            let sent = connect(pending.socket.as_raw_fd(), &SockaddrStorage::from(server))
                .and_then(|()| send(pending.socket.as_raw_fd(), &question, MsgFlags::empty()));
            if sent.is_ok() {
                pending.deadline = Instant::now() + PATIENCE;
                return true;
            }
        }
        false
    }

    /// Reads what has come for a question.
    // ANCHOR: answer
    pub fn answer(&mut self, pending: &mut Pending) -> Answer {
        let mut bytes = vec![0; LONGEST];
        // A few that aren't the answer may lie before it: an old one, or somebody's guess.
        for _ in 0..8 {
            match recv(pending.socket.as_raw_fd(), &mut bytes, MsgFlags::empty()) {
                Err(Errno::EAGAIN | Errno::EINTR) => return Answer::NotYet,
                Err(_) if self.ask_next(pending) => return Answer::NotYet,
                // "Connection refused": nobody listens there.
                Err(_) => return Answer::None,
                Ok(length) if answers(&bytes[..length], pending.id, &pending.question) => {
                    bytes.truncate(length);
                    if gave_up(&bytes) && self.ask_next(pending) {
                        return Answer::NotYet;
                    }
                    bytes[..2].copy_from_slice(&pending.question[..2]);
                    return Answer::Given(bytes);
                }
                Ok(_) => {}
            }
        }
        Answer::NotYet
    }
    // ANCHOR_END: answer

    /// The question is answered: its socket is free for another.
    pub fn take_back(&mut self, pending: Pending) {
        disconnect(&pending.socket);
        let mut noise = [0; 1];
        // What still came for the last question is not for the next.
        while recv(pending.socket.as_raw_fd(), &mut noise, MsgFlags::empty()).is_ok() {}
        self.datagram.push(pending.socket);
    }

    /// A socket that is connecting to this server, for a conversation; and the id for its question.
    pub(super) fn connect(&mut self, server: usize) -> Option<(OwnedFd, u16)> {
        let address = SockaddrStorage::from(*self.servers.get(server)?);
        let socket = self.stream.pop()?;
        match connect(socket.as_raw_fd(), &address) {
            Ok(()) | Err(Errno::EINPROGRESS) => Some((socket, self.unguessable())),
            Err(_) => {
                self.hang_up(socket);
                None
            }
        }
    }

    /// The end of such a conversation.
    pub(super) fn hang_up(&mut self, socket: OwnedFd) {
        disconnect(&socket);
        self.stream.push(socket);
    }

    /// How many servers there are.
    pub(super) fn servers(&self) -> usize {
        self.servers.len()
    }

    /// A number that somebody who has seen the others can't guess: a keyed hash of a counter.
    fn unguessable(&mut self) -> u16 {
        self.count += 1;
        self.random.hash_one(self.count) as u16
    }
}

impl Pending {
    /// The question, as it came.
    pub fn question(&self) -> &[u8] {
        &self.question
    }
}

impl AsFd for Pending {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A message with another id.
pub(super) fn with_id(message: &[u8], id: u16) -> Vec<u8> {
    [&id.to_be_bytes()[..], message.get(2..).unwrap_or_default()].concat()
}

/// Whether a message is the answer to this question: the id on the way, the mark of an answer,
/// and the question repeated (in large or small letters).
pub(super) fn answers(message: &[u8], id: u16, question: &[u8]) -> bool {
    message.len() >= HEADER
        && message[..2] == id.to_be_bytes()
        && message[2] & 0x80 != 0
        && match (question_section(message), question_section(question)) {
            (Some(repeated), Some(asked)) => repeated.eq_ignore_ascii_case(asked),
            _ => false,
        }
}

/// Whether a server says that it can't or won't: another one may (SERVFAIL, NOTIMP, REFUSED).
pub(super) fn gave_up(answer: &[u8]) -> bool {
    matches!(answer[3] & 0x0f, 2 | 4 | 5)
}

/// 10.0.0.1 as an IPv6 socket knows it: ::ffff:10.0.0.1.
fn mapped(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) => SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into(),
        v6 => v6,
    }
}

/// The servers of a list of addresses, at the port of all name servers.
pub fn at_usual_port(servers: impl IntoIterator<Item = IpAddr>) -> Vec<SocketAddr> {
    servers.into_iter().map(|address| (address, super::PORT).into()).collect()
}

/// Makes a socket as if it had never been connected; the next time it gets another port
/// (connect(2): an address of the family AF_UNSPEC).
fn disconnect(socket: &OwnedFd) {
    let nobody = libc::sockaddr { sa_family: libc::AF_UNSPEC as libc::sa_family_t, sa_data: [0; 14] };
    // SAFETY: the address is a whole sockaddr which lives until the call returns, and its size is
    // what is said. Whether it fails doesn't matter: then the next connect does.
    unsafe { libc::connect(socket.as_raw_fd(), &nobody, size_of::<libc::sockaddr>() as u32) };
}
