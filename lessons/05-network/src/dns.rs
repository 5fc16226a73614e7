//! Names while they change: a name server of the container's own, at 127.0.0.11.
//!
//! A file of names that was made at a container's start (`/etc/hosts`) knows nobody who comes
//! later. So `/etc/resolv.conf` names a server, which looks the answer up when it is asked:
//!
//! ```text
//!   container's network namespace           │  the host's
//!                                           │
//!   nslookup web ──▶ 127.0.0.11:53 ─────────┼──▶ Server ──▶ the file of names of each network
//!                                           │      │
//!                                           │      └──▶ whatever isn't ours: the host's servers
//! ```
//!
//! A socket belongs to the network namespace in which it was opened, and its owner may be
//! elsewhere: the server is a part of the process that looks after the container, outside, and
//! has one pair of sockets inside and some more outside.
//!
//! - [`zone`]: the file of names of a network, and what is looked up in it;
//! - [`message`]: from the bytes of a question to those of the answer (RFC 1035);
//! - [`upstream`]: asking the host's servers;
//! - [`conversation`]: the same over TCP, for answers that are too long for a datagram.
//!
//! Who is inside may be hostile: all that it can make the server keep has a limit, and what it
//! sends is read as if it were noise.

pub mod conversation;
pub mod message;
pub mod upstream;
pub mod zone;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use namespaces::{Result, step};
use nix::poll::PollTimeout;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::namespace::visit;
use conversation::Conversations;
use message::{Reply, reply};
use upstream::{Answer, Pending, Upstream};
pub use zone::Zone;
use zone::Zones;

/// Where it is asked, inside: any address of 127.0.0.0/8 is the container's own; Docker took this.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
/// The port of all name servers.
const PORT: u16 = 53;
/// An answer by UDP has no more bytes than this (RFC 1035, 4.2.1).
const DATAGRAM: usize = 512;
/// So many datagrams are read before others get their turn.
const AT_ONCE: usize = 32;
/// A question has a name of at most 255 bytes, and some options.
const LONGEST_QUESTION: usize = 2048;

/// What an event was of: the kernel gives this number back.
const UDP: u64 = 0;
const TCP: u64 = 1;
const TIMER: u64 = 2;
/// … and from here on, a socket to a server of the host's; then, the connections.
const ASKED: u64 = 1000;
const TALKING: u64 = 2000;

/// The name server of one container.
///
/// It has no thread of its own: it is in the loop of its owner, who waits until the descriptor of
/// [`Server::as_fd`] can be read, and then calls [`Server::turn`].
#[derive(Debug)]
pub struct Server {
    /// One descriptor for all of its sockets.
    epoll: Epoll,
    /// Wakes the owner while somebody waits for an answer that may not come.
    timer: TimerFd,
    ticking: bool,
    udp: UdpSocket,
    tcp: TcpListener,
    zones: Zones,
    upstream: Upstream,
    /// Questions that a server of the host's was asked by UDP, each in its place.
    pending: Vec<Option<Pending>>,
    conversations: Conversations,
}

impl Server {
    /// Opens it in a network namespace whose `lo` is up. `upstream` says who is asked what isn't
    /// in `zones`.
    ///
    /// # Errors
    /// Something in there listens at 127.0.0.11:53 already.
    // ANCHOR: open
    pub fn open(netns: BorrowedFd<'_>, zones: Vec<Zone>, upstream: Upstream) -> Result<Server> {
        let at = SocketAddr::from((ADDRESS, PORT));
        let (udp, tcp) = visit(netns, || {
            let udp = step("open name server", format!("udp {at}"), || UdpSocket::bind(at))?;
            Ok((udp, step("open name server", format!("tcp {at}"), || TcpListener::bind(at))?))
        })?;
        // From here on it doesn't matter where we are: the sockets are inside.
        let (epoll, timer) = step("open name server", "epoll", || {
            udp.set_nonblocking(true)?;
            tcp.set_nonblocking(true)?;
            let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
            let timer =
                TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)?;
            for (socket, number) in [(udp.as_fd(), UDP), (tcp.as_fd(), TCP), (timer.as_fd(), TIMER)] {
                epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, number))?;
            }
            Ok::<_, std::io::Error>((epoll, timer))
        })?;
        let pending = (0..upstream::AT_ONCE).map(|_| None).collect();
        let (zones, conversations) = (Zones::new(zones), Conversations::default());
        Ok(Server { epoll, timer, ticking: false, udp, tcp, zones, upstream, pending, conversations })
    }
    // ANCHOR_END: open

    /// The networks have changed: the container was plugged into one, or unplugged.
    pub fn set_zones(&mut self, zones: Vec<Zone>) {
        self.zones = Zones::new(zones);
    }

    /// Does whatever there is to do, without waiting.
    pub fn turn(&mut self) {
        let mut events = [EpollEvent::empty(); AT_ONCE];
        // Without events there is nothing to do, and an error would only tell of our own mistakes.
        let count = self.epoll.wait(&mut events, PollTimeout::ZERO).unwrap_or(0);
        for event in &events[..count] {
            match event.data() {
                UDP => self.read_questions(),
                TCP => self.accept(),
                TIMER => drop(self.timer.wait()),
                number @ ASKED..TALKING => self.read_answer((number - ASKED) as usize),
                number => {
                    let place = (number - TALKING) as usize;
                    self.conversations.turn(place, &self.epoll, &mut self.zones, &mut self.upstream);
                }
            }
        }
        self.look_at_the_clock();
    }

    fn read_questions(&mut self) {
        let mut bytes = [0; LONGEST_QUESTION];
        for _ in 0..AT_ONCE {
            let Ok((length, from)) = self.udp.recv_from(&mut bytes) else { return };
            let question = &bytes[..length];
            match reply(question, &mut self.zones, DATAGRAM) {
                Reply::Answer(answer) => self.send(&answer, from),
                Reply::Ask => self.ask(question, from),
                Reply::Nothing => {}
            }
        }
    }

    fn ask(&mut self, question: &[u8], from: SocketAddr) {
        let place = self.pending.iter().position(Option::is_none);
        let asked = match place {
            Some(_) if self.zones.lead_out() => self.upstream.ask(question, from),
            // All are waiting: somebody in there asks more than anybody can answer.
            _ => None,
        };
        match (place, asked) {
            (Some(place), Some(pending)) => {
                let event = EpollEvent::new(EpollFlags::EPOLLIN, ASKED + place as u64);
                let _ = self.epoll.add(pending.as_fd(), event);
                self.pending[place] = Some(pending);
            }
            _ => self.send(&message::failure(question), from),
        }
    }

    fn read_answer(&mut self, place: usize) {
        let Some(pending) = self.pending.get_mut(place).and_then(Option::as_mut) else { return };
        let answer = match self.upstream.answer(pending) {
            Answer::NotYet => return,
            Answer::Given(answer) => answer,
            Answer::None => message::failure(pending.question()),
        };
        self.finish(place, &answer);
    }

    fn finish(&mut self, place: usize, answer: &[u8]) {
        let Some(pending) = self.pending.get_mut(place).and_then(Option::take) else { return };
        let _ = self.epoll.delete(pending.as_fd());
        self.send(answer, pending.client);
        self.upstream.take_back(pending);
    }

    fn send(&self, answer: &[u8], to: SocketAddr) {
        // Who doesn't read loses it, as with every datagram.
        let _ = self.udp.send_to(answer, to);
    }

    fn accept(&mut self) {
        if let Ok((stream, _)) = self.tcp.accept() {
            self.conversations.begin(stream, &self.epoll);
        }
    }

    /// Questions that have waited for too long go to the next server, or fail; a timer wakes us
    /// for that as long as there are any.
    fn look_at_the_clock(&mut self) {
        let now = Instant::now();
        for place in 0..self.pending.len() {
            let Some(pending) = self.pending[place].as_mut().filter(|one| one.deadline <= now) else {
                continue;
            };
            if !self.upstream.ask_next(pending) {
                let failure = message::failure(pending.question());
                self.finish(place, &failure);
            }
        }
        self.conversations.end_idle(now, &self.epoll, &mut self.upstream);
        let waiting = self.pending.iter().any(Option::is_some) || !self.conversations.is_empty();
        if waiting != self.ticking {
            let every = TimeSpec::from_duration(Duration::from_millis(250));
            let _ = match waiting {
                true => self.timer.set(Expiration::Interval(every), TimerSetTimeFlags::empty()),
                false => self.timer.unset(),
            };
            self.ticking = waiting;
        }
    }
}

impl AsFd for Server {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}
