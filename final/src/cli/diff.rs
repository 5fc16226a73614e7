//! `canoa diff`: what a container has changed of its image's files.

use clap::Args as ClapArgs;
use serde::Deserialize;

use super::failure::Outcome;
use super::{output, parse};
use crate::client::{Client, Path};

/// Show which files a container has changed (C), added (A) or deleted (D)
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa diff web")]
pub struct Args {
    /// Container
    #[arg(value_parser = parse::name)]
    container: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Change {
    path: String,
    kind: usize,
}

/// Runs the command.
///
/// # Errors
/// There is no such container.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let path = Path::new("/containers").name(&args.container).end("/changes");
    let changes: Option<Vec<Change>> = client.get(path).await?;
    let letter = |kind: usize| ["C", "A", "D"].get(kind).copied().unwrap_or("?");
    let lines = changes.into_iter().flatten();
    let text: String = lines.map(|change| format!("{} {}\n", letter(change.kind), change.path)).collect();
    output::text(&text)?;
    Ok(0)
}
