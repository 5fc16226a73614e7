//! What is known of this machine: read only to explain a refusal, never to foretell one.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{User, geteuid};

/// The facts that the advice depends on.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Whether this is root.
    pub root: bool,
    /// The user's name, or number where there is none.
    pub user: String,
    /// The repository, whose programs AppArmor has to be told of.
    pub repository: PathBuf,
    /// Inside somebody's container: Docker's, Podman's, a dev container.
    pub container: bool,
    /// Ubuntu 23.10 and later: AppArmor takes the privileges in user namespaces away.
    pub apparmor: bool,
    /// Older Debian: unprivileged user namespaces are switched off.
    pub userns_off: bool,
    /// `user.max_user_namespaces` is 0.
    pub userns_none: bool,
    /// The first version of the Windows Subsystem for Linux, which has no Linux kernel.
    pub wsl1: bool,
    /// systemd is PID 1, and can delegate.
    pub systemd: bool,
    /// The unified hierarchy is the only one.
    pub v2: bool,
}

impl Machine {
    /// Looks at this one.
    pub fn look() -> Machine {
        let is = |path: &str, value: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == value);
        let exists = |path: &str| Path::new(path).exists();
        let uid = geteuid();
        Machine {
            root: uid.is_root(),
            user: User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name),
            repository: crate::home(),
            container: exists("/.dockerenv") || exists("/run/.containerenv"),
            apparmor: is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),
            userns_off: is("/proc/sys/kernel/unprivileged_userns_clone", "0"),
            userns_none: is("/proc/sys/user/max_user_namespaces", "0"),
            // WSL 1 writes Microsoft with a capital; WSL 2 has a kernel of its own, named in lower case.
            wsl1: fs::read_to_string("/proc/sys/kernel/osrelease")
                .is_ok_and(|name| name.contains("-Microsoft")),
            systemd: exists("/run/systemd/system"),
            v2: exists("/sys/fs/cgroup/cgroup.controllers"),
        }
    }
}
