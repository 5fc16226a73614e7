//! What a case needs of the machine, and what to say where that is missing.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use libtest_mimic::{Completion, Failed};
use nix::sched::{CloneFlags, unshare};

use crate::{cgroup, clients, registry};

/// Something that not every machine has, or not every user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// To be root.
    Root,
    /// Not to be root.
    OrdinaryUser,
    /// A limit that the kernel enforces: the cgroup controller of this name, and the right to use it.
    Controller(&'static str),
    /// More users than oneself: a range of subordinate ids, for whoever isn't root.
    Users,
    /// A program.
    Tool(&'static str),
    /// A package of Python's, beside Debian's Python.
    Python(&'static str),
    /// Debian's registry, and the Debian image in it.
    Debian,
    /// Canoa itself: what Docker doesn't do. (The tests can be run against a real dockerd, too.)
    Canoa,
}

/// Why a case can't run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What is missing, and the way out.
    pub reason: String,
    /// Whether it is a lack of the machine: `WORKSHOP_REQUIRE` turns it into a failure then.
    pub lack: bool,
}

impl Need {
    /// Why it isn't met, if it isn't.
    pub fn missing(self) -> Option<Missing> {
        let root = nix::unistd::geteuid().is_root();
        let lack = |reason: String| Some(Missing { reason, lack: true });
        match self {
            // Another run has these, as the other kind of user.
            Need::Root if !root => {
                Some(Missing { reason: "needs root: run it under sudo".into(), lack: false })
            }
            Need::OrdinaryUser if root => {
                Some(Missing { reason: "is about ordinary users: run it as one".into(), lack: false })
            }
            Need::Canoa if !crate::engine::Kind::of_the_engine().is_canoa() => Some(Missing {
                reason: "is about canoa, and CANOA_BIN is Docker's command".into(),
                lack: false,
            }),
            Need::Controller(name) if !root && !cgroup::delegated(name) => Some(Missing {
                reason: "needs a control group of one's own: run it under sudo, or with cgroup v2 by \
                         systemd-run --user --scope -p Delegate=yes"
                    .into(),
                // v1 has none to hand to anybody.
                lack: cgroup::is_pure_v2(),
            }),
            Need::Controller(name) if !has_controller(name) => {
                lack(format!("needs the cgroup controller {name}: this kernel has none mounted"))
            }
            Need::Users if !root && !has_subordinate_ids() => {
                lack("needs more user ids than one: apt install uidmap, and a line in /etc/subuid".into())
            }
            Need::Tool(name) if !on_path(name) => {
                lack(format!("needs {name}: apt install {}", package(name)))
            }
            Need::Python(_) if !Path::new("/usr/bin/python3").is_file() => {
                lack("needs Python: apt install python3".into())
            }
            Need::Python(name) if !clients::python_packages().join(name).is_dir() => lack(format!(
                "needs the Python package {name} in {}: run .ci/clients once",
                clients::python_packages().display()
            )),
            Need::Debian if !on_path("docker-registry") => {
                lack("needs docker-registry: apt install docker-registry".into())
            }
            Need::Debian if !registry::storage().is_dir() => lack(format!(
                "needs the Debian image in {}: run .ci/image as root once",
                registry::storage().display()
            )),
            _ => None,
        }
    }
}

/// Why no case at all can run here, if so: everything begins with new namespaces.
pub fn no_namespaces() -> Option<Missing> {
    static REASON: OnceLock<Option<String>> = OnceLock::new();
    let reason = REASON.get_or_init(|| {
        let (flags, way_out) = match nix::unistd::geteuid().is_root() {
            true => (CloneFlags::CLONE_NEWNS, "this root has no CAP_SYS_ADMIN: use a privileged container"),
            false => (
                CloneFlags::CLONE_NEWUSER,
                "sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0",
            ),
        };
        let mut command = Command::new("true");
        // SAFETY: between fork and exec only unshare is called, which is async-signal-safe.
        unsafe { command.pre_exec(move || Ok(unshare(flags)?)) };
        let error = command.status().err()?;
        Some(format!("needs new namespaces, and the kernel says {error}: {way_out}"))
    });
    reason.clone().map(|reason| Missing { reason, lack: true })
}

/// What becomes of a test that can't run: it is shown as ignored, with the reason; or with
/// `WORKSHOP_REQUIRE=all` (CI), where the machine lacks something, it fails.
pub fn refuse(missing: Missing) -> Result<Completion, Failed> {
    let required = env::var_os("WORKSHOP_REQUIRE").is_some_and(|value| value == "all");
    match missing.lack && required {
        true => Err(format!("WORKSHOP_REQUIRE=all, and this {}", missing.reason).into()),
        false => Ok(Completion::ignored_with(missing.reason)),
    }
}

/// Whether a program is found where a shell would look for it.
pub fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    // An ordinary user has no sbin in the path on Debian.
    env::split_paths(&path)
        .chain([Path::new("/usr/sbin").into(), Path::new("/sbin").into()])
        .any(|folder| folder.join(program).is_file())
}

/// Whether `/etc/subuid` (subuid(5)) has a line for this user, by name or number.
fn has_subordinate_ids() -> bool {
    let uid = nix::unistd::geteuid();
    let name = nix::unistd::User::from_uid(uid).ok().flatten().map(|user| user.name).unwrap_or_default();
    let lines = std::fs::read_to_string("/etc/subuid").unwrap_or_default();
    let mine = |line: &str| line.split(':').next().is_some_and(|who| who == name || who == uid.to_string());
    on_path("newuidmap") && lines.lines().any(mine)
}

fn has_controller(name: &str) -> bool {
    cgroup::hierarchies().unwrap_or_default().iter().any(|hierarchy| match hierarchy.kind.as_str() {
        "cgroup" => hierarchy.options.split(',').any(|one| one == name),
        // Every group of the second version can be frozen.
        _ if name == "freezer" => true,
        // Where v1 is beside it, v2's tree is without controllers, and canoa freezes by v1's.
        _ => (cgroup::is_pure_v2() || name != "freezer") && cgroup::has(&hierarchy.mount, name),
    })
}

fn package(program: &str) -> &str {
    match program {
        "busybox" => "busybox-static",
        "docker" | "dockerd" => "docker.io",
        "nft" => "nftables",
        "ip" => "iproute2",
        other => other,
    }
}
