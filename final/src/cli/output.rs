//! Standard output and standard error, without `println!`, which panics on a closed pipe.

use std::io::{self, Write};

use super::failure::{Failure, Outcome};

/// Writes one line to standard output.
pub fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Writes to standard output as it is.
pub fn text(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Says something beside the output: a warning, an error among several.
pub fn note(text: &str) {
    // Where even standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says why something failed, with our name before it. An engine's own words stand as Docker's client
/// writes them, where scripts look for them: `Error response from daemon: …` at the beginning.
pub fn failure(message: &str) {
    match message.starts_with("Error") {
        true => note(message),
        false => note(&format!("canoa: {message}")),
    }
}

/// Says one failure among several; the exit status it asks for.
///
/// # Errors
/// A closed pipe ends everything.
pub fn report(failure: Failure) -> Outcome {
    match failure {
        Failure::Said { code, message } => {
            self::failure(&message);
            Ok(code)
        }
        Failure::Silent(code) => Ok(code),
        Failure::BrokenPipe => Err(Failure::BrokenPipe),
    }
}

/// Does something to each of the named things and prints the names of those that worked. An
/// error does not keep the others from their turn; the exit status tells of it, as Docker's does.
pub async fn each(names: &[String], action: impl AsyncFn(&str) -> Result<(), Failure>) -> Outcome {
    let mut code = 0;
    for name in names {
        match action(name).await {
            Ok(()) => line(name)?,
            Err(failure) => code = report(failure)?.max(code),
        }
    }
    Ok(code)
}
