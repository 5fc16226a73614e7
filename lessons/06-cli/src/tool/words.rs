//! What can be said on the command line, for clap.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::Create;

// ANCHOR: words
/// Containers without a daemon: what you built in lessons 1 to 6.
#[derive(Parser)]
#[command(name = "lesson-06", version, after_help = "Example:\n  lesson-06 run -it base sh")]
pub struct Cli {
    /// Where images and containers are kept, in place of the usual folder
    #[arg(long, global = true, value_name = "FOLDER")]
    pub root: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Word,
}

#[derive(Subcommand)]
pub enum Word {
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
