//! Where a container's output goes: the log drivers `json-file`, `local` and `none`.
//!
//! `local` is json-file with bounds of its own: nobody's disk fills up with it. (Docker's writes a format
//! of its own there, which nothing but Docker reads.)

use std::collections::{BTreeMap, HashMap};

use bollard_stubs::models::HostConfig;
use lifecycle::log::Bounds;
use regex::Regex;

use super::config::Config;
use super::error::{Error, Kind, Result};

/// Docker's bounds of the driver `local`: five files of 20 MB.
const LOCAL: [(&str, &str); 2] = [("max-size", "20m"), ("max-file", "5")];

/// How much of a container's log is kept; none if nothing is written down.
///
/// # Errors
/// No such driver, or options that make no sense for it: in Docker's words, where Docker has some.
pub fn bounds(host: &HostConfig) -> Result<Option<Bounds>> {
    let log = host.log_config.clone().unwrap_or_default();
    let driver = name(host);
    let mut options: HashMap<String, String> = log.config.unwrap_or_default();
    match driver {
        "none" => return Ok(None),
        "json-file" => {}
        "local" => {
            for (option, usual) in LOCAL {
                options.entry(option.to_owned()).or_insert_with(|| usual.to_owned());
            }
        }
        other => {
            let other = other.escape_debug();
            return Err(Error::invalid(format!("logger: no log driver named '{other}' is registered")));
        }
    }
    let mut bounding = Vec::new();
    for (option, value) in options {
        match (option.as_str(), value.as_str()) {
            ("max-size" | "max-file", _) => bounding.push(format!("{option}={value}")),
            // What is so anyhow.
            ("compress", "false") | ("mode", "blocking") => {}
            // See `attributes`.
            ("labels" | "env", _) if driver == "json-file" => {}
            ("labels-regex" | "env-regex", pattern) if driver == "json-file" => {
                compile(&option, pattern)?;
            }
            ("tag", tag) if driver == "json-file" && !tag.contains("{{") => {}
            ("compress" | "mode" | "max-buffer-size" | "tag", _) => {
                return Err(Error::unsupported(format!("--log-opt {option}")));
            }
            (other, _) => {
                let other = other.escape_debug();
                let words = format!("unknown log opt '{other}' for {driver} log driver");
                return Err(Error::invalid(words));
            }
        }
    }
    Bounds::from_options(bounding).map(Some).map_err(Error::invalid)
}

/// What `logs --details` puts before each line: the labels and variables of the container that `--log-opt`
/// names (`labels`, `env`: a list; `labels-regex`, `env-regex`: a pattern), and its `tag`. They are the
/// same for all lines, so they are not written into each.
pub fn attributes(config: &Config) -> BTreeMap<String, String> {
    let options = config.host().log_config.and_then(|log| log.config).unwrap_or_default();
    let option = |name: &str| options.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let variables = config.body.env.iter().flatten().filter_map(|line| line.split_once('='));
    let labels = config.body.labels.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
    let mut all = BTreeMap::new();
    for (list, pattern, known) in
        [("labels", "labels-regex", labels.collect::<Vec<_>>()), ("env", "env-regex", variables.collect())]
    {
        let named: Vec<&str> = option(list).map(|list| list.split(',').collect()).unwrap_or_default();
        let pattern = option(pattern).and_then(|pattern| Regex::new(pattern).ok());
        let fits = |key: &str| named.contains(&key) || pattern.as_ref().is_some_and(|it| it.is_match(key));
        all.extend(
            known.iter().filter(|(key, _)| fits(key)).map(|(key, value)| ((*key).into(), (*value).into())),
        );
    }
    all.extend(option("tag").map(|tag| ("tag".to_owned(), tag.to_owned())));
    all
}

fn compile(option: &str, pattern: &str) -> Result<Regex> {
    Regex::new(pattern).map_err(|error| {
        let why = error.to_string();
        Error::invalid(format!("--log-opt {option}={pattern:?}: {}", why.lines().last().unwrap_or_default()))
    })
}

/// Its name; where nothing was said, the usual one.
fn name(host: &HostConfig) -> &str {
    let log = host.log_config.as_ref().and_then(|log| log.typ.as_deref());
    log.filter(|name| !name.is_empty()).unwrap_or("json-file")
}

/// Whether there is a log to read.
///
/// # Errors
/// In Docker's words.
pub fn check_readable(host: &HostConfig) -> Result<()> {
    match name(host) {
        "none" => Err(Error {
            kind: Kind::Unsupported,
            message: "configured logging driver does not support reading".to_owned(),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: serde_json::Value) -> Result<Option<Bounds>> {
        bounds(&serde_json::from_value(serde_json::json!({ "LogConfig": json })).unwrap())
    }

    #[test]
    fn each_driver_has_its_bounds() {
        let bounds = |size, files| Some(Bounds { size, files });
        assert_eq!(of(serde_json::json!({})).unwrap(), bounds(None, 1));
        assert_eq!(of(serde_json::json!({"Type": "none"})).unwrap(), None);
        assert_eq!(of(serde_json::json!({"Type": "local"})).unwrap(), bounds(Some(20 << 20), 5));
        let own = serde_json::json!({"Type": "local", "Config": {"max-file": "2", "compress": "false"}});
        assert_eq!(of(own).unwrap(), bounds(Some(20 << 20), 2));
    }

    #[test]
    fn what_there_is_not_is_refused() {
        for (json, words) in [
            (serde_json::json!({"Type": "syslog"}), "logger: no log driver named 'syslog' is registered"),
            (serde_json::json!({"Config": {"colour": "red"}}), "unknown log opt 'colour' for json-file"),
            (serde_json::json!({"Config": {"compress": "true"}}), "--log-opt compress"),
            (
                serde_json::json!({"Config": {"env-regex": "("}}),
                "--log-opt env-regex=\"(\": error: unclosed group",
            ),
            (
                serde_json::json!({"Type": "local", "Config": {"labels": "a"}}),
                "unknown log opt 'labels' for local",
            ),
            (serde_json::json!({"Type": "local", "Config": {"max-file": "0"}}), "max-file"),
        ] {
            let error = of(json).unwrap_err();
            assert!(error.message.contains(words), "{words}: {error}");
        }
    }
}
