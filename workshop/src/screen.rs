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

/// Text in lines of the width that people's eyes and every terminal's have, broken between words. The
/// first line is the beginning of one already; those after it begin with that many blanks.
pub fn wrapped(text: &str, indent: usize) -> String {
    const WIDTH: usize = 80;
    let (mut wrapped, mut column) = (String::new(), indent);
    for (number, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if number > 0 && column + 1 + length > WIDTH {
            wrapped += &format!("\n{:indent$}", "");
            column = indent;
        } else if number > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped += word;
        column += length;
    }
    wrapped
}

/// Asks a question that is answered with yes or no, on a terminal; without one nobody answers.
pub fn yes(question: &str) -> Option<bool> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    eprint!("{question} ");
    let mut answer = String::new();
    let _ = std::io::stdin().read_line(&mut answer);
    Some(["y", "yes", "s", "si", "sí"].contains(&answer.trim().to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_a_short_one_stays_as_it_is() {
        let long = "ñandú ".repeat(20);
        let lines = wrapped(long.trim(), 5);
        assert!(lines.lines().all(|line| line.chars().count() <= 80), "{lines}");
        assert_eq!(lines.split_whitespace().count(), 20);
        assert!(lines.lines().skip(1).all(|line| line.starts_with("     ñ")), "{lines}");
        for same in ["", "  left: \"a  b\"", "one"] {
            assert_eq!(wrapped(same, 2), same);
        }
    }
}
