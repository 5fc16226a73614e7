//! `canoa system df|events|info|prune|stop|reset`: the engine itself.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand};

use super::failure::{Failure, Outcome};
use super::{df, events, info, output, prune};
use crate::client::autostart::{self, PATIENCE, until_gone};
use crate::client::{Client, Endpoint, Error, Path};

/// The commands about the engine.
#[derive(Debug, Subcommand)]
pub enum Command {
    Df(df::Args),
    Events(events::Args),
    Info(info::Args),
    Prune(prune::System),
    /// End the daemon; running containers go on without it
    #[command(after_help = "Example: canoa system stop")]
    Stop,
    Reset(ResetArgs),
    /// Join standard input and output to the engine's socket: what ssh:// calls at the other end
    #[command(hide = true)]
    DialStdio,
}

/// Remove everything of canoa's from this machine: containers, images, networks, volumes
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa system reset -f")]
pub struct ResetArgs {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

/// `canoa system stop`: it must not start a daemon only to stop it.
///
/// # Errors
/// The engine's; it is no canoa.
pub async fn stop(endpoint: Endpoint) -> Outcome {
    let client = match Client::connect(endpoint).await {
        Ok((_, greeting)) if greeting.activated => return Err(held_by_systemd("stop")),
        Ok((client, _)) => client,
        Err(Error::Connect { absent: true, endpoint, .. }) => {
            output::note(&format!("no daemon is running at {endpoint}"));
            return Ok(0);
        }
        Err(error) => return Err(error.into()),
    };
    autostart::stop(&client, Path::new("/canoa/stop")).await.map_err(foreign)?;
    let endpoint = client.endpoint().clone();
    drop(client);
    until_gone(endpoint, PATIENCE).await?;
    Ok(0)
}

/// `canoa system reset`.
///
/// # Errors
/// The engine's; nobody said yes.
pub async fn reset(client: &Client, args: ResetArgs) -> Outcome {
    if Client::connect(client.endpoint().clone()).await?.1.activated {
        return Err(held_by_systemd("reset"));
    }
    if !args.force && !agreed(client)? {
        return Err(Failure::new("system reset: nothing was removed; -f does it without asking"));
    }
    client.act(Path::new("/canoa/reset")).await.map_err(foreign)?;
    // It stops the containers, removes everything, and ends.
    until_gone(client.endpoint().clone(), Duration::from_secs(300)).await?;
    Ok(0)
}

/// Asks on a terminal; without one nobody can have said yes.
fn agreed(client: &Client) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    client.hang_up();
    let mut out = io::stderr();
    write!(out, "This removes all containers, images, networks and volumes of canoa. Go on? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "s" | "sí" | "si"))
}

/// systemd would start the next daemon as soon as somebody asks whether this one has ended.
fn held_by_systemd(command: &str) -> Failure {
    let then = if command == "reset" { ", and then \"canoa system reset\" again" } else { "" };
    Failure::new(format!(
        "system {command}: systemd holds the engine's socket, and starts it whenever somebody connects: \
         \"systemctl disable --now canoa.socket canoa.service\" (a user's own: systemctl --user …) ends it{then}"
    ))
}

/// Only canoa's own daemon knows these requests.
fn foreign(error: Error) -> Failure {
    if error.is_not_found() {
        return Failure::new("this engine is not canoa's: it cannot be stopped or reset from here");
    }
    error.into()
}
