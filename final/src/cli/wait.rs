//! `canoa wait`: until containers end.

use clap::Args as ClapArgs;

use super::failure::Outcome;
use super::run::exit_status;
use super::{output, parse};
use crate::client::Client;

/// Wait until containers end, and print their exit statuses
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa wait web")]
pub struct Args {
    /// Containers
    #[arg(required = true, value_name = "CONTAINER", value_parser = parse::name)]
    containers: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// The engine's.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let mut code = 0;
    for name in &args.containers {
        let waited = async { exit_status(super::run::wait(client, name, "not-running").await?).await };
        match waited.await {
            Ok(status) => output::line(&status.to_string())?,
            Err(failure) => code = output::report(failure)?,
        }
    }
    Ok(code)
}
