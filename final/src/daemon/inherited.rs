//! Sockets that systemd has opened for us, and telling it that we are ready.
//!
//! Both are a matter of environment variables and descriptors: sd_listen_fds(3), sd_notify(3).

use std::env;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};

use anyhow::{Context, Result, bail};

/// The first descriptor that is handed over.
const FIRST: i32 = 3;

/// The sockets, for `-H fd://`. To be called once.
///
/// # Errors
/// There are none; one of them listens on something else than a path.
pub fn listeners() -> Result<Vec<UnixListener>> {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
    if number("LISTEN_PID") != Some(std::process::id()) {
        bail!("nobody has handed us a socket: fd:// is for a systemd unit with a .socket beside it");
    }
    let count = number("LISTEN_FDS").and_then(|count| i32::try_from(count).ok()).unwrap_or(0);
    (FIRST..FIRST.saturating_add(count)).map(listener).collect()
}

fn listener(fd: i32) -> Result<UnixListener> {
    // SAFETY: fcntl takes two numbers and no pointer; on a descriptor that isn't open it fails.
    if unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error()).with_context(|| format!("descriptor {fd}"));
    }
    // SAFETY: it is open, as fcntl has just told, and LISTEN_PID says that it was handed to us to keep.
    let listener = UnixListener::from(unsafe { OwnedFd::from_raw_fd(fd) });
    // Anything but a unix socket has no such address, and is refused here.
    listener
        .local_addr()
        .with_context(|| format!("descriptor {fd}: not a unix socket (ListenStream=/path)"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// `READY=1`, where the unit says `Type=notify`. Elsewhere nobody waits.
pub fn say_ready() {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else { return };
    let name = path.as_encoded_bytes();
    let address = match name.strip_prefix(b"@") {
        // In the abstract namespace, which a network namespace has of its own (unix(7)).
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    let sent = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(b"READY=1", &address));
    if let Err(error) = sent {
        tracing::warn!("telling systemd (NOTIFY_SOCKET) that the daemon is ready: {error}");
    }
}
