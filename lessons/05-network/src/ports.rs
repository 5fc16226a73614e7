//! Ports of the host, taken for a container before anything else is made for it.
//!
//! A port is taken by opening a socket on it: then it is ours, by the kernel's own word, and
//! nobody else's until the last descriptor of that socket is closed, whoever dies in whatever
//! way. There is nothing to write down and nothing to clean up. (What would happen otherwise: the
//! rules of [`crate::dnat`] look at packets before any socket does. Without a socket, two
//! programs could "have" the same port, and the second would wait for ever for a connection.)
//!
//! The sockets are more than a reservation: what no rule can lead to the container arrives at
//! them, and [`crate::proxy`] carries it there.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use namespaces::{Result, step};
use nix::errno::Errno;
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo, Ipv6V6Only, ReuseAddr};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, getsockname, listen, setsockopt,
    socket,
};

use crate::publish::{Binding, Mapping, Protocol};

/// How often another free port is tried for, where one must be free at several addresses.
const ATTEMPTS: usize = 32;

/// A port of the host that is ours.
#[derive(Debug)]
pub struct Port {
    /// Where it is, and whose.
    pub mapping: Mapping,
    /// TCP: it listens. It doesn't wait ([`O_NONBLOCK`](SockFlag::SOCK_NONBLOCK)).
    pub socket: OwnedFd,
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Takes all of these ports, in the network namespace of the calling thread, or none.
///
/// # Errors
/// `EADDRINUSE`: somebody has one of them; `EADDRNOTAVAIL`: an address is not this host's;
/// `EACCES`: it takes privilege. The error names address, port and protocol.
// ANCHOR: reserve
pub fn reserve(wanted: &[Binding]) -> Result<Vec<Port>> {
    let mut ports = Vec::new();
    for binding in wanted {
        ports.extend(first_free(binding)?);
    }
    Ok(ports)
}
// ANCHOR_END: reserve

/// Takes one port, at all addresses that are meant.
fn first_free(binding: &Binding) -> Result<Vec<Port>> {
    let candidates: Vec<u16> = match binding.host {
        Some(range) => (range.first..=range.last).collect(),
        // Port 0: the kernel chooses, from net.ipv4.ip_local_port_range. It looks at one address
        // only, so that it may choose one which somebody has at another.
        None => vec![0; ATTEMPTS],
    };
    let mut candidates = candidates.into_iter().peekable();
    loop {
        let port = candidates.next().unwrap_or_default();
        match everywhere(binding, port) {
            Err(error) if error.errno == libc::EADDRINUSE && candidates.peek().is_some() => {}
            done => return done,
        }
    }
}

fn everywhere(binding: &Binding, mut port: u16) -> Result<Vec<Port>> {
    let mut ports = Vec::new();
    for address in binding.addresses() {
        match open(address, port, binding.protocol) {
            Ok((socket, host)) => {
                port = host;
                let mapping = Mapping { address, host, port: binding.port, protocol: binding.protocol };
                ports.push(Port { mapping, socket });
            }
            // "All addresses" of a machine without IPv6 are its IPv4 ones.
            Err(error) if binding.address.is_none() && address.is_ipv6() && no_such_family(error.errno) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ports)
}

fn no_such_family(errno: i32) -> bool {
    [libc::EAFNOSUPPORT, libc::EADDRNOTAVAIL].contains(&errno)
}

/// One socket, and the port that it has got.
// ANCHOR: open
fn open(address: IpAddr, port: u16, protocol: Protocol) -> Result<(OwnedFd, u16)> {
    let place = SocketAddr::new(address, port);
    let opened = step("reserve port", format!("{place}/{protocol}"), || -> Result<_, Errno> {
        // ANCHOR: ex-05-5
        // 1. A socket of the address's family and the protocol's kind, that is closed on exec and
        //    never waits.
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let kind = if protocol == Protocol::Tcp { SockType::Stream } else { SockType::Datagram };
        let socket = socket(family, kind, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
        if address.is_ipv6() {
            // 2. With IPv6: no IPv4 beside it. Else `::` would take the port at all IPv4 addresses,
            //    too.
            setsockopt(&socket, Ipv6V6Only, &true)?;
        }
        if protocol == Protocol::Tcp {
            // 3. With TCP, addresses may be used again: connections of the port's last owner linger on
            //    for a minute (TIME_WAIT). They are no reason to refuse it; one who *listens* still is.
            setsockopt(&socket, ReuseAddr, &true)?;
        } else {
            // 4. With UDP, each packet is to say which of the host's addresses it was sent to (packet
            //    info): the answer has to come from there.
            match address {
                IpAddr::V4(_) => setsockopt(&socket, Ipv4PacketInfo, &true)?,
                IpAddr::V6(_) => setsockopt(&socket, Ipv6RecvPacketInfo, &true)?,
            }
        }
        // 5. Bind it to the place.
        bind(socket.as_raw_fd(), &SockaddrStorage::from(place))?;
        if protocol == Protocol::Tcp {
            // 6. With TCP that is not enough: of two that are only bound, both could have it.
            listen(&socket, Backlog::MAXALLOWABLE)?;
        }
        // 7. Which port is it? For port 0 the kernel has chosen one.
        let got: SockaddrStorage = getsockname(socket.as_raw_fd())?;
        let got = got.as_sockaddr_in().map(|got| got.port()).or(got.as_sockaddr_in6().map(|got| got.port()));
        Ok((socket, got.unwrap_or(port)))
        // ANCHOR_END: ex-05-5
    });
    opened.map_err(|error| match error.errno {
        libc::EACCES => error.hint(
            "a port below 1024 takes root: choose a higher one, or sysctl net.ipv4.ip_unprivileged_port_start",
        ),
        libc::EMFILE => error.hint("each takes two descriptors: raise the limit (ulimit -n), or publish fewer"),
        _ => error,
    })
}
// ANCHOR_END: open
