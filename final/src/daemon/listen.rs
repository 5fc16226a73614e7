//! Where the daemon listens, and how a connection is served.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use super::idle::Connections;
use crate::api;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `unix:///run/canoa/canoa.sock`
    Unix(PathBuf),
    /// `tcp://127.0.0.1:2375`: this machine only, for whoever reaches it is root on it.
    Tcp(SocketAddr),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix://") {
            return match path.starts_with('/') {
                true => Ok(Address::Unix(PathBuf::from(path))),
                false => Err("the path must be absolute: unix:///PATH".to_owned()),
            };
        }
        let Some(rest) = text.strip_prefix("tcp://") else {
            return Err("it must be unix:///PATH or tcp://127.0.0.1:PORT".to_owned());
        };
        let rest = rest.replace("localhost", "127.0.0.1");
        let rest = rest.trim_end_matches('/');
        let address: SocketAddr = rest
            .parse()
            .map_err(|_| "it must have an address and a port: tcp://127.0.0.1:2375".to_owned())?;
        match address.ip().is_loopback() {
            true => Ok(Address::Tcp(address)),
            // Without TLS and a password anybody who reaches the port could become root here.
            false => {
                Err("only this machine's own addresses (127.0.0.1, [::1]): whoever reaches the port is \
                          root here; from elsewhere use ssh -L"
                    .to_owned())
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
            Address::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

impl Address {
    /// Takes the socket's file away: nobody listens there any more.
    pub fn remove(&self) {
        if let Address::Unix(path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A socket that clients can connect to.
#[derive(Debug)]
pub enum Listener {
    /// A socket with a name in the file system.
    Unix(UnixListener),
    /// A port.
    Tcp(TcpListener),
}

impl Listener {
    /// Listens. The caller has the lock of the data root.
    ///
    /// # Errors
    /// The kernel's; somebody listens there already; the path is something else than a socket.
    pub fn bind(address: &Address) -> Result<Listener> {
        match address {
            Address::Unix(path) => {
                free(path)?;
                // It is made so that nobody else can connect, and opened up afterwards.
                let old = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
                let listener = UnixListener::bind(path);
                nix::sys::stat::umask(old);
                let root = nix::unistd::geteuid().is_root();
                let mode = if root { 0o660 } else { 0o600 };
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
                Ok(Listener::Unix(listener?))
            }
            Address::Tcp(address) => {
                let listener = std::net::TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Ok(Listener::Tcp(TcpListener::from_std(listener)?))
            }
        }
    }
}

/// Serves whoever connects to one of the listeners, for ever.
pub async fn serve(listeners: Arc<Vec<Listener>>, number: usize, router: Router, connections: Connections) {
    loop {
        let accepted = match &listeners[number] {
            Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| {
                tokio::spawn(serve_one(stream, router.clone(), connections.clone()));
            }),
            Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                let _ = stream.set_nodelay(true);
                tokio::spawn(serve_one(stream, router.clone(), connections.clone()));
            }),
        };
        if let Err(error) = accepted {
            // Too many open files, most likely: others will be closed.
            tracing::warn!("accepting a connection: {error}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
}

/// Sees to it that nothing is in the socket's place: a daemon that was killed leaves its file.
fn free(path: &std::path::Path) -> Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
    }
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(data) if !data.file_type().is_socket() => {
            bail!("there is something which is no socket: remove it")
        }
        Ok(_) => {}
    }
    // Our lock is on the data root; a daemon with another one may still listen here.
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        bail!("somebody else listens there: end that one, or choose another address (-H)");
    }
    Ok(std::fs::remove_file(path)?)
}

async fn serve_one<S>(stream: S, router: Router, connections: Connections)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = connections.open();
    let answer = |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move { Ok::<_, std::convert::Infallible>(api::answer(router, request).await) }
    };
    let mut closing = connections.closing();
    let mut served = std::pin::pin!(
        http1::Builder::new()
            // A client may end its half and still want to hear the answer.
            .half_close(true)
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service_fn(answer))
            .with_upgrades()
    );
    let served = tokio::select! {
        served = &mut served => served,
        // It changes once, at the end: the answer that is under way still goes out.
        _ = closing.changed() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = served {
        tracing::debug!("a connection broke off: {error}");
    }
    drop(connection);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machines_own_addresses_are_listened_on() {
        for good in ["unix:///run/x.sock", "tcp://127.0.0.1:2375", "tcp://localhost:2375", "tcp://[::1]:2375"]
        {
            good.parse::<Address>().unwrap();
        }
        for bad in
            ["", "unix://x", "tcp://0.0.0.0:2375", "tcp://192.168.1.2:2375", "tcp://127.0.0.1", "fd://", "/x"]
        {
            bad.parse::<Address>().unwrap_err();
        }
    }

    #[tokio::test]
    async fn a_dead_daemons_socket_is_replaced_and_a_living_ones_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("canoa.sock");
        let address = Address::Unix(path.clone());
        let first = Listener::bind(&address).unwrap();
        let error = Listener::bind(&address).unwrap_err().to_string();
        assert!(error.contains("somebody else listens there"), "{error}");
        drop(first);
        Listener::bind(&address).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o007, 0);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "x").unwrap();
        let error = Listener::bind(&address).unwrap_err().to_string();
        assert!(error.contains("no socket"), "{error}");
    }
}
