//! Which engine to talk to.
//!
//! `-H`, then `CANOA_HOST`, then `--context NAME` (one of Docker's contexts, only when named), then
//! our own daemon's socket. `DOCKER_HOST` belongs to the docker command: somebody who exports it
//! means Docker, and canoa must not quietly act on another engine than its own.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::{Error, Result};
use crate::paths;

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Our own daemon, at its usual place: the only one that we start when it isn't there.
    Own(PathBuf),
    /// Somebody's socket.
    Unix(PathBuf),
    /// Plain HTTP, `host:port`.
    Tcp(String),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Own(path) | Endpoint::Unix(path) => write!(f, "unix://{}", path.display()),
            Endpoint::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

impl Endpoint {
    /// Finds out which engine is meant by the flags `-H` and `--context` and by the environment.
    ///
    /// # Errors
    /// An address that makes no sense, or a context that does not exist.
    pub fn choose(host: Option<&str>, context: Option<&str>) -> Result<Endpoint> {
        let variable = env::var("CANOA_HOST").ok().filter(|host| !host.is_empty());
        match (host, variable, context) {
            (Some(host), _, _) => parse(host, "-H"),
            (None, Some(host), _) => parse(&host, "CANOA_HOST"),
            (None, None, Some(name)) => parse(&context_host(&docker_config(), name)?, "--context"),
            (None, None, None) => Ok(Endpoint::Own(paths::socket())),
        }
    }
}

fn parse(host: &str, source: &str) -> Result<Endpoint> {
    let wrong = |why: &str| Error::Endpoint(format!("{source}: engine address {host:?}: {why}"));
    match host.split_once("://") {
        Some(("unix", path)) if path.starts_with('/') => Ok(Endpoint::Unix(PathBuf::from(path))),
        Some(("unix", _)) => Err(wrong("the path of the socket must be absolute: unix:///run/…")),
        Some(("tcp" | "http", address)) => {
            let address = address.trim_end_matches('/');
            match address.rsplit_once(':') {
                Some((name, port)) if !name.is_empty() && port.parse::<u16>().is_ok() => {
                    Ok(Endpoint::Tcp(address.to_owned()))
                }
                _ => Err(wrong("tcp:// wants host:port")),
            }
        }
        Some((scheme, _)) => {
            Err(wrong(&format!("{scheme}:// is not spoken here; use unix:///path or tcp://host:port")))
        }
        None if host.starts_with('/') => Ok(Endpoint::Unix(PathBuf::from(host))),
        None => Err(wrong("write unix:///path or tcp://host:port")),
    }
}

/// `$DOCKER_CONFIG`, else `~/.docker`.
fn docker_config() -> PathBuf {
    env::var_os("DOCKER_CONFIG").map(PathBuf::from).unwrap_or_else(|| {
        PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".docker")
    })
}

/// The address in one of Docker's contexts: `contexts/meta/SHA256/meta.json` holds its name.
fn context_host(config: &Path, name: &str) -> Result<String> {
    if name == "default" {
        return Ok("unix:///var/run/docker.sock".to_owned());
    }
    let folder = config.join("contexts/meta");
    let contexts = fs::read_dir(&folder).into_iter().flatten().flatten();
    for entry in contexts {
        let Ok(text) = fs::read(entry.path().join("meta.json")) else { continue };
        let Ok(meta) = serde_json::from_slice::<Value>(&text) else { continue };
        if meta["Name"] == name {
            if config.join("contexts/tls").join(entry.file_name()).exists() {
                let message = "it wants TLS, which is not spoken here; forward its socket with ssh -L";
                return Err(Error::Endpoint(format!("--context {name}: {message}")));
            }
            let host = meta["Endpoints"]["docker"]["Host"].as_str();
            return host.map(str::to_owned).ok_or_else(|| {
                Error::Endpoint(format!(
                    "--context {name}: it has no docker endpoint in {}",
                    folder.display()
                ))
            });
        }
    }
    Err(Error::Endpoint(format!(
        "--context {name}: there is no such context in {}; \"docker context ls\" lists them",
        folder.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_docker_writes_them() {
        assert_eq!(parse("unix:///run/x.sock", "-H").unwrap(), Endpoint::Unix("/run/x.sock".into()));
        assert_eq!(parse("/run/x.sock", "-H").unwrap(), Endpoint::Unix("/run/x.sock".into()));
        assert_eq!(parse("tcp://127.0.0.1:2375", "-H").unwrap(), Endpoint::Tcp("127.0.0.1:2375".into()));
        for wrong in ["", "run/x.sock", "unix://x", "ssh://host", "tcp://host", "tcp://:1", "tcp://h:99999"] {
            let error = parse(wrong, "-H").unwrap_err().to_string();
            assert!(error.starts_with("-H: engine address "), "{error}");
        }
    }

    #[test]
    fn a_named_context_is_looked_up_by_its_name() {
        let config = tempfile::tempdir().unwrap();
        let folder = config.path().join("contexts/meta/abc");
        fs::create_dir_all(&folder).unwrap();
        fs::write(
            folder.join("meta.json"),
            r#"{"Name":"far","Endpoints":{"docker":{"Host":"tcp://10.0.0.1:2375"}}}"#,
        )
        .unwrap();
        assert_eq!(context_host(config.path(), "far").unwrap(), "tcp://10.0.0.1:2375");
        let error = context_host(config.path(), "near").unwrap_err().to_string();
        assert!(error.starts_with("--context near: there is no such context"), "{error}");
    }
}
