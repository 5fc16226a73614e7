//! `canoa images`: the images that are here.

use clap::Args as ClapArgs;
use serde::Deserialize;

use super::failure::Outcome;
use super::format::{self, Row};
use super::{output, parse, units};
use crate::client::{Client, Path};

/// List images
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa images")]
pub struct Args {
    /// Also those in between
    #[arg(short, long)]
    all: bool,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// Ids in full
    #[arg(long)]
    no_trunc: bool,
    /// Also digests
    #[arg(long)]
    digests: bool,
    /// Only those that match: dangling=true, label=a=b
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// json, or a template such as '{{.Repository}}:{{.Tag}}'
    #[arg(long)]
    format: Option<String>,
    /// Only this repository, with or without a tag
    repository: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Image {
    id: String,
    repo_tags: Option<Vec<String>>,
    repo_digests: Option<Vec<String>>,
    created: i64,
    size: u64,
}

/// Runs the command.
///
/// # Errors
/// The engine's, or a filter or template that makes no sense.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let mut filters = args.filter.clone();
    filters.extend(args.repository.map(|name| format!("reference={name}")));
    let path = Path::new("/images/json").flag("all", args.all).maybe("filters", parse::filters(&filters)?);
    let found: Vec<Image> = client.get(path).await?;
    let rows: Vec<Row> = found.iter().flat_map(|image| rows(image, args.no_trunc)).collect();
    if args.quiet && args.format.is_none() {
        let mut ids: Vec<&str> = Vec::new();
        for row in &rows {
            let id = row.iter().find(|(name, _)| *name == "ID").map_or("", |(_, id)| id.as_str());
            if ids.last() != Some(&id) {
                ids.push(id);
            }
        }
        for id in ids {
            output::line(id)?;
        }
        return Ok(0);
    }
    let mut columns = vec![
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("ID", "IMAGE ID"),
        ("CreatedSince", "CREATED"),
        ("Size", "SIZE"),
    ];
    if args.digests {
        columns.insert(2, ("Digest", "DIGEST"));
    }
    output::text(&format::rows(args.format.as_deref(), &columns, &rows)?)?;
    Ok(0)
}

/// One row for each name that an image has, or one for an image without a name.
fn rows(image: &Image, whole: bool) -> Vec<Row> {
    let none = "<none>";
    let digests: Vec<(&str, &str)> =
        image.repo_digests.iter().flatten().filter_map(|digest| digest.split_once('@')).collect();
    let mut names: Vec<(&str, &str)> = image
        .repo_tags
        .iter()
        .flatten()
        .filter(|name| *name != "<none>:<none>")
        .filter_map(|name| name.rsplit_once(':'))
        .collect();
    if names.is_empty() {
        // Pulled by its digest, it still has the repository's name.
        names.push((digests.first().map_or(none, |(repository, _)| repository), none));
    }
    let row = |(repository, tag): (&str, &str)| {
        let digest = digests.iter().find(|(name, _)| *name == repository).map_or(none, |(_, digest)| digest);
        vec![
            ("Containers", "N/A".to_owned()),
            ("CreatedAt", units::date(image.created)),
            ("CreatedSince", units::ago(image.created)),
            ("Digest", digest.to_owned()),
            ("ID", if whole { image.id.clone() } else { units::short_id(&image.id) }),
            ("Repository", repository.to_owned()),
            ("SharedSize", "N/A".to_owned()),
            ("Size", units::size(image.size)),
            ("Tag", tag.to_owned()),
            ("UniqueSize", "N/A".to_owned()),
            // The same, of which Docker's command shows one digit more.
            ("VirtualSize", units::fine_size(image.size)),
        ]
    };
    names.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_a_row_for_each_of_its_names() {
        let now = jiff::Timestamp::now().as_second();
        let image = |tags: &[&str]| Image {
            id: "sha256:0123456789abcdef".to_owned(),
            repo_tags: Some(tags.iter().map(ToString::to_string).collect()),
            repo_digests: None,
            created: now - 3 * 86_400,
            size: 77_800_000,
        };
        let found = [image(&["127.0.0.1:5000/debian:bookworm", "debian:latest"]), image(&[])];
        let rows: Vec<Row> = found.iter().flat_map(|image| rows(image, false)).collect();
        let columns = [
            ("Repository", "REPOSITORY"),
            ("Tag", "TAG"),
            ("ID", "IMAGE ID"),
            ("CreatedSince", "CREATED"),
            ("Size", "SIZE"),
        ];
        insta::assert_snapshot!(format::rows(None, &columns, &rows).unwrap(), @r"
        REPOSITORY              TAG        IMAGE ID       CREATED      SIZE
        127.0.0.1:5000/debian   bookworm   0123456789ab   3 days ago   77.8MB
        debian                  latest     0123456789ab   3 days ago   77.8MB
        <none>                  <none>     0123456789ab   3 days ago   77.8MB
        ");
    }
}
