//! What the engine hands to a monitor, and what the two say to each other.
//!
//! A start is handed over as an OCI bundle: `config.json` is the runtime specification's
//! ([`oci_spec::runtime::Spec`]); [`Extra`] is `canoa.json` beside it, for what that doesn't know.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use lifecycle::log::Bounds;
use network::publish::Mapping;
use network::{Interface, Zone};
use oci_spec::runtime::Process;
use serde::{Deserialize, Serialize};

/// `canoa.json`: what a container needs beyond the OCI runtime specification.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Extra {
    /// The container's id, 64 hexadecimal digits.
    pub id: String,
    /// The image's layers, unpacked, the lowest first.
    pub layers: Vec<PathBuf>,
    /// The writable layer, and the overlay's own work folder beside it.
    pub upper: PathBuf,
    /// See `upper`.
    pub work: PathBuf,
    /// `-u`: a user as people write it (`name`, `uid`, `name:group`, `uid:gid`), looked up in the
    /// container's own /etc/passwd. Empty: the image names none, so root.
    pub user: String,
    /// `--group-add`: further groups of that user, looked up in the container's own /etc/group.
    pub groups: Vec<String>,
    /// The interfaces to make; none for `--network none` and `host`.
    pub interfaces: Vec<Interface>,
    /// What its name server knows.
    #[serde(default)]
    pub names: Names,
    /// The published ports, in the order of the sockets that come with them (`--port`).
    #[serde(default)]
    pub ports: Vec<Mapping>,
    /// The nftables table into which rules for them go; none where no rule helps.
    #[serde(default)]
    pub rules: Option<String>,
    /// The json-file log, or none.
    pub log: Option<PathBuf>,
    /// How much of it is kept.
    #[serde(default)]
    pub log_bounds: Bounds,
    /// Whether standard input is kept open (`-i`); else it is /dev/null.
    pub open_stdin: bool,
    /// Whether the first attached client's end of input ends the container's.
    pub stdin_once: bool,
    /// `--init`: PID 1 is ours, reaps and forwards signals.
    pub init: bool,
    /// The process whose container's /dev/shm is to appear in the bundle's folder `shm`, where this
    /// one's comes from.
    #[serde(default)]
    pub shm_of: Option<i32>,
    /// The control socket to listen on.
    pub socket: PathBuf,
    /// Where the exit goes: [`Exited`] as JSON.
    pub exit: PathBuf,
}

/// The name server of a container (lesson 5's `dns`).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Names {
    /// The networks whose names it tells; none: there is no name server yet.
    pub zones: Vec<Zone>,
    /// Who is asked for the rest.
    pub servers: Vec<SocketAddr>,
}

/// The plan of an exec: the first line on descriptor 3 of `canoa monitor exec`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exec {
    /// The container's PID 1.
    pub pid: i32,
    /// … and when it started, in the clock ticks of `/proc/PID/stat`: pids are reused.
    pub start_time: u64,
    /// The container's bundle: its `config.json` says what an exec must take on.
    pub bundle: PathBuf,
    /// What to run: arguments, environment, working directory, terminal, capabilities.
    pub process: Process,
    /// As [`Extra::user`].
    pub user: String,
    /// As [`Extra::groups`].
    pub groups: Vec<String>,
    /// Whether standard input is attached; else it is /dev/null.
    pub open_stdin: bool,
}

/// Engine to monitor.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Tell me of the start and of the end.
    Watch {},
    /// This connection becomes the process's streams.
    Attach(Streams),
    /// The terminal's size has changed.
    Resize {
        /// Lines.
        rows: u16,
        /// Characters in a line.
        columns: u16,
    },
    /// Send me the descriptor of the merged file system.
    Root {},
    /// Make this interface, for a network more.
    Plug {
        /// The interface; with a gateway, the default route leads there from now on.
        interface: Interface,
        /// All networks for the name server, this one among them.
        zones: Vec<Zone>,
    },
    /// Take this interface away.
    Unplug {
        /// Its name.
        interface: String,
        /// Where the default route leads from now on: interface and gateway.
        next: Option<(String, Ipv4Addr)>,
        /// The networks that are left.
        zones: Vec<Zone>,
    },
}

/// Which streams an attached client takes part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Streams {
    /// Its bytes are the process's input.
    #[serde(default)]
    pub stdin: bool,
    /// It gets the output.
    #[serde(default)]
    pub stdout: bool,
    /// It gets the errors.
    #[serde(default)]
    pub stderr: bool,
}

/// Monitor to engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The program runs: `execve` has succeeded.
    Started {
        /// In the engine's own pid namespace.
        pid: i32,
        /// As [`Exec::start_time`].
        start_time: u64,
    },
    /// It never ran; everything is cleaned up.
    Failed {
        /// One line: what, on what, why.
        message: String,
        /// 127 not found, 126 not executable, 125 anything else.
        code: i32,
    },
    /// It ran, and ended.
    Exited(Exited),
    /// The answer to [`Request::Root`], with the descriptor beside it.
    Root {},
    /// The answer to [`Request::Plug`] and [`Request::Unplug`].
    Done {},
    /// The same, when it could not be done.
    Refused {
        /// Why.
        message: String,
    },
}

/// How a process ended: also what `exit.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exited {
    /// Its own exit code, or 128 + the signal that ended it.
    pub code: i32,
    /// Whether the kernel killed something in it for want of memory.
    pub oom_killed: bool,
    /// When, RFC 3339 with nanoseconds, UTC.
    pub finished_at: String,
}
