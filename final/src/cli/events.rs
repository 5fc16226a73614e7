//! `canoa events`: what happens in the engine.

use std::collections::BTreeMap;

use clap::Args as ClapArgs;
use hyper::Method;
use hyper::header::HeaderMap;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use lifecycle::printable;
use serde::Deserialize;
use serde_json::{Value, json};

use super::failure::{Failure, Outcome};
use super::{format, output, parse};
use crate::client::{Client, Path};
use crate::moment;

/// Show what happens in the engine, as it happens
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa events --since 10m -f container=web -f event=die")]
pub struct Args {
    /// Also what has happened since this moment: 10m (ago), a date, seconds since 1970
    #[arg(long, value_name = "MOMENT", value_parser = moment::moment)]
    since: Option<String>,
    /// Only up to this moment
    #[arg(long, value_name = "MOMENT", value_parser = moment::moment)]
    until: Option<String>,
    /// Only those that match: type=container, event=die, container=web, image=base, label=a=b …
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// json, or a template such as '{{.Action}} {{.Actor.Attributes.name}}'
    #[arg(long)]
    format: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Event {
    r#type: String,
    action: String,
    actor: Actor,
    #[serde(rename = "time")]
    time: i64,
    #[serde(rename = "timeNano")]
    nanoseconds: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Actor {
    #[serde(rename = "ID")]
    id: String,
    attributes: Option<BTreeMap<String, String>>,
}

/// Runs the command.
///
/// # Errors
/// The engine's, or a filter or template that makes no sense.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let filters = parse::filters(&args.filter)?;
    let template = args.format.filter(|format| !format.is_empty());
    if let Some(template) = &template {
        // Before the first event: it may be long in coming.
        formatted(template, "{}").map_err(bad_template)?;
    }
    let path =
        Path::new("/events").maybe("since", args.since).maybe("until", args.until).maybe("filters", filters);
    let mut stream = client.stream(Method::GET, path, HeaderMap::new()).await?;
    let mut waiting = Vec::new();
    while let Some(bytes) = stream.next().await? {
        waiting.extend_from_slice(&bytes);
        while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = waiting.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if !line.trim().is_empty() {
                output::line(&match &template {
                    Some(template) => formatted(template, line.trim())?,
                    None => plain(line.trim())?,
                })?;
            }
        }
    }
    Ok(0)
}

fn bad_template(failure: Failure) -> Failure {
    match failure {
        Failure::Said { message, .. } => {
            Failure::Said { code: 64, message: format!("Error parsing format: {message}") }
        }
        other => other,
    }
}

fn unreadable(error: serde_json::Error) -> Failure {
    Failure::new(format!("reading the engine's events: {error}"))
}

/// One event as a template has it. All fields of Docker's type are there, also those that the engine has
/// left out because they are empty; only the whole as JSON is without them, too.
fn formatted(template: &str, event: &str) -> Result<String, Failure> {
    if ["json", "{{json .}}"].contains(&template) {
        return Ok(event.to_owned());
    }
    let given: Value = serde_json::from_str(event).map_err(unreadable)?;
    let text = |key: &str| given.get(key).cloned().unwrap_or_else(|| json!(""));
    let number = |key: &str| given.get(key).cloned().unwrap_or_else(|| json!(0));
    let actor = given.get("Actor").cloned().unwrap_or_else(|| json!({ "ID": "", "Attributes": null }));
    // As text, which keeps the order of the fields.
    let fields = [
        ("status", text("status")),
        ("id", text("id")),
        ("from", text("from")),
        ("Type", text("Type")),
        ("Action", text("Action")),
        ("Actor", Value::Null),
        ("scope", text("scope")),
        ("time", number("time")),
        ("timeNano", number("timeNano")),
    ];
    let fields = fields.map(|(name, value)| match name {
        "Actor" => format!("{name:?}:{{\"ID\":{},\"Attributes\":{}}}", actor["ID"], actor["Attributes"]),
        _ => format!("{name:?}:{value}"),
    });
    format::json(template, &format!("{{{}}}", fields.join(",")))
}

/// `2026-11-24T04:33:00.000000000Z container die ID (exitCode=0, image=base, name=web)`
fn plain(line: &str) -> Result<String, Failure> {
    let event: Event = serde_json::from_str(line).map_err(unreadable)?;
    let time = match event.nanoseconds {
        0 => Timestamp::from_second(event.time),
        nanoseconds => Timestamp::from_nanosecond(nanoseconds.into()),
    };
    let time = time.unwrap_or_default().to_zoned_datetime(TimeZone::system());
    let zone = if time.offset().is_zero() { "Z".to_owned() } else { time.strftime("%:z").to_string() };
    let time = time.strftime("%Y-%m-%dT%H:%M:%S.%9f");
    let mut text = format!("{time}{zone} {} {} {}", event.r#type, event.action, event.actor.id);
    let attributes = event.actor.attributes.unwrap_or_default();
    if !attributes.is_empty() {
        let pairs: Vec<String> = attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        text += &format!(" ({})", pairs.join(", "));
    }
    // Labels are anybody's words.
    Ok(printable(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIE: &str = r#"{"status":"die","id":"ab","from":"base","Type":"container","Action":"die","Actor":{"ID":"ab","Attributes":{"name":"web","exitCode":"3"}},"scope":"local","time":1700000000,"timeNano":1700000000000000005}"#;
    const PRUNE: &str = r#"{"Type":"volume","Action":"prune","Actor":{"ID":"","Attributes":{"reclaimed":"0"}},"scope":"local","time":1700000000,"timeNano":1700000000000000000}"#;

    #[test]
    fn an_event_is_one_line() {
        let line = plain(DIE).unwrap();
        assert!(line.ends_with(" container die ab (exitCode=3, name=web)"), "{line}");
        assert!(line.contains(":20.000000005"), "{line}");
        assert!(plain(PRUNE).unwrap().ends_with(" volume prune  (reclaimed=0)"));
    }

    #[test]
    fn a_template_knows_all_fields_of_every_event() {
        let template =
            "{{.Status}}|{{.ID}}|{{.From}}|{{.Type}}|{{.Action}}|{{.Actor.Attributes.name}}|{{.TimeNano}}";
        assert_eq!(formatted(template, DIE).unwrap(), "die|ab|base|container|die|web|1700000000000000005");
        assert_eq!(formatted(template, PRUNE).unwrap(), "|||volume|prune|<no value>|1700000000000000000");
        assert_eq!(formatted("{{json .}}", DIE).unwrap(), DIE);
        formatted("{{.Nope}}", "{}").unwrap_err();
        formatted("{{.A", "{}").unwrap_err();
    }
}
