//! `canoa completion SHELL`, and what a shell is answered when somebody presses Tab.
//!
//! The script that a shell reads asks canoa itself, with the words so far; so it never goes out of date,
//! and it knows the names of containers, images, networks and volumes.

use std::ffi::OsStr;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::{CompleteEnv, Shells};
use serde_json::Value;

use super::command::command;
use super::failure::{Failure, Outcome};
use super::output;
use crate::client::{Client, Endpoint, Path, Wish};

/// The environment variable by which the script asks.
const VARIABLE: &str = "CANOA_COMPLETE";

/// How long somebody may wait after Tab for an engine that doesn't answer.
const PATIENCE: Duration = Duration::from_millis(700);

/// Print what a shell needs to complete canoa's commands and names
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa completion bash > /etc/bash_completion.d/canoa
         canoa completion zsh > /usr/local/share/zsh/site-functions/_canoa
         canoa completion fish > ~/.config/fish/completions/canoa.fish")]
pub struct Args {
    /// Shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Those that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// What an argument names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Those that run.
    Running,
    /// All of them.
    Container,
    /// Images.
    Image,
    /// Networks.
    Network,
    /// Volumes.
    Volume,
}

/// What the argument `id` of a command names, if it names anything.
pub fn kind(command: &str, id: &str) -> Option<Kind> {
    match (command, id) {
        (
            "rm" | "start" | "logs" | "wait" | "rename" | "export" | "restart" | "connect",
            "container" | "containers",
        ) => Some(Kind::Container),
        (_, "container" | "containers" | "container_and_command") => Some(Kind::Running),
        (_, "image" | "images" | "image_and_command") => Some(Kind::Image),
        (_, "network" | "networks") => Some(Kind::Network),
        (_, "volumes") => Some(Kind::Volume),
        ("inspect", "names") => Some(Kind::Container),
        _ => None,
    }
}

/// Answers a shell, if it is one that asks, and says so.
pub fn answer() -> bool {
    if std::env::var_os(VARIABLE).is_none() {
        return false;
    }
    let words = std::env::args_os();
    let folder = std::env::current_dir().ok();
    let asked =
        CompleteEnv::with_factory(command).var(VARIABLE).bin("canoa").try_complete(words, folder.as_deref());
    // There is nobody to tell of an error: the person is typing.
    asked.unwrap_or(true)
}

/// Runs the command.
///
/// # Errors
/// The output cannot be written.
pub fn run(args: &Args) -> Outcome {
    let name = match args.shell {
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
    };
    let shells = Shells::builtins();
    let shell = shells.completer(name).ok_or_else(|| Failure::new(format!("no completion for {name}")))?;
    let mut script = Vec::new();
    shell.write_registration(VARIABLE, "canoa", "canoa", "canoa", &mut script)?;
    output::text(&String::from_utf8_lossy(&script))?;
    Ok(0)
}

/// The names that begin so. No daemon is started for it, and an error is nobody's business here.
pub fn names(kind: Kind, begun: &OsStr) -> Vec<CompletionCandidate> {
    let begun = begun.to_string_lossy();
    let found = tokio::runtime::Builder::new_current_thread().enable_all().build().ok().and_then(|runtime| {
        runtime.block_on(async { tokio::time::timeout(PATIENCE, ask(kind)).await.ok().flatten() })
    });
    let mut names = found.unwrap_or_default();
    names.sort();
    names.into_iter().filter(|name| name.starts_with(&*begun)).map(CompletionCandidate::new).collect()
}

async fn ask(kind: Kind) -> Option<Vec<String>> {
    let endpoint = Endpoint::choose(&Wish::default()).ok()?;
    let (client, _) = Client::connect(endpoint).await.ok()?;
    let path = match kind {
        Kind::Running => Path::new("/containers/json"),
        Kind::Container => Path::new("/containers/json").query("all", 1),
        Kind::Image => Path::new("/images/json"),
        Kind::Network => Path::new("/networks"),
        Kind::Volume => Path::new("/volumes"),
    };
    let answer: Value = client.get(path).await.ok()?;
    let list = if kind == Kind::Volume { &answer["Volumes"] } else { &answer };
    let names = list.as_array().into_iter().flatten().flat_map(|thing| {
        let names: Vec<&Value> = match kind {
            Kind::Running | Kind::Container => thing["Names"].as_array().into_iter().flatten().collect(),
            Kind::Image => thing["RepoTags"].as_array().into_iter().flatten().collect(),
            Kind::Network | Kind::Volume => vec![&thing["Name"]],
        };
        names.into_iter().filter_map(Value::as_str).map(|name| name.trim_start_matches('/').to_owned())
    });
    Some(names.collect())
}
