//! `cargo taller`, `cargo workshop`: all of it is in the library, which the book uses, too.

use std::process::ExitCode;

fn main() -> ExitCode {
    workshop::main()
}
