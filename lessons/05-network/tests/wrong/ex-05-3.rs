//! The tests say: is the lock held until then?
        let _ = self.lock()?;
        let taken = self.owners()?;
        if let Some((address, _)) = taken.iter().find(|(_, name)| *name == owner) {
            return Ok(*address);
        }
        let free = self.all().find(|address| self.is_usable(*address) && !taken.contains_key(address));
        let Some(address) = free else {
            return Err(Error::new("take address", self.range, "all of its addresses are taken"));
        };
        self.write(owner, address)?;
        Ok(address)
