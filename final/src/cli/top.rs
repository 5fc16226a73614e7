//! `canoa top`: the processes of a container.

use clap::Args as ClapArgs;
use serde::Deserialize;

use super::failure::Outcome;
use super::{output, parse, table};
use crate::client::{Client, Path};

/// Show the processes of a container
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa top web")]
pub struct Args {
    /// Container
    #[arg(value_parser = parse::name)]
    container: String,
    /// Options of ps(1)
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PS OPTIONS")]
    options: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Processes {
    titles: Vec<String>,
    processes: Option<Vec<Vec<String>>>,
}

/// Runs the command.
///
/// # Errors
/// There is none, or it isn't running.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let path = Path::new("/containers").name(&args.container).end("/top");
    let options = (!args.options.is_empty()).then(|| args.options.join(" "));
    let found: Processes = client.get(path.maybe("ps_args", options)).await?;
    let rows: Vec<_> = [found.titles].into_iter().chain(found.processes.unwrap_or_default()).collect();
    output::text(&table::render_wide(&rows, 20))?;
    Ok(0)
}
