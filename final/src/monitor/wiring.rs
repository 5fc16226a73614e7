//! The cables of a container that runs, and its name server.
//!
//! The name server asks the host's servers from the host's network namespace. As root that is where
//! a monitor is. Without root the bridges are in another one, into which a monitor goes for good (an
//! ordinary user can't come back): so the sockets to ask with are opened before it goes.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use namespaces::{Error, Result};
use network::dns::Server;
use network::dns::upstream::Upstream;
use network::namespace::of_process;
use network::{Interface, Zone, attach, detach};

use crate::bundle::Extra;

/// What there is of a container's network outside of it.
pub(super) struct Wiring {
    servers: Vec<SocketAddr>,
    /// Sockets to ask the host's servers with, until the name server has them.
    upstream: Option<Upstream>,
    /// The container's network namespace, when it is there.
    netns: Option<OwnedFd>,
    server: Option<Server>,
}

impl Wiring {
    /// Opens what must be opened before anybody goes elsewhere (`leaves`).
    pub(super) fn begin(extra: &Extra, leaves: bool) -> Result<Wiring> {
        let servers = extra.names.servers.clone();
        let needed = !extra.names.zones.is_empty() || leaves && !extra.interfaces.is_empty();
        let upstream = needed.then(|| Upstream::open(&servers)).transpose()?;
        Ok(Wiring { servers, upstream, netns: None, server: None })
    }

    /// The container has its cables, and nothing runs in it yet.
    pub(super) fn connected(&mut self, pid: i32, zones: Vec<Zone>) -> Result<()> {
        self.netns = Some(of_process(pid)?);
        self.tell(zones)
    }

    /// One network more.
    pub(super) fn plug(&mut self, interface: &Interface, zones: Vec<Zone>) -> Result<()> {
        attach(self.netns()?, interface)?;
        self.tell(zones).inspect_err(|_| {
            let _ = self.netns().and_then(|netns| detach(netns, &interface.name, None));
        })
    }

    /// One network less.
    pub(super) fn unplug(
        &mut self,
        interface: &str,
        next: Option<(String, Ipv4Addr)>,
        zones: Vec<Zone>,
    ) -> Result<()> {
        let next = next.as_ref().map(|(interface, gateway)| (interface.as_str(), *gateway));
        detach(self.netns()?, interface, next)?;
        self.tell(zones)
    }

    /// What to wait for: questions for the name server.
    pub(super) fn questions(&self) -> Option<BorrowedFd<'_>> {
        self.server.as_ref().map(AsFd::as_fd)
    }

    /// Answers them.
    pub(super) fn answer(&mut self) {
        if let Some(server) = &mut self.server {
            server.turn();
        }
    }

    /// Lets the name server know of the networks; the first time there are any, it is opened.
    fn tell(&mut self, zones: Vec<Zone>) -> Result<()> {
        match &mut self.server {
            Some(server) => server.set_zones(zones),
            None if zones.is_empty() => {}
            None => {
                let upstream = match self.upstream.take() {
                    Some(upstream) => upstream,
                    None => Upstream::open(&self.servers)?,
                };
                self.server = Some(Server::open(self.netns()?, zones, upstream)?);
            }
        }
        Ok(())
    }

    fn netns(&self) -> Result<BorrowedFd<'_>> {
        let netns = self.netns.as_ref().map(AsFd::as_fd);
        netns.ok_or_else(|| Error::new("find network namespace", "", "the container has none"))
    }
}
