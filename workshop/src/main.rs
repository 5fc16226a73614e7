//! The learner's companion: `cargo taller`, which is the same program as `cargo workshop`.
//!
//! Without words it says where things are and what to do next; `doctor` tries what the lessons need from
//! this machine; `status` lists the lessons.

mod doctor;
mod language;
mod lessons;
mod overview;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Arg, ArgAction, Command};

use language::Language;

fn main() -> Result<ExitCode> {
    // The language is needed before the words are parsed: the help is in it, too.
    let language = Language::chosen(std::env::args().skip(1), |name| std::env::var(name).ok());
    let matches = words(language).get_matches();
    let (text, code) = match matches.subcommand_name() {
        Some("doctor") => doctor::doctor(language),
        Some("status") => (lessons::list(language), ExitCode::SUCCESS),
        _ => (overview::overview(language, &home()), ExitCode::SUCCESS),
    };
    match io::stdout().write_all(text.as_bytes()) {
        // `cargo taller doctor | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(code),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(code),
    }
}

/// The command line. clap's derive would fix the help's language when the program is compiled.
fn words(language: Language) -> Command {
    let say = |en, es| language.pick(en, es);
    let with_help = |command: Command| {
        command
            .disable_help_flag(true)
            .arg(
                Arg::new("help")
                    .short('h')
                    .long("help")
                    .action(ArgAction::Help)
                    .help(say("Show this help", "Muestra esta ayuda")),
            )
            .help_template(say(
                "{about}\n\nUsage: {usage}\n\n{tab}Options:\n{options}\n",
                "{about}\n\nUso: {usage}\n\n{tab}Opciones:\n{options}\n",
            ))
    };
    let doctor = Command::new("doctor").about(say(
        "Try what the lessons need from this machine, and say how to mend what is missing",
        "Prueba lo que las lecciones necesitan de esta máquina y dice cómo arreglar lo que falta",
    ));
    let status = Command::new("status").about(say("List the lessons", "Lista las lecciones"));
    with_help(Command::new(say("cargo workshop", "cargo taller")))
        .about(say("The companion of the canoa workshop", "El compañero del taller de canoa"))
        .disable_help_subcommand(true)
        .arg(
            Arg::new("lang")
                .long("lang")
                .value_name("en|es")
                .value_parser(["en", "es"])
                .hide_possible_values(true)
                .global(true)
                .help(say(
                    "The language of the messages; else LANG decides",
                    "El idioma de los mensajes; si no, decide LANG",
                )),
        )
        .help_template(say(
            "{about}\n\nUsage: {usage}\n\nCommands:\n{subcommands}\n\nOptions:\n{options}\n",
            "{about}\n\nUso: {usage}\n\nComandos:\n{subcommands}\n\nOpciones:\n{options}\n",
        ))
        .subcommand(with_help(doctor))
        .subcommand(with_help(status))
}

/// The repository's folder.
fn home() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or_else(|| package.clone(), PathBuf::from)
}
