//! Root without privilege: this very process in a user namespace of its own.
//!
//! [`crate::Isolation`] gives a *child* a user namespace. An engine that is started by an ordinary
//! user needs one itself, around all its containers: in there it may make overlays, bridges and
//! namespaces, and what belongs to it outside can't be touched from inside any more than before.

use std::os::fd::AsRawFd;

use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork, getpid};

use crate::channel::{self, Message};
use crate::clone3::single_threaded;
use crate::idmap::IdMaps;
use crate::step::{Result, step};

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
    let (ours, theirs) = step("make socket pair", "", channel::pair)?;
    let maps = IdMaps::for_me();
    let me = getpid();
    // SAFETY: single-threaded, as was just seen.
    match step("fork", "helper outside", || unsafe { fork() })? {
        ForkResult::Child => {
            drop(ours);
            // (Without that word the namespace was not made, or its maker has died.)
            if let Ok(Some(Message::Go)) = channel::receive(&theirs)
                && let Err(error) = maps.write(me)
            {
                let _ = channel::send(theirs.as_raw_fd(), &Message::Failed(error));
            }
            // SAFETY: always allowed; buffers and exit handlers belong to the parent.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            drop(theirs);
            // 2. From here on we have all capabilities, in there, and no id yet …
            let made = step("unshare", "user and mount namespace", || {
                unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
            });
            // 3. … and when the helper has done its work, we are root. It says only what went wrong.
            let mapped = made.and_then(|()| {
                step("let map ids", child, || channel::send(ours.as_raw_fd(), &Message::Go))?;
                match step("hear from", child, || channel::receive(&ours))? {
                    Some(Message::Failed(error)) => Err(error),
                    _ => Ok(()),
                }
            });
            drop(ours);
            step("wait for", child, || waitpid(child, None))?;
            mapped
        }
    }
}
// ANCHOR_END: become_root
