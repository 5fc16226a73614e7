//! `canoa rename`: another name for a container.

use clap::Args as ClapArgs;

use super::failure::Outcome;
use super::parse;
use crate::client::{Client, Path};

/// Rename a container
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa rename web web-old")]
pub struct Args {
    /// Container
    #[arg(value_parser = parse::name)]
    container: String,
    /// Its new name
    #[arg(value_parser = parse::name)]
    name: String,
}

/// Runs the command.
///
/// # Errors
/// There is none, or the name is taken.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let path = Path::new("/containers").name(&args.container).end("/rename").query("name", &args.name);
    client.act(path).await?;
    Ok(0)
}
