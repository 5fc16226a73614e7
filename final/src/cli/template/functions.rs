//! The functions: Go's own, and those that the docker command adds.

use std::cmp::Ordering;

use super::printf::printf;
use super::value::{Absent, Value};

/// What a function is given.
pub type Arguments = Vec<Value>;

/// Go's, then Docker's.
const NAMES: &[&str] = &[
    "and", "eq", "ge", "gt", "index", "le", "len", "lt", "ne", "not", "or", "print", "printf", "println",
    "slice", "join", "json", "lower", "pad", "split", "title", "truncate", "upper",
];

/// Those that leave a heading as it is.
const ON_CELLS: &[&str] = &["join", "json", "lower", "pad", "split", "title", "truncate", "upper"];

/// Whether there is one of that name.
pub fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Whether `and` or `or` has its answer with this argument.
pub fn settles(name: &str, value: &Value) -> bool {
    match name {
        "and" => !value.is_true(),
        "or" => value.is_true(),
        _ => false,
    }
}

/// Calls it; `heading`: what it is given is the name of a column.
///
/// # Errors
/// Too few arguments, or of the wrong kind.
pub fn call(name: &str, mut arguments: Arguments, heading: bool) -> Result<Value, String> {
    if heading && ON_CELLS.contains(&name) && !arguments.is_empty() {
        return Ok(arguments.swap_remove(0));
    }
    match (name, arguments.as_slice()) {
        ("and" | "or", [.., last]) => Ok(last.clone()),
        ("not", [value]) => Ok(Value::Bool(!value.is_true())),
        ("eq", [first, others @ ..]) if !others.is_empty() => {
            Ok(Value::Bool(others.iter().any(|other| same(first, other))))
        }
        ("ne", [a, b]) => Ok(Value::Bool(!same(a, b))),
        ("lt", [a, b]) => Ok(Value::Bool(compare(a, b)? == Ordering::Less)),
        ("le", [a, b]) => Ok(Value::Bool(compare(a, b)? != Ordering::Greater)),
        ("gt", [a, b]) => Ok(Value::Bool(compare(a, b)? == Ordering::Greater)),
        ("ge", [a, b]) => Ok(Value::Bool(compare(a, b)? != Ordering::Less)),
        ("len", [value]) => length(value).map(|length| Value::Number(length.into())),
        ("index", [value, keys @ ..]) => keys.iter().try_fold(value.clone(), |value, key| index(&value, key)),
        ("slice", [value, bounds @ ..]) => slice(value, bounds),
        ("print", values) => Ok(Value::Text(print(values))),
        ("println", values) => {
            let words: Vec<String> = values.iter().map(Value::to_string).collect();
            Ok(Value::Text(format!("{}\n", words.join(" "))))
        }
        ("printf", [Value::Text(format), values @ ..]) => printf(format, values).map(Value::Text),
        ("json", [value]) => Ok(Value::Text(value.json())),
        ("join", [Value::List(items), Value::Text(between)]) => {
            let words: Vec<String> = items.iter().map(Value::to_string).collect();
            Ok(Value::Text(words.join(between)))
        }
        ("join", [Value::Nothing(_), Value::Text(_)]) => Ok(Value::Text(String::new())),
        ("split", [Value::Text(text), Value::Text(between)]) => {
            let pieces: Vec<&str> = match between.is_empty() {
                true => text.split("").filter(|piece| !piece.is_empty()).collect(),
                false => text.split(between.as_str()).collect(),
            };
            Ok(Value::List(pieces.into_iter().map(|piece| Value::Text(piece.to_owned())).collect()))
        }
        ("upper", [Value::Text(text)]) => Ok(Value::Text(text.to_uppercase())),
        ("lower", [Value::Text(text)]) => Ok(Value::Text(text.to_lowercase())),
        ("title", [Value::Text(text)]) => Ok(Value::Text(title(text))),
        ("truncate", [Value::Text(text), most]) => match most.integer().map(usize::try_from) {
            Some(Ok(most)) => Ok(Value::Text(text.chars().take(most).collect())),
            _ => Err("wants a text and a number".to_owned()),
        },
        ("pad", [Value::Text(text), before, after]) => match (before.integer(), after.integer()) {
            // Nobody means to fill the memory with blanks.
            (Some(before @ 0..=10_000), Some(after @ 0..=10_000)) => {
                let blanks = |count: i64| " ".repeat(usize::try_from(count).unwrap_or(0));
                Ok(Value::Text(match text.is_empty() {
                    true => String::new(),
                    false => format!("{}{text}{}", blanks(before), blanks(after)),
                }))
            }
            _ => Err("wants a text and two numbers, up to 10000".to_owned()),
        },
        (_, arguments) => {
            let given: Vec<String> = arguments.iter().map(Value::json).collect();
            Err(format!("wrong number or kind of arguments: {}", given.join(", ")))
        }
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Nothing(_), Value::Nothing(_)) => true,
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

fn compare(a: &Value, b: &Value) -> Result<Ordering, String> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Ok(a.cmp(b)),
        (Value::Number(x), Value::Number(y)) => match (a.integer(), b.integer()) {
            (Some(a), Some(b)) => Ok(a.cmp(&b)),
            _ => x.as_f64().partial_cmp(&y.as_f64()).ok_or_else(|| "not a number".to_owned()),
        },
        _ => Err("incompatible types for comparison".to_owned()),
    }
}

fn length(value: &Value) -> Result<usize, String> {
    match value {
        Value::Text(text) => Ok(text.len()),
        Value::List(items) => Ok(items.len()),
        Value::Map(fields) => Ok(fields.len()),
        Value::Nothing(Absent::List | Absent::Map) => Ok(0),
        other => Err(format!("len of {other}")),
    }
}

fn index(value: &Value, key: &Value) -> Result<Value, String> {
    let out_of_range = |at: &dyn std::fmt::Display| Err(format!("index out of range: {at}"));
    match (value, key) {
        (Value::List(items), Value::Number(at)) => {
            match at.as_u64().and_then(|at| items.get(usize::try_from(at).ok()?)) {
                Some(item) => Ok(item.clone()),
                None => out_of_range(at),
            }
        }
        (Value::Nothing(Absent::List | Absent::Value), Value::Number(at)) => out_of_range(at),
        (Value::Text(text), Value::Number(at)) => {
            match at.as_u64().and_then(|at| text.as_bytes().get(usize::try_from(at).ok()?)) {
                Some(byte) => Ok(Value::Number((*byte).into())),
                None => out_of_range(at),
            }
        }
        (Value::Map(fields), Value::Text(key)) => {
            let found = fields.iter().find(|(name, _)| name == key);
            // Go gives the empty value of the map's type: what the others are like tells which.
            Ok(found.map_or_else(|| empty_like(fields), |(_, value)| value.clone()))
        }
        (Value::Nothing(Absent::Map | Absent::Value), Value::Text(_)) => Ok(Value::Text(String::new())),
        (value, key) => Err(format!("cannot index {} with {}", value.json(), key.json())),
    }
}

fn empty_like(fields: &[(String, Value)]) -> Value {
    match fields.first() {
        None | Some((_, Value::Text(_))) => Value::Text(String::new()),
        Some((_, Value::List(_))) => Value::Nothing(Absent::List),
        Some(_) => Value::Nothing(Absent::Value),
    }
}

fn slice(value: &Value, bounds: &[Value]) -> Result<Value, String> {
    let length = length(value)?;
    let bound = |at: usize, otherwise: usize| match bounds.get(at) {
        None => Ok(otherwise),
        Some(bound) => bound
            .integer()
            .and_then(|bound| usize::try_from(bound).ok())
            .filter(|bound| *bound <= length)
            .ok_or_else(|| format!("index out of range: {bound}")),
    };
    let (from, to) = (bound(0, 0)?, bound(1, length)?);
    match value {
        Value::Text(text) => {
            let piece = text.get(from..to).ok_or("slice bounds are not in order, or inside a letter")?;
            Ok(Value::Text(piece.to_owned()))
        }
        Value::List(items) => {
            Ok(Value::List(items.get(from..to).ok_or("slice bounds are not in order")?.to_vec()))
        }
        other => Err(format!("cannot slice {other}")),
    }
}

/// Go's Sprint: a blank between two of which neither is a text.
fn print(values: &[Value]) -> String {
    let mut text = String::new();
    for (at, value) in values.iter().enumerate() {
        let is_text = |value: &Value| matches!(value, Value::Text(_));
        if at > 0 && !is_text(value) && !is_text(&values[at - 1]) {
            text.push(' ');
        }
        text.push_str(&value.to_string());
    }
    text
}

/// Each word with a capital.
fn title(text: &str) -> String {
    let mut before = ' ';
    let mut all = String::with_capacity(text.len());
    for c in text.chars() {
        match before.is_alphanumeric() || before == '_' || before == '\'' {
            true => all.push(c),
            false => all.extend(c.to_uppercase()),
        }
        before = c;
    }
    all
}
