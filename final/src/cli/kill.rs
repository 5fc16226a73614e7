//! `canoa kill`: a signal to PID 1 of containers.

use clap::Args as ClapArgs;

use super::failure::Outcome;
use super::{output, parse};
use crate::client::{Client, Path};

/// Send a signal to running containers, SIGKILL if none is named
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa kill -s HUP web")]
pub struct Args {
    /// Signal: KILL, SIGHUP, 15
    #[arg(short, long)]
    signal: Option<String>,
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
        let path = Path::new("/containers").name(name).end("/kill");
        Ok(client.act(path.maybe("signal", args.signal.as_ref())).await?)
    })
    .await
}
