//! JSON with line breaks, its fields in the order in which the engine sent them.
//!
//! Reading it into a map and writing it again would sort them; so only blanks are changed, and
//! what is inside of strings is left alone.

/// JSON with four blanks a level, as Docker prints it.
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth: usize = 0;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' => {
                out.push(c);
                let mut escaped = false;
                for c in characters.by_ref() {
                    out.push(c);
                    match c {
                        '"' if !escaped => break,
                        c => escaped = c == '\\' && !escaped,
                    }
                }
            }
            '{' | '[' => {
                out.push(c);
                while characters.next_if(|c| c.is_whitespace()).is_some() {}
                // Nothing inside: it stays on one line.
                if let Some(end) = characters.next_if(|c| matches!(c, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("    ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_strings_their_signs() {
        let text = r#"[{"b":"{,:[ \\\"","a":[],"c":{ },"d":[1,  2]}]"#;
        insta::assert_snapshot!(json(text), @r#"
        [
            {
                "b": "{,:[ \\\"",
                "a": [],
                "c": {},
                "d": [
                    1,
                    2
                ]
            }
        ]
        "#);
    }
}
