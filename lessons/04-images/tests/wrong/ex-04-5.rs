//! The tests say: a file outside has one more name now
        // Without dots it can't lead out. (But by the archive's own links it can.)
        let target = relative(target)?;
        let missing =
            || Trouble::Archive(format!("its target {} is not in this layer", clean(target.display())));
        let root = self.inside.find_folder(Path::new(""))?;
        let found = fstatat(&root, &target, AtFlags::AT_SYMLINK_NOFOLLOW).map_err(|_| missing())?;
        if found.st_mode & libc::S_IFMT == libc::S_IFDIR {
            return Err(Trouble::Archive("a hard link to a folder".to_owned()));
        }
        linkat(&root, &target, parent, name, AtFlags::empty())?;
        Ok(())
