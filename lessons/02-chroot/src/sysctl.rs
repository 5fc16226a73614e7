//! Parameters of the kernel that a namespace has for itself: [sysctl(8)].
//!
//! Most of /proc/sys is the whole machine's, and read-only in a container. Some of it shows a
//! namespace's own: all of `net.`, the limits of System V IPC, of message queues. These may be set,
//! once, before the programs run.
//!
//! [sysctl(8)]: https://man7.org/linux/man-pages/man8/sysctl.8.html

use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use namespaces::{Error, Result, step};

use crate::inside;

/// The parameters of an IPC namespace, beside all of `fs.mqueue.`.
const IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// Whose parameter it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The IPC namespace's.
    Ipc,
    /// The network namespace's.
    Network,
    /// The whole machine's, or there is none of this name.
    Machine,
}

/// To which namespace a parameter belongs. Its name is written with dots, or with slashes where a
/// part has dots of its own (`net/ipv4/conf/eth0.7/forwarding`).
pub fn scope(name: &str) -> Scope {
    let dotted = with_dots(name);
    match file(name) {
        None => Scope::Machine,
        Some(_) if IPC.contains(&dotted.as_str()) || dotted.starts_with("fs.mqueue.") => Scope::Ipc,
        Some(_) if dotted.starts_with("net.") => Scope::Network,
        Some(_) => Scope::Machine,
    }
}

/// Dots for slashes and the reverse, if slashes are what separates the parts.
fn with_dots(name: &str) -> String {
    match name.find(['.', '/']) {
        Some(first) if name[first..].starts_with('/') => name
            .chars()
            .map(|c| match c {
                '/' => '.',
                '.' => '/',
                other => other,
            })
            .collect(),
        _ => name.to_owned(),
    }
}

/// Its file, or nothing if the name can't be one's.
fn file(name: &str) -> Option<PathBuf> {
    let mut path = PathBuf::from("/proc/sys");
    for part in with_dots(name).split('.') {
        let part = part.replace('/', ".");
        if part.is_empty() || part == "." || part == ".." || part.contains('\0') {
            return None;
        }
        path.push(part);
    }
    Some(path)
}

/// Sets them, as the root that we are in shows them.
pub(crate) fn set(root: &OwnedFd, sysctls: &[(String, String)]) -> Result<()> {
    for (name, value) in sysctls {
        let path =
            file(name).ok_or_else(|| Error::new("set sysctl", name, "this is no name of a parameter"))?;
        step("set sysctl", format_args!("{name} to {value}"), || write(root, &path, value))?;
    }
    Ok(())
}

fn write(root: &OwnedFd, path: &Path, value: &str) -> std::io::Result<()> {
    std::fs::File::from(inside::open_plain_to_write(root, path)?).write_all(value.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_belongs_to_one_namespace_or_to_the_machine() {
        for (name, expected) in [
            ("net.ipv4.ip_forward", Scope::Network),
            ("net/ipv4/conf/eth0.7/forwarding", Scope::Network),
            ("kernel.shmmax", Scope::Ipc),
            ("kernel/shmmax", Scope::Ipc),
            ("fs.mqueue.msg_max", Scope::Ipc),
            ("kernel.panic", Scope::Machine),
            ("kernel.shmmax2", Scope::Machine),
            ("network.x", Scope::Machine),
            ("vm.swappiness", Scope::Machine),
        ] {
            assert_eq!(scope(name), expected, "{name}");
        }
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        for name in [
            "",
            ".",
            "net.",
            "net..x",
            "net./../x",
            "net/../kernel/panic",
            "net/./x",
            "net.x\0y",
            "/etc/passwd",
        ] {
            assert_eq!(scope(name), Scope::Machine, "{name:?}");
        }
        assert_eq!(
            file("net.ipv4.conf.eth0/7.forwarding"),
            Some("/proc/sys/net/ipv4/conf/eth0.7/forwarding".into())
        );
        assert_eq!(file("net/../kernel/panic"), None);
        assert_eq!(file("net.//.kernel"), None);
    }
}
