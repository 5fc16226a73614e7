//! The book's own program: builds both languages, serves them, and guards what they have in common.
//!
//! ```text
//! cargo run -p book             builds book/site/en, book/site/es and the page that lets one choose
//! cargo run -p book -- serve    the same, then serves it on http://127.0.0.1:3000
//! cargo test -p book            the gate: both languages have the same shape, and nothing in them is broken
//! ```

mod build;
mod check;
mod expand;
mod language;
mod picture;
mod quote;
mod serve;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

const USAGE: &str = "usage: cargo run -p book [-- serve [PORT]]";
const DEFAULT_PORT: u16 = 3000;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let book = home();
    match words[..] {
        [] => build_and_warn(&book).map(|site| println!("{}", site.join("index.html").display())),
        ["serve"] => serve::serve(&build_and_warn(&book)?, DEFAULT_PORT),
        ["serve", port] => match port.parse() {
            Ok(port) => serve::serve(&build_and_warn(&book)?, port),
            Err(_) => bail!("{port:?} is not a port (a number from 0 to 65535)\n{USAGE}"),
        },
        ["-h" | "--help"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("unknown words: {}\n{USAGE}", words.join(" ")),
    }
}

/// The folder of this crate, where both trees live.
fn home() -> PathBuf {
    // Cargo says so at run time, which stays right when the repository was moved after it was built.
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// Builds the site. An author in the middle of a page wants to see it, so that what the gate finds is
/// only told here; `cargo test -p book` refuses it.
fn build_and_warn(book: &Path) -> Result<PathBuf> {
    for problem in check::check(book)? {
        eprintln!("warning: {problem}");
    }
    build::build(book, &book.join("site"))
}
