//! A command line that is not understood, and the exit statuses that scripts know from Docker.

use std::env;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use super::{Cli, Command, ContainerCommand, ContainerGroup};

/// Reads the command line. What is wrong with it has been said when this fails with the exit
/// status: 125 for `run` and `create`, and for a flag that does not exist; else 1.
///
/// # Errors
/// Also `--help` and `--version` end here, with 0.
pub fn parse() -> Result<Cli, u8> {
    Cli::try_parse().map_err(|error| {
        let code = match error.kind() {
            ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                let _ = error.print();
                return 0;
            }
            ErrorKind::UnknownArgument => 125,
            _ if is_run() => 125,
            _ => 1,
        };
        // clap says "error:"; who says it is of more use in a script's output.
        let mut stderr = std::io::stderr();
        let text = match stderr.is_terminal() {
            true => error.render().ansi().to_string(),
            false => error.render().to_string(),
        };
        let _ = write!(stderr, "{}", text.replacen("error:", "canoa:", 1));
        code
    })
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
