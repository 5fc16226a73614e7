//! `canoa inspect`: everything that the engine knows of something, as JSON.

use std::fmt::Display;

use clap::{Args as ClapArgs, ValueEnum};
use serde::de::IgnoredAny;

use super::failure::{Failure, Outcome};
use super::{format, indent, output, parse};
use crate::client::{Client, Path};

/// Show everything about containers, images, networks or volumes
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa inspect -f '{{.State.Status}}' web")]
pub struct Args {
    /// Only things of this kind
    #[arg(long = "type", value_enum)]
    kind: Option<Kind>,
    #[command(flatten)]
    rest: Named,
}

/// The same where the kind is known: `canoa image inspect`.
#[derive(Debug, ClapArgs)]
pub struct Named {
    /// json, or a template such as '{{.State.Status}}'
    #[arg(short, long)]
    format: Option<String>,
    /// Also sizes on disk, of containers
    #[arg(short, long)]
    size: bool,
    /// Names or ids
    #[arg(required = true, value_name = "NAME", value_parser = parse::name)]
    names: Vec<String>,
}

/// What can be inspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A container.
    Container,
    /// An image.
    Image,
    /// A network.
    Network,
    /// A volume.
    Volume,
}

/// In this order they are tried, as Docker does.
const KINDS: [Kind; 4] = [Kind::Container, Kind::Image, Kind::Network, Kind::Volume];

impl Kind {
    fn path(self, name: &str, size: bool) -> Path {
        match self {
            Kind::Container => Path::new("/containers").name(name).end("/json").flag("size", size),
            Kind::Image => Path::new("/images").image(name).end("/json"),
            Kind::Network => Path::new("/networks").name(name),
            Kind::Volume => Path::new("/volumes").name(name),
        }
    }
}

/// `canoa inspect`.
///
/// # Errors
/// A template that is not understood; what is missing is told one by one.
pub async fn run(client: &Client, args: Args) -> Outcome {
    match args.kind {
        Some(kind) => inspect(client, &[kind], args.rest).await,
        None => inspect(client, &KINDS, args.rest).await,
    }
}

/// `canoa container inspect` and its like.
///
/// # Errors
/// As [`run`].
pub async fn inspect(client: &Client, kinds: &[Kind], args: Named) -> Outcome {
    let mut found = Vec::new();
    let mut code = 0;
    for name in &args.names {
        match find(client, kinds, name, args.size).await {
            Ok(value) => found.push(value),
            Err(failure) => code = output::report(failure)?,
        }
    }
    match args.format.as_deref() {
        // A list, as without a template, and in one line.
        Some("json") => output::line(&format!("[{}]", found.join(",")))?,
        Some(template) => {
            for value in &found {
                match format::json(template, value) {
                    Ok(text) => output::line(&text)?,
                    Err(failure) => {
                        // Docker's client ends the line that it had begun.
                        if !matches!(failure, Failure::Said { code: 64, .. }) {
                            output::line("")?;
                        }
                        return Err(failure);
                    }
                }
            }
        }
        // The empty list is printed as well: whoever reads it, reads JSON.
        None => output::line(&indent::json(&format!("[{}]", found.join(","))))?,
    }
    Ok(code)
}

async fn find(client: &Client, kinds: &[Kind], name: &str, size: bool) -> Result<String, Failure> {
    for kind in kinds {
        match client.get_bytes(kind.path(name, size)).await {
            Err(error) if error.is_not_found() && kinds.len() > 1 => {}
            other => return checked(name, &other?),
        }
    }
    Err(Failure::new(format!("Error: No such object: {name}")))
}

/// The text of an answer, when it is JSON.
fn checked(name: &str, answer: &[u8]) -> Result<String, Failure> {
    let wrong =
        |error: &dyn Display| Failure::new(format!("reading the engine's answer about {name}: {error}"));
    serde_json::from_slice::<IgnoredAny>(answer).map_err(|error| wrong(&error))?;
    Ok(std::str::from_utf8(answer).map_err(|error| wrong(&error))?.trim().to_owned())
}
