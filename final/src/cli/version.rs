//! `canoa version`: of the client, and of the engine that it talks to.

use std::env::consts::ARCH;

use clap::Args as ClapArgs;
use serde_json::{Value, json};

use super::failure::Outcome;
use super::{format, output};
use crate::build_id;
use crate::client::http::NEWEST;
use crate::client::{Client, Path};

/// Show the versions of client and engine
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa version -f '{{.Server.Version}}'")]
pub struct Args {
    /// json, or a template such as '{{.Server.Version}}'
    #[arg(short, long)]
    format: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// The engine's, or a template that is not understood.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let server: Value = client.get(Path::new("/version")).await?;
    let arch = match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let ours = json!({
        "Version": env!("CARGO_PKG_VERSION"),
        "ApiVersion": client.version().to_string(),
        "DefaultAPIVersion": NEWEST.to_string(),
        "Build": build_id::build_id(),
        "Os": "linux",
        "Arch": arch,
    });
    if let Some(template) = &args.format {
        output::line(&format::value(template, &json!({ "Client": ours, "Server": server }))?)?;
        return Ok(0);
    }
    let mut text = format!("Client: canoa {}\n", env!("CARGO_PKG_VERSION"));
    let mut line = |indent: &str, name: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("{indent}{name:<19}{value}\n"));
        }
    };
    line(" ", "API version:", &client.version().to_string());
    line(" ", "OS/Arch:", &format!("linux/{arch}"));
    line(" ", "Engine at:", &client.endpoint().to_string());
    let platform = server["Platform"]["Name"].as_str().filter(|name| !name.is_empty());
    line("\n", "Server:", platform.unwrap_or("an engine of Docker's API"));
    line(" ", "Version:", server["Version"].as_str().unwrap_or_default());
    let (api, least) = (server["ApiVersion"].as_str(), server["MinAPIVersion"].as_str());
    let least = least.map(|least| format!(" (minimum version {least})")).unwrap_or_default();
    line(" ", "API version:", &format!("{}{least}", api.unwrap_or("unknown")));
    let text_of = |name: &str| server[name].as_str().unwrap_or_default();
    line(" ", "OS/Arch:", &format!("{}/{}", text_of("Os"), text_of("Arch")));
    line(" ", "Kernel:", text_of("KernelVersion"));
    line(" ", "Built:", text_of("BuildTime"));
    output::text(&text)?;
    Ok(0)
}
