//! `canoa volume create`, `ls`, `inspect`, `rm` and `prune`.

use std::collections::{BTreeMap, HashMap};

use bollard_stubs::models::VolumeCreateRequest;
use clap::{Args as ClapArgs, Subcommand};
use serde::Deserialize;

use super::failure::{Failure, Outcome};
use super::format::{self, LabelMap, Row};
use super::inspect::{Kind, Named, inspect};
use super::{output, parse, prune};
use crate::client::{Client, Path};

/// The commands about volumes.
#[derive(Debug, Subcommand)]
pub enum Command {
    Create(CreateArgs),
    #[command(visible_alias = "list")]
    Ls(ListArgs),
    /// Show everything about volumes
    #[command(after_help = "Example: canoa volume inspect data")]
    Inspect(Named),
    #[command(visible_alias = "remove")]
    Rm(RemoveArgs),
    Prune(prune::Volumes),
}

/// Create a volume
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa volume create data")]
pub struct CreateArgs {
    /// Driver
    #[arg(short, long, default_value = "local")]
    driver: String,
    /// Set a label
    #[arg(long, value_name = "KEY=VALUE")]
    label: Vec<String>,
    /// Option of the driver
    #[arg(short, long, value_name = "KEY=VALUE")]
    opt: Vec<String>,
    /// Its name; without one it gets a random id
    name: Option<String>,
}

/// List volumes
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa volume ls")]
pub struct ListArgs {
    /// Only names
    #[arg(short, long)]
    quiet: bool,
    /// Only those that match: dangling=true
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// json, or a template such as '{{.Name}}'
    #[arg(long)]
    format: Option<String>,
}

/// Remove volumes, and what is in them
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa volume rm data")]
pub struct RemoveArgs {
    /// No error for those that do not exist
    #[arg(short, long)]
    force: bool,
    /// Volumes
    #[arg(required = true, value_name = "VOLUME", value_parser = parse::name)]
    volumes: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Volume {
    name: String,
    driver: String,
    mountpoint: String,
    scope: String,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Volumes {
    volumes: Option<Vec<Volume>>,
    warnings: Option<Vec<String>>,
}

/// Runs one of them.
///
/// # Errors
/// The engine's.
pub async fn run(client: &Client, command: Command) -> Outcome {
    match command {
        Command::Create(args) => create(client, args).await,
        Command::Ls(args) => list(client, args).await,
        Command::Inspect(args) => inspect(client, &[Kind::Volume], args).await,
        Command::Prune(args) => prune::volumes(client, args).await,
        Command::Rm(args) => {
            output::each(&args.volumes, async |name| {
                let path = Path::new("/volumes").name(name).flag("force", args.force);
                Ok(client.delete(path).await.map(drop)?)
            })
            .await
        }
    }
}

async fn create(client: &Client, args: CreateArgs) -> Outcome {
    let body = VolumeCreateRequest {
        name: Some(args.name.unwrap_or_default()),
        driver: Some(args.driver),
        driver_opts: Some(options(&args.opt)?),
        labels: Some(parse::labels(&args.label, &[]).map_err(|failure| failure.code(1))?),
        ..VolumeCreateRequest::default()
    };
    let volume: Volume = client.post(Path::new("/volumes/create"), &body).await?;
    output::line(&volume.name)?;
    Ok(0)
}

fn options(given: &[String]) -> Result<HashMap<String, String>, Failure> {
    let pair = |option: &String| {
        let pair = option.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        pair.ok_or_else(|| Failure::new(format!("--opt {option:?}: write key=value")))
    };
    given.iter().map(pair).collect()
}

async fn list(client: &Client, args: ListArgs) -> Outcome {
    let path = Path::new("/volumes").maybe("filters", parse::filters(&args.filter)?);
    let found: Volumes = client.get(path).await?;
    for warning in found.warnings.unwrap_or_default() {
        output::note(&format!("WARNING: {warning}"));
    }
    let mut volumes = found.volumes.unwrap_or_default();
    volumes.sort_by(|a, b| a.name.cmp(&b.name));
    let rows: Vec<(Row, LabelMap)> =
        volumes.iter().map(|volume| (row(volume), volume.labels.clone())).collect();
    let columns = [("Driver", "DRIVER"), ("Name", "VOLUME NAME")];
    let format =
        if args.quiet { args.format.as_deref().or(Some("{{.Name}}")) } else { args.format.as_deref() };
    output::text(&format::labelled_rows(format, &columns, &rows)?)?;
    Ok(0)
}

fn row(volume: &Volume) -> Row {
    let labels = volume.labels.iter().flatten().map(|(key, value)| format!("{key}={value}"));
    // What is known of a cluster's volumes, or measured by `system df` only.
    let unknown = || "N/A".to_owned();
    vec![
        ("Availability", unknown()),
        ("Driver", volume.driver.clone()),
        ("Group", unknown()),
        ("Labels", labels.collect::<Vec<_>>().join(",")),
        ("Links", unknown()),
        ("Mountpoint", volume.mountpoint.clone()),
        ("Name", volume.name.clone()),
        ("Scope", volume.scope.clone()),
        ("Size", unknown()),
        ("Status", unknown()),
    ]
}
