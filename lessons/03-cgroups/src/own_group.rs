//! The group of a program that runs one container, which is there for as long as the container: what
//! lesson 3's program does step by step, for the programs of the lessons after it.

use std::ops::Deref;

use namespaces::Result;

use crate::{Cgroup, Limits, own_name, remove_parent, sweep};

/// A [`Cgroup`] that is gone when this is dropped, on whatever way out.
#[derive(Debug)]
pub struct OwnGroup {
    group: Cgroup,
    parent: String,
}

impl OwnGroup {
    /// Makes it below `parent`, in which no group of a program stays that was killed.
    ///
    /// # Errors
    /// Those of [`Cgroup::create`].
    pub fn create(parent: &str, limits: &Limits) -> Result<Self> {
        sweep(parent)?;
        let group = Cgroup::create(parent, &own_name()?, limits)?;
        Ok(OwnGroup { group, parent: parent.to_owned() })
    }
}

impl Deref for OwnGroup {
    type Target = Cgroup;

    fn deref(&self) -> &Cgroup {
        &self.group
    }
}

impl Drop for OwnGroup {
    fn drop(&mut self) {
        if self.group.oom_kills().is_ok_and(|kills| kills > 0) {
            eprintln!("out of memory: the kernel killed a process of this container");
        }
        // How the container ended is what people need to know, whatever couldn't be cleaned up.
        if let Err(error) = self.group.remove().and_then(|()| remove_parent(&self.parent)) {
            eprintln!("{error}");
        }
    }
}
