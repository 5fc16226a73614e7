//! What people write after `-p`: which port of the host leads to which port of the container.
//!
//! ```text
//! -p 8080:80                     port 8080 at all of the host's addresses → the container's 80
//! -p 127.0.0.1:8080:80/udp       only at this address, and UDP
//! -p 80                          a port that is free
//! -p [::1]:8080:80               an IPv6 address, in brackets as in a URL
//! -p 8000-8005:9000-9005         six ports, each to its own
//! -p 8000-8005:80                the first of the six that is free
//! ```
//!
//! Three types for three moments: [`Publish`] is what was written; a [`Binding`] is a wish for one
//! port of the container; a [`Mapping`] is what was got ([`crate::ports::reserve`]).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use namespaces::flags::Flags;
use serde::{Deserialize, Serialize};

/// What is carried over IP to a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// A connection: a stream of bytes in both directions.
    Tcp,
    /// Packets, each for itself.
    Udp,
}

/// Ports from a first to a last one, both among them; no port is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest; for a single port the same.
    pub last: u16,
}

/// What one `-p` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// At which of the host's addresses; none: at all of them, IPv4 and IPv6.
    pub address: Option<IpAddr>,
    /// Which ports of the host; none: whichever are free.
    pub host: Option<PortRange>,
    /// Which ports of the container.
    pub container: PortRange,
    /// TCP, if nothing is said.
    pub protocol: Protocol,
}

/// A wish: one port of the container, to be reached by the host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Binding {
    /// As [`Publish::address`].
    pub address: Option<IpAddr>,
    /// The first of these that is free; none: any that is free.
    pub host: Option<PortRange>,
    /// The container's port.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
}

/// A wish come true: what comes to this address and port of the host is the container's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mapping {
    /// The host's address; `0.0.0.0` and `::` are all that it has.
    pub address: IpAddr,
    /// The host's port.
    pub host: u16,
    /// The container's port.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
}

/// Why something after `-p` can't be understood; in Docker's words, as far as it has some.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPublish {
    /// There is nothing where the container's port should be.
    #[error("no port specified: {0:?}: write for instance 8080:80")]
    NoPort(String),
    /// Not a port, nor a range of ports.
    #[error("invalid containerPort: {0:?}: a port is a number from 1 to 65535, a range 8000-8005")]
    ContainerPort(String),
    /// Not a port, nor a range of ports.
    #[error("invalid hostPort: {0:?}: a port is a number from 1 to 65535, a range 8000-8005")]
    HostPort(String),
    /// The two ranges have not as many ports.
    #[error("invalid ranges specified for container and host Ports: {container} and {host}")]
    Ranges {
        /// The container's.
        container: PortRange,
        /// The host's.
        host: PortRange,
    },
    /// Not an address. (A name would mean different addresses at different times.)
    #[error("invalid IP address: {0:?}: write an IPv6 address in brackets: [::1]:8080:80")]
    Address(String),
    /// Neither TCP nor UDP.
    #[error("invalid proto: {0:?}: it is tcp or udp")]
    Protocol(String),
}

// ANCHOR: publish
impl FromStr for Publish {
    type Err = BadPublish;

    /// `[[ADDRESS:][HOST PORTS]:]CONTAINER PORTS[/PROTOCOL]`: read from its end, since an IPv6
    /// address has colons, too.
    fn from_str(text: &str) -> Result<Publish, BadPublish> {
        let (ports, protocol) = match text.split_once('/') {
            Some((ports, protocol)) => (ports, protocol.parse()?),
            None => (text, Protocol::Tcp),
        };
        let (host, container) = ports.rsplit_once(':').unwrap_or(("", ports));
        let (address, host) = host.rsplit_once(':').unwrap_or(("", host));
        if container.is_empty() {
            return Err(BadPublish::NoPort(text.to_owned()));
        }
        let container: PortRange =
            container.parse().map_err(|NotPorts| BadPublish::ContainerPort(container.to_owned()))?;
        let host = host_ports(host)?;
        if let Some(host) = host
            && host.count() != container.count()
            // Several of the host's for one of the container's: whichever is free.
            && container.count() != 1
        {
            return Err(BadPublish::Ranges { container, host });
        }
        Ok(Publish { address: host_address(address)?, host, container, protocol })
    }
}
// ANCHOR_END: publish

impl Publish {
    /// The wishes of the flag `--publish`, if it was given.
    ///
    /// # Errors
    /// For a value that makes no sense.
    pub fn from_flags(flags: &Flags) -> namespaces::Result<Vec<Binding>> {
        let wanted = flags.text("publish")?.map(str::parse::<Publish>).transpose()?;
        Ok(wanted.iter().flat_map(Publish::bindings).collect())
    }

    /// A wish for each port of the container.
    pub fn bindings(&self) -> impl Iterator<Item = Binding> + use<> {
        let Publish { address, host, container, protocol } = *self;
        (container.first..=container.last).zip(0..).map(move |(port, place)| {
            let host = host.map(|host| match container.count() {
                1 => host,
                // As many as the container's, so it is one of them.
                _ => PortRange::one(host.first + place),
            });
            Binding { address, host, port, protocol }
        })
    }
}

/// The host's ports in a text; none: any that is free. So says an empty text, and 0, as in bind(2).
pub fn host_ports(text: &str) -> Result<Option<PortRange>, BadPublish> {
    match text {
        "" | "0" => Ok(None),
        text => text.parse().map(Some).map_err(|NotPorts| BadPublish::HostPort(text.to_owned())),
    }
}

/// The host's address in a text, an IPv6 one in brackets or without; none if it is empty.
pub fn host_address(text: &str) -> Result<Option<IpAddr>, BadPublish> {
    if text.is_empty() {
        return Ok(None);
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = match bare {
        Some(bare) => bare.parse().map(IpAddr::V6),
        None => text.parse(),
    };
    address.map(Some).map_err(|_| BadPublish::Address(text.to_owned()))
}

impl PortRange {
    /// A single port.
    pub fn one(port: u16) -> PortRange {
        PortRange { first: port, last: port }
    }

    /// How many there are.
    pub fn count(self) -> usize {
        usize::from(self.last - self.first) + 1
    }
}

/// A text that is neither a port nor a range of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotPorts;

impl FromStr for PortRange {
    type Err = NotPorts;

    fn from_str(text: &str) -> Result<PortRange, NotPorts> {
        // Digits only: a number that Rust reads may begin with a plus sign.
        let port = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().ok().filter(|port| *port > 0).ok_or(NotPorts),
            false => Err(NotPorts),
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let range = PortRange { first: port(first)?, last: port(last)? };
        if range.first <= range.last { Ok(range) } else { Err(NotPorts) }
    }
}

impl FromStr for Protocol {
    type Err = BadPublish;

    fn from_str(text: &str) -> Result<Protocol, BadPublish> {
        match text.to_ascii_lowercase().as_str() {
            "tcp" => Ok(Protocol::Tcp),
            "udp" => Ok(Protocol::Udp),
            _ => Err(BadPublish::Protocol(text.to_owned())),
        }
    }
}

impl Binding {
    /// The host's addresses that are meant: without a wish all IPv4 ones and all IPv6 ones.
    pub fn addresses(&self) -> Vec<IpAddr> {
        match self.address {
            Some(address) => vec![address],
            None => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Protocol::Tcp { "tcp" } else { "udp" })
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl fmt::Display for Mapping {
    /// `0.0.0.0:8080->80/tcp`, `[::]:8080->80/tcp`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = std::net::SocketAddr::new(self.address, self.host);
        write!(f, "{host}->{}/{}", self.port, self.protocol)
    }
}

impl From<BadPublish> for namespaces::Error {
    fn from(error: BadPublish) -> Self {
        namespaces::Error::new("read published port", "", error)
    }
}
