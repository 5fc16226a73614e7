//! `canoa attach`: join our streams to a running container's.

use clap::Args as ClapArgs;
use serde_json::Value;

use super::detach::Keys;
use super::failure::{Failure, Outcome};
use super::parse;
use super::run::{check_terminal, exit_status, wait};
use super::session::{End, Joined, Session};
use super::signals::Signals;
use crate::client::{Client, Path};

/// Attach to a running container; ctrl-p ctrl-q leaves it running
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa attach web")]
pub struct Args {
    /// Do not pass standard input on
    #[arg(long)]
    no_stdin: bool,
    /// Keys that leave it running
    #[arg(long, value_name = "KEYS", value_parser = Keys::parse)]
    detach_keys: Option<Keys>,
    /// Pass signals on to the program
    #[arg(long, default_value_t = true, num_args = 0..=1, default_missing_value = "true",
          require_equals = true, action = clap::ArgAction::Set)]
    sig_proxy: bool,
    /// Container
    #[arg(value_parser = parse::name)]
    container: String,
}

/// Runs the command; the exit status is the container's.
///
/// # Errors
/// It isn't running, or there is none.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let container = Path::new("/containers").name(&args.container);
    let inspected: Value = client.get(container.clone().end("/json")).await?;
    let state = &inspected["State"];
    if state["Running"] != true {
        let message =
            format!("cannot attach to {}: it is not running; \"canoa start -ai\" starts it", args.container);
        return Err(Failure::new(message));
    }
    if state["Paused"] == true {
        return Err(Failure::new(format!("cannot attach to {}: it is paused", args.container)));
    }
    let tty = inspected["Config"]["Tty"] == true;
    let input = !args.no_stdin && inspected["Config"]["OpenStdin"] == true;
    check_terminal(input, tty)?;
    let signals = args.sig_proxy.then(Signals::catch).transpose()?;
    let wait = wait(client, &args.container, "not-running").await?;
    let attach = container
        .clone()
        .end("/attach")
        .query("stream", 1)
        .flag("stdin", input)
        .query("stdout", 1)
        .query("stderr", 1);
    let upgraded = client.upgrade(attach, None).await?;
    let keys = args.detach_keys.unwrap_or_default();
    let joined = Joined { tty, input, keys, target: container.as_str().to_owned() };
    match Session::open(upgraded, joined)?.run(client, signals).await? {
        End::Detached => Ok(0),
        End::Closed => exit_status(wait).await,
    }
}
