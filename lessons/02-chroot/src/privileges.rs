//! Giving up power, in the one order in which it works.

use caps::CapsHashSet;
use libc::sock_filter;
use namespaces::flags::Flags;
use namespaces::{Error, Result, die_with_parent, hide, only_one_id, step};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use crate::user::User;
use crate::{capabilities, seccomp};

/// What a program may do.
#[derive(Debug, Clone)]
pub struct Privileges {
    /// Its capabilities: [`capabilities::by_name`].
    pub capabilities: CapsHashSet,
    /// Whether set-uid programs and file capabilities have no effect for it and all it starts.
    pub no_new_privileges: bool,
    /// Which system calls it may make: a policy's program ([`seccomp::Policy::compile`]).
    pub seccomp: Option<Vec<sock_filter>>,
}

impl Privileges {
    /// Docker's default.
    pub fn docker() -> Result<Self> {
        let capabilities = capabilities::by_name(&capabilities::DEFAULT)?;
        let seccomp = seccomp::Policy::docker(&capabilities).compile();
        Ok(Privileges { capabilities, no_new_privileges: false, seccomp: Some(seccomp) })
    }

    /// Docker's default; with `--seccomp none`, all system calls.
    ///
    /// # Errors
    /// For another word than `none`.
    pub fn from_flags(flags: &Flags) -> Result<Self> {
        match flags.text("seccomp")? {
            None => Self::docker(),
            Some("none") => Ok(Privileges { seccomp: None, ..Self::docker()? }),
            Some(other) => Err(Error::new("choose seccomp policy", other, "there is no other than none")),
        }
    }

    /// From here on this process is that user, with these privileges and no others.
    // ANCHOR: drop
    pub fn drop_to(&self, user: &User) -> Result<()> {
        // ANCHOR: ex-02-6
        // 1. While we still may: nothing more than these capabilities, ever.
        capabilities::limit(&self.capabilities)?;
        // 2. A filter asks for CAP_SYS_ADMIN, so it comes while we have it: unless there are to be no
        //    new privileges. (It must allow what comes from here on.)
        if let Some(filter) = self.seccomp.as_ref().filter(|_| !self.no_new_privileges) {
            seccomp::install(filter)?;
        }
        // 3. Groups before the user: the user may not change them any more. (With one id in the
        //    namespace there are no others, and the kernel refuses to set any.)
        if !only_one_id() {
            let groups: Vec<Gid> = user.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
            step("set groups", "", || setgroups(&groups))?;
        }
        // 4. The group, then the user, as all three ids of each: so there is no way back. An error goes
        //    through `unmapped`. (A change of user from 0 clears the capabilities, all but the bounding set.)
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        step("set group", gid, || setresgid(gid, gid, gid)).map_err(|error| unmapped(error, user))?;
        step("set user", uid, || setresuid(uid, uid, uid)).map_err(|error| unmapped(error, user))?;
        // 5. What we have now.
        capabilities::keep(&self.capabilities)?;
        // 6. Whoever gains nothing by `execve` may set a filter without any privilege. So where that is
        //    wanted it comes here, and may refuse even what the steps before have needed.
        if self.no_new_privileges {
            gain_nothing()?;
            if let Some(filter) = &self.seccomp {
                seccomp::install(filter)?;
            }
        }
        // 7. The change of user took these back.
        hide()?;
        die_with_parent()
        // ANCHOR_END: ex-02-6
    }
    // ANCHOR_END: drop
}

/// From now on set-uid programs and file capabilities have no effect for us and all that we start.
fn gain_nothing() -> Result<()> {
    step("set no_new_privs", "", nix::sys::prctl::set_no_new_privs)
}

/// Says of an id that this user namespace doesn't have how to get it.
fn unmapped(error: namespaces::Error, user: &User) -> namespaces::Error {
    if error.errno == libc::EINVAL {
        error.hint(format!(
            "user {}:{} does not exist in this user namespace: install uidmap, and see /etc/subuid",
            user.uid, user.gid
        ))
    } else {
        error
    }
}
