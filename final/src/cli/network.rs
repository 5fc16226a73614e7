//! `canoa network ls` and `canoa network inspect`.

use std::collections::BTreeMap;

use clap::{Args as ClapArgs, Subcommand};
use serde::Deserialize;

use super::failure::Outcome;
use super::format::{self, Row};
use super::inspect::{Kind, Named, inspect};
use super::{output, parse, units};
use crate::client::{Client, Path};

/// The commands about networks.
#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(visible_alias = "list")]
    Ls(ListArgs),
    /// Show everything about networks
    Inspect(Named),
}

/// List networks
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa network ls")]
pub struct ListArgs {
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// Ids in full
    #[arg(long)]
    no_trunc: bool,
    /// Only those that match: driver=bridge
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// json, or a template such as '{{.Name}}'
    #[arg(long)]
    format: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Network {
    id: String,
    name: String,
    driver: String,
    scope: String,
    internal: bool,
    #[serde(rename = "EnableIPv6")]
    ipv6: bool,
    labels: Option<BTreeMap<String, String>>,
    created: String,
}

/// Runs one of them.
///
/// # Errors
/// The engine's.
pub async fn run(client: &Client, command: Command) -> Outcome {
    match command {
        Command::Ls(args) => list(client, args).await,
        Command::Inspect(args) => inspect(client, &[Kind::Network], args).await,
    }
}

async fn list(client: &Client, args: ListArgs) -> Outcome {
    let path = Path::new("/networks").maybe("filters", parse::filters(&args.filter)?);
    let mut found: Vec<Network> = client.get(path).await?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let rows: Vec<Row> = found.iter().map(|network| row(network, args.no_trunc)).collect();
    let columns = [("ID", "NETWORK ID"), ("Name", "NAME"), ("Driver", "DRIVER"), ("Scope", "SCOPE")];
    let format = if args.quiet { args.format.as_deref().or(Some("{{.ID}}")) } else { args.format.as_deref() };
    output::text(&format::rows(format, &columns, &rows)?)?;
    Ok(0)
}

fn row(network: &Network, whole: bool) -> Row {
    let labels = network.labels.iter().flatten().map(|(key, value)| format!("{key}={value}"));
    vec![
        ("CreatedAt", network.created.clone()),
        ("Driver", network.driver.clone()),
        ("ID", if whole { network.id.clone() } else { units::short_id(&network.id) }),
        ("IPv6", network.ipv6.to_string()),
        ("Internal", network.internal.to_string()),
        ("Labels", labels.collect::<Vec<_>>().join(",")),
        ("Name", network.name.clone()),
        ("Scope", network.scope.clone()),
    ]
}
