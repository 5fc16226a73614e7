//! The image's config: how to run it, and of which layers it is made.
//!
//! The digest of its bytes is the image's id. So the bytes are kept as they came
//! ([`crate::Image::raw_config`]), and what is not known here survives in them.
//! [OCI image configuration](https://github.com/opencontainers/image-spec/blob/main/config.md)

use std::collections::BTreeMap;
use std::ffi::OsString;

use namespaces::Command;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Digest, Platform};

/// The whole document.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When it was made, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// As in [`Platform`].
    #[serde(default)]
    pub architecture: String,
    /// As in [`Platform`].
    #[serde(default)]
    pub os: String,
    /// As in [`Platform`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// How to run it.
    #[serde(default, deserialize_with = "null_is_default")]
    pub config: Run,
    /// Its layers.
    #[serde(default)]
    pub rootfs: RootFs,
    /// How it was made, step by step, the oldest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub history: Vec<History>,
}

impl ImageConfig {
    /// The platform that the image is for.
    pub fn platform(&self) -> Platform {
        Platform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: self.variant.clone(),
        }
    }
}

impl ImageConfig {
    // ANCHOR: command
    /// What a container of this image runs, and where: `words` in place of its `Cmd`, if there are
    /// any.
    pub fn command<S: Into<OsString>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let Run { entrypoint, cmd, env, working_dir, .. } = &self.config;
        let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
        let mut args: Vec<OsString> = entrypoint.iter().flatten().map(OsString::from).collect();
        match words.is_empty() {
            true => args.extend(cmd.iter().flatten().map(OsString::from)),
            false => args.extend(words),
        }
        let directory = if working_dir.is_empty() { "/" } else { working_dir };
        Command { args, env: env.iter().map(OsString::from).collect(), directory: directory.into() }
    }
    // ANCHOR_END: command
}

/// What a container of this image gets unless told otherwise.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Run {
    /// User, and group after a colon; names or numbers. Empty: root.
    pub user: String,
    /// `80/tcp`, with an empty object each.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, serde_json::Value>,
    /// `NAME=value`.
    #[serde(deserialize_with = "null_is_default")]
    pub env: Vec<String>,
    /// The program; `Cmd` are then its arguments.
    pub entrypoint: Option<Vec<String>>,
    /// The program, or its arguments.
    pub cmd: Option<Vec<String>>,
    /// Paths that get a volume, with an empty object each.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, serde_json::Value>,
    /// Where to start. Empty: `/`.
    pub working_dir: String,
    /// Whatever the author wished to say.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The signal that asks it to stop: `SIGTERM` where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// Seconds to wait after that signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<i64>,
    /// Docker's: the shell of a Dockerfile's `RUN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shell: Option<Vec<String>>,
    /// Docker's: how to find out whether it is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// Docker's: what a build on top of this image does first.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub on_build: Vec<String>,
    /// Docker's: `Cmd` was one string for a shell.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub args_escaped: bool,
}

/// Docker's health check. Times are nanoseconds; 0 means the default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", program, …]` or `["CMD-SHELL", line]`.
    #[serde(deserialize_with = "null_is_default")]
    pub test: Vec<String>,
    /// Between two checks.
    pub interval: i64,
    /// How long one may take.
    pub timeout: i64,
    /// How long a failure doesn't count after the start.
    pub start_period: i64,
    /// Between two checks in that time.
    pub start_interval: i64,
    /// How many failures make it unhealthy.
    pub retries: i64,
}

/// The layers, by the digests of their uncompressed archives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The lowest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub diff_ids: Vec<Digest>,
}

impl Default for RootFs {
    fn default() -> Self {
        RootFs { kind: "layers".to_owned(), diff_ids: Vec::new() }
    }
}

/// One step of an image's making.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// A remark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// This step made no layer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

/// Go writes an empty list or map as `null`.
fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_as_docker_writes_it_is_read_with_its_nulls() {
        let json = r#"{"architecture":"amd64","os":"linux","config":{"Env":null,"Cmd":["sh"],"Entrypoint":null,
            "Volumes":null,"Labels":null,"OnBuild":null,"User":"","WorkingDir":"","ExposedPorts":{"80/tcp":{}}},
            "rootfs":{"type":"layers","diff_ids":null},"history":null,"docker_version":"20.10"}"#;
        let config: ImageConfig = serde_json::from_str(json).unwrap();
        assert_eq!(config.config.cmd, Some(vec!["sh".to_owned()]));
        assert_eq!(config.config.entrypoint, None);
        assert!(config.config.exposed_ports.contains_key("80/tcp"));
        assert!(config.rootfs.diff_ids.is_empty());
    }

    #[test]
    fn a_config_without_a_config_can_still_be_run() {
        for json in ["{}", r#"{"config":null}"#] {
            let config: ImageConfig = serde_json::from_str(json).unwrap();
            assert_eq!(config.config, Run::default(), "{json}");
        }
    }
}
