//! `canoa stats`: what containers use.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Args as ClapArgs;
use futures_util::future::join_all;
use serde::Deserialize;

use super::failure::Outcome;
use super::format::{self, Row};
use super::{output, parse, units};
use crate::client::{Client, Path};

/// Show what containers use: processor, memory, network, disk
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa stats --no-stream web")]
pub struct Args {
    /// Also those that are not running
    #[arg(short, long)]
    all: bool,
    /// Once, instead of again and again
    #[arg(long)]
    no_stream: bool,
    /// Ids in full
    #[arg(long)]
    no_trunc: bool,
    /// json, or a template such as '{{.Name}} {{.CPUPerc}}'
    #[arg(long)]
    format: Option<String>,
    /// Containers; all that run, if none is named
    #[arg(value_name = "CONTAINER", value_parser = parse::name)]
    containers: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stats {
    id: String,
    name: String,
    cpu_stats: Cpu,
    precpu_stats: Cpu,
    memory_stats: Memory,
    pids_stats: Pids,
    blkio_stats: BlockIo,
    networks: BTreeMap<String, Network>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cpu {
    cpu_usage: Usage,
    system_cpu_usage: u64,
    online_cpus: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Usage {
    total_usage: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Memory {
    usage: u64,
    limit: u64,
    stats: BTreeMap<String, u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pids {
    current: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BlockIo {
    io_service_bytes_recursive: Option<Vec<Device>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Device {
    op: String,
    value: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Network {
    rx_bytes: u64,
    tx_bytes: u64,
}

const COLUMNS: [(&str, &str); 8] = [
    ("ID", "CONTAINER ID"),
    ("Name", "NAME"),
    ("CPUPerc", "CPU %"),
    ("MemUsage", "MEM USAGE / LIMIT"),
    ("MemPerc", "MEM %"),
    ("NetIO", "NET I/O"),
    ("BlockIO", "BLOCK I/O"),
    ("PIDs", "PIDS"),
];

/// Runs the command.
///
/// # Errors
/// There is no such container; a template that makes no sense.
pub async fn run(client: &Client, args: Args) -> Outcome {
    loop {
        let rows = rows(client, &args).await?;
        let text = format::rows(args.format.as_deref(), &COLUMNS, &rows)?;
        if args.no_stream {
            output::text(&text)?;
            return Ok(0);
        }
        // On a terminal each table takes the place of the last one.
        let clear = if io::stdout().is_terminal() { "\x1b[H\x1b[2J" } else { "" };
        output::text(&format!("{clear}{text}"))?;
        if rows.is_empty() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// A row for each; each takes a second, all at the same time.
async fn rows(client: &Client, args: &Args) -> Result<Vec<Row>, super::failure::Failure> {
    #[derive(Deserialize)]
    struct Listed {
        #[serde(rename = "Id")]
        id: String,
    }
    let named = !args.containers.is_empty();
    let names = match named {
        true => args.containers.clone(),
        false => {
            let listed: Vec<Listed> = client.get(Path::new("/containers/json").flag("all", args.all)).await?;
            listed.into_iter().map(|one| one.id).collect()
        }
    };
    let asked = names.iter().map(|name| {
        client.get::<Stats>(Path::new("/containers").name(name).end("/stats").query("stream", 0))
    });
    let mut rows = Vec::new();
    for answer in join_all(asked).await {
        match answer {
            Ok(stats) => rows.push(row(&stats, args.no_trunc)),
            // One of all has gone meanwhile.
            Err(error) if error.is_not_found() && !named => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(rows)
}

fn row(stats: &Stats, whole: bool) -> Row {
    let used = used(&stats.memory_stats);
    let io = |op: &str| {
        let devices = stats.blkio_stats.io_service_bytes_recursive.iter().flatten();
        units::size(
            devices.filter(|device| device.op.eq_ignore_ascii_case(op)).map(|device| device.value).sum(),
        )
    };
    let (rx, tx) = stats
        .networks
        .values()
        .fold((0, 0), |(rx, tx), network| (rx + network.rx_bytes, tx + network.tx_bytes));
    let limit = stats.memory_stats.limit;
    let part = if limit == 0 { 0.0 } else { used as f64 / limit as f64 * 100.0 };
    let id = if whole { stats.id.clone() } else { units::short_id(&stats.id) };
    let name = stats.name.trim_start_matches('/').to_owned();
    vec![
        ("BlockIO", format!("{} / {}", io("read"), io("write"))),
        ("CPUPerc", format!("{:.2}%", percent(&stats.precpu_stats, &stats.cpu_stats))),
        ("Container", id.clone()),
        ("ID", id),
        ("MemPerc", format!("{part:.2}%")),
        ("MemUsage", format!("{} / {}", units::binary_size(used), units::binary_size(limit))),
        ("Name", name),
        ("NetIO", format!("{} / {}", units::size(rx), units::size(tx))),
        ("PIDs", stats.pids_stats.current.to_string()),
    ]
}

/// Without the files that nobody has looked at for a while: what the kernel takes back first. (The first
/// version of cgroups names them otherwise than the second.)
fn used(memory: &Memory) -> u64 {
    let inactive = memory.stats.get("total_inactive_file").or_else(|| memory.stats.get("inactive_file"));
    let inactive = inactive.copied().unwrap_or(0);
    if inactive < memory.usage { memory.usage - inactive } else { memory.usage }
}

/// The part of all processors' time since the last look; 100% is one processor.
fn percent(before: &Cpu, now: &Cpu) -> f64 {
    let own = now.cpu_usage.total_usage as f64 - before.cpu_usage.total_usage as f64;
    let all = now.system_cpu_usage as f64 - before.system_cpu_usage as f64;
    if own > 0.0 && all > 0.0 { own / all * f64::from(now.online_cpus) * 100.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_that_was_busy_all_the_time_is_a_hundred_percent() {
        let cpu =
            |own, all| Cpu { cpu_usage: Usage { total_usage: own }, system_cpu_usage: all, online_cpus: 2 };
        // In one second two processors have two seconds.
        assert_eq!(percent(&cpu(5, 100), &cpu(1_000_000_005, 2_000_000_100)), 100.0);
        assert_eq!(percent(&cpu(5, 100), &cpu(5, 2_000_000_100)), 0.0);
        assert_eq!(percent(&cpu(5, 100), &cpu(4, 100)), 0.0);
    }
}
