//! Who has which address: an allocator that survives crashes.
//!
//! A lease is a symbolic link: its name is the address, and what it "points to" is the owner
//! (`ls -l` shows `172.29.0.2 -> 3f1c…`). There is nothing to load, nothing to save and nothing to
//! repair: what the folder shows is how it is, whoever died in the middle of whatever.
//!
//! Two things make it safe among threads and processes:
//!
//! - symlink(2) makes the name and its content in one call, and fails when the name exists: of two
//!   who want one address one gets it, and a lease is never seen half-written.
//! - Whoever changes the folder holds a lock on it (flock(2)), which the kernel lets go when its
//!   holder dies. Without it, when an owner's address is given back twice at the same moment, the
//!   second could delete the lease of the next owner, who took it just after the first.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use ipnet::{Ipv4AddrRange, Ipv4Net};
use namespaces::{Error, Result, step};

/// The addresses of one network.
#[derive(Debug, Clone)]
pub struct Addresses {
    dir: PathBuf,
    subnet: Ipv4Net,
    gateway: Ipv4Addr,
    range: Ipv4Net,
}

impl Addresses {
    /// Opens the leases in a folder, which is made if need be.
    pub fn open(dir: &Path, subnet: Ipv4Net, gateway: Ipv4Addr) -> Result<Addresses> {
        step("create folder", dir.display(), || fs::create_dir_all(dir))?;
        let subnet = subnet.trunc();
        Ok(Addresses { dir: dir.to_owned(), subnet, gateway, range: subnet })
    }

    /// The same, but [`Addresses::take`] gives only addresses in this part of the subnet: the rest
    /// is for those who ask for one ([`Addresses::take_this`]), and for other machines. Of a range that
    /// is larger than the subnet only the subnet counts; outside of it there is nothing to give.
    pub fn within(self, range: Ipv4Net) -> Addresses {
        let range = if range.contains(&self.subnet) { self.subnet } else { range };
        Addresses { range, ..self }
    }

    /// Gives `owner` the lowest free address; or the one that it has.
    ///
    /// # Errors
    /// The subnet is full.
    // ANCHOR: take
    pub fn take(&self, owner: &str) -> Result<Ipv4Addr> {
        // ANCHOR: ex-05-3
        // 1. From the look at the folder to the change in it nobody else may change it.
        let _lock = self.lock()?;
        let taken = self.owners()?;
        // 2. An owner who has an address keeps it.
        if let Some((address, _)) = taken.iter().find(|(_, name)| *name == owner) {
            return Ok(*address);
        }
        // 3. The lowest one that a container may have and nobody has.
        let free = self.all().find(|address| self.is_usable(*address) && !taken.contains_key(address));
        // 4. If there is none: an error of the step "take address" that names the range of addresses
        //    and says what to do.
        let Some(address) = free else {
            let way_out = "all of its addresses are taken: remove a container, or make a larger network";
            return Err(Error::new("take address", self.range, way_out));
        };
        // 5. Write the lease.
        self.write(owner, address)?;
        Ok(address)
        // ANCHOR_END: ex-05-3
    }
    // ANCHOR_END: take

    /// Gives `owner` this very address. That it has it already is fine.
    ///
    /// # Errors
    /// Another has it; it is outside the subnet; it is the gateway's, the network's or the
    /// broadcast address.
    pub fn take_this(&self, owner: &str, address: Ipv4Addr) -> Result<()> {
        let refuse = |why: String| Err(Error::new("take address", address, why));
        if !self.subnet.contains(&address) {
            return refuse(format!("it is not in the network's subnet {}", self.subnet));
        }
        if !self.is_usable(address) {
            return refuse("it is the gateway's, or the subnet's first or last: take another".into());
        }
        let _lock = self.lock()?;
        match self.owners()?.iter().find(|(taken, name)| **taken == address || *name == owner) {
            None => self.write(owner, address),
            Some((taken, name)) if name == owner && *taken == address => Ok(()),
            Some((taken, name)) if name == owner => refuse(format!("{owner} has {taken} already")),
            Some((_, other)) => refuse(format!("{other} has it")),
        }
    }

    /// Gives back whatever `owner` has. That it has nothing is no error.
    pub fn release(&self, owner: &str) -> Result<()> {
        self.reconcile(|name| name != owner).map(drop)
    }

    /// Every lease: address and owner.
    pub fn owners(&self) -> Result<BTreeMap<Ipv4Addr, String>> {
        step("read leases", self.dir.display(), || {
            let mut owners = BTreeMap::new();
            for entry in fs::read_dir(&self.dir)? {
                let entry = entry?;
                let Some(address) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                    continue;
                };
                match fs::read_link(entry.path()) {
                    Ok(owner) => drop(owners.insert(address, owner.to_string_lossy().into_owned())),
                    // Given back since we saw its name; or no lease at all, but somebody's file.
                    Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(owners)
        })
    }

    /// Frees the addresses whose owner is no more, and says which: for an engine that starts and
    /// knows what really lives.
    pub fn reconcile(&self, lives: impl Fn(&str) -> bool) -> Result<Vec<Ipv4Addr>> {
        let _lock = self.lock()?;
        let mut freed = Vec::new();
        for (address, owner) in self.owners()? {
            if !lives(&owner) {
                let path = self.lease(address);
                step("release address", address, || fs::remove_file(&path))?;
                freed.push(address);
            }
        }
        Ok(freed)
    }

    /// Every address that may be given.
    fn all(&self) -> Ipv4AddrRange {
        Ipv4AddrRange::new(self.range.network(), self.range.broadcast())
    }

    /// The subnet's first address names the subnet, its last reaches all: neither is a host's.
    fn is_usable(&self, address: Ipv4Addr) -> bool {
        let ends = [self.subnet.network(), self.subnet.broadcast()];
        self.subnet.contains(&address)
            && address != self.gateway
            && (self.subnet.prefix_len() > 30 || !ends.contains(&address))
    }

    fn write(&self, owner: &str, address: Ipv4Addr) -> Result<()> {
        let lease = self.lease(address);
        step("take address", address, || symlink(owner, &lease))
    }

    fn lease(&self, address: Ipv4Addr) -> PathBuf {
        self.dir.join(address.to_string())
    }

    fn lock(&self) -> Result<File> {
        let path = self.dir.join(".lock");
        step("lock addresses", path.display(), || {
            let file = File::options().create(true).append(true).open(&path)?;
            loop {
                match file.lock() {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    locked => break locked.map(|()| file),
                }
            }
        })
    }
}
