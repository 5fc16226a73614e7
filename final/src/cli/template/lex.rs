//! A template, cut into text and actions, and each action into words.

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// What is printed as it stands.
    Text(String),
    /// What stood between `{{` and `}}`.
    Action(Vec<Token>),
}

/// A word of an action.
#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// `.`, `.State.Pid`: a path from where one stands, or from what is before it.
    Path(Vec<String>),
    /// `$`, `$x`: its name without the `$`.
    Variable(String),
    /// A function or a keyword.
    Word(String),
    /// `"text"`, `` `text` ``
    Text(String),
    /// A number.
    Number(serde_json::Number),
    /// `|`, `(`, `)`, `,`
    Sign(char),
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// A blank: `(f .X).Y` and `(f .X) .Y` are not the same.
    Blank,
}

/// Cuts a template up.
///
/// # Errors
/// Something that isn't closed, or a character that has no meaning.
pub fn lex(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut trim = false;
    while let Some((before, after)) = rest.split_once("{{") {
        let mut before = if trim { before.trim_start() } else { before };
        // `{{- ` takes the blanks before it away, ` -}}` those after it.
        let inside = match after.strip_prefix('-').filter(|rest| rest.starts_with(char::is_whitespace)) {
            Some(inside) => {
                before = before.trim_end();
                inside
            }
            None => after,
        };
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let (tokens, after, trims) = action(inside)?;
        if let Some(tokens) = tokens {
            pieces.push(Piece::Action(tokens));
        }
        (rest, trim) = (after, trims);
    }
    let last = if trim { rest.trim_start() } else { rest };
    if !last.is_empty() {
        pieces.push(Piece::Text(last.to_owned()));
    }
    Ok(pieces)
}

/// One action: its words (none for a comment), what comes after it, and whether blanks there are taken away.
fn action(text: &str) -> Result<(Option<Vec<Token>>, &str, bool), String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    if let Some(comment) = rest.trim_start().strip_prefix("/*") {
        let (_, after) = comment.split_once("*/").ok_or("unclosed comment")?;
        return match (after.strip_prefix("}}"), after.trim_start().strip_prefix("-}}")) {
            (Some(after), _) => Ok((None, after, false)),
            (None, Some(after)) => Ok((None, after, true)),
            (None, None) => Err("comment ends before closing delimiter".to_owned()),
        };
    }
    loop {
        if let Some(after) = rest.strip_prefix("}}") {
            return Ok((Some(tokens), after, false));
        }
        let Some(c) = rest.chars().next() else { return Err("unclosed action".to_owned()) };
        if c.is_whitespace() {
            if let Some(after) = rest.trim_start().strip_prefix("-}}") {
                return Ok((Some(tokens), after, true));
            }
            tokens.push(Token::Blank);
            rest = rest.trim_start();
            continue;
        }
        let (token, after) = token(rest, c)?;
        tokens.push(token);
        rest = after;
    }
}

fn token(text: &str, first: char) -> Result<(Token, &str), String> {
    let digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    match first {
        '|' | '(' | ')' | ',' => Ok((Token::Sign(first), &text[1..])),
        '=' => Ok((Token::Assign, &text[1..])),
        ':' if text.starts_with(":=") => Ok((Token::Declare, &text[2..])),
        '"' => quoted(text),
        '`' => {
            let (inside, after) = text[1..].split_once('`').ok_or("unterminated raw quoted string")?;
            Ok((Token::Text(inside.to_owned()), after))
        }
        '.' if !digit(&text[1..]) => Ok(path(text)),
        '$' => {
            let (name, after) = word(&text[1..]);
            Ok((Token::Variable(name.to_owned()), after))
        }
        _ if digit(text) || ((first == '-' || first == '+') && digit(&text[1..])) => {
            let end = text[1..]
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '.')
                .map_or(text.len(), |at| at + 1);
            let digits = text[..end].trim_start_matches('+');
            let number = digits.parse().map_err(|_| format!("bad number syntax: {digits:?}"))?;
            Ok((Token::Number(number), &text[end..]))
        }
        _ if first.is_alphabetic() || first == '_' => {
            let (name, after) = word(text);
            Ok((Token::Word(name.to_owned()), after))
        }
        other => Err(format!("unexpected {other:?} in command")),
    }
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len()))
}

/// `.A.B`, or `.` alone.
fn path(text: &str) -> (Token, &str) {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(after) = rest.strip_prefix('.') {
        let (name, after) = word(after);
        rest = after;
        if name.is_empty() {
            break;
        }
        names.push(name.to_owned());
    }
    (Token::Path(names), rest)
}

/// A text in quotation marks, with Go's escapes.
fn quoted(text: &str) -> Result<(Token, &str), String> {
    let mut all = String::new();
    let mut letters = text[1..].char_indices();
    while let Some((at, c)) = letters.next() {
        match c {
            '"' => return Ok((Token::Text(all), &text[at + 2..])),
            '\n' => break,
            '\\' => match letters.next().map(|(_, c)| c) {
                Some('n') => all.push('\n'),
                Some('t') => all.push('\t'),
                Some('r') => all.push('\r'),
                Some(c @ ('"' | '\\')) => all.push(c),
                other => return Err(format!("unknown escape \\{} in a string", other.unwrap_or(' '))),
            },
            other => all.push(other),
        }
    }
    Err("unterminated quoted string".to_owned())
}
