//! Published ports, from the moment when the container has its network until it has ended.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;

use namespaces::Result;

use crate::dnat;
use crate::ports::Port;
use crate::proxy::Proxy;
use crate::publish::Mapping;
use crate::veth::Interface;

/// Ports of the host that lead to a container, until this is dropped.
#[derive(Debug)]
pub struct Published {
    rules: Option<Rules>,
    proxy: Option<Proxy>,
}

/// What is in the kernel for a container.
#[derive(Debug)]
struct Rules {
    table: String,
    bridge: String,
    ports: Vec<Mapping>,
    container: Ipv4Addr,
}

impl Published {
    /// No port at all.
    pub fn none() -> Published {
        Published { rules: None, proxy: None }
    }

    /// Lets these ports lead to the container with this interface: by rules in the engine's own nftables
    /// table as far as they go, and the rest through a proxy. `table` is none where no rule would help:
    /// the host drops what it should forward ([`crate::nat::forward_is_blocked`]), or the bridge is in
    /// another network namespace than the ports.
    ///
    /// It starts a thread: to be called after the container was made.
    // ANCHOR: open
    pub fn open(ports: Vec<Port>, table: Option<&str>, interface: &Interface) -> Result<Published> {
        let mut published = Published::none();
        if ports.is_empty() {
            return Ok(published);
        }
        let container = interface.address.addr();
        let mappings: Vec<Mapping> = ports.iter().map(|port| port.mapping).collect();
        published.proxy = Some(Proxy::start(ports, container.into(), None)?);
        if let Some(table) = table {
            match dnat::publish(table, &interface.bridge, &mappings, container) {
                Ok(()) => {
                    let (table, bridge) = (table.to_owned(), interface.bridge.clone());
                    published.rules = Some(Rules { table, bridge, ports: mappings, container });
                }
                // Slower, and it works.
                Err(error) => tracing::warn!("published ports go through a proxy only: {error}"),
            }
        }
        Ok(published)
    }
    // ANCHOR_END: open

    /// The same for a container that is on no bridge: by its own loopback interface, in its own
    /// network namespace.
    pub fn inside(ports: Vec<Port>, netns: OwnedFd) -> Result<Published> {
        let container = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let proxy = (!ports.is_empty()).then(|| Proxy::start(ports, container, Some(netns))).transpose()?;
        Ok(Published { rules: None, proxy })
    }
}

impl Published {
    /// The container has ended: from now on somebody else can have the ports. What is left in the kernel
    /// leads nowhere, and goes when this is dropped, which takes a while ([`dnat::withdraw`]); whoever
    /// takes one of the ports before that replaces it ([`dnat::publish`]).
    pub fn free(&mut self) {
        self.proxy = None;
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        self.free();
        if let Some(Rules { table, bridge, ports, container }) = &self.rules
            && let Err(error) = dnat::withdraw(table, bridge, ports, *container)
        {
            tracing::warn!("{error}");
        }
    }
}
