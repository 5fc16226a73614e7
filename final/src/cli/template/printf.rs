//! `printf`, with the verbs that tables are made of.

use super::value::Value;

/// The widest column; nobody means to fill the memory with blanks.
const WIDEST: usize = 10_000;

/// Formats `values` as `format` says: `%s %v %d %q %t %f %x %%`, with `-` or `0`, a width and a precision.
///
/// # Errors
/// A verb that is not known; one without its value, or with one of another kind.
pub fn printf(format: &str, values: &[Value]) -> Result<String, String> {
    let mut text = String::new();
    let mut values = values.iter();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let flags = after.len() - after.trim_start_matches(['-', '0', '+']).len();
        let (flags, after) = after.split_at(flags);
        let (width, after) = number(after)?;
        let (precision, after) = match after.strip_prefix('.') {
            Some(after) => number(after).map(|(precision, after)| (Some(precision.unwrap_or(0)), after))?,
            None => (None, after),
        };
        let Some(verb) = after.chars().next() else { return Err("the format ends after %".to_owned()) };
        rest = &after[verb.len_utf8()..];
        if verb == '%' {
            text.push('%');
            continue;
        }
        let value = values.next().ok_or_else(|| format!("%{verb} has no argument"))?;
        let cell = cell(verb, value, precision)?;
        let blanks = width.unwrap_or(0).saturating_sub(cell.chars().count());
        match (flags.contains('-'), flags.contains('0')) {
            (true, _) => text.push_str(&format!("{cell}{}", " ".repeat(blanks))),
            (false, true) => text.push_str(&format!("{}{cell}", "0".repeat(blanks))),
            (false, false) => text.push_str(&format!("{}{cell}", " ".repeat(blanks))),
        }
    }
    text.push_str(rest);
    match values.next() {
        None => Ok(text),
        Some(value) => Err(format!("{} has no verb in the format", value.json())),
    }
}

fn number(text: &str) -> Result<(Option<usize>, &str), String> {
    let (digits, after) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    if digits.is_empty() {
        return Ok((None, after));
    }
    let number = digits.parse().ok().filter(|number| *number <= WIDEST);
    Ok((Some(number.ok_or_else(|| format!("a width of {digits}: {WIDEST} is the most"))?), after))
}

fn cell(verb: char, value: &Value, precision: Option<usize>) -> Result<String, String> {
    let cut = |text: String| match precision {
        Some(most) => text.chars().take(most).collect(),
        None => text,
    };
    match (verb, value) {
        ('v', value) => Ok(value.to_string()),
        ('s', value) => Ok(cut(value.to_string())),
        ('q', Value::Text(text)) => Ok(Value::Text(cut(text.clone())).json()),
        ('t', Value::Bool(is)) => Ok(is.to_string()),
        ('d', value) => {
            value.integer().map(|number| number.to_string()).ok_or_else(|| format!("%d of {}", value.json()))
        }
        ('x', Value::Number(_)) => {
            value.integer().map(|number| format!("{number:x}")).ok_or_else(|| format!("%x of {value}"))
        }
        ('f', Value::Number(number)) => {
            Ok(format!("{:.*}", precision.unwrap_or(6), number.as_f64().unwrap_or(0.0)))
        }
        ('q' | 't' | 'x' | 'f', value) => Err(format!("%{verb} of {}", value.json())),
        (other, _) => Err(format!("%{other} is not known here")),
    }
}
