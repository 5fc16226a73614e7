//! `canoa daemon`: the long-lived process.
//!
//! It starts in this order: take the data root for itself, open the engine, find out what has
//! become of everything, listen, say that it is ready. It ends when it is told to, or by itself
//! when a client started it and nothing has happened for a while; containers live on.

mod idle;
mod inherited;
mod listen;
mod lock;
mod memory;
mod rootless;
mod tls;

use std::fs::File;
use std::io::Write;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::api::{self, App, End};
use crate::engine::monitor::SOCKET_NAME;
use crate::engine::reconcile::{reconcile, take_down};
use crate::engine::{Engine, Settings};
use crate::{descriptors, paths};
use listen::{Address, Listener};

/// Run the engine in the foreground
#[derive(Debug, Parser)]
#[command(name = "canoa daemon", bin_name = "canoa daemon")]
#[command(after_help = "Example: canoa daemon -H unix:///run/canoa/canoa.sock")]
pub struct Args {
    /// Where to listen: unix:///PATH, tcp://ADDRESS:PORT, fd:// (systemd's); may be given several times
    #[arg(short = 'H', long = "host", value_name = "ADDRESS")]
    hosts: Vec<Address>,
    #[command(flatten)]
    tls: tls::Flags,
    /// Where containers, images, networks and volumes are kept
    #[arg(long, value_name = "FOLDER")]
    data_root: Option<PathBuf>,
    /// Where sockets and other things of this run are kept
    #[arg(long, value_name = "FOLDER")]
    exec_root: Option<PathBuf>,
    /// The control group below which each container gets its own
    #[arg(long, value_name = "GROUP", default_value = "/canoa")]
    cgroup_parent: String,
    /// A client started it: end when nothing has run for a while
    #[arg(long, hide = true)]
    autostarted: bool,
    /// Say "ready", or what is wrong, on this descriptor
    #[arg(long, value_name = "FD", hide = true)]
    ready_fd: Option<RawFd>,
}

/// The daemon's whole life.
pub fn main() -> ExitCode {
    let args = Args::parse_from(std::env::args_os().skip(1));
    descriptors::take_all();
    memory::few_pools();
    let mut ready = args.ready_fd.and_then(Ready::new);
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_target(false).init();
    match run(args, &mut ready) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let line = format!("{error:#}");
            match ready {
                Some(ready) => ready.say(&line),
                None => eprintln!("canoa: {line}"),
            }
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args, ready: &mut Option<Ready>) -> Result<()> {
    if !args.cgroup_parent.starts_with('/') || args.cgroup_parent.contains("..") {
        bail!("--cgroup-parent {}: it must be an absolute path, such as /canoa", args.cgroup_parent);
    }
    let data_root = std::path::absolute(args.data_root.unwrap_or_else(paths::data_root))?;
    let exec_root = std::path::absolute(args.exec_root.unwrap_or_else(paths::exec_root))?;
    // The longest name of a socket in there is a container's. (unix(7): 108 bytes with the NUL.)
    if exec_root.as_os_str().len() + "/.sock".len() + SOCKET_NAME > 107 {
        bail!(
            "exec root {}: the path is too long for sockets in it; name a shorter one",
            exec_root.display()
        );
    }
    let hosts = match args.hosts.is_empty() {
        true => vec![Address::Unix(exec_root.join("canoa.sock"))],
        false => args.hosts,
    };
    // Before anything is made that would have to be undone.
    let security = args.tls.security()?;
    for address in &hosts {
        address.check(&security)?;
    }
    paths::private_folder(&exec_root).with_context(|| format!("exec root {}", exec_root.display()))?;
    paths::private_folder(&data_root).with_context(|| format!("data root {}", data_root.display()))?;
    let _lock = lock::take(&data_root)?;
    // While there is one thread, and after what belongs to this user outside as well was made.
    let netns = rootless::enter(&data_root, &exec_root)?;
    let settings = Settings { data_root, exec_root, cgroup_parent: args.cgroup_parent, netns };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // A client that sends or takes an archive slowly keeps one that may wait (engine/tree.rs): a thousand
        // of them must not keep everybody else from the disk.
        .max_blocking_threads(4096)
        .thread_keep_alive(Duration::from_secs(2))
        .build();
    let runtime = runtime.context("starting threads")?;
    let done = runtime.block_on(serve(settings, (hosts, security), args.autostarted, ready));
    // Monitors are not ours to wait for, and a thread that still reads a slow disk isn't either.
    runtime.shutdown_background();
    done
}

async fn serve(
    settings: Settings,
    (hosts, security): (Vec<Address>, tls::Security),
    autostarted: bool,
    ready: &mut Option<Ready>,
) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let engine = Engine::open(settings)?;
    reconcile(&engine, autostarted).await?;

    let (end, mut ended) = mpsc::channel(1);
    let activated = hosts.contains(&Address::Inherited);
    let app = App { engine: engine.clone(), end, autostarted, activated };
    let connections = idle::Connections::default();
    let router = api::router(app);
    let mut listeners = Vec::new();
    for address in &hosts {
        let listener =
            Listener::bind(address, &security).with_context(|| format!("listening on {address}"))?;
        tracing::info!("listening on {address}");
        listeners.extend(listener);
    }
    tokio::spawn(memory::give_back(connections.clone()));
    let listeners = Arc::new(listeners);
    let serving: Vec<_> = (0..listeners.len())
        .map(|n| tokio::spawn(listen::serve(listeners.clone(), n, router.clone(), connections.clone())))
        .collect();
    if let Some(ready) = ready.take() {
        ready.say("ready");
    }
    inherited::say_ready();

    let how = tokio::select! {
        _ = terminate.recv() => End::Stop,
        _ = interrupt.recv() => End::Stop,
        Some(how) = ended.recv() => how,
        () = idle::idle(&engine, &connections), if autostarted => {
            tracing::info!("nothing runs and nobody asks: until next time");
            End::Stop
        }
    };
    // No more connections from here on; but the sockets stay until all is done: a client that waits
    // for our end takes a socket that is gone for it.
    for task in serving {
        task.abort();
    }
    connections.close().await;
    let done = finish(&engine, how).await;
    for address in &hosts {
        address.remove();
    }
    drop(listeners);
    if how == End::Reset && done.is_ok() {
        remove_run_time_files(&engine.settings.exec_root);
    }
    done
}

/// What there is to do at the end: containers that run are left alone; with none, the host's
/// network is left as it was found.
async fn finish(engine: &Arc<Engine>, how: End) -> Result<()> {
    if how != End::Replace && !engine.is_busy() {
        take_down(engine).await?;
        if engine.settings.netns.is_some() {
            rootless::leave(&engine.settings.exec_root);
        }
    }
    if how == End::Reset {
        remove_contents(&engine.settings.data_root)?;
    }
    Ok(())
}

/// All that is in a folder, and then the folder itself, unless it is needed for more (a mount
/// point stays).
fn remove_contents(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        let removed = if is_folder { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        removed.with_context(|| format!("removing {}", path.display()))?;
    }
    let _ = std::fs::remove_dir(folder);
    Ok(())
}

/// What a daemon leaves in its exec root, once nobody needs it any more. The folder may be one that
/// a person has named, with things of theirs in it.
fn remove_run_time_files(exec_root: &Path) {
    for name in ["daemon.log", "autostart.lock", "uplink.json"] {
        let _ = std::fs::remove_file(exec_root.join(name));
    }
    let _ = std::fs::remove_dir(exec_root);
}

/// The descriptor on which a client waits that has started us.
struct Ready(File);

impl Ready {
    fn new(fd: RawFd) -> Option<Ready> {
        // SAFETY: fcntl takes two numbers and no pointer; on a descriptor that isn't open it fails.
        if fd <= 2 || unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
            return None;
        }
        // SAFETY: it is open, as fcntl has just told, and it was handed to us to keep.
        Some(Ready(unsafe { OwnedFd::from_raw_fd(fd) }.into()))
    }

    fn say(mut self, line: &str) {
        // Whoever waited may have left; that is no reason to fail.
        let _ = writeln!(self.0, "{line}");
    }
}
