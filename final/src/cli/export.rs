//! `canoa export`: a container's file system as a tar archive.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::Args as ClapArgs;
use hyper::Method;
use hyper::header::HeaderMap;

use super::failure::{Failure, Outcome};
use super::parse;
use crate::client::{Client, Path, Stream};

/// Write a container's file system as a tar archive
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa export -o web.tar web")]
pub struct Args {
    /// To this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Container
    #[arg(value_parser = parse::name)]
    container: String,
}

/// Runs the command.
///
/// # Errors
/// There is none; the disk is full: no half archive is left behind.
pub async fn run(client: &Client, args: Args) -> Outcome {
    if args.output.is_none() && io::stdout().is_terminal() {
        return Err(Failure::new("export: an archive is not for a terminal: use -o FILE, or redirect"));
    }
    let path = Path::new("/containers").name(&args.container).end("/export");
    let stream = client.stream(Method::GET, path, HeaderMap::new()).await?;
    let Some(file) = args.output else {
        copy(stream, &mut io::stdout().lock()).await?;
        return Ok(0);
    };
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("writing {}: {error}", file.display()));
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut temporary = tempfile::NamedTempFile::new_in(folder.unwrap_or(std::path::Path::new(".")))
        .map_err(|error| failed(&error))?;
    copy(stream, temporary.as_file_mut()).await.map_err(|failure| match failure {
        Failure::Said { message, .. } => failed(&message),
        other => other,
    })?;
    temporary.persist(&file).map_err(|error| failed(&error.error))?;
    Ok(0)
}

async fn copy(mut stream: Stream, to: &mut impl Write) -> Result<(), Failure> {
    while let Some(bytes) = stream.next().await? {
        to.write_all(&bytes)?;
    }
    Ok(to.flush()?)
}
