//! `GET /containers/json`: the containers, a line each.

mod wanted;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use images::usage;
use lifecycle::record::{Record, State, Status};
use serde::Serialize;
use serde_json::{Value, json};

use super::inspect::{EndpointSettings, MountPoint, endpoints, mount_points};
use super::times;
use crate::engine::Engine;
use crate::engine::config::Config;
use crate::engine::containers::Container;
use crate::engine::error::Result;
use crate::engine::health::{Health, Word};
use crate::engine::ports::shown;
pub use wanted::Wanted;

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Summary {
    id: String,
    names: Vec<String>,
    image: String,
    #[serde(rename = "ImageID")]
    image_id: String,
    command: String,
    created: i64,
    ports: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_rw: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_root_fs: Option<u64>,
    labels: BTreeMap<String, String>,
    state: &'static str,
    status: String,
    host_config: Value,
    network_settings: NetworkSettings,
    mounts: Vec<MountPoint>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    networks: BTreeMap<String, EndpointSettings>,
}

/// The wanted ones, the newest first.
pub fn list(engine: &Engine, wanted: &Wanted) -> Result<Vec<Summary>> {
    let choice = wanted.choice(engine)?;
    let mut names = Names::default();
    let mut all = Vec::new();
    for container in engine.containers.all() {
        if wanted.limit.is_some_and(|limit| all.len() >= limit) {
            break;
        }
        let record = container.record();
        if choice.takes(&record, container.health.get()) {
            let image = names.of(engine, &record.config);
            all.push(summary(engine, &container, &record, image, wanted.size));
        }
    }
    Ok(all)
}

/// What the images' names mean now, each looked up once.
#[derive(Debug, Default)]
struct Names(HashMap<String, Option<String>>);

impl Names {
    /// The image as the person wrote it; its id, if another image has that name by now, or none.
    fn of(&mut self, engine: &Engine, config: &Config) -> String {
        let id = |name: &str| engine.images.find(name).ok().map(|image| image.id.to_string());
        let now = self.0.entry(config.image.clone()).or_insert_with_key(|name| id(name));
        if now.as_ref() == Some(&config.image_id) { config.image.clone() } else { config.image_id.clone() }
    }
}

fn summary(
    engine: &Engine,
    container: &Arc<Container>,
    record: &Record<Config>,
    image: String,
    size: bool,
) -> Summary {
    let config = &record.config;
    let size_rw = size.then(|| usage(&container.folder.join("upper")));
    let image_size = || engine.images.find(&config.image_id).map_or(0, |image| image.size);
    Summary {
        id: record.id.clone(),
        names: vec![format!("/{}", record.name)],
        image,
        image_id: config.image_id.clone(),
        command: command(&config.command()),
        created: times::seconds(&record.created_at),
        ports: ports(record),
        // In a list, Docker leaves a zero out.
        size_rw: size_rw.filter(|size| *size > 0),
        size_root_fs: size_rw.map(|size| size + image_size()),
        labels: config.body.labels.clone().unwrap_or_default().into_iter().collect(),
        state: record.state.status.word(),
        status: status(&record.state, container.health.get()),
        host_config: json!({ "NetworkMode": config.network_mode() }),
        network_settings: NetworkSettings { networks: endpoints(engine, record) },
        mounts: mount_points(config),
    }
}

/// Published ports, an entry for each of the host's addresses; and those that are only exposed.
fn ports(record: &Record<Config>) -> Vec<Value> {
    let mut all = Vec::new();
    for (port, protocol, published) in shown(&record.config, record.state.status) {
        if published.is_empty() {
            all.push(json!({ "PrivatePort": port, "Type": protocol.to_string() }));
        }
        all.extend(published.iter().map(|place| {
            json!({
                "IP": place.address.to_string(),
                "PrivatePort": port,
                "PublicPort": place.host,
                "Type": protocol.to_string(),
            })
        }));
    }
    all
}

/// The command in one line; words with blanks in quotes.
fn command(words: &[String]) -> String {
    let quoted = words.iter().enumerate().map(|(place, word)| match place > 0 && word.contains(' ') {
        true => format!("'{word}'"),
        false => word.clone(),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// `Up 3 seconds`, `Exited (0) 5 minutes ago`.
fn status(state: &State, health: Option<Health>) -> String {
    let ago = |time: &Option<String>| times::words(time.as_deref().map_or(0, times::since));
    match state.status {
        Status::Created => "Created".to_owned(),
        Status::Running => match health.map(|health| health.status) {
            None => format!("Up {}", ago(&state.started_at)),
            Some(Word::Starting) => format!("Up {} (health: starting)", ago(&state.started_at)),
            Some(word) => format!("Up {} ({})", ago(&state.started_at), word.word()),
        },
        Status::Paused => format!("Up {} (Paused)", ago(&state.started_at)),
        Status::Restarting => format!("Restarting ({}) {} ago", state.exit_code, ago(&state.finished_at)),
        Status::Exited => format!("Exited ({}) {} ago", state.exit_code, ago(&state.finished_at)),
        Status::Dead => "Dead".to_owned(),
    }
}
