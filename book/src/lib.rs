//! The book's own program: builds both languages, serves them, and guards what they have in common.
//!
//! ```text
//! cargo run -p book             builds book/site/en, book/site/es and the page that lets one choose
//! cargo run -p book -- serve    the same, then serves it on http://127.0.0.1:3000
//! cargo run -p book -- try en/src/01-namespaces.md
//!                               runs that page's transcripts, and prints what isn't as the page says
//! cargo run -p book -- accept   writes down that both languages say the same (after changing both)
//! cargo run -p book -- count    how many words, pictures, transcripts and exercises the pages have
//! cargo test -p book            the gate: both languages have the same shape, nothing in them is broken, and
//!                               the machine says what the pages say that it says
//! ```

mod build;
mod check;
mod count;
mod expand;
mod interface;
mod language;
mod picture;
mod quote;
mod search;
mod serve;
mod transcript;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};

pub use build::build;
pub use language::{LANGUAGES, Language};
pub use serve::in_background;
pub use transcript::lab::Page;

const USAGE: &str = "usage: cargo run -p book [-- serve [PORT] | try PAGE | accept | count]";
const DEFAULT_PORT: u16 = 3000;

/// The program, from its words to its exit code.
///
/// # Errors
/// If the words make no sense, or the pages can't be read.
pub fn main() -> Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let book = home();
    match words[..] {
        [] => println!("{}", build_and_warn(&book)?.join("index.html").display()),
        ["serve"] => serve::serve(&build_and_warn(&book)?, DEFAULT_PORT)?,
        ["serve", port] => match port.parse() {
            Ok(port) => serve::serve(&build_and_warn(&book)?, port)?,
            Err(_) => bail!("{port:?} is not a port (a number from 0 to 65535)\n{USAGE}"),
        },
        ["count"] => print!("{}", count::table(&book)?),
        ["accept"] => {
            for section in check::accept(&book)? {
                println!("accepted: {section}");
            }
        }
        ["try", page] => return try_page(&book, Path::new(page)),
        ["-h" | "--help"] => println!("{USAGE}"),
        _ => bail!("unknown words: {}\n{USAGE}", words.join(" ")),
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs one page's transcripts: a path from here, or from the book's folder.
fn try_page(book: &Path, path: &Path) -> Result<ExitCode> {
    let path = if path.exists() { path.to_owned() } else { book.join(path) };
    let page = Page::read(book.parent().unwrap_or(book), &path)?;
    if let Some(missing) = page.missing() {
        bail!("{} {}", path.display(), missing.reason);
    }
    e2e::sweep::sweep()?;
    page.build()?;
    Ok(if page.run()? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The folder of this crate, where both trees live.
pub fn home() -> PathBuf {
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
