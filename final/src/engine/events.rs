//! What happens, for those who watch.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::broadcast;

use super::containers::Container;
use super::networks::Network;

/// Something that has happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `container`, `image`, `network`, `volume`.
    pub kind: &'static str,
    /// What: `start`, `die`, …
    pub action: String,
    /// The object's id, or its name where it has no id.
    pub id: String,
    /// What else there is to say of it; a container's labels, too.
    pub attributes: BTreeMap<String, String>,
    /// When.
    pub time: Timestamp,
}

/// How many events are kept for those who ask for the past (`--since`).
const KEPT: usize = 1000;

/// Where events are told and heard.
#[derive(Debug)]
pub struct Events {
    sender: broadcast::Sender<Event>,
    past: Mutex<VecDeque<Event>>,
}

impl Default for Events {
    fn default() -> Self {
        Events { sender: broadcast::Sender::new(KEPT), past: Mutex::default() }
    }
}

impl Events {
    /// Hears what happens from now on, and what has happened before.
    pub fn listen(&self) -> (Vec<Event>, broadcast::Receiver<Event>) {
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        (past.iter().cloned().collect(), self.sender.subscribe())
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
        self.tell("container", action, &container.id, attributes(container));
    }

    /// A container's run has ended.
    pub fn died(&self, container: &Container, code: i32) {
        let mut attributes = attributes(container);
        attributes.insert("exitCode".to_owned(), code.to_string());
        self.tell("container", "die", &container.id, attributes);
    }

    /// A container got a signal.
    pub fn killed(&self, container: &Container, signal: i32) {
        let mut attributes = attributes(container);
        attributes.insert("signal".to_owned(), signal.to_string());
        self.tell("container", "kill", &container.id, attributes);
    }

    /// A network was made, or removed.
    pub fn of_network(&self, action: &str, network: &Network) {
        let attributes = [("name", &network.name), ("type", &network.driver)];
        let attributes = attributes.map(|(key, value)| (key.to_owned(), value.clone()));
        self.tell("network", action, &network.id, BTreeMap::from(attributes));
    }

    /// A container came onto a network, or left it.
    pub fn network(&self, action: &str, network: &str, name: &str, container: &str) {
        let attributes = [("name", name), ("type", "bridge"), ("container", container)];
        let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned()));
        self.tell("network", action, network, BTreeMap::from(attributes));
    }
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
