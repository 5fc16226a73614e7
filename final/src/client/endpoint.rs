//! Which engine to talk to.
//!
//! `-H`, then `CANOA_HOST`, then `--context NAME` (one of Docker's contexts, only when named), then
//! our own daemon's socket. `DOCKER_HOST` belongs to the docker command: somebody who exports it
//! means Docker, and canoa must not quietly act on another engine than its own.

use std::env;
use std::fmt;
use std::path::PathBuf;

use super::context;
use super::error::{Error, Result};
use super::ssh::Destination;
use super::tls::Tls;
use crate::paths;

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Our own daemon, at its usual place: the only one that we start when it isn't there.
    Own(PathBuf),
    /// Somebody's socket.
    Unix(PathBuf),
    /// HTTP over TCP.
    Tcp {
        /// `host:port`.
        address: String,
        /// In TLS; `None` for all to read.
        tls: Option<Tls>,
    },
    /// Another machine, through ssh.
    Ssh(Destination),
}

/// What the flags say.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// `-H`.
    pub host: Option<String>,
    /// `--context`.
    pub context: Option<String>,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--tls`: in TLS, whoever answers.
    pub tls: bool,
    /// `--tlsverify`: in TLS, and only with an engine whose certificate the authority has signed.
    pub verify: bool,
    /// `--tlscacert`.
    pub authority: Option<PathBuf>,
    /// `--tlscert`.
    pub certificate: Option<PathBuf>,
    /// `--tlskey`.
    pub key: Option<PathBuf>,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Own(path) | Endpoint::Unix(path) => write!(f, "unix://{}", path.display()),
            Endpoint::Tcp { address, .. } => write!(f, "tcp://{address}"),
            Endpoint::Ssh(destination) => destination.fmt(f),
        }
    }
}

impl Endpoint {
    /// Finds out which engine is meant by the flags and by the environment.
    ///
    /// # Errors
    /// An address that makes no sense, a context that does not exist, a certificate that is missing.
    pub fn choose(wish: &Wish) -> Result<Endpoint> {
        let variable = env::var("CANOA_HOST").ok().filter(|host| !host.is_empty());
        match (&wish.host, variable, &wish.context) {
            // Docker's words.
            (Some(_), _, Some(_)) => Err(Error::Endpoint(
                "conflicting options: cannot specify both --host and --context".to_owned(),
            )),
            (Some(host), ..) => parse(host, "-H", tls(wish)?),
            (None, Some(host), _) => parse(&host, "CANOA_HOST", tls(wish)?),
            (None, None, Some(name)) => context::find(&docker_config(wish), name),
            (None, None, None) => Ok(Endpoint::Own(paths::socket())),
        }
    }
}

/// Reads an address; `tls` counts where there is a network.
pub fn parse(host: &str, source: &str, tls: Option<Tls>) -> Result<Endpoint> {
    let wrong = |why: &str| Error::Endpoint(format!("{source}: engine address {host:?}: {why}"));
    match host.split_once("://") {
        Some(("unix", path)) if path.starts_with('/') => Ok(Endpoint::Unix(PathBuf::from(path))),
        Some(("unix", _)) => Err(wrong("the path of the socket must be absolute: unix:///run/…")),
        Some(("tcp" | "http" | "https", address)) => {
            let address = address.trim_end_matches('/');
            match address.rsplit_once(':') {
                Some((name, port)) if !name.is_empty() && port.parse::<u16>().is_ok() => {
                    Ok(Endpoint::Tcp { address: address.to_owned(), tls })
                }
                _ => Err(wrong("tcp:// wants host:port")),
            }
        }
        Some(("ssh", destination)) => Ok(Endpoint::Ssh(Destination::parse(destination).map_err(wrong)?)),
        Some((scheme, _)) => Err(wrong(&format!(
            "{scheme}:// is not spoken here; use unix:///path, tcp://host:port or ssh://user@host"
        ))),
        None if host.starts_with('/') => Ok(Endpoint::Unix(PathBuf::from(host))),
        None => Err(wrong("write unix:///path, tcp://host:port or ssh://user@host")),
    }
}

/// The files for TLS, where it is wanted. Those that aren't named are in `CANOA_CERT_PATH`, else where
/// Docker's are: `ca.pem`, `cert.pem`, `key.pem`.
fn tls(wish: &Wish) -> Result<Option<Tls>> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let verify = wish.verify || wish.authority.is_some() || set("CANOA_TLS_VERIFY").is_some();
    if !verify && !wish.tls && wish.certificate.is_none() && wish.key.is_none() {
        return Ok(None);
    }
    let folder = set("CANOA_CERT_PATH").map_or_else(|| docker_config(wish), PathBuf::from);
    let usual = |name: &str| Some(folder.join(name)).filter(|file| file.exists());
    let authority = wish.authority.clone().or_else(|| usual("ca.pem"));
    if verify && authority.is_none() {
        let folder = folder.display();
        return Err(Error::Endpoint(format!(
            "--tlsverify: there is no {folder}/ca.pem: name the authority's certificate with --tlscacert"
        )));
    }
    let certificate = wish.certificate.clone().or_else(|| usual("cert.pem"));
    let key = wish.key.clone().or_else(|| usual("key.pem"));
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => return Err(Error::Endpoint("--tlscert: its key is missing: --tlskey".to_owned())),
        (None, Some(_)) => {
            return Err(Error::Endpoint("--tlskey: its certificate is missing: --tlscert".to_owned()));
        }
    };
    Ok(Some(Tls { authority: authority.filter(|_| verify), identity }))
}

/// `--config`, else `$DOCKER_CONFIG`, else `~/.docker`.
fn docker_config(wish: &Wish) -> PathBuf {
    let named = wish.config.clone().or_else(|| env::var_os("DOCKER_CONFIG").map(PathBuf::from));
    named.unwrap_or_else(|| {
        PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".docker")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_docker_writes_them() {
        let read = |text: &str| parse(text, "-H", None);
        assert_eq!(read("unix:///run/x.sock").unwrap(), Endpoint::Unix("/run/x.sock".into()));
        assert_eq!(read("/run/x.sock").unwrap(), Endpoint::Unix("/run/x.sock".into()));
        let tcp = Endpoint::Tcp { address: "127.0.0.1:2375".into(), tls: None };
        assert_eq!(read("tcp://127.0.0.1:2375").unwrap(), tcp);
        assert_eq!(read("ssh://me@host:22").unwrap().to_string(), "ssh://me@host:22");
        for wrong in
            ["", "run/x.sock", "unix://x", "ssh://-x", "npipe://x", "tcp://host", "tcp://:1", "tcp://h:99999"]
        {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.starts_with("-H: engine address "), "{error}");
        }
    }

    #[test]
    fn a_key_without_its_certificate_is_refused() {
        let wish = |certificate: Option<&str>, key: Option<&str>| Wish {
            host: Some("tcp://127.0.0.1:2376".to_owned()),
            authority: Some("/ca".into()),
            certificate: certificate.map(PathBuf::from),
            key: key.map(PathBuf::from),
            ..Wish::default()
        };
        let Endpoint::Tcp { tls: Some(tls), .. } = Endpoint::choose(&wish(Some("/c"), Some("/k"))).unwrap()
        else {
            panic!()
        };
        assert_eq!(tls.authority, Some("/ca".into()));
        assert_eq!(tls.identity, Some(("/c".into(), "/k".into())));
        let both = Wish { context: Some("far".to_owned()), ..wish(None, None) };
        assert!(Endpoint::choose(&both).unwrap_err().to_string().contains("both --host and --context"));
    }
}
