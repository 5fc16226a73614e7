//! Text of strangers, for a terminal.

use std::fmt::Write;

/// This text on one line, with its control characters as Rust writes them: `\n`, `\u{1b}`.
///
/// A terminal obeys what begins with ESC: it moves the cursor, paints over what stands there, changes
/// the window's title. An image's author chooses the words of its command, and must not thereby choose
/// what a list of containers looks like. All other characters stay as they are.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter.is_control() {
            // (Writing to a String can't fail.)
            true => drop(write!(shown, "{}", letter.escape_default())),
            false => shown.push(letter),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_would_steer_a_terminal_is_written_out_and_all_else_is_left_alone() {
        assert_eq!(printable("echo \x1b[2J\x07\r\n\tx\u{9b}y\0"), r"echo \u{1b}[2J\u{7}\r\n\tx\u{9b}y\u{0}");
        for plain in ["", "señora ñu 船 🛶", r"a\nb", "sh -c 'exit 42'"] {
            assert_eq!(printable(plain), plain);
        }
    }

    proptest! {
        #[test]
        fn no_text_has_a_control_character_left(text in "(?s).{0,40}") {
            let shown = printable(&text);
            prop_assert!(!shown.chars().any(char::is_control));
            prop_assert_eq!(shown == text, !text.chars().any(char::is_control));
        }
    }
}
