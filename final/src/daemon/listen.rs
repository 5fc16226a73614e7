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
use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};

use super::idle::Connections;
use super::inherited;
use super::tls::{self, Security};
use crate::api;
use crate::api::hangup::Hangup;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `unix:///run/canoa/canoa.sock`
    Unix(PathBuf),
    /// `tcp://127.0.0.1:2375`: this machine only, for whoever reaches it is root on it; others with TLS.
    Tcp(SocketAddr),
    /// `fd://`: what systemd has opened.
    Inherited,
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
        if text == "fd://" {
            return Ok(Address::Inherited);
        }
        let Some(rest) = text.strip_prefix("tcp://") else {
            return Err("it must be unix:///PATH, tcp://ADDRESS:PORT or fd://".to_owned());
        };
        let rest = rest.replace("localhost", "127.0.0.1");
        let rest = rest.trim_end_matches('/');
        let address: SocketAddr = rest
            .parse()
            .map_err(|_| "it must have an address and a port: tcp://127.0.0.1:2375".to_owned())?;
        Ok(Address::Tcp(address))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
            Address::Tcp(address) => write!(f, "tcp://{address}"),
            Address::Inherited => f.write_str("fd://"),
        }
    }
}

impl Address {
    /// Whether those who reach it may be let in so.
    ///
    /// # Errors
    /// Anybody could become root here: what to do about it.
    pub fn check(&self, security: &Security) -> Result<()> {
        let Address::Tcp(address) = self else { return Ok(()) };
        let missing = match security {
            _ if address.ip().is_loopback() => return Ok(()),
            Security::Tls { verifies: true, .. } => return Ok(()),
            Security::Tls { verifies: false, .. } => "without TLS client verification",
            Security::None => "without encryption",
        };
        // The first half in dockerd's words.
        bail!(
            "API is accessible on {self} {missing}. Access to the remote API is equivalent to root access on the \
             host. It is let out only with client certificates: --tlsverify --tlscacert FILE --tlscert FILE \
             --tlskey FILE; or come by ssh (canoa -H ssh://HOST), or listen on 127.0.0.1"
        )
    }

    /// Takes the socket's file away: nobody listens there any more.
    pub fn remove(&self) {
        if let Address::Unix(path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A socket that clients can connect to.
pub enum Listener {
    /// A socket with a name in the file system.
    Unix(UnixListener),
    /// A port.
    Tcp(TcpListener, Security),
}

impl Listener {
    /// Listens. The caller has the lock of the data root. There is one listener for an address, or as
    /// many as systemd has handed over.
    ///
    /// # Errors
    /// The kernel's; somebody listens there already; the path is something else than a socket; it is
    /// open to anybody.
    pub fn bind(address: &Address, security: &Security) -> Result<Vec<Listener>> {
        address.check(security)?;
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
                Ok(vec![Listener::Unix(listener?)])
            }
            Address::Tcp(address) => {
                let listener = std::net::TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Ok(vec![Listener::Tcp(TcpListener::from_std(listener)?, security.clone())])
            }
            Address::Inherited => {
                let ours = |listener| Ok(Listener::Unix(UnixListener::from_std(listener)?));
                inherited::listeners()?.into_iter().map(ours).collect()
            }
        }
    }
}

/// Serves whoever connects to one of the listeners, for ever.
pub async fn serve(listeners: Arc<Vec<Listener>>, number: usize, router: Router, connections: Connections) {
    loop {
        let accepted = match &listeners[number] {
            Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| {
                let hangup = Hangup::of(&stream);
                tokio::spawn(serve_one(stream, hangup, router.clone(), connections.clone()));
            }),
            Listener::Tcp(listener, security) => listener.accept().await.map(|(stream, _)| {
                let _ = stream.set_nodelay(true);
                // A client whose machine is gone says nothing, ever; nor does one that is gone alone, while
                // we say nothing to it. So the kernel asks now and then (tcp(7), after two hours by default).
                keep_asking(&stream);
                tokio::spawn(serve_tcp(stream, security.clone(), router.clone(), connections.clone()));
            }),
        };
        if let Err(error) = accepted {
            // Too many open files, most likely: others will be closed.
            tracing::warn!("accepting a connection: {error}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
}

/// Whoever comes over the network is looked at first; the next one doesn't wait for that.
async fn serve_tcp(stream: TcpStream, security: Security, router: Router, connections: Connections) {
    let hangup = Hangup::of(&stream);
    match security {
        Security::None => serve_one(stream, hangup, router, connections).await,
        Security::Tls { acceptor, .. } => {
            if let Some(stream) = tls::greet(&acceptor, stream).await {
                serve_one(stream, hangup, router, connections).await;
            }
        }
    }
}

fn keep_asking(stream: &TcpStream) {
    let _ = setsockopt(stream, sockopt::KeepAlive, &true);
    let _ = setsockopt(stream, sockopt::TcpKeepIdle, &30);
    let _ = setsockopt(stream, sockopt::TcpKeepInterval, &10);
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

async fn serve_one<S>(stream: S, hangup: Hangup, router: Router, connections: Connections)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = connections.open();
    let answer = |mut request: hyper::Request<Incoming>| {
        let router = router.clone();
        request.extensions_mut().insert(hangup);
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
        // Nobody is there to hear the rest of the answer, if there ever is more of it.
        () = hangup.happened() => Ok(()),
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
    fn addresses_are_read_and_without_tls_only_this_machines_own_are_listened_on() {
        let open = |text: &str| text.parse::<Address>().unwrap().check(&Security::None);
        for good in [
            "unix:///run/x.sock",
            "tcp://127.0.0.1:2375",
            "tcp://localhost:2375",
            "tcp://[::1]:2375",
            "fd://",
        ] {
            open(good).unwrap();
        }
        for far in ["tcp://0.0.0.0:2375", "tcp://192.168.1.2:2375", "tcp://[::]:2375"] {
            let error = open(far).unwrap_err().to_string();
            assert!(error.contains("without encryption"), "{error}");
        }
        for bad in ["", "unix://x", "tcp://127.0.0.1", "fd://3", "/x"] {
            bad.parse::<Address>().unwrap_err();
        }
    }

    #[tokio::test]
    async fn a_dead_daemons_socket_is_replaced_and_a_living_ones_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("canoa.sock");
        let address = Address::Unix(path.clone());
        let first = Listener::bind(&address, &Security::None).unwrap();
        let error = Listener::bind(&address, &Security::None).map(drop).unwrap_err().to_string();
        assert!(error.contains("somebody else listens there"), "{error}");
        drop(first);
        Listener::bind(&address, &Security::None).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o007, 0);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "x").unwrap();
        let error = Listener::bind(&address, &Security::None).map(drop).unwrap_err().to_string();
        assert!(error.contains("no socket"), "{error}");
    }
}
