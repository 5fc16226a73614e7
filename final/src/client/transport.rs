//! A connection to an engine: a socket, TCP, TLS over TCP, or the two ends of an `ssh`.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::endpoint::Endpoint;
use super::error::{Error, Result};
use super::{ssh, tls};

/// How long a host may take to answer at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// What HTTP is spoken over. Its half-close is the end of what we have to say, not of the answer.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

/// Connects.
///
/// # Errors
/// Nobody listens, we may not, it takes too long; or TLS finds that it is somebody else.
pub async fn dial(endpoint: &Endpoint) -> Result<Box<dyn Transport>> {
    let failed = |error: io::Error| unreachable(endpoint, &error);
    match endpoint {
        Endpoint::Own(path) | Endpoint::Unix(path) => Ok(Box::new(unix(path).await.map_err(failed)?)),
        Endpoint::Tcp { address, tls: None } => Ok(Box::new(tcp(address).await.map_err(failed)?)),
        Endpoint::Tcp { address, tls: Some(tls) } => {
            // First: a file that is missing is told also where nobody listens.
            let connector = tls::connector(tls).map_err(Error::Endpoint)?;
            let stream = tcp(address).await.map_err(failed)?;
            let shaking = tokio::time::timeout(PATIENCE, tls::handshake(&connector, address, stream));
            let shaken = shaking.await.unwrap_or_else(|_| Err(io::Error::from_raw_os_error(libc::ETIMEDOUT)));
            Ok(Box::new(shaken.map_err(|error| Error::Connect {
                endpoint: endpoint.to_string(),
                reason: format!("TLS: {error}{}", tls::advice(&error)),
                absent: false,
            })?))
        }
        Endpoint::Ssh(destination) => {
            Ok(Box::new(ssh::dial(destination).map_err(|error| Error::Connect {
                endpoint: endpoint.to_string(),
                reason: format!("running ssh: {error}: is it installed?"),
                absent: false,
            })?))
        }
    }
}

async fn unix(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(path).await
}

async fn tcp(address: &str) -> io::Result<TcpStream> {
    let connecting = tokio::time::timeout(PATIENCE, TcpStream::connect(address));
    let stream = connecting.await.unwrap_or_else(|_| Err(io::Error::from_raw_os_error(libc::ETIMEDOUT)))?;
    // A key typed should not wait for the next one.
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn unreachable(endpoint: &Endpoint, error: &io::Error) -> Error {
    // Somebody listened, and closed while we were in the queue: a daemon that is just ending.
    if error.kind() == io::ErrorKind::ConnectionReset {
        return Error::Transport { endpoint: endpoint.to_string(), reason: error.to_string() };
    }
    let absent = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused);
    let way_out = match (error.kind(), endpoint) {
        (io::ErrorKind::PermissionDenied, _) => ": ask its owner for access, or be root",
        (_, Endpoint::Own(_)) if absent => ": no daemon is running; \"canoa daemon\" starts one",
        _ if absent => ": is an engine running there?",
        _ => "",
    };
    Error::Connect { endpoint: endpoint.to_string(), reason: format!("{error}{way_out}"), absent }
}
