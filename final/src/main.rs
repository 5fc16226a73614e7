//! `canoa`: a container engine that its readers build themselves.
//!
//! One binary is the client, the daemon and the monitors. README.md beside this folder shows how
//! data flows through them.

mod api;
mod build_id;
mod bundle;
mod cli;
mod client;
mod daemon;
mod descriptors;
mod engine;
mod moment;
mod monitor;
mod paths;
mod seccomp;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Daemon and monitor have their own flags and nothing of the client's; so the first word
    // decides, before anything else costs time.
    let mut words = std::env::args_os().skip(1).filter_map(|word| word.into_string().ok());
    match words.next().as_deref() {
        Some("monitor") => monitor::main(words),
        Some("daemon") => daemon::main(),
        _ => cli::main(),
    }
}
