//! `canoa ps`: the containers.

use std::collections::BTreeMap;

use clap::Args as ClapArgs;
use serde::Deserialize;

use super::failure::Outcome;
use super::format::{self, LabelMap, Row};
use super::{output, parse, units};
use crate::client::{Client, Path};

/// List containers
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa ps -a")]
pub struct Args {
    /// Also those that are not running
    #[arg(short, long)]
    all: bool,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// Only the last so many, whatever their state
    #[arg(short = 'n', long, value_name = "NUMBER", allow_hyphen_values = true)]
    last: Option<i64>,
    /// Only the latest, whatever its state
    #[arg(short, long)]
    latest: bool,
    /// Ids and commands in full
    #[arg(long)]
    no_trunc: bool,
    /// Only those that match: status=exited, label=a=b
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// json, or a template such as '{{.Names}}'
    #[arg(long)]
    format: Option<String>,
    /// Also their sizes on disk
    #[arg(short, long)]
    size: bool,
}

/// A container, as the engine lists it.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Summary {
    id: String,
    names: Option<Vec<String>>,
    image: String,
    command: String,
    created: i64,
    status: String,
    /// `running`, `exited`, …
    pub state: String,
    ports: Option<Vec<Port>>,
    labels: Option<BTreeMap<String, String>>,
    /// What it has changed, in bytes.
    pub size_rw: u64,
    size_root_fs: u64,
    mounts: Option<Vec<Mount>>,
    network_settings: Option<Networks>,
}

impl Summary {
    /// The same of which only its own size is told, not that of its image.
    pub fn without_its_image(&self) -> Summary {
        Summary { size_root_fs: 0, ..self.clone() }
    }
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Port {
    #[serde(rename = "IP")]
    ip: String,
    private_port: u16,
    public_port: u16,
    #[serde(rename = "Type")]
    protocol: String,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Mount {
    name: String,
    source: String,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Networks {
    networks: Option<BTreeMap<String, serde_json::Value>>,
}

/// Runs the command.
///
/// # Errors
/// The engine's, or a filter or template that makes no sense.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let size = args.size || args.format.as_deref().is_some_and(shows_size);
    let limit = if args.latest { Some(1) } else { args.last.filter(|last| *last > 0) };
    let path = Path::new("/containers/json")
        .flag("all", args.all)
        .maybe("limit", limit)
        .flag("size", size)
        .maybe("filters", parse::filters(&args.filter)?);
    let found: Vec<Summary> = client.get(path).await?;
    let rows: Vec<(Row, LabelMap)> =
        found.iter().map(|summary| (row(summary, args.no_trunc), summary.labels.clone())).collect();
    if args.quiet && args.format.is_none() {
        output::text(&format::labelled_rows(Some("{{.ID}}"), &[], &rows)?)?;
        return Ok(0);
    }
    let mut columns = vec![
        ("ID", "CONTAINER ID"),
        ("Image", "IMAGE"),
        ("Command", "COMMAND"),
        ("RunningFor", "CREATED"),
        ("Status", "STATUS"),
        ("Ports", "PORTS"),
        ("Names", "NAMES"),
    ];
    if args.size {
        columns.push(("Size", "SIZE"));
    }
    output::text(&format::labelled_rows(args.format.as_deref(), &columns, &rows)?)?;
    Ok(0)
}

/// Whether a format shows the sizes, which the engine has to count. (`json` doesn't, in Docker's client.)
fn shows_size(format: &str) -> bool {
    format.contains(".Size") || format.replace(' ', "").contains("{{json.}}")
}

/// Its cells.
pub fn row(summary: &Summary, whole: bool) -> Row {
    let id = if whole { summary.id.clone() } else { units::short_id(&summary.id) };
    let command = if whole { summary.command.clone() } else { units::ellipsis(&summary.command, 20) };
    let size = match summary.size_root_fs {
        0 => units::size(summary.size_rw),
        all => format!("{} (virtual {})", units::size(summary.size_rw), units::size(all)),
    };
    let volumes = summary.mounts.iter().flatten().filter(|mount| !mount.name.is_empty()).count();
    let labels = summary.labels.iter().flatten().map(|(key, value)| format!("{key}={value}"));
    let mounts = summary.mounts.iter().flatten();
    let mounts = mounts.map(|mount| if mount.name.is_empty() { &mount.source } else { &mount.name });
    let networks =
        summary.network_settings.iter().filter_map(|settings| settings.networks.as_ref()).flatten();
    vec![
        ("Command", format!("\"{command}\"")),
        ("CreatedAt", units::date(summary.created)),
        ("ID", id),
        ("Image", image(&summary.image, whole)),
        ("Labels", labels.collect::<Vec<_>>().join(",")),
        ("LocalVolumes", volumes.to_string()),
        ("Mounts", mounts.cloned().collect::<Vec<_>>().join(",")),
        ("Names", names(summary)),
        ("Networks", networks.map(|(name, _)| name.clone()).collect::<Vec<_>>().join(",")),
        // Of an engine whose images have several platforms only, and a newer version of the API.
        ("Platform", String::new()),
        ("Ports", ports(summary.ports.as_deref().unwrap_or_default())),
        ("RunningFor", units::ago(summary.created)),
        ("Size", size),
        ("State", summary.state.clone()),
        ("Status", summary.status.clone()),
    ]
}

/// An image that has lost its name is shown by its id, which is long.
fn image(name: &str, whole: bool) -> String {
    match name {
        "" => "<no image>".to_owned(),
        name if name.starts_with("sha256:") && !whole => units::short_id(name),
        name => name.to_owned(),
    }
}

/// Without the leading slash; a second slash is a legacy link's.
fn names(summary: &Summary) -> String {
    let names = summary.names.iter().flatten().map(|name| name.trim_start_matches('/'));
    names.filter(|name| !name.contains('/')).collect::<Vec<_>>().join(",")
}

fn ports(ports: &[Port]) -> String {
    let mut texts: Vec<String> = ports
        .iter()
        .map(|port| {
            let inside = format!("{}/{}", port.private_port, port.protocol);
            match (port.public_port, port.ip.as_str()) {
                (0, _) => inside,
                (public, ip) if ip.contains(':') => format!("[{ip}]:{public}->{inside}"),
                (public, ip) => format!("{ip}:{public}->{inside}"),
            }
        })
        .collect();
    texts.sort();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_dockers() {
        let now = jiff::Timestamp::now().as_second();
        let json = serde_json::json!([
            {"Id": "0123456789abcdef", "Names": ["/web", "/other/web"], "Image": "debian:bookworm",
             "Command": "/docker-entrypoint.sh nginx -g", "Created": now - 130, "Status": "Up 2 minutes",
             "Ports": [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
                       {"PrivatePort": 443, "Type": "tcp"}]},
            {"Id": "fedcba9876543210", "Names": ["/db"], "Image": "sha256:aabbccddeeff00112233",
             "Command": "sh", "Created": now - 7200, "Status": "Exited (0) About an hour ago", "Ports": null}
        ]);
        let found: Vec<Summary> = serde_json::from_value(json).unwrap();
        let rows: Vec<Row> = found.iter().map(|summary| row(summary, false)).collect();
        let columns = [
            ("ID", "CONTAINER ID"),
            ("Image", "IMAGE"),
            ("Command", "COMMAND"),
            ("RunningFor", "CREATED"),
            ("Status", "STATUS"),
            ("Ports", "PORTS"),
            ("Names", "NAMES"),
        ];
        insta::assert_snapshot!(format::rows(None, &columns, &rows).unwrap(), @r#"
        CONTAINER ID   IMAGE             COMMAND                  CREATED         STATUS                         PORTS                           NAMES
        0123456789ab   debian:bookworm   "/docker-entrypoint.…"   2 minutes ago   Up 2 minutes                   0.0.0.0:8080->80/tcp, 443/tcp   web
        fedcba987654   aabbccddeeff      "sh"                     2 hours ago     Exited (0) About an hour ago                                   db
        "#);
    }
}
