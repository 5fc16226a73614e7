//! One container, from its bundle to its end.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use images::Overlay;
use lifecycle::log::LogWriter;
use lifecycle::{Client, Streams};
use namespaces::{Error, Process, Result, step};
use network::{Port, Published};
use nix::sched::CloneFlags;
use nix::sys::socket::{MsgFlags, recv};
use oci_spec::runtime::Spec;
use serde::de::DeserializeOwned;

use super::control::Control;
use super::wiring::Wiring;
use super::{Options, join, plan, supervise};
use crate::bundle::{Event, Exited, Extra};

/// Runs the container of this bundle, and comes back when it has ended and nothing of it is left.
pub(super) fn run(bundle: &Path, engine: UnixStream, options: Options) -> Result<()> {
    let spec: Spec = read(&bundle.join("config.json"))?;
    let extra: Extra = read(&bundle.join("canoa.json"))?;

    // Its root: a mount that is nowhere yet, and which we hold. When the container's own mounts
    // have gone with it, this is the last; to let go of it can take long (the file system is
    // synced), but by then the exit has been told.
    let overlay =
        Overlay { lower: extra.layers.clone(), upper: extra.upper.clone(), work: extra.work.clone() };
    let root = overlay.mount()?;
    // From where the host's name servers are reached; then to where the bridges are.
    let mut wiring = Wiring::begin(&extra, options.netns.is_some())?;
    options.join()?;
    if let Some(pid) = extra.shm_of {
        join::borrow_shm(pid, &bundle.join("shm"))?;
    }
    if let Some(domain) = spec.domainname() {
        join::own_names(spec.hostname().as_deref().unwrap_or_default(), domain)?;
    }
    let back = join::join(&spec)?;
    let container = plan::container(&spec, &extra, copy(&root)?, &bundle.join("rootfs"))?;
    let log = match &extra.log {
        Some(path) => Some(step("open log", path.display(), || LogWriter::open(path, extra.log_bounds))?),
        None => None,
    };
    let shares_processes = container.shared.contains(CloneFlags::CLONE_NEWPID);
    if shares_processes {
        join::adopt_orphans()?;
    }
    let listener = listen(&extra.socket)?;
    // From here on an engine that comes back finds us. One that died before it could know of us: then
    // nobody would ever ask for this container.
    if let Err(error) = still_there(&engine) {
        let _ = fs::remove_file(&extra.socket);
        return Err(error);
    }

    let outcome = container
        .start_when(|pid| {
            wiring.connected(pid, extra.names.zones.clone())?;
            plan::set_oom_score(pid, &spec)
        })
        .and_then(|running| {
            back.go();
            // Not before: from here on there may be more than one thread.
            let mut published = publish(&extra, options.ports)?;
            let process = Process::with_pid(running.child.pid().as_raw())?;
            let mut streams = Streams::new(running.ends, log, extra.stdin_once);
            for (socket, wants) in options.attached {
                if let Ok(client) = Client::on_socket(
                    socket,
                    wants.stdin,
                    [wants.stdout, wants.stderr],
                    !streams.is_terminal(),
                ) {
                    streams.attach(client, &[]);
                }
            }
            let started = Event::Started { pid: process.pid, start_time: process.start_time };
            let mut control = Control::new(Some(listener), engine, started, Some(root));
            let status =
                supervise::until_exit(&running.child, &mut streams, &mut control, Some(&mut wiring))?;
            if shares_processes {
                // Else the kernel has ended the others with PID 1.
                join::end_the_rest(&running.cgroup)?;
            }

            let oom_killed = running.cgroup.oom_kills().unwrap_or(0) > 0;
            let exited = Exited { code: status.code(), oom_killed, finished_at: lifecycle::record::now() };
            // Whoever hears of the end may want the ports.
            published.free();
            // A full disk must not keep the news from who is listening.
            let kept = keep(&extra.exit, &exited);
            control.tell_all(&Event::Exited(exited));
            if let Err(error) = kept {
                eprintln!("canoa monitor: {error}");
            }
            // Now that everybody knows, the rest.
            drop(streams);
            drop(published);
            running.cgroup.remove()
        });
    let _ = fs::remove_file(&extra.socket);
    outcome
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = step("read", path.display(), || fs::read(path))?;
    serde_json::from_slice(&text).map_err(|error| Error::new("read", path.display(), error))
}

fn copy(descriptor: &OwnedFd) -> Result<OwnedFd> {
    step("copy descriptor", "", || descriptor.as_fd().try_clone_to_owned())
}

/// Lets the published ports lead to the container.
fn publish(extra: &Extra, sockets: Vec<OwnedFd>) -> Result<Published> {
    if sockets.len() != extra.ports.len() {
        let reason = format!("{} ports, and {} sockets for them", extra.ports.len(), sockets.len());
        return Err(Error::new("publish ports", "", reason));
    }
    let Some(interface) = extra.interfaces.first() else { return Ok(Published::none()) };
    let ports = extra.ports.iter().zip(sockets).map(|(mapping, socket)| Port { mapping: *mapping, socket });
    Published::open(ports.collect(), extra.rules.as_deref(), interface)
}

/// Whether the engine that started us still lives.
fn still_there(engine: &UnixStream) -> Result<()> {
    let mut byte = [0];
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
    match recv(engine.as_raw_fd(), &mut byte, flags) {
        Ok(0) => Err(Error::new("start", "", "the engine has died meanwhile")),
        _ => Ok(()),
    }
}

/// The exit as a file, for an engine that isn't there at the moment.
fn keep(path: &Path, exited: &Exited) -> Result<()> {
    let text = serde_json::to_vec(exited).map_err(|error| Error::new("write", path.display(), error))?;
    lifecycle::record::replace(path, &text, false)
}

fn listen(path: &Path) -> Result<UnixListener> {
    // One that a monitor before us has left when it was killed.
    let _ = fs::remove_file(path);
    step("listen on", path.display(), || UnixListener::bind(path))
}
