//! Whether what was printed is what the book says, where `…` and numbers may stand for something else.

use std::collections::BTreeMap;

/// Which number of the book stands for which of this run: one for one.
#[derive(Debug, Clone, Default)]
pub struct Numbers {
    of_the_book: BTreeMap<String, String>,
    of_this_run: BTreeMap<String, String>,
}

impl Numbers {
    /// Whether these two can be the same number; it is noted that they are.
    fn pair(&mut self, book: &str, run: &str) -> bool {
        let (known, taken) = (self.of_the_book.get(book), self.of_this_run.get(run));
        if known.is_none() && taken.is_none() {
            self.of_the_book.insert(book.to_owned(), run.to_owned());
            self.of_this_run.insert(run.to_owned(), book.to_owned());
            return true;
        }
        known.is_some_and(|known| known == run) && taken.is_some_and(|taken| taken == book)
    }

    /// Takes over what others know.
    pub fn learn(&mut self, others: &Numbers) {
        self.of_the_book.extend(others.of_the_book.clone());
    }

    /// A command with the numbers of this run in it, so that one can type a pid that was shown before.
    /// Short numbers are left as they are: they are mostly no pids.
    pub fn put_in(&self, command: &str) -> String {
        let shown = |piece: Piece<'_>| match piece {
            Piece::Number(number) if number.len() > 2 => {
                self.of_the_book.get(number).cloned().unwrap_or_else(|| number.to_owned())
            }
            Piece::Number(text) | Piece::Text(text) => text.to_owned(),
            Piece::Any => ANY.to_string(),
        };
        pieces(command, true).into_iter().map(shown).collect()
    }
}

/// What stands for anything: in a line for any text, alone for any lines.
const ANY: char = '…';

#[derive(Debug, Clone, Copy)]
enum Piece<'a> {
    Text(&'a str),
    Number(&'a str),
    Any,
}

/// Whether `printed` is as the book has it. With `numbers` they stand for others, which are noted there.
pub fn fits(book: &[String], printed: &[String], numbers: Option<&mut Numbers>) -> bool {
    let mut known = numbers.as_ref().map(|numbers| (**numbers).clone());
    let fits = match known {
        // A column is as wide as its widest number.
        Some(_) => lines_fit(&evenly_spaced(book), &evenly_spaced(printed), &mut known),
        None => lines_fit(book, printed, &mut known),
    };
    if let (true, Some(numbers), Some(known)) = (fits, numbers, known) {
        *numbers = known;
    }
    fits
}

fn evenly_spaced(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn lines_fit(book: &[String], printed: &[String], numbers: &mut Option<Numbers>) -> bool {
    let Some((first, rest)) = book.split_first() else { return printed.is_empty() };
    if first.trim() == ANY.to_string() {
        return (0..=printed.len())
            .any(|skipped| attempt(numbers, |n| lines_fit(rest, &printed[skipped..], n)));
    }
    let Some((line, others)) = printed.split_first() else { return false };
    // No eye sees white space at a line's end.
    let pieces = pieces(first.trim_end(), numbers.is_some());
    line_fits(&pieces, line.trim_end(), numbers) && lines_fit(rest, others, numbers)
}

fn line_fits(book: &[Piece<'_>], line: &str, numbers: &mut Option<Numbers>) -> bool {
    match book.split_first() {
        None => line.is_empty(),
        Some((Piece::Text(text), rest)) => {
            line.strip_prefix(text).is_some_and(|line| line_fits(rest, line, numbers))
        }
        Some((Piece::Number(number), rest)) => {
            let (digits, line) = line.split_at(line.len() - line.trim_start_matches(is_digit).len());
            !digits.is_empty()
                && numbers.as_mut().is_none_or(|known| known.pair(number, digits))
                && line_fits(rest, line, numbers)
        }
        Some((Piece::Any, rest)) => {
            let ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
            ends.into_iter().any(|at| attempt(numbers, |numbers| line_fits(rest, &line[at..], numbers)))
        }
    }
}

/// Tries one of several ways; what it noted is forgotten if it was the wrong one.
fn attempt(numbers: &mut Option<Numbers>, way: impl FnOnce(&mut Option<Numbers>) -> bool) -> bool {
    let before = numbers.clone();
    let fits = way(numbers);
    if !fits {
        *numbers = before;
    }
    fits
}

fn is_digit(letter: char) -> bool {
    letter.is_ascii_digit()
}

fn pieces(line: &str, with_numbers: bool) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let kind = |letter: char| match letter {
            ANY => 0,
            letter if with_numbers && is_digit(letter) => 1,
            _ => 2,
        };
        let end = rest.find(|letter| kind(letter) != kind(first)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        pieces.push(match kind(first) {
            0 => Piece::Any,
            1 => Piece::Number(piece),
            _ => Piece::Text(piece),
        });
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(book: &str, printed: &str, numbers: bool) -> bool {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let mut known = Numbers::default();
        fits(&lines(book), &lines(printed), numbers.then_some(&mut known))
    }

    #[test]
    fn without_flags_every_letter_counts() {
        assert!(compare("a 1\nb", "a 1\nb  ", false));
        for printed in ["a 2\nb", "a 1", "a 1\nb\nc", "a 1\nb\n"] {
            assert_eq!(compare("a 1\nb", printed, false), printed == "a 1\nb\n", "{printed:?}");
        }
    }

    #[test]
    fn an_ellipsis_stands_for_any_text_or_any_lines() {
        assert!(compare("pid … of …", "pid 12 of x of y", false));
        assert!(!compare("pid … of", "pid 12 of x", false));
        assert!(compare("a\n…\nb", "a\nb", false));
        assert!(compare("a\n…\nb", "a\nb\nc\nb", false));
        assert!(!compare("a\n…\nb", "a\nb\nc", false));
        assert!(compare("…", "", false));
    }

    #[test]
    fn a_number_stands_for_one_number_and_no_other_for_it() {
        assert!(compare("mnt 100\npid 200\nmnt 100", "mnt 7\npid 8\nmnt 7", true));
        assert!(!compare("mnt 100\nmnt 100", "mnt 7\nmnt 8", true), "the same");
        assert!(!compare("mnt 100\nmnt 200", "mnt 7\nmnt 7", true), "two different ones");
        assert!(!compare("mnt 100", "mnt x", true));
        assert!(compare("  PID\n  100 sh", "PID\n7   sh", true), "columns are as wide as their numbers");
        assert!(!compare("mnt 100 a", "mnt 100 b", true), "words count");
        assert!(compare("… 10\n10", "1 2 3\n3", true), "what a wrong way noted is forgotten");
    }

    #[test]
    fn numbers_seen_are_typed() {
        let mut known = Numbers::default();
        let line = |text: &str| vec![text.to_owned()];
        assert!(fits(&line("pid 4711 of 1"), &line("pid 815 of 9"), Some(&mut known)));
        assert_eq!(known.put_in("kill -9 4711; head -1"), "kill -9 815; head -1");
    }
}
