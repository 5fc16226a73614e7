//! `canoa port`: which ports of the host lead to a container.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use clap::Args as ClapArgs;
use serde::Deserialize;

use super::failure::{Failure, Outcome};
use super::{output, parse};
use crate::client::{Client, Path};

/// Show a container's published ports, or where one of them is
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa port web 80/tcp")]
pub struct Args {
    /// Container
    #[arg(value_parser = parse::name)]
    container: String,
    /// Its own port: 80, 53/udp
    #[arg(value_name = "PORT")]
    port: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Container {
    network_settings: Settings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Settings {
    ports: Option<BTreeMap<String, Option<Vec<Place>>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Place {
    host_ip: String,
    host_port: String,
}

/// Runs the command.
///
/// # Errors
/// There is no such container, or the port isn't published.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let path = Path::new("/containers").name(&args.container).end("/json");
    let found: Container = client.get(path).await?;
    let ports = found.network_settings.ports.unwrap_or_default();
    let Some(port) = args.port else {
        let mut lines = Vec::new();
        for (port, places) in &ports {
            lines.extend(
                places.iter().flatten().map(|place| (number(port), format!("{port} -> {}", text(place)))),
            );
        }
        lines.sort();
        for (_, line) in lines {
            output::line(&line)?;
        }
        return Ok(0);
    };
    let whole = if port.contains('/') { port.clone() } else { format!("{port}/tcp") };
    let Some(places) = ports.get(&whole).and_then(Option::as_ref).filter(|places| !places.is_empty()) else {
        return Err(Failure::new(format!("Error: No public port '{port}' published for {}", args.container)));
    };
    for place in places {
        output::line(&text(place))?;
    }
    Ok(0)
}

/// `0.0.0.0:8080`, `[::]:8080`.
fn text(place: &Place) -> String {
    match (place.host_ip.parse::<IpAddr>(), place.host_port.parse()) {
        (Ok(address), Ok(port)) => SocketAddr::new(address, port).to_string(),
        _ => format!("{}:{}", place.host_ip, place.host_port),
    }
}

/// For the order: 80 before 443.
fn number(port: &str) -> u16 {
    port.split('/').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}
