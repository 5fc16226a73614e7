//! `GET /events`: what happens, as it happens; and the last of what has happened.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use futures_util::stream;
use images::Reference;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;

use super::error::Result;
use super::query::{Filters, Params};
use super::{App, times};
use crate::engine::error::Error;
use crate::engine::events::Event;

/// From `since` on, and until `until` if that is given; without either, only what happens from now on.
pub async fn events(State(app): State<App>, params: Params) -> Result {
    // One that is not known is passed over, as dockerd does it.
    let filters = params.any_filters()?;
    let time = |name: &str| params.text(name).map(times::parse).transpose().map(Option::flatten);
    let (since, until) = (time("since")?, time("until")?);
    if let (Some(from), Some(to)) = (since, until)
        && to < from
    {
        let [from, to] = ["since", "until"].map(|name| params.text(name).unwrap_or_default());
        return Err(
            Error::invalid(format!("`since` time ({from}) cannot be after `until` time ({to})")).into()
        );
    }
    let (past, receiver) = app.engine.events.listen();
    let asked = since.is_some() || until.is_some();
    let past = past.into_iter().filter(move |event| {
        asked
            && since.is_none_or(|since| event.time >= since)
            && until.is_none_or(|until| event.time <= until)
    });
    let text: String = past.filter(|event| fits(event, &filters)).map(|event| line(&event)).collect();
    // An empty first piece makes the head go out at once.
    let start = stream::iter([Ok::<_, std::io::Error>(Bytes::from(text))]);
    let later = stream::unfold((receiver, filters), move |(mut receiver, filters)| async move {
        loop {
            let next = receiver.recv();
            let received = match until {
                None => next.await,
                Some(until) => {
                    let left = Duration::try_from(until.duration_since(Timestamp::now())).ok()?;
                    tokio::time::timeout(left, next).await.ok()?
                }
            };
            match received {
                Ok(event) if fits(&event, &filters) => {
                    return Some((Ok(Bytes::from(line(&event))), (receiver, filters)));
                }
                // A listener that is too slow misses some.
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    let all = futures_util::StreamExt::chain(start, later);
    Ok(([(header::CONTENT_TYPE, "application/json")], Body::from_stream(all)).into_response())
}

/// Kinds of things of which an event may tell, by whose name or id it may be asked for. (Of most there are
/// none here, so who asks for those hears nothing.)
const THINGS: [&str; 9] =
    ["container", "network", "volume", "daemon", "plugin", "service", "node", "secret", "config"];

/// By dockerd's rules: a name or an id fits by its beginning, all else must be the same.
fn fits(event: &Event, filters: &Filters) -> bool {
    let is = |key: &str, text: &str| filters.any(key, |wanted| text == wanted);
    let begins = |key: &str, text: &str| filters.any(key, |wanted| text.starts_with(wanted));
    let attribute = |name: &str| event.attributes.get(name).map(String::as_str);
    // "exec_create: ls -l" is found by its first word.
    let several = ["health_status", "exec_create", "exec_start"];
    let loosely =
        filters.get("event").is_some_and(|all| all.iter().any(|one| several.contains(&one.as_str())));
    let name = attribute("name").unwrap_or_default();
    (if loosely { begins("event", &event.action) } else { is("event", &event.action) })
        && is("type", event.kind)
        && is("scope", "local")
        && THINGS.iter().all(|kind| begins(kind, &event.id) || begins(kind, name))
        && of_image(event, &is)
        && filters.labels(attribute)
}

/// An event of an image, or of a container made of it; with its tag or without.
fn of_image(event: &Event, is: &dyn Fn(&str, &str) -> bool) -> bool {
    let key = if event.kind == "image" { "name" } else { "image" };
    let name = event.attributes.get(key).map_or("", String::as_str);
    let bare = |name: &str| {
        name.parse::<Reference>().map_or_else(|_| name.to_owned(), |reference| reference.familiar_name())
    };
    is("image", &event.id) || is("image", name) || is("image", &bare(&event.id)) || is("image", &bare(name))
}

/// An event as dockerd writes it, in the order of its fields.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Line<'a> {
    // What older clients read.
    #[serde(rename = "status", skip_serializing_if = "str::is_empty")]
    status: &'a str,
    #[serde(rename = "id", skip_serializing_if = "str::is_empty")]
    id: &'a str,
    #[serde(rename = "from", skip_serializing_if = "str::is_empty")]
    from: &'a str,
    r#type: &'a str,
    action: &'a str,
    actor: Actor<'a>,
    #[serde(rename = "scope")]
    scope: &'a str,
    #[serde(rename = "time")]
    time: i64,
    #[serde(rename = "timeNano")]
    time_nano: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Actor<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    attributes: &'a BTreeMap<String, String>,
}

fn line(event: &Event) -> String {
    let (container, old) = (event.kind == "container", matches!(event.kind, "container" | "image"));
    let from = event.attributes.get("image").filter(|_| container);
    let line = Line {
        status: if old { &event.action } else { "" },
        id: if old { &event.id } else { "" },
        from: from.map_or("", String::as_str),
        r#type: event.kind,
        action: &event.action,
        actor: Actor { id: &event.id, attributes: &event.attributes },
        scope: "local",
        time: event.time.as_second(),
        time_nano: event.time.as_nanosecond() as i64,
    };
    serde_json::to_string(&line).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &'static str, action: &str, id: &str, attributes: &[(&str, &str)]) -> Event {
        let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let time = Timestamp::new(1_700_000_000, 5).unwrap();
        Event { kind, action: action.to_owned(), id: id.to_owned(), attributes: attributes.collect(), time }
    }

    #[test]
    fn a_line_is_dockerds() {
        let die = event("container", "die", "ab", &[("image", "base"), ("name", "box")]);
        assert_eq!(
            line(&die),
            "{\"status\":\"die\",\"id\":\"ab\",\"from\":\"base\",\"Type\":\"container\",\"Action\":\"die\",\
             \"Actor\":{\"ID\":\"ab\",\"Attributes\":{\"image\":\"base\",\"name\":\"box\"}},\"scope\":\"local\",\
             \"time\":1700000000,\"timeNano\":1700000000000000005}\n"
        );
        let prune = event("volume", "prune", "", &[("reclaimed", "0")]);
        assert!(line(&prune).starts_with("{\"Type\":\"volume\",\"Action\":\"prune\",\"Actor\":{\"ID\":\"\""));
    }

    #[test]
    fn filters_choose_as_dockerds_do() {
        let exec = event(
            "container",
            "exec_create: ls -l",
            "abcd",
            &[("image", "127.0.0.1:5000/box:1"), ("name", "web"), ("who", "me")],
        );
        let pull = event("image", "pull", "box:1", &[("name", "box")]);
        for (filters, expected) in [
            ("{}", [true, true]),
            (r#"{"event":["exec_create"]}"#, [true, false]),
            (r#"{"event":["exec_create: ls -l"]}"#, [true, false]),
            (r#"{"event":["exec"]}"#, [false, false]),
            (r#"{"event":["exec_start","pull"]}"#, [false, true]),
            (r#"{"type":["image","container"]}"#, [true, true]),
            (r#"{"container":["ab"]}"#, [true, false]),
            (r#"{"container":{"web":true}}"#, [true, false]),
            (r#"{"container":["b"],"event":["pull"]}"#, [false, true]),
            (r#"{"image":["127.0.0.1:5000/box"]}"#, [true, false]),
            (r#"{"image":["127.0.0.1:5000/box:1"]}"#, [true, false]),
            (r#"{"image":["box"]}"#, [false, true]),
            (r#"{"image":["box:1"]}"#, [false, true]),
            (r#"{"label":["who=me"]}"#, [true, false]),
            (r#"{"label":["who=you"]}"#, [false, false]),
            (r#"{"scope":["swarm"]}"#, [false, false]),
            (r#"{"daemon":["x"]}"#, [false, false]),
            (r#"{"colour":["red"]}"#, [true, true]),
        ] {
            let parsed: Filters = filters.parse().unwrap();
            // The pull's id begins with a b, too.
            let expected = if filters.contains("\"b\"") { [false, true] } else { expected };
            assert_eq!([&exec, &pull].map(|event| fits(event, &parsed)), expected, "{filters}");
        }
    }
}
