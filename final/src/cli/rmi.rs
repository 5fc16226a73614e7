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
    /// Leave the unnamed images that it was made from
    #[arg(long)]
    no_prune: bool,
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
        let path = Path::new("/images").image(image).flag("force", args.force).flag("noprune", args.no_prune);
        match client.delete(path).await {
            Ok(answer) => tell(image, &answer)?,
            Err(error) => {
                // By force, what isn't there needs no removing.
                let settled = args.force && error.is_not_found();
                let failed = output::report(error.into())?;
                code = if settled { code } else { failed };
            }
        }
    }
    Ok(code)
}

/// What went with it.
fn tell(image: &str, answer: &[u8]) -> Result<(), Failure> {
    let removed: Vec<Removed> = serde_json::from_slice(answer)
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
