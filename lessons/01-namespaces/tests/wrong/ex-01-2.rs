//! The tests say: is "deny" written to setgroups, and before gid_map?
        if self.users.len() == 1 {
            write(pid, "uid_map", &text(&self.users))?;
            write(pid, "gid_map", &text(&self.groups))?;
            return write(pid, "setgroups", "deny");
        }
        helper("newuidmap", pid, &self.users)?;
        helper("newgidmap", pid, &self.groups)
