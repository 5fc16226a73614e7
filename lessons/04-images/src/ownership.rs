//! What this process may do to the files that it makes.
//!
//! Root may give a file to anybody. In a user namespace with a range of ids it may give it to
//! those. With the single id that every user can map for themselves, and as an ordinary user
//! outside, it may not give files away at all: an image's files then all belong to whoever
//! unpacks them. This is decided once, by looking, and not file by file by swallowing errors.
//! [user_namespaces(7)](https://man7.org/linux/man-pages/man7/user_namespaces.7.html)

use namespaces::{in_user_namespace, only_one_id};

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
pub struct Rights {
    /// Whose unpacked files are.
    pub ownership: Ownership,
    /// Whether device nodes can be made: not in a user namespace, whoever is root there.
    pub devices: bool,
    /// Whether this is a user namespace other than the first: the overlay's attributes are
    /// then `user.overlay.*`, since nobody in it may set `trusted.*`.
    pub user_namespace: bool,
}

impl Rights {
    /// Looks at our user id and our namespace's maps.
    pub fn detect() -> Rights {
        Rights::from(nix::unistd::geteuid().is_root(), in_user_namespace(), only_one_id())
    }

    fn from(root: bool, user_namespace: bool, only_one_id: bool) -> Rights {
        Rights {
            ownership: if root && !only_one_id { Ownership::Kept } else { Ownership::Ours },
            devices: root && !user_namespace,
            user_namespace,
        }
    }

    /// The attribute that makes a folder of a layer hide the folder below.
    pub(crate) fn opaque(self) -> &'static str {
        // Nobody but root may set `trusted.*`, and not even root in a user namespace.
        if self.user_namespace || !self.devices { "user.overlay.opaque" } else { "trusted.overlay.opaque" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_kept_where_more_than_one_id_is_mapped() {
        assert_eq!(Rights::from(true, false, false).ownership, Ownership::Kept);
        assert_eq!(Rights::from(true, true, false).ownership, Ownership::Kept);
        assert_eq!(Rights::from(true, true, true).ownership, Ownership::Ours);
        assert_eq!(Rights::from(false, false, false).ownership, Ownership::Ours);
    }

    #[test]
    fn devices_are_for_root_outside_any_user_namespace() {
        assert!(Rights::from(true, false, false).devices);
        assert!(!Rights::from(true, true, false).devices);
        assert!(!Rights::from(false, false, false).devices);
        assert_eq!(Rights::from(true, true, true).opaque(), "user.overlay.opaque");
    }
}
