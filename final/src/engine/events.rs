//! What happens, for those who watch.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use images::Image;
use jiff::Timestamp;
use tokio::sync::broadcast;

use super::Engine;
use super::containers::Container;
use super::exec::Exec;
use super::networks::Network;
use crate::bundle::Exited;

/// Something that has happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `container`, `image`, `network`, `volume`, `builder`.
    pub kind: &'static str,
    /// What: `start`, `die`, …
    pub action: String,
    /// The object's id, or its name where it has no id.
    pub id: String,
    /// What else there is to say of it; a container's or an image's labels, too.
    pub attributes: BTreeMap<String, String>,
    /// When.
    pub time: Timestamp,
}

/// How many events are kept for those who ask for the past (`--since`): as many as dockerd keeps.
const KEPT: usize = 256;

/// How many a listener may lag behind before it misses some.
const LAG: usize = 1024;

/// Where events are told and heard.
#[derive(Debug)]
pub struct Events {
    sender: broadcast::Sender<Event>,
    past: Mutex<VecDeque<Event>>,
}

impl Default for Events {
    fn default() -> Self {
        Events { sender: broadcast::Sender::new(LAG), past: Mutex::default() }
    }
}

impl Events {
    /// Hears what happens from now on, and what has happened before.
    pub fn listen(&self) -> (Vec<Event>, broadcast::Receiver<Event>) {
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        (past.iter().cloned().collect(), self.sender.subscribe())
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.sender.receiver_count()
    }

    /// Tells it.
    pub fn tell(&self, kind: &'static str, action: &str, id: &str, attributes: BTreeMap<String, String>) {
        let event =
            Event { kind, action: action.to_owned(), id: id.to_owned(), attributes, time: Timestamp::now() };
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        if past.len() == KEPT {
            past.pop_front();
        }
        past.push_back(event.clone());
        // Under the lock, so that a new listener neither misses it nor hears it twice. Nobody
        // listening is no error.
        let _ = self.sender.send(event);
    }

    /// Something happened to a container.
    pub fn container(&self, action: &str, container: &Container) {
        self.container_with(action, container, &[]);
    }

    /// … of which there is more to say than its name, image and labels.
    pub fn container_with(&self, action: &str, container: &Container, more: &[(&str, &str)]) {
        let mut attributes = attributes(container);
        attributes.extend(pairs(more));
        self.tell("container", action, &container.id, attributes);
    }

    /// A container's run has ended, after so long. It is on no network any more, and its volumes are free.
    pub fn died(&self, engine: &Engine, container: &Container, exited: &Exited, ran: Duration) {
        if exited.oom_killed {
            self.container("oom", container);
        }
        let (code, seconds) = (exited.code.to_string(), ran.as_secs().to_string());
        self.container_with("die", container, &[("execDuration", &seconds), ("exitCode", &code)]);
        self.left(engine, container);
    }

    /// A container that ran, or was about to, has left its networks and volumes.
    pub fn left(&self, engine: &Engine, container: &Container) {
        let (networks, volumes) =
            container.with(|record| (record.config.networks.clone(), record.config.mounts.clone()));
        for endpoint in networks.values().filter(|endpoint| !endpoint.id.is_empty()) {
            if let Ok(network) = engine.networks.find(&endpoint.network) {
                self.network("disconnect", &network, &container.id);
            }
        }
        for name in volumes.iter().filter_map(|mount| mount.volume.as_ref()) {
            self.volume("unmount", name, &[("container", &container.id)]);
        }
    }

    /// Its volumes are the container's now.
    pub fn mounted(&self, container: &Container) {
        for mount in container.with(|record| record.config.mounts.clone()) {
            let Some(name) = &mount.volume else { continue };
            let more = [
                ("container", container.id.as_str()),
                ("destination", &mount.destination),
                ("propagation", ""),
                ("read/write", if mount.writable { "true" } else { "false" }),
            ];
            self.volume("mount", name, &more);
        }
    }

    /// Something happened to a program that was started in a running container: `exec_create: ls -l`.
    pub fn exec(&self, action: &str, exec: &Exec) {
        let words = exec.config.cmd.clone().unwrap_or_default();
        let (program, arguments) = words.split_first().map_or(("", &words[..]), |(one, more)| (one, more));
        let action = format!("{action}: {program} {}", arguments.join(" "));
        self.container_with(&action, &exec.container, &[("execID", &exec.id)]);
    }

    /// It has ended.
    pub fn exec_died(&self, exec: &Exec, code: i32) {
        let more = [("execID", exec.id.as_str()), ("exitCode", &code.to_string())];
        self.container_with("exec_die", &exec.container, &more);
    }

    /// A network was made, or removed.
    pub fn of_network(&self, action: &str, network: &Network) {
        let more = [("name", network.name.as_str()), ("type", &network.driver)];
        self.tell("network", action, &network.id, pairs(&more).collect());
    }

    /// A container came onto a network, or left it.
    pub fn network(&self, action: &str, network: &Network, container: &str) {
        let more = [("container", container), ("name", &network.name), ("type", &network.driver)];
        self.tell("network", action, &network.id, pairs(&more).collect());
    }

    /// Something happened to a volume.
    pub fn volume(&self, action: &str, name: &str, more: &[(&str, &str)]) {
        let attributes = pairs(more).chain(pairs(&[("driver", "local")]));
        self.tell("volume", action, name, attributes.collect());
    }

    /// Something happened to an image; `id` is its name where it is pulled, as Docker has it.
    pub fn image(&self, action: &str, id: &str, name: &str, image: Option<&Image>) {
        let labels = image.into_iter().flat_map(|image| image.config.config.labels.clone());
        let attributes = labels.chain(pairs(&[("name", name)])).collect();
        self.tell("image", action, id, attributes);
    }

    /// What nobody uses was removed, and so many bytes are free.
    pub fn pruned(&self, kind: &'static str, reclaimed: u64) {
        self.tell(kind, "prune", "", pairs(&[("reclaimed", &reclaimed.to_string())]).collect());
    }
}

fn pairs(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Vec<_>>().into_iter()
}

fn attributes(container: &Container) -> BTreeMap<String, String> {
    container.with(|record| {
        let labels = record.config.body.labels.iter().flatten();
        let mut all: BTreeMap<String, String> = labels.map(|(k, v)| (k.clone(), v.clone())).collect();
        all.insert("image".to_owned(), record.config.image.clone());
        all.insert("name".to_owned(), record.name.clone());
        all
    })
}
