//! `canoa info`: the engine and the machine that it runs on.

use clap::Args as ClapArgs;
use serde_json::Value;

use super::failure::{Failure, Outcome};
use super::{format, output, units};
use crate::client::{Client, Path};

/// Show the engine and its machine
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa info -f '{{.CgroupVersion}}'")]
pub struct Args {
    /// json, or a template such as '{{.Driver}}'
    #[arg(short, long)]
    format: Option<String>,
}

/// What is shown: the heading and the field, as Docker has them.
const LINES: [(&str, &str); 20] = [
    ("Containers", "Containers"),
    (" Running", "ContainersRunning"),
    (" Paused", "ContainersPaused"),
    (" Stopped", "ContainersStopped"),
    ("Images", "Images"),
    ("Server Version", "ServerVersion"),
    ("Storage Driver", "Driver"),
    ("Logging Driver", "LoggingDriver"),
    ("Cgroup Driver", "CgroupDriver"),
    ("Cgroup Version", "CgroupVersion"),
    ("Default Runtime", "DefaultRuntime"),
    ("Kernel Version", "KernelVersion"),
    ("Operating System", "OperatingSystem"),
    ("OSType", "OSType"),
    ("Architecture", "Architecture"),
    ("CPUs", "NCPU"),
    ("Total Memory", "MemTotal"),
    ("Name", "Name"),
    ("ID", "ID"),
    ("Docker Root Dir", "DockerRootDir"),
];

/// Runs the command.
///
/// # Errors
/// The engine's, or a template that is not understood.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let bytes = client.get_bytes(Path::new("/info")).await?;
    if let Some(template) = &args.format {
        output::line(&format::json(template, &String::from_utf8_lossy(&bytes))?)?;
        return Ok(0);
    }
    let info: Value = serde_json::from_slice(&bytes)
        .map_err(|error| Failure::new(format!("reading the engine's answer to GET /info: {error}")))?;
    let mut text = format!(
        "Client: canoa {}\n Engine at: {}\n\nServer:\n",
        env!("CARGO_PKG_VERSION"),
        client.endpoint()
    );
    for (heading, field) in LINES {
        let shown = match &info[field] {
            Value::String(words) if !words.is_empty() => words.clone(),
            Value::Number(bytes) if field == "MemTotal" => units::binary_size(bytes.as_u64().unwrap_or(0)),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        text.push_str(&format!(" {heading}: {shown}\n"));
    }
    output::text(&text)?;
    for warning in info["Warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        output::note(warning);
    }
    Ok(0)
}
