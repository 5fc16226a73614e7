//! Root without privilege: this very process in a user namespace of its own.
//!
//! [`crate::Isolation`] gives a *child* a user namespace. An engine that is started by an ordinary
//! user needs one itself, around all its containers: in there it may make overlays, bridges and
//! namespaces, and what belongs to it outside can't be touched from inside any more than before.

use std::io::Write;
use std::os::fd::OwnedFd;

use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork, getpid, pipe};

use crate::clone3::single_threaded;
use crate::idmap::IdMaps;
use crate::step::{Error, Result, step};

/// Puts this process into a new user and a new mount namespace, where it is root.
///
/// # Errors
/// When the process has several threads, or the machine doesn't let this user have user
/// namespaces.
// ANCHOR: become_root
pub fn become_root() -> Result<()> {
    single_threaded()?;
    // 1. The maps have to be written by somebody who stays outside: a child, who waits until the
    //    namespace is there.
    let (wait, go) = step("make pipe", "", pipe)?;
    let maps = IdMaps::for_me();
    let me = getpid();
    // SAFETY: single-threaded, as was just seen.
    match step("fork", "helper outside", || unsafe { fork() })? {
        ForkResult::Child => {
            drop(go);
            let code = match wait_for_end(&wait).and_then(|()| maps.write(me)) {
                Ok(()) => 0,
                Err(error) => {
                    let _ = writeln!(std::io::stderr(), "canoa: {error}");
                    1
                }
            };
            // SAFETY: always allowed; buffers and exit handlers belong to the parent.
            unsafe { libc::_exit(code) }
        }
        ForkResult::Parent { child } => {
            drop(wait);
            // 2. From here on we have all capabilities, in there, and no id yet …
            let made = step("unshare", "user and mount namespace", || {
                unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
            });
            drop(go);
            // 3. … and when the helper has done its work, we are root.
            match step("wait for", child, || waitpid(child, None))? {
                WaitStatus::Exited(_, 0) => made,
                _ => made.and(Err(Error::new("map ids of", "user namespace", "see the line above"))),
            }
        }
    }
}
// ANCHOR_END: become_root

/// The other end is closed when the namespace is there, or when its maker died.
fn wait_for_end(pipe: &OwnedFd) -> Result<()> {
    let mut byte = [0];
    step("wait", "", || nix::unistd::read(pipe, &mut byte)).map(drop)
}
