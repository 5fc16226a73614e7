//! `canoa container prune`, `system prune` and the like: removing what nobody uses.

use std::io::{self, BufRead, Write};

use clap::Args as ClapArgs;
use serde::Deserialize;
use serde_json::json;

use super::failure::{Failure, Outcome};
use super::{output, parse, units};
use crate::client::{Client, Path};

/// Flags of all of them.
#[derive(Debug, ClapArgs)]
pub struct Common {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Only those that match: until=24h, label=key=value, label!=key
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
}

/// Remove all containers that do not run
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa container prune --filter until=24h")]
pub struct Containers {
    #[command(flatten)]
    common: Common,
}

/// Remove all networks that no running container is on
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa network prune -f")]
pub struct Networks {
    #[command(flatten)]
    common: Common,
}

/// Remove volumes that no container has
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa volume prune -a")]
pub struct Volumes {
    /// Also those with a name
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    common: Common,
}

/// Remove images that no container is made of
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa image prune -a --filter until=24h")]
pub struct Images {
    /// Also those with a name
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    common: Common,
}

/// Remove what nobody uses: containers that do not run, networks, images; and volumes if asked
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa system prune -a --volumes")]
pub struct System {
    /// Also images that have a name
    #[arg(short, long)]
    all: bool,
    /// Also volumes without a name
    #[arg(long)]
    volumes: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Pruned {
    containers_deleted: Option<Vec<String>>,
    networks_deleted: Option<Vec<String>>,
    volumes_deleted: Option<Vec<String>>,
    images_deleted: Option<Vec<Gone>>,
    space_reclaimed: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Gone {
    untagged: String,
    deleted: String,
}

/// What is pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Containers,
    Networks,
    /// With those that have a name?
    Volumes(bool),
    /// With those that have a name?
    Images(bool),
    Builds(bool),
}

/// `canoa container prune`.
///
/// # Errors
/// The engine's.
pub async fn containers(client: &Client, args: Containers) -> Outcome {
    let warning = "WARNING! This will remove all stopped containers.";
    one(client, What::Containers, &args.common, warning).await
}

/// `canoa network prune`.
///
/// # Errors
/// The engine's.
pub async fn networks(client: &Client, args: Networks) -> Outcome {
    let warning = "WARNING! This will remove all custom networks not used by at least one container.";
    one(client, What::Networks, &args.common, warning).await
}

/// `canoa volume prune`.
///
/// # Errors
/// The engine's.
pub async fn volumes(client: &Client, args: Volumes) -> Outcome {
    if args.all && args.common.filter.iter().any(|filter| filter.starts_with("all=")) {
        return Err(Failure::new("conflicting options: cannot specify both --all and --filter all=1"));
    }
    let warning = match args.all {
        true => "WARNING! This will remove all local volumes not used by at least one container.",
        false => "WARNING! This will remove anonymous local volumes not used by at least one container.",
    };
    one(client, What::Volumes(args.all), &args.common, warning).await
}

/// `canoa image prune`.
///
/// # Errors
/// The engine's.
pub async fn images(client: &Client, args: Images) -> Outcome {
    let warning = match args.all {
        true => "WARNING! This will remove all images without at least one container associated to them.",
        false => "WARNING! This will remove all dangling images.",
    };
    one(client, What::Images(args.all), &args.common, warning).await
}

/// `canoa system prune`.
///
/// # Errors
/// The engine's.
pub async fn system(client: &Client, args: System) -> Outcome {
    let filters = &args.common.filter;
    if args.volumes && filters.iter().any(|filter| filter.starts_with("until=")) {
        return Err(Failure::new("ERROR: The \"until\" filter is not supported with \"--volumes\""));
    }
    if !args.common.force && !agreed(client, &system_warning(&args))? {
        return Ok(0);
    }
    let mut all = vec![What::Containers, What::Networks];
    if args.volumes {
        all.push(What::Volumes(false));
    }
    all.extend([What::Images(args.all), What::Builds(args.all)]);
    let mut space = 0;
    for what in all {
        let pruned = prune(client, what, filters).await?;
        space += pruned.space_reclaimed;
        say(&pruned)?;
    }
    total(space)
}

fn system_warning(args: &System) -> String {
    let mut going = vec!["all stopped containers", "all networks not used by at least one container"];
    if args.volumes {
        going.push("all anonymous volumes not used by at least one container");
    }
    going.extend(match args.all {
        true => ["all images without at least one container associated to them", "all build cache"],
        false => ["all dangling images", "unused build cache"],
    });
    let mut text = "WARNING! This will remove:\n".to_owned();
    let items = |all: &[&str]| all.iter().map(|item| format!("  - {item}\n")).collect::<String>();
    text += &items(&going);
    let mut filters: Vec<&str> = args.common.filter.iter().map(String::as_str).collect();
    if !filters.is_empty() {
        filters.sort_unstable();
        text += "\n  Items to be pruned will be filtered with:\n";
        text += &items(&filters);
    }
    text
}

async fn one(client: &Client, what: What, common: &Common, warning: &str) -> Outcome {
    if !common.force && !agreed(client, warning)? {
        return Ok(0);
    }
    let pruned = prune(client, what, &common.filter).await?;
    say(&pruned)?;
    if what == What::Networks { Ok(0) } else { total(pruned.space_reclaimed) }
}

async fn prune(client: &Client, what: What, filters: &[String]) -> Result<Pruned, Failure> {
    let mut filters = filters.to_vec();
    let path = match what {
        What::Containers => Path::new("/containers/prune"),
        What::Networks => Path::new("/networks/prune"),
        What::Volumes(all) => {
            filters.extend(all.then(|| "all=true".to_owned()));
            Path::new("/volumes/prune")
        }
        What::Images(all) => {
            filters.push(format!("dangling={}", !all));
            Path::new("/images/prune")
        }
        What::Builds(all) => Path::new("/build/prune").flag("all", all),
    };
    Ok(client.post(path.maybe("filters", parse::filters(&filters)?), &json!({})).await?)
}

fn say(pruned: &Pruned) -> Result<(), Failure> {
    for (heading, list) in [
        ("Deleted Containers:", &pruned.containers_deleted),
        ("Deleted Networks:", &pruned.networks_deleted),
        ("Deleted Volumes:", &pruned.volumes_deleted),
    ] {
        if let Some(list) = list.as_ref().filter(|list| !list.is_empty()) {
            output::line(&format!("{heading}\n{}\n", list.join("\n")))?;
        }
    }
    let line = |gone: &Gone| match gone.untagged.as_str() {
        "" => format!("deleted: {}\n", gone.deleted),
        name => format!("untagged: {name}\n"),
    };
    match pruned.images_deleted.as_deref() {
        None | Some([]) => Ok(()),
        Some(images) => {
            output::line(&format!("Deleted Images:\n{}", images.iter().map(line).collect::<String>()))
        }
    }
}

fn total(space: u64) -> Outcome {
    output::line(&format!("Total reclaimed space: {}", units::fine_size(space)))?;
    Ok(0)
}

/// Asks. Whatever isn't a yes is a no, and no error.
fn agreed(client: &Client, warning: &str) -> Result<bool, Failure> {
    client.hang_up();
    output::text(&format!("{warning}\nAre you sure you want to continue? [y/N] "))?;
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}
