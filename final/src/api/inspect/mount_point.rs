//! `Mounts`: what is mounted into a container.

use std::path::PathBuf;

use bollard_stubs::models::MountType;
use serde::Serialize;

use crate::engine::config::{self, Config};

/// One of them, as tables and inspect show it. Go prints structs by their fields' order: it is Docker's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MountPoint {
    #[serde(rename = "Type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    source: PathBuf,
    destination: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    driver: Option<&'static str>,
    mode: String,
    #[serde(rename = "RW")]
    writable: bool,
    propagation: String,
}

/// All of a container's. Those of `--tmpfs` are no mount points to Docker, those of `--mount` are.
pub fn mount_points(config: &Config) -> Vec<MountPoint> {
    let wished = config.host().mounts.unwrap_or_default();
    let tmpfs = wished.into_iter().filter(|mount| mount.typ == Some(MountType::TMPFS));
    let tmpfs = tmpfs.map(|mount| MountPoint {
        kind: "tmpfs",
        name: None,
        source: PathBuf::new(),
        destination: mount.target.unwrap_or_default(),
        driver: None,
        mode: String::new(),
        writable: mount.read_only != Some(true),
        propagation: String::new(),
    });
    config.mounts.iter().map(of).chain(tmpfs).collect()
}

fn of(mount: &config::MountPoint) -> MountPoint {
    let named = mount.volume.is_some();
    MountPoint {
        kind: if named { "volume" } else { "bind" },
        name: mount.volume.clone(),
        source: mount.source.clone(),
        destination: mount.destination.clone(),
        driver: named.then_some("local"),
        mode: match mount.mode.as_str() {
            // dockerd's word for a volume with a name for which nothing was said.
            "" if named && !mount.anonymous => "z".to_owned(),
            mode => mode.to_owned(),
        },
        writable: mount.writable,
        propagation: match named {
            true => "",
            false if mount.slave => "rslave",
            false => "rprivate",
        }
        .to_owned(),
    }
}
