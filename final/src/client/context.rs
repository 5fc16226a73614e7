//! Docker's contexts: engines by name, as `docker context create` writes them down.
//!
//! `contexts/meta/HASH/meta.json` holds the name and the address, `contexts/tls/HASH/docker/` the
//! certificates; HASH is the SHA-256 of the name, which need not be known to find it. They are read,
//! and never written.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::endpoint::{self, Endpoint};
use super::error::{Error, Result};
use super::tls::Tls;

/// The engine that a context names.
///
/// # Errors
/// There is no such context, or what it says makes no sense.
pub fn find(config: &Path, name: &str) -> Result<Endpoint> {
    if name == "default" {
        return Ok(Endpoint::Unix(PathBuf::from("/var/run/docker.sock")));
    }
    let folder = config.join("contexts/meta");
    for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
        let Ok(text) = fs::read(entry.path().join("meta.json")) else { continue };
        let Ok(meta) = serde_json::from_slice::<Value>(&text) else { continue };
        if meta["Name"] == name {
            let tls = config.join("contexts/tls").join(entry.file_name()).join("docker");
            return read(&meta["Endpoints"]["docker"], &tls, name);
        }
    }
    Err(Error::Endpoint(format!(
        "--context {name}: there is no such context in {}; \"docker context ls\" lists them",
        folder.display()
    )))
}

fn read(docker: &Value, folder: &Path, name: &str) -> Result<Endpoint> {
    let Some(host) = docker["Host"].as_str() else {
        return Err(Error::Endpoint(format!("--context {name}: it has no docker endpoint")));
    };
    let file = |name: &str| Some(folder.join(name)).filter(|file| file.exists());
    let unchecked = docker["SkipTLSVerify"] == true;
    let tls = (unchecked || folder.is_dir()).then(|| Tls {
        authority: file("ca.pem").filter(|_| !unchecked),
        identity: file("cert.pem").zip(file("key.pem")),
    });
    // Without an authority anybody would do; a context says so in so many words, or it is meant otherwise.
    if tls.as_ref().is_some_and(|tls| tls.authority.is_none() && !unchecked) {
        let message = format!("--context {name}: there is no ca.pem in {}", folder.display());
        return Err(Error::Endpoint(message));
    }
    match endpoint::parse(host, "--context", tls)? {
        Endpoint::Ssh(mut destination) => {
            destination.program = "docker";
            Ok(Endpoint::Ssh(destination))
        }
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(host: &str, rest: &str) -> tempfile::TempDir {
        let config = tempfile::tempdir().unwrap();
        let folder = config.path().join("contexts/meta/abc");
        fs::create_dir_all(&folder).unwrap();
        let meta = format!(r#"{{"Name":"far","Endpoints":{{"docker":{{"Host":"{host}"{rest}}}}}}}"#);
        fs::write(folder.join("meta.json"), meta).unwrap();
        config
    }

    #[test]
    fn a_named_context_is_looked_up_by_its_name() {
        let config = store("tcp://10.0.0.1:2375", "");
        let found = find(config.path(), "far").unwrap();
        assert_eq!(found, Endpoint::Tcp { address: "10.0.0.1:2375".into(), tls: None });
        let error = find(config.path(), "near").unwrap_err().to_string();
        assert!(error.starts_with("--context near: there is no such context"), "{error}");
    }

    #[test]
    fn its_certificates_are_found_and_a_missing_authority_is_not_overlooked() {
        let config = store("tcp://10.0.0.1:2376", "");
        let folder = config.path().join("contexts/tls/abc/docker");
        fs::create_dir_all(&folder).unwrap();
        let error = find(config.path(), "far").unwrap_err().to_string();
        assert!(error.contains("there is no ca.pem"), "{error}");
        for name in ["ca.pem", "cert.pem", "key.pem"] {
            fs::write(folder.join(name), "").unwrap();
        }
        let Endpoint::Tcp { tls: Some(tls), .. } = find(config.path(), "far").unwrap() else { panic!() };
        assert_eq!(tls.authority, Some(folder.join("ca.pem")));
        assert_eq!(tls.identity, Some((folder.join("cert.pem"), folder.join("key.pem"))));
    }

    #[test]
    fn over_ssh_a_context_calls_docker() {
        let config = store("ssh://host", "");
        let Endpoint::Ssh(destination) = find(config.path(), "far").unwrap() else { panic!() };
        assert_eq!(destination.program, "docker");
    }
}
