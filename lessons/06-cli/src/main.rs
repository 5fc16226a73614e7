//! Lesson 6's program: a small, complete container tool without a daemon.
//!
//! ```text
//! cargo run -p lesson-06 -- run -it base sh
//! cargo run -p lesson-06 -- ps -a
//! ```
//!
//! What waits for a container and keeps its log is this same program, left behind as `monitor ID`
//! when the container runs detached; with a terminal, it is the program that you started.

mod tool;

use std::path::PathBuf;
use std::process::exit;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

use tool::{Create, Tool};

// ANCHOR: words
/// Containers without a daemon: what you built in lessons 1 to 6.
#[derive(Parser)]
#[command(name = "lesson-06", version, after_help = "Example:\n  lesson-06 run -it base sh")]
struct Cli {
    /// Where images and containers are kept, in place of the usual folder
    #[arg(long, global = true, value_name = "FOLDER")]
    root: Option<PathBuf>,
    #[command(subcommand)]
    command: Word,
}

#[derive(Subcommand)]
enum Word {
    /// Make a container from an image and start it
    Run {
        #[command(flatten)]
        create: Create,
        /// Leave it running in the background, and print its id
        #[arg(short, long)]
        detach: bool,
        /// Remove it when it has ended
        #[arg(long)]
        rm: bool,
    },
    /// Make a container, and don't start it yet
    Create(Create),
    // ANCHOR_END: words
    /// Start a container that was made before, or has ended
    Start {
        /// Its name, or the beginning of its id
        container: String,
        /// Stay with it: its output comes here
        #[arg(short, long)]
        attach: bool,
    },
    /// Run one more program in a container
    Exec {
        /// Keep standard input open
        #[arg(short, long)]
        interactive: bool,
        /// Give it a terminal
        #[arg(short, long)]
        tty: bool,
        /// Its name, or the beginning of its id
        container: String,
        /// The program and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// List containers
    Ps {
        /// Also those that don't run
        #[arg(short, long)]
        all: bool,
    },
    /// Show what a container has said
    Logs {
        /// Its name, or the beginning of its id
        container: String,
        /// Go on until it ends
        #[arg(short, long)]
        follow: bool,
    },
    /// Ask a container to end (SIGTERM); after some time it has no choice
    Stop {
        /// How many seconds it has
        #[arg(short, long, default_value_t = 10)]
        time: u32,
        /// Its name, or the beginning of its id
        container: String,
    },
    /// Remove a container
    Rm {
        /// Its name, or the beginning of its id
        container: String,
        /// Also if it runs
        #[arg(short, long)]
        force: bool,
    },
    #[command(hide = true)]
    Monitor { id: String },
}

/// The program. (Lesson 6's tests run it within themselves, to listen to its steps.)
// ANCHOR: main
pub fn main() {
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        let _ = error.print();
        // Help was asked for, or the words make no sense: then Docker says 125.
        exit(if error.use_stderr() { 125 } else { 0 })
    });
    match carry_out(cli) {
        Ok(code) => exit(code),
        Err(error) => {
            eprintln!("lesson-06: {error:#}");
            exit(tool::exit_code(&error))
        }
    }
}
// ANCHOR_END: main

/// Does it, and gives the exit code.
// ANCHOR: carry_out
fn carry_out(Cli { root, command }: Cli) -> Result<i32> {
    let tool = Tool::open(root.as_deref())?;
    if let Word::Run { detach: false, .. } | Word::Start { attach: true, .. } = command {
        tool.run_sealed()?;
    }
    match command {
        Word::Create(create) => {
            println!("{}", tool.create(create, false)?);
            Ok(0)
        }
        Word::Run { create, detach: true, rm } => tool.start_detached(&tool.create(create, rm)?),
        Word::Run { create, detach: false, rm } => tool.start(&tool.create(create, rm)?),
        Word::Start { container, attach: true } => tool.start(&tool.find(&container)?),
        Word::Start { container, attach: false } => tool.start_detached(&tool.find(&container)?),
        Word::Exec { interactive, tty, container, command } => {
            tool.exec(&container, command, interactive, tty)
        }
        Word::Ps { all } => tool.ps(all),
        Word::Logs { container, follow } => tool.logs(&container, follow),
        Word::Stop { time, container } => tool.stop(&container, Duration::from_secs(time.into())),
        Word::Rm { container, force } => tool.rm(&container, force),
        Word::Monitor { id, .. } => tool.monitor(&id),
    }
}
// ANCHOR_END: carry_out
