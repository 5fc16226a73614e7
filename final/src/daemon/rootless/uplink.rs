//! The way out of a network namespace for somebody who may not touch the host's network.
//!
//! `slirp4netns` (or `pasta`) is a program that is a router: it reads packets from an interface in
//! there, and makes ordinary connections out of them, as the user whose program it is.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lifecycle::record::{self, replace};
use namespaces::Process;
use network::namespace::in_namespace;
use serde::{Deserialize, Serialize};
use std::os::fd::AsFd;

/// What is in `uplink.json`: the uplink that serves, for whoever comes after us.
#[derive(Serialize, Deserialize)]
struct Noted {
    #[serde(with = "record::process")]
    process: Option<Process>,
}

/// Starts one for this namespace, unless one serves it already. Without one, containers reach each
/// other and not the outside, which is said in the log and by `canoa info`.
pub(super) fn ensure(exec_root: &Path, netns: &OwnedFd, same_namespace: bool) {
    if same_namespace && running(exec_root).is_some() {
        return;
    }
    end(exec_root);
    for program in [slirp4netns as fn(&str) -> Command, pasta] {
        match start(program, netns) {
            Ok(Some(process)) => {
                let text = serde_json::to_vec(&Noted { process: Some(process) }).unwrap_or_default();
                if let Err(error) = replace(&noted(exec_root), &text, false) {
                    tracing::warn!("writing {}: {error}", noted(exec_root).display());
                }
                return;
            }
            Ok(None) => {}
            Err(reason) => tracing::warn!("{reason}"),
        }
    }
    tracing::warn!("{NONE}");
}

/// What is to be said where there is none.
pub const NONE: &str = "containers have no way out: install slirp4netns or passt (the program pasta), and start the daemon again";

/// Ends it.
pub(super) fn end(exec_root: &Path) {
    if let Some(process) = running(exec_root)
        && let Err(error) = process.signal(libc::SIGTERM)
    {
        tracing::warn!("ending the uplink: {error}");
    }
    let _ = fs::remove_file(noted(exec_root));
}

fn noted(exec_root: &Path) -> PathBuf {
    exec_root.join("uplink.json")
}

fn running(exec_root: &Path) -> Option<Process> {
    let text = fs::read(noted(exec_root)).ok()?;
    let Noted { process } = serde_json::from_slice(&text).ok()?;
    process.filter(Process::is_alive)
}

fn slirp4netns(netns: &str) -> Command {
    let mut command = Command::new("slirp4netns");
    command.args([
        "--configure",
        "--mtu=65520",
        "--disable-host-loopback",
        "--netns-type=path",
        netns,
        "tap0",
    ]);
    command
}

fn pasta(netns: &str) -> Command {
    let mut command = Command::new("pasta");
    command.args(["--foreground", "--config-net", "--quiet", "--no-map-gw", "--ns-ifname", "tap0"]);
    // No port of the host in there, no port of it on the host.
    command.args(["-t", "none", "-u", "none", "-T", "none", "-U", "none", "--runas", "0"]);
    command.args(["--netns", netns]);
    command
}

/// Starts it, and waits until it has made its interface. `None` if it isn't installed.
fn start(program: impl Fn(&str) -> Command, netns: &OwnedFd) -> Result<Option<Process>, String> {
    // It opens the path itself, while we hold the descriptor: /proc/OUR-PID/fd/N.
    let mut command = program(&format!("/proc/{}/fd/{}", std::process::id(), netns.as_raw_fd()));
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("starting {name}: {error}")),
    };
    let patience = Instant::now();
    while patience.elapsed() < Duration::from_secs(3) {
        if has_default_route(netns) {
            return Ok(Process::with_pid(child.id() as i32).ok());
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("{name} gives no way out: it ended with {status}"));
        }
        sleep(Duration::from_millis(5));
    }
    give_up(&mut child);
    Err(format!("{name} gives no way out: it made no interface within three seconds"))
}

fn has_default_route(netns: &OwnedFd) -> bool {
    let routes = in_namespace(netns.as_fd(), || {
        namespaces::step("read", "/proc/thread-self/net/route", || {
            fs::read_to_string("/proc/thread-self/net/route")
        })
    });
    // Interface, destination, …: 00000000 is everywhere.
    routes.is_ok_and(|table| table.lines().any(|line| line.split_whitespace().nth(1) == Some("00000000")))
}

fn give_up(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
