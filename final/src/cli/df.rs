//! `canoa system df`: what takes how much room.

use std::collections::BTreeMap;

use clap::Args as ClapArgs;
use serde::Deserialize;
use serde_json::Value;

use super::failure::Outcome;
use super::format::{self, Row};
use super::{output, ps, units};
use crate::client::{Client, Path};

/// Show how much room containers, images and volumes take
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa system df -v")]
pub struct Args {
    /// One by one
    #[arg(short, long)]
    verbose: bool,
    /// json, or a template such as '{{.Type}}: {{.Size}}'
    #[arg(long)]
    format: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Usage {
    layers_size: u64,
    images: Option<Vec<Image>>,
    containers: Option<Vec<ps::Summary>>,
    volumes: Option<Vec<Volume>>,
    build_cache: Option<Vec<Build>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Image {
    id: String,
    repo_tags: Option<Vec<String>>,
    repo_digests: Option<Vec<String>>,
    created: i64,
    size: i64,
    shared_size: i64,
    containers: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Volume {
    name: String,
    driver: String,
    mountpoint: String,
    scope: String,
    labels: Option<BTreeMap<String, String>>,
    usage_data: Option<VolumeUsage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct VolumeUsage {
    size: i64,
    ref_count: i64,
}

/// What Docker's builder keeps; canoa keeps nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Build {
    #[serde(rename = "ID")]
    id: String,
    r#type: String,
    size: u64,
    usage_count: i64,
    in_use: bool,
    shared: bool,
    created_at: String,
    last_used_at: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// The engine's, or a template that makes no sense.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let usage: Usage = client.get(Path::new("/system/df")).await?;
    let format = args.format.as_deref().filter(|format| !["", "table"].contains(format));
    match (args.verbose, format) {
        (false, _) => output::text(&format::rows(args.format.as_deref(), &COLUMNS, &totals(&usage))?)?,
        (true, None) => output::text(&tables(&usage)?)?,
        (true, Some(format)) => output::line(&format::json(format, &lists(&usage))?)?,
    }
    Ok(0)
}

const COLUMNS: [(&str, &str); 5] = [
    ("Type", "TYPE"),
    ("TotalCount", "TOTAL"),
    ("Active", "ACTIVE"),
    ("Size", "SIZE"),
    ("Reclaimable", "RECLAIMABLE"),
];

fn totals(usage: &Usage) -> Vec<Row> {
    vec![
        of_images(usage.images.as_deref().unwrap_or_default(), usage.layers_size),
        of_containers(usage.containers.as_deref().unwrap_or_default()),
        of_volumes(usage.volumes.as_deref().unwrap_or_default()),
        of_builds(usage.build_cache.as_deref().unwrap_or_default()),
    ]
}

/// What images share is in use as long as one of them is; only what a container's image has alone counts.
fn of_images(images: &[Image], size: u64) -> Row {
    let used = || images.iter().filter(|one| one.containers > 0);
    let kept: i64 = used().map(|one| one.size - one.shared_size).sum();
    row("Images", images.len(), used().count(), size, size.saturating_sub(kept.max(0) as u64))
}

fn of_containers(containers: &[ps::Summary]) -> Row {
    let runs = |one: &&ps::Summary| ["running", "paused", "restarting"].contains(&one.state.as_str());
    let size: u64 = containers.iter().map(|one| one.size_rw).sum();
    let busy: u64 = containers.iter().filter(runs).map(|one| one.size_rw).sum();
    row("Containers", containers.len(), containers.iter().filter(runs).count(), size, size - busy)
}

fn of_volumes(volumes: &[Volume]) -> Row {
    let data = || volumes.iter().filter_map(|one| one.usage_data.as_ref());
    let size = |one: &VolumeUsage| one.size.max(0) as u64;
    let free = data().filter(|one| one.ref_count == 0).map(size).sum();
    let used = data().filter(|one| one.ref_count > 0).count();
    row("Local Volumes", volumes.len(), used, data().map(size).sum(), free)
}

/// Without a percentage, as Docker's client has it.
fn of_builds(builds: &[Build]) -> Row {
    let idle = builds.iter().filter(|one| !one.in_use && !one.shared).map(|one| one.size).sum();
    let active = builds.iter().filter(|one| one.in_use).count();
    let mut row = row("Build Cache", builds.len(), active, build_size(builds), idle);
    for (_, text) in row.iter_mut().filter(|(name, _)| *name == "Reclaimable") {
        *text = units::fine_size(idle);
    }
    row
}

fn build_size(builds: &[Build]) -> u64 {
    builds.iter().filter(|one| !one.shared).map(|one| one.size).sum()
}

fn row(kind: &str, count: usize, active: usize, size: u64, free: u64) -> Row {
    let part = free.saturating_mul(100).checked_div(size).map(|part| format!(" ({part}%)"));
    vec![
        ("Active", active.to_string()),
        ("Reclaimable", units::fine_size(free) + &part.unwrap_or_default()),
        ("Size", units::fine_size(size)),
        ("TotalCount", count.to_string()),
        ("Type", kind.to_owned()),
    ]
}

fn tables(usage: &Usage) -> Result<String, super::failure::Failure> {
    let images = [
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("ID", "IMAGE ID"),
        ("CreatedSince", "CREATED"),
        ("Size", "SIZE"),
        ("SharedSize", "SHARED SIZE"),
        ("UniqueSize", "UNIQUE SIZE"),
        ("Containers", "CONTAINERS"),
    ];
    let containers = [
        ("ID", "CONTAINER ID"),
        ("Image", "IMAGE"),
        ("Command", "COMMAND"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("Size", "SIZE"),
        ("RunningFor", "CREATED"),
        ("Status", "STATUS"),
        ("Names", "NAMES"),
    ];
    let volumes = [("Name", "VOLUME NAME"), ("Links", "LINKS"), ("Size", "SIZE")];
    let builds = [
        ("ID", "CACHE ID"),
        ("CacheType", "CACHE TYPE"),
        ("Size", "SIZE"),
        ("CreatedSince", "CREATED"),
        ("LastUsedSince", "LAST USED"),
        ("UsageCount", "USAGE"),
        ("Shared", "SHARED"),
    ];
    let Rows { images: i, containers: c, volumes: v, builds: b } = rows(usage, false);
    Ok(format!(
        "Images space usage:\n\n{}\nContainers space usage:\n\n{}\nLocal Volumes space usage:\n\n{}\n\
         Build cache usage: {}\n\n{}",
        format::rows(None, &images, &i)?,
        format::rows(None, &containers, &c)?,
        format::rows(None, &volumes, &v)?,
        units::fine_size(build_size(usage.build_cache.as_deref().unwrap_or_default())),
        format::rows(None, &builds, &b)?,
    ))
}

struct Rows {
    images: Vec<Row>,
    containers: Vec<Row>,
    volumes: Vec<Row>,
    builds: Vec<Row>,
}

fn rows(usage: &Usage, whole: bool) -> Rows {
    let containers = usage.containers.iter().flatten().map(|one| ps::row(&one.without_its_image(), whole));
    Rows {
        images: usage.images.iter().flatten().map(|one| image(one, whole)).collect(),
        containers: containers.collect(),
        volumes: usage.volumes.iter().flatten().map(volume).collect(),
        builds: usage.build_cache.iter().flatten().map(|one| build(one, whole)).collect(),
    }
}

/// All of them as JSON, for a template.
fn lists(usage: &Usage) -> String {
    let Rows { images, containers, volumes, builds } = rows(usage, true);
    let object = |row: &Row| {
        let fields = row.iter().map(|(name, text)| format!("{name:?}:{}", Value::from(text.as_str())));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    };
    let list = |rows: &[Row]| rows.iter().map(object).collect::<Vec<_>>().join(",");
    format!(
        "{{\"Images\":[{}],\"Containers\":[{}],\"Volumes\":[{}],\"BuildCache\":[{}]}}",
        list(&images),
        list(&containers),
        list(&volumes),
        list(&builds)
    )
}

/// An image by the first of its names only.
fn image(image: &Image, whole: bool) -> Row {
    let none = "<none>";
    let name = image.repo_tags.iter().flatten().find(|name| *name != "<none>:<none>");
    let (repository, tag) = name.and_then(|name| name.rsplit_once(':')).unwrap_or((none, none));
    let digest = image.repo_digests.iter().flatten().find_map(|one| one.split_once('@'));
    let size = |bytes: i64| u64::try_from(bytes).map_or_else(|_| "N/A".to_owned(), units::fine_size);
    vec![
        ("Containers", image.containers.to_string()),
        ("CreatedAt", units::date(image.created)),
        ("CreatedSince", units::ago(image.created)),
        ("Digest", digest.map_or(none, |(_, digest)| digest).to_owned()),
        ("ID", if whole { image.id.clone() } else { units::short_id(&image.id) }),
        ("Repository", repository.to_owned()),
        ("SharedSize", size(image.shared_size)),
        ("Size", units::size(image.size.max(0) as u64)),
        ("Tag", tag.to_owned()),
        ("UniqueSize", size(image.size - image.shared_size)),
    ]
}

fn volume(volume: &Volume) -> Row {
    let labels = volume.labels.iter().flatten().map(|(key, value)| format!("{key}={value}"));
    let unknown = || "N/A".to_owned();
    let data = volume.usage_data.as_ref();
    let size = data.and_then(|data| u64::try_from(data.size).ok()).map(units::fine_size);
    vec![
        ("Availability", unknown()),
        ("Driver", volume.driver.clone()),
        ("Group", unknown()),
        ("Labels", labels.collect::<Vec<_>>().join(",")),
        ("Links", data.map_or_else(unknown, |data| data.ref_count.to_string())),
        ("Mountpoint", volume.mountpoint.clone()),
        ("Name", volume.name.clone()),
        ("Scope", volume.scope.clone()),
        ("Size", size.unwrap_or_else(unknown)),
        ("Status", unknown()),
    ]
}

fn build(build: &Build, whole: bool) -> Row {
    let ago = |text: &str| {
        text.parse::<jiff::Timestamp>().map_or_else(|_| String::new(), |time| units::ago(time.as_second()))
    };
    vec![
        ("CacheType", build.r#type.clone()),
        ("CreatedSince", ago(&build.created_at)),
        ("ID", if whole { build.id.clone() } else { units::short_id(&build.id) }),
        ("LastUsedSince", build.last_used_at.as_deref().map(ago).unwrap_or_default()),
        ("Shared", build.shared.to_string()),
        ("Size", units::fine_size(build.size)),
        ("UsageCount", build.usage_count.to_string()),
    ]
}
