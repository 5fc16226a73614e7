//! `canoa start`: start containers again; with `-a` joined to one.

use std::cell::RefCell;

use clap::Args as ClapArgs;
use serde_json::Value;

use super::detach::Keys;
use super::failure::{Failure, Outcome};
use super::output;
use super::parse;
use super::run::{check_terminal, exit_status, start_failure, wait};
use super::session::{End, Joined, Session};
use super::signals::Signals;
use crate::client::{Client, Path};

/// Start stopped containers
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa start -ai web")]
pub struct Args {
    /// Attach to its output and pass signals on
    #[arg(short, long)]
    attach: bool,
    /// Attach to its input
    #[arg(short, long)]
    interactive: bool,
    /// Keys that leave it running
    #[arg(long, value_name = "KEYS", value_parser = Keys::parse)]
    detach_keys: Option<Keys>,
    /// Containers
    #[arg(required = true, value_name = "CONTAINER", value_parser = parse::name)]
    containers: Vec<String>,
}

/// Runs the command; with `-a` the exit status is the container's.
///
/// # Errors
/// There is none, or it does not start.
pub async fn run(client: &Client, args: Args) -> Outcome {
    if args.attach || args.interactive {
        return attached(client, args).await;
    }
    let failed = RefCell::new(Vec::new());
    let code = output::each(&args.containers, async |name| {
        let path = Path::new("/containers").name(name).end("/start");
        client.act(path).await.map_err(|error| {
            failed.borrow_mut().push(name.to_owned());
            start_failure(error).code(1)
        })
    })
    .await?;
    let failed = failed.into_inner();
    if !failed.is_empty() {
        // Docker's last word, by which a script finds those that don't run.
        output::note(&format!("Error: failed to start containers: {}", failed.join(", ")));
    }
    Ok(code)
}

async fn attached(client: &Client, args: Args) -> Outcome {
    let [name] = args.containers.as_slice() else {
        return Err(Failure::new("start -a: only one container at a time can be attached to"));
    };
    let container = Path::new("/containers").name(name);
    let inspected: Value = client.get(container.clone().end("/json")).await?;
    let tty = inspected["Config"]["Tty"] == true;
    let input = args.interactive && inspected["Config"]["OpenStdin"] == true;
    check_terminal(input, tty)?;
    let signals = Signals::catch()?;
    let attach = container
        .clone()
        .end("/attach")
        .query("stream", 1)
        .flag("stdin", input)
        .query("stdout", 1)
        .query("stderr", 1);
    let upgraded = client.upgrade(attach, None).await?;
    let condition = if inspected["HostConfig"]["AutoRemove"] == true { "removed" } else { "next-exit" };
    let wait = wait(client, name, condition).await?;
    let keys = args.detach_keys.unwrap_or_default();
    let joined = Joined { tty, input, keys, target: container.as_str().to_owned() };
    let session = Session::open(upgraded, joined)?;
    if let Err(error) = client.act(container.end("/start")).await {
        drop(session);
        return Err(start_failure(error));
    }
    match session.run(client, Some(signals)).await? {
        End::Detached => Ok(0),
        End::Closed => exit_status(wait).await,
    }
}
