//! `canoa update`: other limits for containers that are there.

use bollard_stubs::models::{ContainerUpdateBody, RestartPolicy};
use clap::Args as ClapArgs;
use serde::Deserialize;

use super::failure::{Failure, Outcome};
use super::{options, output, parse};
use crate::client::{Client, Path};

/// Change the limits and the restart policy of containers
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa update -m 512m --cpus 2 web")]
pub struct Args {
    /// Most memory: 64m, 2g
    #[arg(short, long, value_name = "SIZE", value_parser = parse::size::parse)]
    memory: Option<i64>,
    /// Memory and swap together, -1 for no limit
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = options::swap)]
    memory_swap: Option<i64>,
    /// Memory that is taken from it last when the machine runs short of it
    #[arg(long, value_name = "SIZE", value_parser = parse::size::parse)]
    memory_reservation: Option<i64>,
    /// How many processors: 0.5, 2
    #[arg(long, value_name = "NUMBER", value_parser = parse::cpus)]
    cpus: Option<i64>,
    /// Share of processor time beside others; 1024 is usual
    #[arg(short, long, value_name = "SHARES")]
    cpu_shares: Option<i64>,
    /// Microseconds of the period over which --cpu-quota is counted
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_period: Option<i64>,
    /// Microseconds of processor time in each period
    #[arg(long, value_name = "MICROSECONDS", allow_hyphen_values = true)]
    cpu_quota: Option<i64>,
    /// Processors on which it may run: 0-2,5
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Memory nodes which it may use: 0,1
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// Most processes and threads, -1 for no limit
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pids_limit: Option<i64>,
    /// Start it again when it ends: no, always, unless-stopped, on-failure[:times]
    #[arg(long, value_name = "POLICY", value_parser = options::life::restart)]
    restart: Option<RestartPolicy>,
    /// Containers
    #[arg(required = true, value_name = "CONTAINER", value_parser = parse::name)]
    containers: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Updated {
    warnings: Option<Vec<String>>,
}

/// Runs the command.
///
/// # Errors
/// Nothing was asked for; the engine's are told one by one.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let body = ContainerUpdateBody {
        memory: args.memory,
        memory_swap: args.memory_swap,
        memory_reservation: args.memory_reservation,
        nano_cpus: args.cpus,
        cpu_shares: args.cpu_shares,
        cpu_period: args.cpu_period,
        cpu_quota: args.cpu_quota,
        cpuset_cpus: args.cpuset_cpus,
        cpuset_mems: args.cpuset_mems,
        pids_limit: args.pids_limit,
        restart_policy: args.restart,
        ..ContainerUpdateBody::default()
    };
    if body == ContainerUpdateBody::default() {
        return Err(Failure::new("you must provide one or more flags when using this command"));
    }
    output::each(&args.containers, async |name| {
        let path = Path::new("/containers").name(name).end("/update");
        let updated: Updated = client.post(path, &body).await?;
        for warning in updated.warnings.into_iter().flatten() {
            output::note(&format!("WARNING: {warning}"));
        }
        Ok(())
    })
    .await
}
