//! Which containers a list is about: `?all`, `limit`, and the filters of `docker ps --filter`.

use std::collections::HashSet;

use lifecycle::record::{Record, Status};
use network::publish::{PortRange, Protocol};
use regex::RegexBuilder;

use crate::api::query::{Filters, Params};
use crate::engine::Engine;
use crate::engine::config::Config;
use crate::engine::error::{Error, Result};
use crate::engine::health::Health;
use crate::engine::ports::shown;

/// What a query asks for.
#[derive(Debug)]
pub struct Wanted {
    /// Also those that don't run.
    all: bool,
    /// At most so many.
    pub limit: Option<usize>,
    /// With their sizes on disk.
    pub size: bool,
    filters: Filters,
    /// The codes of `exited=`.
    exited: Vec<i32>,
    published: Ports,
    exposed: Ports,
}

/// The ports that a filter is about.
type Ports = HashSet<(u16, Protocol)>;

const FILTERS: [&str; 15] = [
    "ancestor",
    "before",
    "exited",
    "expose",
    "health",
    "id",
    "is-task",
    "isolation",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
];
const STATUS: [&str; 7] = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];
const HEALTH: [&str; 4] = ["none", "starting", "healthy", "unhealthy"];

impl Wanted {
    /// Every container, with its size.
    ///
    /// # Errors
    /// None.
    pub fn all_with_sizes() -> Result<Wanted> {
        Ok(Wanted { all: true, size: true, ..Wanted::new(&Params::default())? })
    }

    /// From a query.
    ///
    /// # Errors
    /// A filter that there is not, or a value that makes no sense; in Docker's words.
    pub fn new(params: &Params) -> Result<Wanted> {
        let filters = params.filters(&FILTERS)?;
        let values = |key: &str| filters.get(key).unwrap_or_default();
        let unknown = |key: &str, known: &[&str]| {
            values(key).iter().find(|value| !known.contains(&value.as_str())).cloned()
        };
        if let Some(word) = unknown("status", &STATUS) {
            return Err(Error::invalid(format!("invalid filter 'status={word}'")));
        }
        if let Some(word) = unknown("health", &HEALTH) {
            return Err(Error::invalid(format!("unrecognized filter value for health: {word}")));
        }
        if unknown("is-task", &["true", "false"]).is_some() {
            let given = values("is-task").join(" ");
            return Err(Error::invalid(format!("invalid filter 'is-task=[{given}]'")));
        }
        let code = |text: &String| {
            let invalid = || Error::invalid(format!("strconv.Atoi: parsing {text:?}: invalid syntax"));
            text.parse::<i32>().map_err(|_| invalid())
        };
        let limit: Option<i64> = params.number("limit")?;
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
        Ok(Wanted {
            // Who asks for a state, or for the last few, means all of them.
            all: params.flag("all") || limit.is_some() || filters.get("status").is_some(),
            limit,
            size: params.flag("size"),
            exited: values("exited").iter().map(code).collect::<Result<_>>()?,
            published: ports(&filters, "publish")?,
            exposed: ports(&filters, "expose")?,
            filters,
        })
    }

    /// What the names in the filters stand for now.
    ///
    /// # Errors
    /// `before` or `since` a container that there is not.
    pub fn choice(&self, engine: &Engine) -> Result<Choice<'_>> {
        let border = |key: &str| -> Result<Option<String>> {
            let name = self.filters.get(key).and_then(|values| values.first());
            name.map(|name| Ok(engine.containers.find(name)?.with(|record| record.created_at.clone())))
                .transpose()
        };
        let ids = |key: &str, find: &dyn Fn(&str) -> Option<String>| -> Option<HashSet<String>> {
            let values = self.filters.get(key)?;
            Some(values.iter().filter_map(|value| find(value)).collect())
        };
        let image = |name: &str| engine.images.find(name).ok().map(|image| image.id.to_string());
        // By id or its beginning only: as Docker has it, one that begins several says nothing.
        let container = |id: &str| engine.containers.find(id).ok().map(|one| one.id.clone());
        let beginning = |id: &str| container(id).filter(|whole| whole.starts_with(id));
        Ok(Choice {
            wanted: self,
            before: border("before")?,
            since: border("since")?,
            images: ids("ancestor", &image),
            ids: ids("id", &beginning),
        })
    }
}

/// `80`, `80/tcp`, `8000-8005/udp`.
fn ports(filters: &Filters, key: &str) -> Result<Ports> {
    let mut all = Ports::new();
    for value in filters.get(key).unwrap_or_default() {
        if value.contains(':') {
            return Err(Error::invalid(format!("filter for '{key}' should not contain ':': {value}")));
        }
        let (range, protocol) = value.split_once('/').unwrap_or((value, "tcp"));
        let invalid = || format!("error while looking up for {key} {value}: invalid port range or protocol");
        let range: PortRange = range.parse().map_err(|_| Error::invalid(invalid()))?;
        let protocol: Protocol = protocol.parse().map_err(|_| Error::invalid(invalid()))?;
        all.extend((range.first..=range.last).map(|port| (port, protocol)));
    }
    Ok(all)
}

/// What is wanted, with all names looked up.
#[derive(Debug)]
pub struct Choice<'a> {
    wanted: &'a Wanted,
    before: Option<String>,
    since: Option<String>,
    images: Option<HashSet<String>>,
    ids: Option<HashSet<String>>,
}

impl Choice<'_> {
    /// Whether a container is among those that are wanted.
    pub fn takes(&self, record: &Record<Config>, health: Option<Health>) -> bool {
        let (filters, config, status) = (&self.wanted.filters, &record.config, record.state.status);
        let up = matches!(status, Status::Running | Status::Paused | Status::Restarting);
        let labels = config.body.labels.as_ref();
        (self.wanted.all || up)
            && self.before.as_ref().is_none_or(|time| record.created_at < *time)
            && self.since.as_ref().is_none_or(|time| record.created_at > *time)
            && self.images.as_ref().is_none_or(|ids| ids.contains(&config.image_id))
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&record.id))
            && filters.any("name", |wanted| name_fits(wanted, &record.name))
            && filters.labels(|name| labels?.get(name).map(String::as_str))
            && filters.any("status", |wanted| status.word() == wanted)
            && filters.any("health", |wanted| health_word(health.as_ref()) == wanted)
            // There is no swarm, and so no task of one.
            && filters.any("is-task", |wanted| wanted == "false")
            && (self.wanted.exited.is_empty() || !up && self.has_exited(record))
            && filters.any("volume", |wanted| volume_fits(wanted, config))
            && filters.any("network", |wanted| network_fits(wanted, config))
            && self.ports_fit(record)
        // isolation: only Windows has several.
    }

    fn has_exited(&self, record: &Record<Config>) -> bool {
        record.state.started_at.is_some() && self.wanted.exited.contains(&record.state.exit_code)
    }

    fn ports_fit(&self, record: &Record<Config>) -> bool {
        let Wanted { published, exposed, .. } = self.wanted;
        published.is_empty() && exposed.is_empty()
            || shown(&record.config, record.state.status).iter().any(|(port, protocol, places)| {
                exposed.contains(&(*port, *protocol))
                    || places.iter().any(|place| published.contains(&(place.host, *protocol)))
            })
    }
}

/// A name fits if it is what was asked for, or matches it as a regular expression, with its slash or without.
fn name_fits(wanted: &str, name: &str) -> bool {
    let slashed = format!("/{name}");
    // One that is none fits nothing. The limit is for patterns that would grow into megabytes.
    let pattern = RegexBuilder::new(wanted).size_limit(1 << 20).build();
    wanted == name
        || wanted == slashed
        || pattern.is_ok_and(|pattern| pattern.is_match(name) || pattern.is_match(&slashed))
}

fn health_word(health: Option<&Health>) -> &'static str {
    health.map_or("none", |health| health.status.word())
}

fn volume_fits(wanted: &str, config: &Config) -> bool {
    config.mounts.iter().any(|mount| {
        let by_name = match &mount.volume {
            Some(name) => name == wanted,
            None => mount.source.as_os_str() == wanted,
        };
        by_name || mount.destination == wanted
    })
}

fn network_fits(wanted: &str, config: &Config) -> bool {
    config.networks.iter().any(|(name, endpoint)| name == wanted || endpoint.network.starts_with(wanted))
        || config.networks.is_empty() && config.network_mode() == wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_as_regular_expressions() {
        for wanted in ["web", "we", "^web$", "^/web$", "/web", "w.b", "db|web", "[a-w]eb"] {
            assert!(name_fits(wanted, "web"), "{wanted}");
        }
        for wanted in ["^b", "web$x", "(", "db", "webs"] {
            assert!(!name_fits(wanted, "web"), "{wanted}");
        }
        // What would make a machine sweat makes no match instead.
        assert!(!name_fits(&"(a{1000}){1000}".repeat(3), "web"));
    }
}
