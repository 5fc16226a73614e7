//! `canoa stop` and `canoa restart`: a polite signal, and after a while SIGKILL.

use clap::Args as ClapArgs;

use super::failure::Outcome;
use super::{output, parse};
use crate::client::{Client, Path};

/// Stop running containers: SIGTERM, then SIGKILL
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa stop -t 2 web")]
pub struct Args {
    /// Seconds to wait before SIGKILL; -1 to wait for ever
    #[arg(
        short = 't',
        long = "timeout",
        visible_alias = "time",
        value_name = "SECONDS",
        allow_hyphen_values = true
    )]
    timeout: Option<i64>,
    /// Signal to send first
    #[arg(short, long)]
    signal: Option<String>,
    /// Containers
    #[arg(required = true, value_name = "CONTAINER", value_parser = parse::name)]
    containers: Vec<String>,
}

/// `canoa stop`.
///
/// # Errors
/// The output cannot be written; the engine's are told one by one.
pub async fn stop(client: &Client, args: Args) -> Outcome {
    each(client, args, "/stop").await
}

/// `canoa restart`.
///
/// # Errors
/// As [`stop`].
pub async fn restart(client: &Client, args: Args) -> Outcome {
    each(client, args, "/restart").await
}

async fn each(client: &Client, args: Args, action: &str) -> Outcome {
    output::each(&args.containers, async |name| {
        let path = Path::new("/containers").name(name).end(action);
        Ok(client.act(path.maybe("signal", args.signal.as_ref()).maybe("t", args.timeout)).await?)
    })
    .await
}
