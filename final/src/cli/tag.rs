//! `canoa tag`: one more name for an image.

use clap::Args as ClapArgs;

use super::failure::Outcome;
use super::parse;
use super::pull::Reference;
use crate::client::{Client, Path};

/// Give an image one more name
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa tag debian:bookworm 127.0.0.1:5000/debian:12")]
pub struct Args {
    /// Image
    #[arg(value_parser = parse::name)]
    image: String,
    /// Its new name, with :tag, or :latest
    #[arg(value_parser = parse::name)]
    name: String,
}

/// Runs the command.
///
/// # Errors
/// There is no such image, or the name is malformed.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let (repository, tag) = Reference::parse(&args.name)?.parts();
    let path = Path::new("/images").image(&args.image).end("/tag");
    client.act(path.query("repo", repository).query("tag", tag)).await?;
    Ok(0)
}
