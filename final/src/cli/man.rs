//! `canoa man FOLDER`: manual pages, made of the same text as `--help`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::command::command;
use super::failure::{Failure, Outcome};

/// Write manual pages: canoa.1, canoa-run.1, …
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa man /usr/local/share/man/man1")]
pub struct Args {
    /// Folder for them; it is made if it isn't there
    folder: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// The folder cannot be written.
pub fn run(args: &Args) -> Outcome {
    let failed = |error: std::io::Error| {
        Failure::new(format!("writing manual pages to {}: {error}", args.folder.display()))
    };
    std::fs::create_dir_all(&args.folder).map_err(failed)?;
    clap_mangen::generate_to(command(), &args.folder).map_err(failed)?;
    Ok(0)
}
