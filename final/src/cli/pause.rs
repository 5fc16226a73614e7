//! `canoa pause` and `canoa unpause`: containers stand still, and go on.

use clap::Args as ClapArgs;

use super::failure::Outcome;
use super::{output, parse};
use crate::client::{Client, Path};

/// Stop all processes of containers where they are
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa pause web; canoa unpause web")]
pub struct Args {
    /// Containers
    #[arg(required = true, value_name = "CONTAINER", value_parser = parse::name)]
    containers: Vec<String>,
}

/// `canoa pause`.
///
/// # Errors
/// The output cannot be written; the engine's are told one by one.
pub async fn pause(client: &Client, args: Args) -> Outcome {
    each(client, args, "/pause").await
}

/// `canoa unpause`.
///
/// # Errors
/// As [`pause`].
pub async fn unpause(client: &Client, args: Args) -> Outcome {
    each(client, args, "/unpause").await
}

async fn each(client: &Client, args: Args, action: &str) -> Outcome {
    output::each(&args.containers, async |name| {
        Ok(client.act(Path::new("/containers").name(name).end(action)).await?)
    })
    .await
}
