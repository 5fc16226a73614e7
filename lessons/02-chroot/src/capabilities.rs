//! Capabilities: root's power, in 41 pieces.
//!
//! Root of a container is not root of the host, and this is why. Docker leaves it 14 of the pieces:
//! enough to install packages and change owners, not enough to mount, to load modules, to set the
//! clock.
//!
//! Source: [capabilities(7)](https://man7.org/linux/man-pages/man7/capabilities.7.html).

use std::io;
use std::str::FromStr;

use caps::{CapSet, Capability, CapsHashSet};
use namespaces::{Error, Result, step};

/// What Docker leaves to a container.
pub const DEFAULT: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// A set of capabilities by their names.
///
/// # Errors
/// Names the one that doesn't exist.
pub fn by_name<S: AsRef<str>>(names: &[S]) -> Result<CapsHashSet> {
    names
        .iter()
        .map(|name| {
            let name = name.as_ref();
            Capability::from_str(name)
                .map_err(|_| Error::new("set capabilities", name, "there is no capability of this name"))
        })
        .collect()
}

/// What no program that this process becomes can ever have again: all that is not `allowed` leaves
/// the *bounding set*. It asks for `CAP_SETPCAP`, so it comes before the others are given up.
// ANCHOR: limit
pub(crate) fn limit(allowed: &CapsHashSet) -> Result<()> {
    let bounding = step("read capabilities", "", || caps::read(None, CapSet::Bounding).map_err(to_io))?;
    for capability in bounding.difference(allowed) {
        step("drop capability", capability, || {
            caps::drop(None, CapSet::Bounding, *capability).map_err(to_io)
        })?;
    }
    Ok(())
}
// ANCHOR_END: limit

/// Gives up all but these, now. For root, `execve` makes the permitted set anew from the bounding
/// set; for anybody else nothing is left after it, as with Docker.
// ANCHOR: keep
pub(crate) fn keep(allowed: &CapsHashSet) -> Result<()> {
    let ours = step("read capabilities", "", || caps::read(None, CapSet::Permitted).map_err(to_io))?;
    let kept: CapsHashSet = ours.intersection(allowed).copied().collect();
    // Inheritable is left empty: with more, an ordinary user could gain capabilities from a
    // program file that has some (CVE-2022-24769).
    let none = CapsHashSet::new();
    step("set capabilities", "", || {
        caps::set(None, CapSet::Inheritable, &none).map_err(to_io)?;
        caps::set(None, CapSet::Effective, &kept).map_err(to_io)?;
        caps::set(None, CapSet::Permitted, &kept).map_err(to_io)
    })
}
// ANCHOR_END: keep

/// `caps` says its errors in words; behind them is the errno of the call that just failed.
fn to_io(error: caps::errors::CapsError) -> io::Error {
    match io::Error::last_os_error().raw_os_error() {
        Some(errno) if errno != 0 => io::Error::from_raw_os_error(errno),
        _ => io::Error::other(error.to_string()),
    }
}
