//! What the screen is painted with: colours where a terminal shows them, and a bar.

use std::io::{IsTerminal, stdout};

/// Whether to use colours: not in a file or a pipe, and not against the user's will (no-color.org).
pub fn colours() -> bool {
    stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A piece of text in a colour.
fn paint(code: &str, text: &str) -> String {
    if colours() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Done.
pub fn green(text: &str) -> String {
    paint("32", text)
}

/// Not done.
pub fn red(text: &str) -> String {
    paint("31", text)
}

/// Look here.
pub fn bold(text: &str) -> String {
    paint("1", text)
}

/// Beside the point.
pub fn dim(text: &str) -> String {
    paint("2", text)
}

/// `█████░░░░░` for 3 of 6.
pub fn bar(done: usize, all: usize) -> String {
    const WIDTH: usize = 10;
    let full = (done * WIDTH).checked_div(all).unwrap_or(0).min(WIDTH);
    format!("{}{}", green(&"█".repeat(full)), dim(&"░".repeat(WIDTH - full)))
}

/// Asks a question that is answered with yes or no, on a terminal; without one the answer is no.
pub fn yes(question: &str) -> bool {
    if !std::io::stdin().is_terminal() {
        return false;
    }
    eprint!("{question} ");
    let mut answer = String::new();
    let _ = std::io::stdin().read_line(&mut answer);
    ["y", "yes", "s", "si", "sí"].contains(&answer.trim().to_lowercase().as_str())
}
