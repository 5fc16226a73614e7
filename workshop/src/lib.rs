//! The learner's companion: `cargo taller`, which is the same program as `cargo workshop`.
//!
//! Without words it says where the learner is and what to do next. How it works: `lesson.toml`
//! ([`exercise`]) names a lesson's exercises; each is a region ([`region`]) of the lesson's own sources
//! ([`workspace`]), blanked for the learner and found again in git ([`reference`]); the lesson's tests
//! judge it ([`judge`]); what a command replaces is kept ([`keep`]). The book reads the same texts through
//! this library.

mod commands;
mod desk;
mod doctor;
pub mod exercise;
mod judge;
mod keep;
pub mod language;
pub mod lessons;
mod progress;
pub mod reference;
pub mod region;
mod screen;
pub mod workspace;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Arg, ArgAction, ArgMatches, Command};

use commands::check::What;
use commands::{answer, check, prove, start, status, watch};

use language::Language;

/// The program, from its words to its exit code. What a command can't do is said in one line, in the
/// language of the messages: also to who has `RUST_BACKTRACE` set, since where in our code it was said
/// is of no use to them.
pub fn main() -> ExitCode {
    // The language is needed before the words are parsed: the help is in it, too.
    let language = Language::chosen(std::env::args().skip(1), |name| std::env::var(name).ok());
    answer(language).unwrap_or_else(|error| {
        eprintln!("{}: {error:#}", screen::red("error"));
        if let Some(words) = keep::no_space(language, &error) {
            eprintln!("{words}");
        }
        ExitCode::FAILURE
    })
}

fn answer(language: Language) -> Result<ExitCode> {
    let matches = words(language).get_matches();
    let (text, code) = run(language, &home(), &matches)?;
    match io::stdout().write_all(text.as_bytes()) {
        // `cargo taller doctor | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(code),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(code),
    }
}

fn run(language: Language, home: &Path, matches: &ArgMatches) -> Result<(String, ExitCode)> {
    let (name, words) = matches.subcommand().unwrap_or(("", matches));
    let word = |name: &str| words.get_one::<String>(name).map(String::as_str);
    let text = match name {
        "doctor" => return Ok(doctor::doctor(language)),
        "check" => {
            let what = words.get_one("what").cloned().unwrap_or(What::Current);
            return check::check(home, language, &what, words.get_flag("sudo"));
        }
        "start" => start::start(
            home,
            language,
            words.get_one("lesson").copied().unwrap_or(1),
            words.get_flag("yes"),
        )?,
        "watch" => watch::watch(home, language, words.get_flag("sudo"))?,
        "hint" => answer::hint(home, language, word("id"))?,
        "diff" => answer::diff(home, language, word("id"))?,
        "solve" => answer::solve(home, language, word("id").unwrap_or_default())?,
        "reset" => answer::reset(home, language, word("id"), words.get_flag("yes"))?,
        "save" => answer::save(home, language)?,
        "resume" => answer::resume(home, language, word("id"))?,
        "prove" => prove::prove(home, words.get_one("lesson").copied())?,
        "status" => status::status(home, language)?,
        _ => status::overview(home, language)?,
    };
    Ok((text, ExitCode::SUCCESS))
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
    let command = |name: &'static str, en, es| with_help(Command::new(name).about(say(en, es)));
    let id = || Arg::new("id").value_name("ID").help(say("An exercise: ex-03-2", "Un ejercicio: ex-03-2"));
    let yes = || {
        let help = say("Answer the question beforehand", "Responde la pregunta de antemano");
        Arg::new("yes").long("yes").short('y').action(ArgAction::SetTrue).help(help)
    };
    let sudo = || {
        let help = say(
            "Run the test programs, and only them, under sudo",
            "Corre los programas de prueba, y solo ellos, con sudo",
        );
        Arg::new("sudo").long("sudo").action(ArgAction::SetTrue).help(help)
    };
    let commands = [
        command(
            "doctor",
            "Try what the lessons need from this machine, and say how to mend what is missing",
            "Prueba lo que las lecciones necesitan de esta máquina y dice cómo arreglar lo que falta",
        ),
        command(
            "start",
            "Begin a lesson: its exercises become blank",
            "Empieza una lección: sus ejercicios quedan en blanco",
        )
        .arg(
            Arg::new("lesson")
                .value_name("N")
                .required(true)
                .value_parser(clap::value_parser!(u8))
                .help(say("Its number, 1 to 6", "Su número, del 1 al 6")),
        )
        .arg(yes()),
        command("check", "Run the tests, and show what is next", "Corre las pruebas y muestra qué sigue")
            .arg(Arg::new("what").value_name("N|ID").value_parser(clap::value_parser!(What)).help(say(
                "A lesson or an exercise; else the current lesson",
                "Una lección o un ejercicio; si no, la lección actual",
            )))
            .arg(sudo()),
        command(
            "watch",
            "Check again whenever you save a file",
            "Vuelve a comprobar cada vez que guardas un archivo",
        )
        .arg(sudo()),
        command("hint", "A hint; called again, one more", "Una pista; si la pides otra vez, una más")
            .arg(id()),
        command(
            "diff",
            "Your text beside the reference (it shows the answer)",
            "Tu texto junto al de referencia (muestra la respuesta)",
        )
        .arg(id()),
        command(
            "solve",
            "Put the reference in the place of your answer, which is kept",
            "Pone la referencia en lugar de tu respuesta, que se guarda",
        )
        .arg(id().required(true)),
        command(
            "reset",
            "Make an exercise blank again; your answer is kept",
            "Deja un ejercicio otra vez en blanco; tu respuesta se guarda",
        )
        .arg(id())
        .arg(yes()),
        command(
            "save",
            "Put the lesson's answers aside, before a merge for example",
            "Guarda aparte las respuestas de la lección, por ejemplo antes de una fusión",
        ),
        command(
            "resume",
            "Take back what was saved, or the answer that was replaced last",
            "Recupera lo guardado, o la última respuesta reemplazada",
        )
        .arg(id()),
        command(
            "prove",
            "Check the exercises themselves, for who writes them",
            "Comprueba los ejercicios mismos, para quien los escribe",
        )
        .arg(Arg::new("lesson").value_name("N").value_parser(clap::value_parser!(u8)))
        .hide(true),
        command("status", "List the lessons and their exercises", "Enumera las lecciones y sus ejercicios"),
    ];
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
        .subcommands(commands)
}

/// The repository's folder.
fn home() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or_else(|| package.clone(), PathBuf::from)
}
