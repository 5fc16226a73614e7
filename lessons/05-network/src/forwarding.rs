//! Forwarding: whether the host passes on packets which are not for itself.
//!
//! Off, it is an end point; on, a router, as it must be for containers to get out. The switch is
//! `/proc/sys/net/ipv4/ip_forward`, and flipping it changes more than itself: every interface's
//! own switch, and whether ICMP redirects are believed (a router shouldn't). To put it back as it
//! was takes a note of all of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use namespaces::{Result, step};
use serde::{Deserialize, Serialize};

const SWITCH: &str = "/proc/sys/net/ipv4/ip_forward";
const CONF: &str = "/proc/sys/net/ipv4/conf";

/// How the switches were before [`enable`]: path and value. Keep it (on disk: a process may die)
/// for [`restore`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before(BTreeMap<PathBuf, String>);

/// Turns IPv4 forwarding on in the network namespace of the calling thread.
///
/// `None`: it was on. Else it has been turned on, which is a change to somebody's machine: say
/// so, and keep what is returned.
pub fn enable() -> Result<Option<Before>> {
    let now = step("read sysctl", SWITCH, || fs::read_to_string(SWITCH))?;
    if now.trim() != "0" {
        return Ok(None);
    }
    let mut before = BTreeMap::new();
    for entry in step("list sysctls", CONF, || fs::read_dir(CONF))?.flatten() {
        for name in ["forwarding", "accept_redirects"] {
            let path = entry.path().join(name);
            // An interface may go while we look.
            if let Ok(value) = fs::read_to_string(&path) {
                before.insert(path, value.trim().to_owned());
            }
        }
    }
    step("enable ip_forward", SWITCH, || fs::write(SWITCH, "1"))?;
    Ok(Some(Before(before)))
}

/// Turns forwarding off again, and puts each switch back as it was.
///
/// Whoever came to rely on forwarding meanwhile (another engine, a VPN) loses it: do this only
/// where the machine is to be left as it was found.
pub fn restore(before: &Before) -> Result<()> {
    step("disable ip_forward", SWITCH, || fs::write(SWITCH, "0"))?;
    for (path, value) in &before.0 {
        let now = fs::read_to_string(path).unwrap_or_default();
        // An interface that is gone needs nothing.
        if !now.is_empty() && now.trim() != value {
            step("restore sysctl", path.display(), || fs::write(path, value))?;
        }
    }
    Ok(())
}
