//! A container's place in a [`Network`], for as long as the program lives that looks after it.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::Path;

use namespaces::{Error, PausedChild, Result};
use nix::unistd::geteuid;

use crate::namespace::of_process;
use crate::{Interface, Network, Port, Published, attach, lo_up};

/// A place in a network, which is given back when this is dropped, on whatever way out.
#[derive(Debug)]
pub struct Member {
    /// An ordinary user has none: they can't lay a cable to the host's network. There is only `lo`.
    place: Option<Place>,
}

#[derive(Debug)]
struct Place {
    network: Network,
    /// Who has the address: this program, by its pid.
    owner: String,
    interface: Interface,
}

impl Member {
    /// Takes a place for this program's container, and says so where it can't have one. `ports` are to
    /// lead there.
    ///
    /// # Errors
    /// Those of [`Network::join`]; that there are ports, and no place to which they could lead.
    // ANCHOR: join
    pub fn join(network: Network, ports: &[Port]) -> Result<Member> {
        if !geteuid().is_root() {
            if let Some(port) = ports.first() {
                let reason = "without root no network leads to it: try sudo";
                return Err(Error::new("publish port", port.mapping, reason));
            }
            eprintln!("without root there is no network but lo: try sudo");
            return Ok(Member { place: None });
        }
        let owner = std::process::id().to_string();
        let interface = network.join(&owner, |process| Path::new("/proc").join(process).exists())?;
        Ok(Member { place: Some(Place { network, owner, interface }) })
    }
    // ANCHOR_END: join

    /// The container's addresses.
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.place.iter().map(|place| place.interface.address.addr().into()).collect()
    }

    /// Called in the child: sets `lo` up where nobody lays a cable, which would do that as well.
    pub fn enter(&self) -> Result<()> {
        if self.place.is_none() { lo_up() } else { Ok(()) }
    }

    /// Lays the cable to a child, and has the ports lead to it, until what this gives is dropped.
    // ANCHOR: attach
    pub fn attach(&self, child: &PausedChild, ports: Vec<Port>) -> Result<Published> {
        let Some(Place { network, interface, .. }) = &self.place else { return Ok(Published::none()) };
        attach(of_process(child.pid().as_raw())?.as_fd(), interface)?;
        Published::open(ports, Some(network.name()), interface)
    }
    // ANCHOR_END: attach
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(Place { network, owner, .. }) = &self.place
            && let Err(error) = network.leave(owner)
        {
            eprintln!("{error}");
        }
    }
}
