//! `GET /containers/json`: the containers, a line each.

use std::collections::BTreeMap;
use std::sync::Arc;

use lifecycle::record::{Record, State, Status};
use serde::Serialize;
use serde_json::{Value, json};

use super::inspect::{EndpointSettings, disk_use, endpoints, mount_point};
use super::query::{Filters, Params};
use super::times;
use crate::engine::Engine;
use crate::engine::config::Config;
use crate::engine::containers::Container;
use crate::engine::error::{Error, Result};
use crate::engine::health::{Health, Word};
use crate::engine::ports::shown;

/// Which containers are wanted.
#[derive(Debug)]
pub struct Wanted {
    all: bool,
    limit: Option<usize>,
    size: bool,
    filters: Filters,
}

const FILTERS: [&str; 13] = [
    "id", "name", "label", "status", "ancestor", "exited", "before", "since", "volume", "network", "health",
    "is-task", "expose",
];

impl Wanted {
    /// From a query.
    pub fn new(params: &Params) -> Result<Wanted> {
        let filters = params.filters(&FILTERS)?;
        for name in ["health", "is-task", "expose"] {
            if filters.get(name).is_some() {
                return Err(Error::unsupported(format!("the filter {name}")));
            }
        }
        let words = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];
        if let Some(word) =
            filters.get("status").into_iter().flatten().find(|word| !words.contains(&word.as_str()))
        {
            return Err(Error::invalid(format!("invalid filter 'status={word}'")));
        }
        let limit: Option<i64> = params.number("limit")?;
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
        // Who asks for a state, or for the last few, means all of them.
        let all = params.flag("all")
            || limit.is_some()
            || ["status", "exited"].iter().any(|key| filters.get(key).is_some());
        Ok(Wanted { all, limit, size: params.flag("size"), filters })
    }
}

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
    mounts: Vec<Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    networks: BTreeMap<String, EndpointSettings>,
}

/// The wanted ones, the newest first.
pub fn list(engine: &Engine, wanted: &Wanted) -> Result<Vec<Summary>> {
    let border = |key: &str| -> Result<Option<String>> {
        let name = wanted.filters.get(key).and_then(|values| values.first());
        name.map(|name| Ok(engine.containers.find(name)?.with(|record| record.created_at.clone())))
            .transpose()
    };
    let (before, since) = (border("before")?, border("since")?);
    let ancestors: Option<Vec<String>> = wanted.filters.get("ancestor").map(|names| {
        let ids = names.iter().filter_map(|name| engine.images.find(name).ok());
        ids.map(|image| image.id.to_string()).collect()
    });
    let mut all = Vec::new();
    for container in engine.containers.all() {
        if wanted.limit.is_some_and(|limit| all.len() >= limit) {
            break;
        }
        let record = container.record();
        let fits = (wanted.all || container.is_running() || container.is_restarting())
            && before.as_ref().is_none_or(|time| record.created_at < *time)
            && since.as_ref().is_none_or(|time| record.created_at > *time)
            && ancestors.as_ref().is_none_or(|ids| ids.contains(&record.config.image_id))
            && fits(&record, &wanted.filters);
        if fits {
            all.push(summary(engine, &container, &record, wanted.size));
        }
    }
    Ok(all)
}

fn fits(record: &Record<Config>, filters: &Filters) -> bool {
    let config = &record.config;
    let labels = config.body.labels.as_ref();
    // A name fits if it contains what was asked for; with ^ and $ its beginning and end are fixed.
    let name_fits = |wanted: &str| {
        let bare = wanted.trim_start_matches('^').trim_start_matches('/').trim_end_matches('$');
        match (wanted.starts_with('^'), wanted.ends_with('$')) {
            (true, true) => record.name == bare,
            (true, false) => record.name.starts_with(bare),
            (false, true) => record.name.ends_with(bare),
            (false, false) => record.name.contains(bare),
        }
    };
    let volume_fits = |wanted: &str| {
        config
            .mounts
            .iter()
            .any(|mount| mount.volume.as_deref() == Some(wanted) || mount.destination == wanted)
    };
    let network_fits = |wanted: &str| {
        config.network_mode() == wanted || config.networks.values().any(|endpoint| endpoint.network == wanted)
    };
    filters.any("id", |wanted| record.id.starts_with(wanted))
        && filters.any("name", name_fits)
        && filters.labels(|name| labels?.get(name).map(String::as_str))
        && filters.any("status", |wanted| record.state.status.word() == wanted)
        && filters.any("exited", |code| {
            record.state.status == Status::Exited && code.parse() == Ok(record.state.exit_code)
        })
        && filters.any("volume", volume_fits)
        && filters.any("network", network_fits)
}

fn summary(engine: &Engine, container: &Arc<Container>, record: &Record<Config>, size: bool) -> Summary {
    let config = &record.config;
    let size_rw = size.then(|| disk_use(&container.folder.join("upper")));
    let image_size = || engine.images.find(&config.image_id).map_or(0, |image| image.size);
    Summary {
        id: record.id.clone(),
        names: vec![format!("/{}", record.name)],
        image: config.image.clone(),
        image_id: config.image_id.clone(),
        command: command(&config.command()),
        created: times::seconds(&record.created_at),
        ports: ports(record),
        size_rw,
        size_root_fs: size_rw.map(|size| size + image_size()),
        labels: config.body.labels.clone().unwrap_or_default().into_iter().collect(),
        state: record.state.status.word(),
        status: status(&record.state, container.health.get()),
        host_config: json!({ "NetworkMode": config.network_mode() }),
        network_settings: NetworkSettings { networks: endpoints(engine, record) },
        mounts: config.mounts.iter().map(mount_point).collect(),
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
