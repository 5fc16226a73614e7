//! `canoa exec`: one more program in a running container.

use std::time::Duration;

use bollard_stubs::models::ExecConfig;
use clap::Args as ClapArgs;
use serde::Deserialize;
use serde_json::json;

use super::detach::Keys;
use super::failure::{Failure, Outcome};
use super::options::console_size;
use super::parse;
use super::run::check_terminal;
use super::session::{End, Joined, Session};
use crate::client::{Client, Path};

/// Run a program in a running container
#[derive(Debug, ClapArgs)]
#[command(override_usage = "canoa exec [OPTIONS] CONTAINER COMMAND [ARG]...")]
#[command(after_help = "Example: canoa exec -it web sh")]
pub struct Args {
    /// Do not wait for it
    #[arg(short, long)]
    detach: bool,
    /// Keys that leave it running
    #[arg(long, value_name = "KEYS", value_parser = Keys::parse)]
    detach_keys: Option<Keys>,
    /// Pass standard input on
    #[arg(short, long)]
    interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    tty: bool,
    /// Set an environment variable
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Read environment variables from a file
    #[arg(long, value_name = "FILE")]
    env_file: Vec<String>,
    /// Working directory inside
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// User inside: name or uid, with :group
    #[arg(short, long)]
    user: Option<String>,
    /// All capabilities
    #[arg(long)]
    privileged: bool,
    /// Container, and what to run in it
    #[arg(required = true, value_name = "CONTAINER COMMAND [ARG]", trailing_var_arg = true)]
    container_and_command: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Inspected {
    running: bool,
    exit_code: Option<i64>,
}

/// Runs the command; the exit status is the program's.
///
/// # Errors
/// There is no such container, or it isn't running.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let (container, command) = match args.container_and_command.split_first() {
        Some((container, command)) if !command.is_empty() => (parse::name(container), command),
        _ => return Err(Failure::new("exec wants a container and a command: canoa exec CONTAINER COMMAND")),
    };
    let container = container.map_err(Failure::new)?;
    let input = args.interactive && !args.detach;
    check_terminal(input, args.tty)?;
    let body = ExecConfig {
        attach_stdin: Some(input),
        attach_stdout: Some(!args.detach),
        attach_stderr: Some(!args.detach),
        tty: Some(args.tty),
        console_size: console_size(args.tty),
        // 125 is of `run` and `create`.
        env: Some(parse::env::collect(&args.env, &args.env_file).map_err(|failure| failure.code(1))?),
        cmd: Some(command.to_vec()),
        privileged: Some(args.privileged),
        user: Some(args.user.clone().unwrap_or_default()),
        working_dir: Some(args.workdir.clone().unwrap_or_default()),
        ..ExecConfig::default()
    };
    let path = Path::new("/containers").name(&container).end("/exec");
    let created: Created = client.post(path, &body).await?;
    let exec = Path::new("/exec").name(&created.id);
    let start = json!({ "Detach": args.detach, "Tty": args.tty, "ConsoleSize": console_size(args.tty) });
    if args.detach {
        client.act_with(exec.end("/start"), &start).await?;
        return Ok(0);
    }
    let upgraded = client.upgrade(exec.clone().end("/start"), Some(&start)).await?;
    let keys = args.detach_keys.unwrap_or_default();
    let joined = Joined { tty: args.tty, input, keys, target: exec.as_str().to_owned() };
    // Signals are not passed on: the API knows no way to signal an exec. Ctrl-C ends the client.
    if Session::open(upgraded, joined)?.run(client, None).await? == End::Detached {
        return Ok(0);
    }
    exit_status(client, exec.end("/json")).await
}

/// The stream can end a moment before the engine knows the exit status.
async fn exit_status(client: &Client, path: Path) -> Outcome {
    for attempt in 1..=10 {
        let inspected: Inspected = client.get(path.clone()).await?;
        if let (false, Some(code)) = (inspected.running, inspected.exit_code) {
            return Ok(u8::try_from(code).unwrap_or(125));
        }
        tokio::time::sleep(Duration::from_millis(5 * attempt)).await;
    }
    Err(Failure::new("the program's streams have ended, but the engine has no exit status for it"))
}
