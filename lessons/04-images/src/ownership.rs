//! What this process may do to the files that it makes.
//!
//! Root may give a file to anybody. In a user namespace with a range of ids it may give it to
//! those. With the single id that every user can map for themselves, and as an ordinary user
//! outside, it may not give files away at all: an image's files then all belong to whoever
//! unpacks them. This is decided once, by looking, and not file by file by swallowing errors.
//! [user_namespaces(7)](https://man7.org/linux/man-pages/man7/user_namespaces.7.html)

use std::fs;

/// Whose an unpacked file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// The owner that the archive says.
    Kept,
    /// Ours: nobody else is mapped.
    Ours,
}

/// What can be asked of the kernel here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Privileges {
    /// Whose unpacked files are.
    pub ownership: Ownership,
    /// Whether device nodes can be made: not in a user namespace, whoever is root there.
    pub devices: bool,
    /// Whether this is a user namespace other than the first: the overlay's attributes are
    /// then `user.overlay.*`, since nobody in it may set `trusted.*`.
    pub user_namespace: bool,
}

impl Privileges {
    /// Looks at our user id and our namespace's maps.
    pub fn detect() -> Privileges {
        let map = |file: &str| fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
        Privileges::from(nix::unistd::geteuid().is_root(), &map("uid_map"), &map("gid_map"))
    }

    fn from(root: bool, uid_map: &str, gid_map: &str) -> Privileges {
        // "inside outside count", a line for each range. The first namespace maps all 2^32 - 1.
        let count = |map: &str| -> u64 {
            map.lines()
                .filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok())
                .fold(0, u64::saturating_add)
        };
        let user_namespace = count(uid_map) < u64::from(u32::MAX);
        let single = count(uid_map) <= 1 || count(gid_map) <= 1;
        Privileges {
            ownership: if root && !single { Ownership::Kept } else { Ownership::Ours },
            devices: root && !user_namespace,
            user_namespace,
        }
    }

    /// The attribute that makes a folder of a layer hide the folder below.
    pub(crate) fn opaque(self) -> &'static str {
        if self.user_namespace { "user.overlay.opaque" } else { "trusted.overlay.opaque" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = "         0          0 4294967295\n";

    #[test]
    fn owners_are_kept_where_more_than_one_id_is_mapped() {
        let single = "0 1000 1\n";
        let range = "0 1000 1\n1 100000 65536\n";
        assert_eq!(Privileges::from(true, ALL, ALL).ownership, Ownership::Kept);
        assert_eq!(Privileges::from(true, range, range).ownership, Ownership::Kept);
        assert_eq!(Privileges::from(true, single, single).ownership, Ownership::Ours);
        assert_eq!(Privileges::from(true, range, single).ownership, Ownership::Ours);
        assert_eq!(Privileges::from(false, ALL, ALL).ownership, Ownership::Ours);
    }

    #[test]
    fn devices_are_for_root_outside_any_user_namespace() {
        assert!(Privileges::from(true, ALL, ALL).devices);
        assert!(!Privileges::from(true, "0 1000 1\n1 100000 65536\n", ALL).devices);
        assert!(!Privileges::from(false, ALL, ALL).devices);
        assert_eq!(Privileges::from(true, "0 1000 1\n", ALL).opaque(), "user.overlay.opaque");
    }
}
