//! `canoa rmi`: remove images, or their names.

use clap::Args as ClapArgs;
use serde::Deserialize;

use super::failure::{Failure, Outcome};
use super::{output, parse};
use crate::client::{Client, Path};

/// Remove images
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa rmi debian:bookworm")]
pub struct Args {
    /// Also when a stopped container uses it
    #[arg(short, long)]
    force: bool,
    /// Images
    #[arg(required = true, value_name = "IMAGE", value_parser = parse::name)]
    images: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Removed {
    untagged: Option<String>,
    deleted: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// The output cannot be written; the engine's are told one by one.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let mut code = 0;
    for image in &args.images {
        if let Err(failure) = remove(client, image, args.force).await {
            code = output::report(failure)?;
        }
    }
    Ok(code)
}

async fn remove(client: &Client, image: &str, force: bool) -> Result<(), Failure> {
    let bytes = client.delete(Path::new("/images").image(image).flag("force", force)).await?;
    let removed: Vec<Removed> = serde_json::from_slice(&bytes)
        .map_err(|error| Failure::new(format!("reading what was removed of {image}: {error}")))?;
    for one in removed {
        if let Some(name) = one.untagged {
            output::line(&format!("Untagged: {name}"))?;
        }
        if let Some(id) = one.deleted {
            output::line(&format!("Deleted: {id}"))?;
        }
    }
    Ok(())
}
