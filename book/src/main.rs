//! `cargo run -p book`: all of it is in the library, which the tests use, too.

fn main() -> anyhow::Result<std::process::ExitCode> {
    book::main()
}
