//! One network for all containers of a program without a daemon: there when the first comes, gone
//! when the last has gone.
//!
//! Nobody is in charge of it: each program that starts a container makes what is missing, and each
//! that ends takes its own share away. A lock on the folder makes them do so one after the other.
//! (The engine, which has a daemon, keeps its networks in another way, with the same parts.)

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;
use namespaces::{Result, step};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::addresses::Addresses;
use crate::bridge::{Bridge, mac_of};
use crate::subnet::{candidates, choose_subnet};
use crate::veth::Interface;
use crate::{forwarding, nat};

/// A network that its users keep together.
#[derive(Debug, Clone)]
pub struct Network {
    dir: PathBuf,
    name: String,
}

impl Network {
    /// The network whose notes are in this folder (under `/run`: they are worth nothing after a
    /// reboot). `name` is its bridge's and its nftables table's.
    pub fn at(dir: &Path, name: &str) -> Network {
        Network { dir: dir.to_owned(), name: name.to_owned() }
    }

    /// What its bridge and its nftables table are called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// An interface for a container on the network, which is made if need be. `owner` is the
    /// container's name among all on this network; the addresses of those which no longer live
    /// (and never came to [`Network::leave`]) are free again.
    // ANCHOR: join
    pub fn join(&self, owner: &str, lives: impl Fn(&str) -> bool) -> Result<Interface> {
        let _lock = self.lock()?;
        let bridge = match self.read("bridge.json")? {
            Some(bridge) => bridge,
            None => self.choose()?,
        };
        // From here on leave() knows what to take away, whatever of it could be made.
        let joined = self.make(&bridge).and_then(|()| self.take(&bridge, owner, lives));
        joined.inspect_err(|_| {
            let _ = self.clear(&bridge, owner);
        })
    }
    // ANCHOR_END: join

    /// Gives the address back; the last one takes bridge, rule and folder away, and puts forwarding
    /// back as it was.
    pub fn leave(&self, owner: &str) -> Result<()> {
        let _lock = self.lock()?;
        match self.read("bridge.json")? {
            Some(bridge) => self.clear(&bridge, owner),
            None => Ok(()),
        }
    }

    fn choose(&self) -> Result<Bridge> {
        let subnet = choose_subnet(&candidates())?;
        let first = subnet.hosts().next().unwrap_or(subnet.addr());
        let bridge = Bridge { name: self.name.clone(), gateway: with_prefix_of(subnet, first) };
        self.write("bridge.json", &bridge)?;
        Ok(bridge)
    }

    fn make(&self, bridge: &Bridge) -> Result<()> {
        bridge.ensure()?;
        nat::ensure(&self.name, bridge)?;
        if let Some(before) = forwarding::enable()? {
            eprintln!("IPv4 forwarding was off on this machine: it is on while there are containers");
            self.write("forwarding.json", &before)?;
        }
        Ok(())
    }

    fn take(&self, bridge: &Bridge, owner: &str, lives: impl Fn(&str) -> bool) -> Result<Interface> {
        let addresses = self.addresses(bridge)?;
        addresses.reconcile(|name| name == owner || lives(name))?;
        let address = addresses.take(owner)?;
        Ok(Interface {
            name: "eth0".into(),
            bridge: bridge.name.clone(),
            address: with_prefix_of(bridge.gateway, address),
            gateway: Some(bridge.gateway.addr()),
            mac: mac_of(address),
        })
    }

    fn clear(&self, bridge: &Bridge, owner: &str) -> Result<()> {
        let addresses = self.addresses(bridge)?;
        addresses.release(owner)?;
        if !addresses.owners()?.is_empty() {
            return Ok(());
        }
        nat::remove(&self.name, bridge)?;
        bridge.remove()?;
        if let Some(before) = self.read("forwarding.json")? {
            forwarding::restore(&before)?;
        }
        step("remove folder", self.dir.display(), || fs::remove_dir_all(&self.dir))
    }

    fn addresses(&self, bridge: &Bridge) -> Result<Addresses> {
        Addresses::open(&self.dir.join("addresses"), bridge.gateway, bridge.gateway.addr())
    }

    /// A note, if it was written.
    fn read<T: DeserializeOwned>(&self, note: &str) -> Result<Option<T>> {
        let path = self.dir.join(note);
        step("read note", path.display(), || match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from),
        })
    }

    fn write(&self, note: &str, value: &impl Serialize) -> Result<()> {
        let (path, draft) = (self.dir.join(note), self.dir.join(".draft"));
        step("write note", path.display(), || {
            fs::create_dir_all(&self.dir)?;
            fs::write(&draft, serde_json::to_vec(value)?)?;
            fs::rename(&draft, &path)
        })
    }

    /// On the folder around ours: ours is removed at the end, and a lock on what is removed keeps
    /// nobody out.
    fn lock(&self) -> Result<File> {
        let around = self.dir.parent().unwrap_or(Path::new("/"));
        step("lock folder", around.display(), || {
            let file = File::open(around)?;
            file.lock().map(|()| file)
        })
    }
}

fn with_prefix_of(subnet: Ipv4Net, address: Ipv4Addr) -> Ipv4Net {
    // The length comes from a subnet, so it fits.
    Ipv4Net::new(address, subnet.prefix_len()).unwrap_or(Ipv4Net::from(address))
}
