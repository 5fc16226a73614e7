//! The host name: what a UTS namespace holds.

use std::ffi::OsStr;

use crate::step::{Result, step};

/// Names the machine, for everybody in this UTS namespace: [sethostname(2)].
///
/// # Errors
/// `EINVAL` for more than 64 bytes.
///
/// [sethostname(2)]: https://man7.org/linux/man-pages/man2/sethostname.2.html
// ANCHOR: set_hostname
pub fn set_hostname(name: impl AsRef<OsStr>) -> Result<()> {
    let name = name.as_ref();
    step("set hostname", name.display(), || nix::unistd::sethostname(name))
}
// ANCHOR_END: set_hostname
