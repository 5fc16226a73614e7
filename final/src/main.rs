//! `canoa`: a container engine that its readers build themselves.
//!
//! One binary is the client, the daemon and the monitors. README.md beside this folder shows how
//! data flows through them.
#![allow(dead_code)]

mod bundle;
mod monitor;
mod paths;

fn main() -> std::process::ExitCode {
    let mut words = std::env::args().skip(1);
    match words.next().as_deref() {
        Some("monitor") => monitor::main(words),
        _ => std::process::ExitCode::from(125),
    }
}
