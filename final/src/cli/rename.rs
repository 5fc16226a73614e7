//! `canoa rename`: another name for a container.

use clap::Args as ClapArgs;

use super::failure::{Failure, Outcome};
use super::{output, parse};
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
    if let Err(error) = client.act(path).await {
        output::failure(&error.to_string());
        // Docker's second line.
        return Err(Failure::new(format!("Error: failed to rename container named {}", args.container)));
    }
    Ok(0)
}
