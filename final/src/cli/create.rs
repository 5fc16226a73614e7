//! `canoa create`: a container that is ready to start.

use std::fs;

use clap::Args as ClapArgs;
use serde::Deserialize;

use super::failure::{Failure, Outcome};
use super::options::{Options, Pull};
use super::output;
use super::pull::{self, Reference, Where};
use crate::client::{self, Client, Path};

/// Create a container without starting it
#[derive(Debug, ClapArgs)]
#[command(override_usage = "canoa create [OPTIONS] IMAGE [COMMAND] [ARG]...")]
#[command(after_help = "Example: canoa create --name web -v data:/data base sh")]
pub struct Args {
    #[command(flatten)]
    options: Options,
}

/// What `POST /containers/create` answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    id: String,
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

/// Runs the command.
///
/// # Errors
/// The engine's; a flag that makes no sense, with the exit status 125.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let id = create(client, &args.options, false).await?;
    output::line(&id)?;
    Ok(0)
}

/// Creates a container, after pulling its image where `--pull` wants it; its id.
///
/// # Errors
/// The engine's, or a flag that makes no sense.
pub async fn create(client: &Client, options: &Options, detach: bool) -> Result<String, Failure> {
    let Some(path) = &options.cidfile else { return create_one(client, options, detach).await };
    if path.exists() {
        let words = "container ID file found, make sure the other container isn't running or delete";
        return Err(Failure::new(format!("{words} {}", path.display())).code(125));
    }
    let failed = |error| Failure::new(format!("writing --cidfile {}: {error}", path.display())).code(125);
    // First of all: what can't be written must not be found out when the container is there.
    fs::write(path, "").map_err(failed)?;
    match create_one(client, options, detach).await {
        Ok(id) => fs::write(path, &id).map_err(failed).map(|()| id),
        Err(error) => {
            let _ = fs::remove_file(path);
            Err(error)
        }
    }
}

async fn create_one(client: &Client, options: &Options, detach: bool) -> Result<String, Failure> {
    let body = options.body(detach)?;
    let image = Reference::parse(options.image())?;
    let path = Path::new("/containers/create")
        .maybe("name", options.name.as_deref())
        .maybe("platform", options.platform.as_deref());
    let place = if options.quiet { Where::Nowhere } else { Where::Errors };
    let fetch = || pull::pull(client, &image, options.platform.as_deref(), place);
    if options.pull == Pull::Always {
        fetch().await?;
    }
    let created = match client.post::<Created>(path.clone(), &body).await {
        Err(error) if options.pull == Pull::Missing && is_missing_image(&error) => {
            if !options.quiet {
                output::note(&format!("Unable to find image '{image}' locally"));
            }
            fetch().await?;
            client.post(path, &body).await?
        }
        other => other?,
    };
    for warning in created.warnings.unwrap_or_default() {
        output::note(&format!("WARNING: {warning}"));
    }
    if created.id.is_empty() {
        return Err(Failure::new("the engine created a container without an id"));
    }
    Ok(created.id)
}

/// A network can be missing as well, and no pull would help with that.
fn is_missing_image(error: &client::Error) -> bool {
    let text = error.to_string().to_lowercase();
    // It may be here for another platform.
    error.is_not_found()
        && (text.contains("no such image") || text.contains("does not match the specified platform"))
}
