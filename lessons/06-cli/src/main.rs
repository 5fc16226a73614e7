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

use std::process::exit;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;

use tool::{Cli, Tool, Word};

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
