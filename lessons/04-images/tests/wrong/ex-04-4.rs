//! The tests say: replaces the lower one: it should be opaque
        let name = match whiteout {
            Whiteout::Of(name) => name,
            Whiteout::Opaque => return self.make_opaque(folder),
            Whiteout::Aufs => return Ok(()),
        };
        match kind_of(folder, name)? {
            None => Ok(mknodat(folder, name, SFlag::S_IFCHR, Mode::empty(), 0)?),
            // Whatever this layer has stays as it is, a folder too: and is merged with the lower one.
            Some(_) => Ok(()),
        }
