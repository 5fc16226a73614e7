//! A command line that is not understood, and the exit statuses that scripts know from Docker.

use std::env;
use std::process::ExitCode;

use clap::FromArgMatches;
use clap::error::ErrorKind;

use super::{Cli, Command, ContainerCommand, ContainerGroup};
use super::{command, output};

/// Reads the command line. What is wrong with it has been said when this fails with the exit
/// status: 125 for `run` and `create` and for a flag that does not exist; else, and where something is
/// missing, 1.
///
/// # Errors
/// Also `--help` and `--version` end here, with 0.
pub fn parse() -> Result<Cli, u8> {
    let mut parser = command::parser();
    let matches = parser.try_get_matches_from_mut(env::args_os());
    let parsed = matches.and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches));
    parsed.map_err(|error| {
        let code = match error.kind() {
            ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                // From the command line as people should read it.
                let told = command::command().try_get_matches_from(env::args_os());
                let _ = told.err().unwrap_or(error).print();
                return 0;
            }
            ErrorKind::UnknownArgument => 125,
            // Docker's own: 1 where something is missing, also of `run`.
            ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::InvalidSubcommand => 1,
            _ if is_run() => 125,
            _ => 1,
        };
        output::note(&format!("canoa: {}", one_line(&error.render().to_string())));
        code
    })
}

/// clap's message in one line: what is wrong, what was perhaps meant, and where there is help. The
/// paragraphs in between repeat the usage.
fn one_line(text: &str) -> String {
    let mut lines = text.trim_start_matches("error: ").lines().map(str::trim);
    let first: Vec<&str> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let mut line = first.join(" ");
    for more in lines {
        if let Some(usage) = more.strip_prefix("Usage: ") {
            let command: Vec<&str> =
                usage.split(' ').take_while(|word| !word.starts_with(['[', '<', '-'])).collect();
            line.push_str(&format!("; see \"{} --help\"", command.join(" ")));
        } else if let Some(tip) = more.strip_prefix("tip: ").filter(|tip| tip.contains("similar")) {
            // The other tip, how to pass a flag as a value, is rarely what was meant.
            line.push_str(&format!("; {tip}"));
        }
    }
    line
}

/// Whether the command that could not be parsed was `run` or `create`.
fn is_run() -> bool {
    let words = env::args().skip(1);
    let mut words = words.skip_while(|word| word.starts_with('-') || word == "container");
    // A value of -H or -c may stand in front; what follows it is then the command.
    words.by_ref().take(2).any(|word| word == "run" || word == "create")
}

/// The exit status of a failure before anything was asked of the engine.
pub fn failure_code(command: &Command) -> u8 {
    use ContainerCommand::{Create, Run};
    match command {
        Command::Container(Run(_) | Create(_))
        | Command::ContainerGroup(ContainerGroup::Same(Run(_) | Create(_))) => 125,
        _ => 1,
    }
}

/// Ends as a program that knows nothing of pipes would: by SIGPIPE, so that a shell sees the
/// status 141. Rust ignores the signal, so it is given its meaning back first.
pub fn die_of_broken_pipe() -> ExitCode {
    // SAFETY: no handler is installed, only the default action.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::raise(libc::SIGPIPE);
    }
    ExitCode::from(141)
}
