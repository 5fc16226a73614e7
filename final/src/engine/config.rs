//! What a container was asked to be: the create body, together with what its image says.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use bollard_stubs::models::{ContainerCreateBody, HostConfig};
use images::config::Run;
use network::publish::Mapping;
use serde::{Deserialize, Serialize};

use super::endpoints::Endpoint;
use super::error::{Error, Result};
use super::health;
use super::restart::Restarts;

/// What the engine keeps of a container in its record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// What was asked for, with the image's own settings where nothing was asked for.
    pub body: ContainerCreateBody,
    /// The image as the person wrote it.
    pub image: String,
    /// The image's digest: `sha256:…`.
    pub image_id: String,
    /// Its layers, unpacked, the lowest first.
    pub layers: Vec<PathBuf>,
    /// What is mounted into it.
    pub mounts: Vec<MountPoint>,
    /// Its networks and, while it runs, its address on each. The key is the network's name.
    pub networks: BTreeMap<String, Endpoint>,
    /// The ports of the host that are its own, while it runs.
    #[serde(default)]
    pub published: Vec<Mapping>,
    /// How often its policy has started it again.
    #[serde(default)]
    pub restarts: Restarts,
}

/// A volume or a path of the host at a place in the container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MountPoint {
    /// The volume's name; none for a path of the host.
    pub volume: Option<String>,
    /// Where its content lies on the host.
    pub source: PathBuf,
    /// Where it is seen in the container.
    pub destination: String,
    /// Docker's word for the options, as they were given: `ro`, `z`, …
    pub mode: String,
    /// Whether the container may write there.
    pub writable: bool,
    /// Whether the volume was made for this container alone and goes with `rm -v`.
    pub anonymous: bool,
    /// Whether a new volume stays empty, whatever the image has at its place.
    #[serde(default)]
    pub nocopy: bool,
    /// Whether what is mounted below it on the host later appears inside as well.
    #[serde(default)]
    pub slave: bool,
    /// Whether what is mounted below it on the host stays outside.
    #[serde(default)]
    pub flat: bool,
}

impl Config {
    /// Docker's host configuration; empty if the body has none.
    pub fn host(&self) -> HostConfig {
        self.body.host_config.clone().unwrap_or_default()
    }

    /// The whole command: entry point, then command.
    pub fn command(&self) -> Vec<String> {
        let entrypoint = self.body.entrypoint.iter().flatten();
        entrypoint.chain(self.body.cmd.iter().flatten()).cloned().collect()
    }

    /// Whether it has a terminal (`-t`).
    pub fn tty(&self) -> bool {
        self.body.tty == Some(true)
    }

    /// Whether it removes itself when it ends (`--rm`).
    pub fn auto_remove(&self) -> bool {
        self.body.host_config.as_ref().is_some_and(|host| host.auto_remove == Some(true))
    }

    /// The network it is on, `bridge` if none was named.
    pub fn network_mode(&self) -> String {
        let mode = self.body.host_config.as_ref().and_then(|host| host.network_mode.clone());
        match mode.as_deref() {
            None | Some("" | "default") => "bridge".to_owned(),
            Some(mode) => mode.to_owned(),
        }
    }
}

/// Fills in what the image says wherever the body says nothing (as dockerd does: a given entry
/// point also puts the image's command aside).
pub fn merge(body: &mut ContainerCreateBody, image: &Run) -> Result<()> {
    let given = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    if !given(&body.entrypoint) {
        if !given(&body.cmd) {
            body.cmd = image.cmd.clone();
        }
        // `--entrypoint ""` arrives as a list with one empty word: no entry point at all.
        body.entrypoint = image.entrypoint.clone();
    } else if body.entrypoint.as_deref() == Some(&[String::new()]) {
        body.entrypoint = None;
    }
    if body.user.as_deref().unwrap_or_default().is_empty() {
        body.user = Some(image.user.clone());
    }
    if body.working_dir.as_deref().unwrap_or_default().is_empty() {
        body.working_dir = Some(image.working_dir.clone());
    }
    if body.stop_signal.is_none() {
        body.stop_signal = image.stop_signal.clone();
    }
    health::merge(&mut body.healthcheck, image.healthcheck.as_ref());
    body.env = Some(environment(image.env.iter(), body.env.iter().flatten()));
    let mut labels: HashMap<String, String> = image.labels.clone().into_iter().collect();
    labels.extend(body.labels.take().unwrap_or_default());
    body.labels = Some(labels);
    add_keys(&mut body.exposed_ports, &image.exposed_ports);
    add_keys(&mut body.volumes, &image.volumes);
    let empty = body.entrypoint.iter().flatten().chain(body.cmd.iter().flatten()).next().is_none();
    if empty { Err(Error::invalid("no command specified")) } else { Ok(()) }
}

/// The image's environment, then the container's own over it. A name without `=` takes a variable
/// away.
fn environment<'a>(
    image: impl Iterator<Item = &'a String>,
    own: impl Iterator<Item = &'a String>,
) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in image.chain(own) {
        let name = line.split('=').next().unwrap_or_default();
        let place = all.iter().position(|other| other.split('=').next() == Some(name));
        match (place, line.contains('=')) {
            (Some(place), true) => all[place] = line.clone(),
            (Some(place), false) => drop(all.remove(place)),
            (None, true) => all.push(line.clone()),
            (None, false) => {}
        }
    }
    all
}

fn add_keys(list: &mut Option<Vec<String>>, more: &BTreeMap<String, serde_json::Value>) {
    let list = list.get_or_insert_default();
    list.extend(more.keys().cloned());
    list.sort();
    list.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Option<Vec<String>> {
        Some(text.split_whitespace().map(str::to_owned).collect())
    }

    fn image() -> Run {
        Run {
            entrypoint: words("entry point"),
            cmd: words("image command"),
            env: vec!["PATH=/bin".to_owned(), "A=image".to_owned()],
            ..Run::default()
        }
    }

    fn merged(entrypoint: Option<Vec<String>>, cmd: Option<Vec<String>>) -> Vec<String> {
        let mut body = ContainerCreateBody { entrypoint, cmd, ..ContainerCreateBody::default() };
        merge(&mut body, &image()).unwrap();
        body.entrypoint.into_iter().flatten().chain(body.cmd.into_iter().flatten()).collect()
    }

    #[test]
    fn the_command_is_made_as_docker_makes_it() {
        assert_eq!(merged(None, None), ["entry", "point", "image", "command"]);
        assert_eq!(merged(None, words("sh")), ["entry", "point", "sh"]);
        assert_eq!(merged(words("own"), None), ["own"], "a given entry point puts the command aside");
        assert_eq!(merged(words("own"), words("sh")), ["own", "sh"]);
        assert_eq!(merged(Some(vec![String::new()]), words("sh")), ["sh"]);
    }

    #[test]
    fn nothing_to_run_is_an_error_at_once() {
        let mut body = ContainerCreateBody::default();
        let error = merge(&mut body, &Run::default()).unwrap_err();
        assert_eq!(error.message, "no command specified");
    }

    #[test]
    fn the_containers_variables_go_over_the_images() {
        let mut body = ContainerCreateBody { env: words("A=own B=1"), ..ContainerCreateBody::default() };
        merge(&mut body, &image()).unwrap();
        assert_eq!(body.env, words("PATH=/bin A=own B=1"));
    }
}
