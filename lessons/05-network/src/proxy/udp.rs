//! UDP: packets, and the answers to them.
//!
//! UDP knows no connections, but people do: what comes back from the container must find whoever had
//! asked. So each sender gets a socket of its own towards the container, and what arrives there is
//! theirs. When nothing has gone either way for a while the conversation is over.

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::cmsg_space;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg};

use crate::ports::Port;

/// A conversation in which nothing was said for so long is over (as in Docker's proxy).
const SILENCE: Duration = Duration::from_secs(90);
/// So many conversations at a time; then the one that has been silent for longest has to go.
const MOST: usize = 1024;
/// The longest packet.
const PACKET: usize = 64 * 1024;
/// So many packets of one socket, before it is the others' turn.
const TURN: usize = 64;

/// All that go on.
pub(super) struct Conversations {
    ports: Vec<Port>,
    container: IpAddr,
    all: Vec<Conversation>,
    buffer: Vec<u8>,
}

struct Conversation {
    /// Which of the ports.
    port: usize,
    client: SockaddrStorage,
    /// The host's address that the client knows.
    called: Called,
    container: UdpSocket,
    last: Instant,
}

/// Which address of the host a packet was sent to.
#[derive(Clone, Copy)]
enum Called {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
    Unknown,
}

impl Conversations {
    pub(super) fn new(ports: Vec<Port>, container: IpAddr) -> Conversations {
        let buffer = if ports.is_empty() { vec![] } else { vec![0; PACKET] };
        Conversations { ports, container, all: vec![], buffer }
    }

    /// Whether nothing goes on.
    pub(super) fn is_idle(&self) -> bool {
        self.all.is_empty()
    }

    /// What to wait for; [`Conversations::serve`] expects the answers in the same order.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let ports = self.ports.iter().map(AsFd::as_fd);
        ports.chain(self.all.iter().map(|one| one.container.as_fd()))
    }

    /// Carries what has arrived.
    pub(super) fn serve(&mut self, ready: &[bool]) {
        let (ports, conversations) = ready.split_at(self.ports.len().min(ready.len()));
        for (place, _) in conversations.iter().enumerate().filter(|(_, ready)| **ready) {
            self.back(place);
        }
        self.all.retain(|one| one.last.elapsed() < SILENCE);
        for (port, _) in ports.iter().enumerate().filter(|(_, ready)| **ready) {
            for _ in 0..TURN {
                if !self.forth(port) {
                    break;
                }
            }
        }
    }

    /// One packet to the container; false: there is none.
    fn forth(&mut self, port: usize) -> bool {
        let socket = self.ports[port].socket.as_raw_fd();
        let mut space = cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo);
        let mut buffer = [IoSliceMut::new(&mut self.buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let (length, client, called) =
            match recvmsg::<SockaddrStorage>(socket, &mut buffer, Some(&mut space), flags) {
                Ok(message) => {
                    let called = message.cmsgs().into_iter().flatten().find_map(Called::from_kernel);
                    (message.bytes, message.address, called.unwrap_or(Called::Unknown))
                }
                // An answer of ours could not be delivered (ICMP): that is all that is said of it.
                Err(nix::Error::ECONNREFUSED | nix::Error::EINTR) => return true,
                Err(_) => return false,
            };
        let Some(client) = client else { return true };
        let known = self.all.iter().position(|one| one.port == port && one.client == client);
        let Some(place) = known.or_else(|| self.begin(port, client)) else { return true };
        let conversation = &mut self.all[place];
        (conversation.called, conversation.last) = (called, Instant::now());
        let _ = conversation.container.send(&self.buffer[..length]);
        true
    }

    fn begin(&mut self, port: usize, client: SockaddrStorage) -> Option<usize> {
        if self.all.len() >= MOST {
            let oldest = self.all.iter().enumerate().min_by_key(|(_, one)| one.last)?.0;
            self.all.swap_remove(oldest);
        }
        let to = SocketAddr::new(self.container, self.ports[port].mapping.port);
        let any: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0u16; 8].into() };
        let container = UdpSocket::bind((any, 0)).ok()?;
        // Connected: it hears its container only, and also that nobody is there.
        container.connect(to).ok()?;
        container.set_nonblocking(true).ok()?;
        self.all.push(Conversation {
            port,
            client,
            called: Called::Unknown,
            container,
            last: Instant::now(),
        });
        Some(self.all.len() - 1)
    }

    /// What the container has answered.
    fn back(&mut self, place: usize) {
        let Conversations { ports, all, buffer, .. } = self;
        let Some(one) = all.get_mut(place) else { return };
        for _ in 0..TURN {
            match one.container.recv(buffer) {
                Ok(length) => {
                    one.last = Instant::now();
                    let text = [IoSlice::new(&buffer[..length])];
                    let socket = ports[one.port].socket.as_raw_fd();
                    let control = one.called.to_kernel();
                    let control = control.as_ref().map(Source::message);
                    let control = control.as_slice();
                    let _ = sendmsg(socket, &text, control, MsgFlags::MSG_DONTWAIT, Some(&one.client));
                }
                // Nobody listens in there (ICMP): the next packet tries again.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(_) => return,
            }
        }
    }
}

/// The address that an answer is to come from.
enum Source {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
}

impl Source {
    fn message(&self) -> ControlMessage<'_> {
        match self {
            Source::V4(info) => ControlMessage::Ipv4PacketInfo(info),
            Source::V6(info) => ControlMessage::Ipv6PacketInfo(info),
        }
    }
}

impl Called {
    fn from_kernel(message: ControlMessageOwned) -> Option<Called> {
        match message {
            ControlMessageOwned::Ipv4PacketInfo(info) => Some(Called::V4(info)),
            ControlMessageOwned::Ipv6PacketInfo(info) => Some(Called::V6(info)),
            _ => None,
        }
    }

    /// See `IP_PKTINFO` in ip(7): on the way in, `ipi_addr` is where the packet was sent to and
    /// `ipi_spec_dst` the host's address for it; on the way out, the latter is the sender.
    fn to_kernel(self) -> Option<Source> {
        match self {
            // Which interface it leaves by is for the routes to say.
            Called::V4(info) => Some(Source::V4(libc::in_pktinfo { ipi_ifindex: 0, ..info })),
            Called::V6(info) => {
                let link_local = info.ipi6_addr.s6_addr[..2] == [0xfe, 0x80];
                let ipi6_ifindex = if link_local { info.ipi6_ifindex } else { 0 };
                Some(Source::V6(libc::in6_pktinfo { ipi6_ifindex, ..info }))
            }
            Called::Unknown => None,
        }
    }
}
