//! The list of what is tried, and which lesson needs it.

use super::child::Outcome;
use super::{cgroup, kernel, overlay};
use crate::language::Language;

/// One thing that the lessons need from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// A user namespace, and its id map.
    UserNamespace,
    /// More ids than one in a user namespace.
    IdRange,
    /// The other namespaces of lesson 1.
    Namespaces,
    /// A root of its own, with /proc and /dev/pts.
    Root,
    /// A limit on memory.
    Memory,
    /// A limit on CPU time.
    Cpu,
    /// A limit on the number of processes.
    Pids,
    /// The layers of an image, stacked.
    Overlay,
    /// A network namespace, and netlink in it.
    Network,
    /// The device for a way out of the network namespace without privileges.
    Tun,
}

use Trial::*;

impl Trial {
    /// What is to be tried, in the order of the lessons. Root needs no user namespace.
    pub fn for_user(root: bool) -> impl Iterator<Item = Trial> {
        [UserNamespace, IdRange, Namespaces, Root, Memory, Cpu, Pids, Overlay, Network, Tun]
            .into_iter()
            .filter(move |trial| !root || !matches!(trial, UserNamespace | IdRange | Tun))
    }

    /// Tries it, here and now.
    pub fn run(self) -> Outcome {
        match self {
            UserNamespace => kernel::user_namespace(),
            IdRange => kernel::id_range(),
            Namespaces => kernel::namespaces(),
            Root => kernel::root(),
            Memory => cgroup::limit(&cgroup::MEMORY),
            Cpu => cgroup::limit(&cgroup::CPU),
            Pids => cgroup::limit(&cgroup::PIDS),
            Overlay => overlay::overlay(),
            Network => kernel::network(),
            Tun => kernel::tun(),
        }
    }

    /// The lesson that needs it first.
    pub fn lesson(self) -> u8 {
        match self {
            UserNamespace | IdRange | Namespaces => 1,
            Root => 2,
            Memory | Cpu | Pids => 3,
            Overlay => 4,
            Network | Tun => 5,
        }
    }

    /// Whether the lesson can't do without; else only a part of it is missing.
    pub fn required(self) -> bool {
        !matches!(self, IdRange | Tun)
    }

    /// What is tried, in words.
    pub fn text(self, language: Language) -> &'static str {
        let (english, spanish) = match self {
            UserNamespace => (
                "make a user namespace and write its uid_map",
                "crear un espacio de usuario y escribir su uid_map",
            ),
            IdRange => (
                "look for a range of ids: newuidmap, newgidmap, /etc/subuid, /etc/subgid",
                "buscar un rango de identificadores: newuidmap, newgidmap, /etc/subuid, /etc/subgid",
            ),
            Namespaces => (
                "make mount, UTS, IPC and PID namespaces, and be PID 1 in there",
                "crear espacios de montaje, UTS, IPC y PID, y ser ahí el PID 1",
            ),
            Root => (
                "mount proc and devpts, pivot_root into a root of its own",
                "montar proc y devpts, y pasar con pivot_root a una raíz propia",
            ),
            Memory => ("make a cgroup and limit its memory", "crear un cgroup y limitar su memoria"),
            Cpu => ("make a cgroup and limit its CPU time", "crear un cgroup y limitar su tiempo de CPU"),
            Pids => ("make a cgroup and limit its processes", "crear un cgroup y limitar sus procesos"),
            Overlay => (
                "mount an overlay where canoa keeps its data, and write to it",
                "montar un overlay donde canoa guarda sus datos, y escribir en él",
            ),
            Network => (
                "make a network namespace and open a netlink socket in it",
                "crear un espacio de red y abrir en él un socket netlink",
            ),
            Tun => (
                "open /dev/net/tun, for a way out to the world",
                "abrir /dev/net/tun, para tener salida al mundo",
            ),
        };
        language.pick(english, spanish)
    }
}
