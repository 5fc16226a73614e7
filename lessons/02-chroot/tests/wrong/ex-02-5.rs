//! The tests say: and not in a mount below the volume either
        let is_folder = step("look at", from.display(), || std::fs::metadata(from))?.is_dir();
        let mount = step("copy mount of", from.display(), || open_tree(None, from, recursive))?;
        step("set attributes of", from.display(), || set_attributes(&mount, self.attributes, false))?;
        Ok((mount, if is_folder { Kind::Folder } else { Kind::File }))
