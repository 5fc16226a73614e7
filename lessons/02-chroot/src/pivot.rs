//! The way in, and no way back: `pivot_root`.

use std::os::fd::OwnedFd;
use std::path::Path;

use namespaces::{Result, step};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};

use crate::mount_api::move_mount;

/// Cuts this mount namespace off from the host's: what is mounted in here from now on does not
/// appear there.
///
/// A new mount namespace is a copy, and its mounts are *peers* of the originals: most systems make
/// `/` shared, and then a mount in the copy appears in the original as well. *Slave* and not
/// *private*: an unmount on the host still arrives here, so that we don't keep the user's USB
/// stick busy while we set up.
// ANCHOR: cut_propagation
pub(crate) fn cut_propagation() -> Result<()> {
    step("make slave", "/", || change_propagation(MsFlags::MS_SLAVE))
}
// ANCHOR_END: cut_propagation

/// Makes a mount the root of this mount namespace, and lets go of everything else.
///
/// `chroot` only changes where `/` begins for one process; the rest of the tree is still there for
/// who knows the way ([`crate::chroot::escape`]). After this there is nothing else.
// ANCHOR: pivot
pub(crate) fn pivot(root: &OwnedFd, place: &Path) -> Result<()> {
    // ANCHOR: ex-02-3
    // 1. The new root has to be a mount point of this namespace, and we stand in it.
    let target = step("open", place.display(), || open_folder(place))?;
    step("mount root on", place.display(), || move_mount(root, &target))?;
    step("change directory to", place.display(), || chdir(place))?;
    // 2. It becomes `/`, and the old one comes to lie on top of it, in the same place: so no folder
    //    for the old root has to be made in the image (pivot_root(2), NOTES).
    step("pivot root", place.display(), || pivot_root(".", "."))?;
    // 3. The old root, with all that is below it, leaves this namespace. DETACH: at once, also
    //    where somebody is still inside.
    step("unmount old root", "", || umount2(".", MntFlags::MNT_DETACH))?;
    step("change directory to", "/", || chdir("/"))?;
    // 4. A root that was copied from the host would still hear of mounts there.
    step("make private", "/", || change_propagation(MsFlags::MS_PRIVATE))
    // ANCHOR_END: ex-02-3
}
// ANCHOR_END: pivot

fn change_propagation(kind: MsFlags) -> nix::Result<()> {
    mount(None::<&str>, "/", None::<&str>, kind | MsFlags::MS_REC, None::<&str>)
}

fn open_folder(path: &Path) -> nix::Result<OwnedFd> {
    use nix::fcntl::{OFlag, open};
    open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, nix::sys::stat::Mode::empty())
}
