//! What a case needs of the machine, and what to say where that is missing.

use std::env;
use std::path::Path;

use crate::{cgroup, registry};

/// Something that not every machine has, or not every user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// To be root.
    Root,
    /// Not to be root.
    OrdinaryUser,
    /// A limit that the kernel enforces: the cgroup controller of this name, and the right to use it.
    Controller(&'static str),
    /// A program.
    Tool(&'static str),
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
            Need::Controller(_) if !root => Some(Missing {
                reason: "needs a cgroup that one may write to: run it under sudo".into(),
                lack: false,
            }),
            Need::Controller(name) if !has_controller(name) => {
                lack(format!("needs the cgroup controller {name}: this kernel has none mounted"))
            }
            Need::Tool(name) if !on_path(name) => {
                lack(format!("needs {name}: apt install {}", package(name)))
            }
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

/// What `WORKSHOP_REQUIRE=all` (CI) says: then what the machine lacks is a failure.
pub fn required() -> bool {
    env::var_os("WORKSHOP_REQUIRE").is_some_and(|value| value == "all")
}

/// Whether a program is found where a shell would look for it.
pub fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    // An ordinary user has no sbin in the path on Debian.
    env::split_paths(&path)
        .chain([Path::new("/usr/sbin").into(), Path::new("/sbin").into()])
        .any(|folder| folder.join(program).is_file())
}

fn has_controller(name: &str) -> bool {
    cgroup::hierarchies().unwrap_or_default().iter().any(|hierarchy| match hierarchy.kind.as_str() {
        "cgroup" => hierarchy.options.split(',').any(|one| one == name),
        _ => std::fs::read_to_string(hierarchy.mount.join("cgroup.controllers"))
            .is_ok_and(|controllers| controllers.split_whitespace().any(|one| one == name)),
    })
}

fn package(program: &str) -> &str {
    match program {
        "docker" | "dockerd" => "docker.io",
        "nft" => "nftables",
        "ip" => "iproute2",
        other => other,
    }
}
