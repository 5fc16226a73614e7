//! The command line as clap has it, with what its derive cannot say.

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, Command, CommandFactory};
use clap_complete::engine::ArgValueCompleter;

use super::Cli;
use super::completion;

/// All commands, for help, completion and manual pages.
pub fn command() -> Command {
    let daemon =
        |ours: Command| crate::daemon::Args::command().name("daemon").bin_name(ours.get_name().to_owned());
    walk(Cli::command(), &names).mut_subcommand("daemon", daemon)
}

/// The same to read a command line with: a flag may be `--rm=false`, as Go's flags may. (In the help this
/// would only be in the way.)
pub fn parser() -> Command {
    walk(Cli::command(), &switch)
}

/// Changes each argument of each command; the function knows the command's name.
fn walk(command: Command, change: &dyn Fn(&str, Arg) -> Arg) -> Command {
    let name = command.get_name().to_owned();
    command.mut_args(|arg| change(&name, arg)).mut_subcommands(|sub| walk(sub, change))
}

/// `--rm`, `--rm=true`, `--rm=0`.
fn switch(_: &str, arg: Arg) -> Arg {
    if !matches!(arg.get_action(), ArgAction::SetTrue) {
        return arg;
    }
    let id = arg.get_id().clone();
    arg.action(ArgAction::Set)
        .value_parser(BoolishValueParser::new())
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .default_value("false")
        // Twice is the same as once.
        .overrides_with(id)
}

/// Names of things are completed from what the engine has.
fn names(command: &str, arg: Arg) -> Arg {
    let Some(kind) = completion::kind(command, arg.get_id().as_str()) else { return arg };
    arg.add(ArgValueCompleter::new(move |begun: &std::ffi::OsStr| completion::names(kind, begun)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_fit_together() {
        parser().debug_assert();
        command().debug_assert();
    }

    #[test]
    fn every_command_teaches_with_an_example() {
        fn look(command: &Command, path: &str, without: &mut Vec<String>) {
            let path = format!("{path} {}", command.get_name());
            let example = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            if !command.is_hide_set() && !command.has_subcommands() && !example.starts_with("Example: canoa ")
            {
                without.push(path.clone());
            }
            command.get_subcommands().for_each(|sub| look(sub, &path, without));
        }
        let mut without = Vec::new();
        look(&command(), "", &mut without);
        assert_eq!(without, Vec::<String>::new());
    }
}
