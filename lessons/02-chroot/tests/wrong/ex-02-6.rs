//! The tests say: What is still in CapBnd, the bounding set, comes back at the next execve
        let _ = capabilities::limit;
        if let Some(filter) = self.seccomp.as_ref().filter(|_| !self.no_new_privileges) {
            seccomp::install(filter)?;
        }
        if !only_one_id() {
            let groups: Vec<Gid> = user.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
            step("set groups", "", || setgroups(&groups))?;
        }
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        step("set group", gid, || setresgid(gid, gid, gid)).map_err(|error| unmapped(error, user))?;
        step("set user", uid, || setresuid(uid, uid, uid)).map_err(|error| unmapped(error, user))?;
        capabilities::keep(&self.capabilities)?;
        if self.no_new_privileges {
            gain_nothing()?;
            if let Some(filter) = &self.seccomp {
                seccomp::install(filter)?;
            }
        }
        hide()?;
        die_with_parent()
