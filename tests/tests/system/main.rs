//! What canoa must do, one sentence a test. `cargo test -p e2e`, as root and as an ordinary user.
// This whole program is a test: what can't be unwrapped has failed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod exit_codes;
mod lifecycle;
mod run_flags;
mod shell;

fn main() -> std::process::ExitCode {
    e2e::run::main(&[shell::CASES, run_flags::CASES, lifecycle::CASES, exit_codes::CASES])
}
