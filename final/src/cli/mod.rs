//! The command line: flags in, tables out. It is a client of the Docker Engine API and nothing
//! else, so everything here works on canoa's own daemon and on Docker's.

mod attach;
mod command;
mod completion;
mod cp;
mod create;
mod detach;
mod df;
mod dial_stdio;
mod diff;
mod engine;
mod events;
mod exec;
mod export;
mod failure;
mod format;
mod images;
mod indent;
mod info;
mod inspect;
mod kill;
mod logs;
mod man;
mod network;
mod options;
mod output;
mod parse;
mod pause;
mod port;
mod progress;
mod prune;
mod ps;
mod pull;
mod rename;
mod rm;
mod rmi;
mod run;
mod session;
mod signals;
mod start;
mod stats;
mod stop;
mod system;
mod table;
mod tag;
mod template;
mod top;
mod units;
mod update;
mod usage;
mod version;
mod volume;
mod wait;

use std::process::ExitCode;

use clap::{ArgAction, Parser, Subcommand};

use failure::{Failure, Outcome};

use crate::client::{Client, Endpoint, autostart};

/// A container engine that you can build yourself
#[derive(Debug, Parser)]
#[command(
    name = "canoa",
    version,
    after_help = "Example: canoa run -it --rm base sh",
    disable_version_flag = true,
    disable_help_flag = true,
    arg_required_else_help = true,
    infer_long_args = false,
    max_term_width = 100
)]
pub struct Cli {
    #[command(flatten)]
    engine: engine::Flags,
    /// Show help
    // `-h` is the host name of `run`, as it is Docker's.
    #[arg(long, global = true, action = ArgAction::HelpShort)]
    help: Option<bool>,
    /// Show the client's version
    #[arg(short, long, action = ArgAction::Version)]
    version: Option<bool>,
    #[command(subcommand)]
    command: Command,
}

/// What can be done, each also in its long form: `run` is `container run`.
#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Container(ContainerCommand),
    Ps(ps::Args),
    #[command(flatten)]
    Image(ImageCommand),
    Images(images::Args),
    Rmi(rmi::Args),
    Inspect(inspect::Args),
    Events(events::Args),
    Version(version::Args),
    Info(info::Args),
    /// Containers: run, ls, rm, …
    #[command(subcommand, name = "container")]
    ContainerGroup(ContainerGroup),
    /// Images: pull, ls, rm, …
    #[command(subcommand, name = "image")]
    ImageGroup(ImageGroup),
    /// Networks: create, connect, disconnect, ls, inspect, rm, prune
    #[command(subcommand)]
    Network(network::Command),
    /// Volumes: create, ls, inspect, rm, prune
    #[command(subcommand)]
    Volume(volume::Command),
    /// The engine itself: df, events, info, prune, stop, reset
    #[command(subcommand)]
    System(system::Command),
    /// Run the daemon in the foreground (usually the client starts it)
    // Only listed here: main.rs has looked for it before us.
    Daemon,
    Completion(completion::Args),
    Man(man::Args),
}

#[derive(Debug, Subcommand)]
enum ContainerCommand {
    // Boxed: it has many flags, and the others should not be as large.
    Run(Box<run::Args>),
    Create(Box<create::Args>),
    Start(start::Args),
    Stop(stop::Args),
    /// Stop containers and start them again
    #[command(after_help = "Example: canoa restart -t 2 web")]
    Restart(stop::Args),
    Kill(kill::Args),
    Pause(pause::Args),
    /// Let paused containers go on
    #[command(after_help = "Example: canoa unpause web")]
    Unpause(pause::Args),
    #[command(alias = "remove")]
    Rm(rm::Args),
    Attach(attach::Args),
    Exec(exec::Args),
    Logs(logs::Args),
    Top(top::Args),
    Port(port::Args),
    Wait(wait::Args),
    Rename(rename::Args),
    Export(export::Args),
    Cp(cp::Args),
    Diff(diff::Args),
    Stats(stats::Args),
    Update(update::Args),
}

#[derive(Debug, Subcommand)]
enum ContainerGroup {
    #[command(flatten)]
    Same(ContainerCommand),
    #[command(visible_alias = "ps", alias = "list")]
    Ls(ps::Args),
    /// Show everything about containers
    #[command(after_help = "Example: canoa container inspect -f '{{.State.Status}}' web")]
    Inspect(inspect::Named),
    Prune(prune::Containers),
}

#[derive(Debug, Subcommand)]
enum ImageCommand {
    Pull(pull::Args),
    Tag(tag::Args),
}

#[derive(Debug, Subcommand)]
enum ImageGroup {
    #[command(flatten)]
    Same(ImageCommand),
    #[command(alias = "list")]
    Ls(images::Args),
    #[command(alias = "remove")]
    Rm(rmi::Args),
    /// Show everything about images
    #[command(after_help = "Example: canoa image inspect -f '{{.Config.Cmd}}' base")]
    Inspect(inspect::Named),
    Prune(prune::Images),
}

/// The client's whole life. `main` returns what it returns.
pub fn main() -> ExitCode {
    if completion::answer() {
        return ExitCode::SUCCESS;
    }
    let outcome = match usage::parse() {
        Ok(cli) => start(cli),
        Err(code) => return ExitCode::from(code),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(Failure::Silent(code)) => ExitCode::from(code),
        Err(Failure::Said { code, message }) => {
            output::failure(&message);
            ExitCode::from(code)
        }
        Err(Failure::BrokenPipe) => usage::die_of_broken_pipe(),
    }
}

fn start(cli: Cli) -> Outcome {
    // Those that need no engine.
    match &cli.command {
        Command::Completion(args) => return completion::run(args),
        Command::Man(args) => return man::run(args),
        _ => {}
    }
    let fails = usage::failure_code(&cli.command);
    let endpoint = Endpoint::choose(&cli.engine.into()).map_err(|error| Failure::from(error).code(fails))?;
    // One thread is enough for one command, and starts fastest.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("starting the client's event loop: {error}")).code(fails))?;
    let outcome = runtime.block_on(async {
        if let Command::System(system::Command::Stop) = cli.command {
            return system::stop(endpoint).await;
        }
        let client = autostart::connect(endpoint).await.map_err(|error| Failure::from(error).code(fails))?;
        dispatch(&client, cli.command).await
    });
    // Not waiting for a thread that is still reading standard input.
    runtime.shutdown_background();
    outcome
}

async fn dispatch(client: &Client, command: Command) -> Outcome {
    match command {
        Command::Container(command) => container(client, command).await,
        Command::Image(command) => image(client, command).await,
        Command::Ps(args) => ps::run(client, args).await,
        Command::Images(args) => images::run(client, args).await,
        Command::Rmi(args) => rmi::run(client, args).await,
        Command::Inspect(args) => inspect::run(client, args).await,
        Command::Events(args) | Command::System(system::Command::Events(args)) => {
            events::run(client, args).await
        }
        Command::Version(args) => version::run(client, args).await,
        Command::Info(args) => info::run(client, args).await,
        Command::ContainerGroup(ContainerGroup::Same(command)) => container(client, command).await,
        Command::ContainerGroup(ContainerGroup::Ls(args)) => ps::run(client, args).await,
        Command::ContainerGroup(ContainerGroup::Prune(args)) => prune::containers(client, args).await,
        Command::ContainerGroup(ContainerGroup::Inspect(args)) => {
            inspect::inspect(client, &[inspect::Kind::Container], args).await
        }
        Command::ImageGroup(ImageGroup::Same(command)) => image(client, command).await,
        Command::ImageGroup(ImageGroup::Ls(args)) => images::run(client, args).await,
        Command::ImageGroup(ImageGroup::Rm(args)) => rmi::run(client, args).await,
        Command::ImageGroup(ImageGroup::Prune(args)) => prune::images(client, args).await,
        Command::ImageGroup(ImageGroup::Inspect(args)) => {
            inspect::inspect(client, &[inspect::Kind::Image], args).await
        }
        Command::Network(command) => network::run(client, command).await,
        Command::Volume(command) => volume::run(client, command).await,
        Command::System(system::Command::Df(args)) => df::run(client, args).await,
        Command::System(system::Command::Prune(args)) => prune::system(client, args).await,
        Command::System(system::Command::Info(args)) => info::run(client, args).await,
        Command::System(system::Command::Reset(args)) => system::reset(client, args).await,
        Command::System(system::Command::DialStdio) => dial_stdio::run(client).await,
        Command::System(system::Command::Stop) => system::stop(client.endpoint().clone()).await,
        Command::Daemon | Command::Completion(_) | Command::Man(_) => {
            Err(Failure::new("write \"canoa daemon\": this word comes first"))
        }
    }
}

async fn container(client: &Client, command: ContainerCommand) -> Outcome {
    match command {
        ContainerCommand::Run(args) => run::run(client, *args).await,
        ContainerCommand::Create(args) => create::run(client, *args).await,
        ContainerCommand::Start(args) => start::run(client, args).await,
        ContainerCommand::Stop(args) => stop::stop(client, args).await,
        ContainerCommand::Restart(args) => stop::restart(client, args).await,
        ContainerCommand::Kill(args) => kill::run(client, args).await,
        ContainerCommand::Pause(args) => pause::pause(client, args).await,
        ContainerCommand::Unpause(args) => pause::unpause(client, args).await,
        ContainerCommand::Rm(args) => rm::run(client, args).await,
        ContainerCommand::Attach(args) => attach::run(client, args).await,
        ContainerCommand::Exec(args) => exec::run(client, args).await,
        ContainerCommand::Logs(args) => logs::run(client, args).await,
        ContainerCommand::Top(args) => top::run(client, args).await,
        ContainerCommand::Port(args) => port::run(client, args).await,
        ContainerCommand::Wait(args) => wait::run(client, args).await,
        ContainerCommand::Rename(args) => rename::run(client, args).await,
        ContainerCommand::Export(args) => export::run(client, args).await,
        ContainerCommand::Cp(args) => cp::run(client, args).await,
        ContainerCommand::Diff(args) => diff::run(client, args).await,
        ContainerCommand::Stats(args) => stats::run(client, args).await,
        ContainerCommand::Update(args) => update::run(client, args).await,
    }
}

async fn image(client: &Client, command: ImageCommand) -> Outcome {
    match command {
        ImageCommand::Pull(args) => pull::run(client, args).await,
        ImageCommand::Tag(args) => tag::run(client, args).await,
    }
}
