//! Starts our own daemon when nobody listens, as tmux does with its server.
//!
//! Two clients at the same moment start one daemon between them: starting happens under a lock,
//! and whoever gets it second finds the daemon there. A learner who has just rebuilt canoa wants
//! the new one: a daemon that was started in this way and is of another build is asked to go
//! (containers live on without it) and replaced. One that a person started is left alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeReader, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::endpoint::Endpoint;
use super::error::{Error, Result};
use super::http::{Client, Greeting};
use super::path::Path;
use crate::{build_id, paths};

/// How long a daemon may take to end when it was asked to.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Connects; our own daemon is started, or replaced by this build, where that is due.
///
/// # Errors
/// As [`Client::connect`]; or the daemon's own reason why it does not start.
pub async fn connect(endpoint: Endpoint) -> Result<Client> {
    if !matches!(endpoint, Endpoint::Own(_)) {
        return Ok(Client::connect(endpoint).await?.0);
    }
    trust()?;
    if let Ok((client, greeting)) = Client::connect(endpoint.clone()).await
        && current(&greeting)
    {
        return Ok(client);
    }
    let _lock = lock()?;
    if let Some(client) = settle(&endpoint).await? {
        return Ok(client);
    }
    let told = start();
    match (Client::connect(endpoint).await, told) {
        (Ok((client, _)), _) => Ok(client),
        // The daemon's own reason says more than "connection refused".
        (Err(_), Err(reason)) => Err(reason),
        (Err(error), Ok(())) => Err(error),
    }
}

/// Whether the daemon may stay: it is of our build, or a person has started it.
fn current(greeting: &Greeting) -> bool {
    !greeting.autostarted || greeting.build.as_deref() == Some(build_id::build_id())
}

/// Under `/tmp` somebody else could have laid the folder, and be listening in it.
fn trust() -> Result<()> {
    let folder = paths::exec_root();
    match paths::check_private(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::Autostart(format!("folder {}: {error}", folder.display())))
        }
        _ => Ok(()),
    }
}

fn lock() -> Result<File> {
    let folder = paths::exec_root();
    paths::private_folder(&folder)
        .map_err(|error| Error::Autostart(format!("making {}: {error}", folder.display())))?;
    let path = folder.join("autostart.lock");
    let file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .and_then(|file| file.lock().map(|()| file));
    file.map_err(|error| Error::Autostart(format!("locking {}: {error}", path.display())))
}

/// Under the lock: a daemon that may stay (whoever had the lock before us may have started it), or
/// `None` as soon as nobody listens. One of another build is asked to go.
async fn settle(endpoint: &Endpoint) -> Result<Option<Client>> {
    let mut asked = false;
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        match Client::connect(endpoint.clone()).await {
            Ok((client, greeting)) if current(&greeting) => return Ok(Some(client)),
            Ok((client, _)) if !asked => {
                stop(&client, Path::new("/canoa/stop").query("reason", "replace")).await?;
                asked = true;
            }
            Err(Error::Connect { absent: true, .. }) => return Ok(None),
            // It is just ending: its socket was still there, and hung up.
            Ok(_) | Err(Error::Transport { .. }) => {}
            Err(error) => return Err(error),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err(Error::Endpoint(format!("the daemon at {endpoint} is neither ours nor does it end")))
}

/// Asks a daemon to end. It may do so before its answer is out.
///
/// # Errors
/// The engine's: it is none of ours.
pub async fn stop(client: &Client, path: Path) -> Result<()> {
    match client.act(path).await {
        Err(Error::Transport { .. }) => Ok(()),
        other => other,
    }
}

/// Waits until a daemon that was asked to go no longer listens.
///
/// # Errors
/// It is still there when `patience` is at its end.
pub async fn until_gone(endpoint: Endpoint, patience: Duration) -> Result<()> {
    let begin = Instant::now();
    while begin.elapsed() < patience {
        match Client::connect(endpoint.clone()).await {
            Err(Error::Connect { absent: true, .. }) => return Ok(()),
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    Err(Error::Endpoint(format!("the daemon at {endpoint} was asked to end, and still listens")))
}

/// Starts the daemon and waits until it is ready.
///
/// `--ready-fd N`: the daemon writes `ready` there as soon as it listens, or one line that says
/// why it can't; and if it just dies, the pipe ends.
fn start() -> Result<()> {
    let failed = |doing: &str, error: io::Error| Error::Autostart(format!("{doing}: {error}"));
    let log_path = paths::exec_root().join("daemon.log");
    let log = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&log_path)
        .map_err(|error| failed(&format!("opening {}", log_path.display()), error))?;
    let (reader, writer) = io::pipe().map_err(|error| failed("making a pipe", error))?;
    let errors = log.try_clone().map_err(|error| failed("copying a descriptor", error))?;
    let ready = writer.as_raw_fd();
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("canoa")
        .args(["daemon", "--autostarted", "--ready-fd", &ready.to_string()])
        // It must not keep anybody's folder from being unmounted.
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors);
    // SAFETY: between fork and exec only setsid and fcntl are called, both in signal-safety(7).
    unsafe {
        command.pre_exec(move || {
            // A session of its own: neither Ctrl-C nor the terminal's end is meant for it.
            if libc::setsid() < 0 || libc::fcntl(ready, libc::F_SETFD, 0) < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
    let mut child = command.spawn().map_err(|error| failed("running /proc/self/exe daemon", error))?;
    drop(writer);
    let line = first_line(reader);
    if line == "ready" {
        return Ok(());
    }
    // It has said why, or it is dead; either way it is on its way out, and init reaps it after us.
    let _ = child.try_wait();
    let reason = if line.is_empty() { last_line(&log_path) } else { line };
    Err(Error::Autostart(format!("{reason} (its log is {})", log_path.display())))
}

fn first_line(mut reader: PipeReader) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 512];
    while !text.contains(&b'\n') {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => text.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned()
}

fn last_line(log: &std::path::Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().rfind(|line| !line.trim().is_empty());
    line.unwrap_or("it ended without a word").trim().trim_start_matches("canoa: ").to_owned()
}
