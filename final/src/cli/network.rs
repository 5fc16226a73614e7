//! `canoa network …`: create, connect, disconnect, ls, inspect, rm, prune.

mod create;

use std::collections::BTreeMap;

use bollard_stubs::models::{NetworkConnectRequest, NetworkDisconnectRequest};
use clap::{Args as ClapArgs, Subcommand};
use serde::Deserialize;

use super::failure::Outcome;
use super::format::{self, LabelMap, Row};
use super::inspect::{Kind, Named, inspect};
use super::options::networks::endpoint;
use super::{output, parse, prune, units};
use crate::client::{Client, Path};

/// The commands about networks.
#[derive(Debug, Subcommand)]
pub enum Command {
    Create(create::Args),
    Connect(ConnectArgs),
    Disconnect(DisconnectArgs),
    #[command(visible_alias = "list")]
    Ls(ListArgs),
    /// Show everything about networks
    #[command(after_help = "Example: canoa network inspect bridge")]
    Inspect(Named),
    #[command(visible_alias = "remove")]
    Rm(RemoveArgs),
    Prune(prune::Networks),
}

/// Put a container on a network, also while it runs
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa network connect --alias db sea postgres")]
pub struct ConnectArgs {
    /// Another name for the container on this network
    #[arg(long, value_name = "NAME")]
    alias: Vec<String>,
    /// Its address
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<String>,
    /// Its IPv6 address
    #[arg(long, value_name = "ADDRESS")]
    ip6: Option<String>,
    /// Another container, and a name for it here: db:database
    #[arg(long, value_name = "CONTAINER:NAME")]
    link: Vec<String>,
    /// A link-local address
    #[arg(long, value_name = "ADDRESS")]
    link_local_ip: Vec<String>,
    /// Option of the driver, for this container
    #[arg(long, value_name = "KEY=VALUE")]
    driver_opt: Vec<String>,
    /// The network with the highest number has the default route
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    gw_priority: Option<i64>,
    /// Network
    #[arg(value_name = "NETWORK", value_parser = parse::name)]
    network: String,
    /// Container
    #[arg(value_name = "CONTAINER", value_parser = parse::name)]
    container: String,
}

/// Take a container off a network, also while it runs
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa network disconnect sea postgres")]
pub struct DisconnectArgs {
    /// Whatever the container says
    #[arg(short, long)]
    force: bool,
    /// Network
    #[arg(value_name = "NETWORK", value_parser = parse::name)]
    network: String,
    /// Container
    #[arg(value_name = "CONTAINER", value_parser = parse::name)]
    container: String,
}

/// Remove networks
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa network rm sea")]
pub struct RemoveArgs {
    /// No error for those that do not exist
    #[arg(short, long)]
    force: bool,
    /// Networks
    #[arg(required = true, value_name = "NETWORK", value_parser = parse::name)]
    networks: Vec<String>,
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
    // Engines from before 1.48 don't say it, and always have it.
    #[serde(rename = "EnableIPv4")]
    ipv4: Option<bool>,
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
        Command::Create(args) => create::run(client, args).await,
        Command::Connect(args) => {
            let mut settings = endpoint(args.alias, args.ip);
            if args.ip6.is_some() || !args.link_local_ip.is_empty() {
                let ipam = settings.ipam_config.get_or_insert_default();
                ipam.ipv6_address = args.ip6;
                ipam.link_local_ips = Some(args.link_local_ip);
            }
            settings.links = (!args.link.is_empty()).then_some(args.link);
            settings.gw_priority = args.gw_priority;
            if !args.driver_opt.is_empty() {
                settings.driver_opts = Some(create::pairs("--driver-opt", &args.driver_opt)?);
            }
            let body = NetworkConnectRequest { container: args.container, endpoint_config: Some(settings) };
            client.act_with(Path::new("/networks").name(&args.network).end("/connect"), &body).await?;
            Ok(0)
        }
        Command::Disconnect(args) => {
            let body = NetworkDisconnectRequest { container: args.container, force: Some(args.force) };
            client.act_with(Path::new("/networks").name(&args.network).end("/disconnect"), &body).await?;
            Ok(0)
        }
        Command::Rm(args) => {
            output::each(&args.networks, async |name| {
                match client.delete(Path::new("/networks").name(name)).await {
                    Err(error) if args.force && error.is_not_found() => Ok(()),
                    done => Ok(done.map(drop)?),
                }
            })
            .await
        }
        Command::Prune(args) => prune::networks(client, args).await,
        Command::Ls(args) => list(client, args).await,
        Command::Inspect(args) => inspect(client, &[Kind::Network], args).await,
    }
}

async fn list(client: &Client, args: ListArgs) -> Outcome {
    let path = Path::new("/networks").maybe("filters", parse::filters(&args.filter)?);
    let mut found: Vec<Network> = client.get(path).await?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let rows: Vec<(Row, LabelMap)> =
        found.iter().map(|network| (row(network, args.no_trunc), network.labels.clone())).collect();
    let columns = [("ID", "NETWORK ID"), ("Name", "NAME"), ("Driver", "DRIVER"), ("Scope", "SCOPE")];
    let format = if args.quiet { args.format.as_deref().or(Some("{{.ID}}")) } else { args.format.as_deref() };
    output::text(&format::labelled_rows(format, &columns, &rows)?)?;
    Ok(0)
}

fn row(network: &Network, whole: bool) -> Row {
    let labels = network.labels.iter().flatten().map(|(key, value)| format!("{key}={value}"));
    vec![
        ("CreatedAt", created(&network.created)),
        ("Driver", network.driver.clone()),
        ("ID", if whole { network.id.clone() } else { units::short_id(&network.id) }),
        ("IPv4", network.ipv4.unwrap_or(true).to_string()),
        ("IPv6", network.ipv6.to_string()),
        ("Internal", network.internal.to_string()),
        ("Labels", labels.collect::<Vec<_>>().join(",")),
        ("Name", network.name.clone()),
        ("Scope", network.scope.clone()),
    ]
}

/// RFC 3339 as Go prints a time, without zeros at the end: `2026-11-24 04:33:00.5 +0000 UTC`.
fn created(text: &str) -> String {
    match text.strip_suffix('Z').and_then(|text| text.split_once('T')) {
        Some((date, time)) if time.contains('.') => {
            let time = time.trim_end_matches('0').trim_end_matches('.');
            format!("{date} {time} +0000 UTC")
        }
        Some((date, time)) => format!("{date} {time} +0000 UTC"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_printed_as_go_prints_it() {
        assert_eq!(created("2026-11-24T18:50:19.353460370Z"), "2026-11-24 18:50:19.35346037 +0000 UTC");
        assert_eq!(created("2026-11-24T18:50:10.000000000Z"), "2026-11-24 18:50:10 +0000 UTC");
        assert_eq!(created("2026-11-24T18:50:10Z"), "2026-11-24 18:50:10 +0000 UTC");
        assert_eq!(created("never"), "never");
    }
}
