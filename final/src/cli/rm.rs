//! `canoa rm`: remove containers.

use clap::Args as ClapArgs;

use super::failure::{Failure, Outcome};
use super::{output, parse};
use crate::client::{Client, Path};

/// Remove containers
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa rm -f web")]
pub struct Args {
    /// Also when running: SIGKILL first
    #[arg(short, long)]
    force: bool,
    /// Also their anonymous volumes
    #[arg(short, long)]
    volumes: bool,
    /// Containers
    #[arg(required = true, value_name = "CONTAINER", value_parser = parse::name)]
    containers: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// The output cannot be written; the engine's are told one by one.
pub async fn run(client: &Client, args: Args) -> Outcome {
    output::each(&args.containers, async |name| {
        let path = Path::new("/containers").name(name).flag("force", args.force).flag("v", args.volumes);
        match client.delete(path).await {
            // As `rm -f` of a file: what is not there is as good as removed, but said.
            Err(error) if args.force && error.is_not_found() => {
                output::failure(&error.to_string());
                Err(Failure::Silent(0))
            }
            other => Ok(other.map(drop)?),
        }
    })
    .await
}
