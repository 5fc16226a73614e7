//! `--format`: `json`, or a template of plain paths: `{{.Names}} is {{.State.Status}}`.
//!
//! Of Go's templates only what scripts use every day: `{{.A.B}}`, `{{json .A}}`, `{{.}}`, and for
//! lists `table` in front. Anything else is refused by name rather than printed wrongly.

use serde_json::Value;

use super::failure::Failure;
use super::table;

/// A list of things to print: each a row of named fields, in the order in which JSON shows them.
pub type Row = Vec<(&'static str, String)>;

/// Prints rows as a table with these columns `(field, heading)`, or as `--format` says.
///
/// # Errors
/// A template that is not understood, or a field that does not exist.
pub fn rows(format: Option<&str>, columns: &[(&str, &str)], rows: &[Row]) -> Result<String, Failure> {
    let cell = |row: &Row, field: &str| -> String {
        row.iter().find(|(name, _)| *name == field).map(|(_, text)| text.clone()).unwrap_or_default()
    };
    let (template, with_header) = match format {
        None | Some("" | "table") => {
            let mut cells = vec![columns.iter().map(|(_, heading)| (*heading).to_owned()).collect()];
            for row in rows {
                cells.push(columns.iter().map(|(field, _)| cell(row, field)).collect());
            }
            return Ok(table::render(&cells));
        }
        Some(format) => match format.strip_prefix("table ") {
            Some(template) => (template, true),
            None => (format, false),
        },
    };
    let template = if template == "json" { "{{json .}}" } else { template };
    let template = template.replace("\\t", "\t").replace("\\n", "\n");
    let pieces = parse(&template)?;
    let mut lines = Vec::new();
    if with_header {
        let heading = |field: &String| {
            let known = columns.iter().find(|(name, _)| name == field);
            known.map_or_else(|| heading(field), |(_, heading)| (*heading).to_owned())
        };
        lines.push(
            pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Text(text) => text.clone(),
                    Piece::Field { path, .. } => path.first().map(heading).unwrap_or_default(),
                })
                .collect::<String>(),
        );
    }
    for row in rows {
        lines.push(render_row(&pieces, row)?);
    }
    if with_header {
        let cells: Vec<Vec<String>> =
            lines.iter().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
        return Ok(table::render(&cells));
    }
    Ok(lines.iter().map(|line| format!("{line}\n")).collect())
}

/// One thing as `--format` says: for `inspect`, `info`, `version`.
///
/// # Errors
/// As [`rows`].
pub fn value(format: &str, value: &Value) -> Result<String, Failure> {
    let format = if format == "json" { "{{json .}}" } else { format };
    let mut text = String::new();
    for piece in parse(&format.replace("\\t", "\t").replace("\\n", "\n"))? {
        match piece {
            Piece::Text(words) => text.push_str(&words),
            Piece::Field { path, json } => {
                let found = lookup(value, &path)?;
                text.push_str(&if json { found.to_string() } else { plain(found) });
            }
        }
    }
    Ok(text)
}

/// A template, taken apart.
#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    Field { path: Vec<String>, json: bool },
}

fn parse(template: &str) -> Result<Vec<Piece>, Failure> {
    let refuse = |what: &str| {
        Failure::new(format!(
            "--format: {what:?} is not understood here; it may hold {{{{.Field}}}}, {{{{.A.B}}}}, {{{{json .Field}}}}, or be json"
        ))
    };
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once("{{") {
        let (inside, after) = after.split_once("}}").ok_or_else(|| refuse(&rest[text.len()..]))?;
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        let words: Vec<&str> = inside.split_whitespace().collect();
        let (field, json) = match words[..] {
            [field] => (field, false),
            ["json", field] => (field, true),
            _ => return Err(refuse(inside)),
        };
        let path = field.strip_prefix('.').ok_or_else(|| refuse(inside))?;
        let path: Vec<String> = path.split('.').filter(|_| !path.is_empty()).map(str::to_owned).collect();
        let plain = |name: &String| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if !path.iter().all(plain) {
            return Err(refuse(inside));
        }
        pieces.push(Piece::Field { path, json });
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

fn render_row(pieces: &[Piece], row: &Row) -> Result<String, Failure> {
    let quoted = |text: &str| Value::from(text).to_string();
    let mut line = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => line.push_str(text),
            Piece::Field { path, json } if path.is_empty() => {
                let fields: Vec<String> =
                    row.iter().map(|(name, text)| format!("{}:{}", quoted(name), quoted(text))).collect();
                if !json {
                    return Err(Failure::new("--format: {{.}} of a list: write {{json .}}"));
                }
                line.push_str(&format!("{{{}}}", fields.join(",")));
            }
            Piece::Field { path, json } => {
                let found = row.iter().find(|(name, _)| path.len() == 1 && *name == path[0]);
                let Some((_, text)) = found else {
                    let known: Vec<&str> = row.iter().map(|(name, _)| *name).collect();
                    let message = format!(
                        "--format: there is no field .{}; there are {}",
                        path.join("."),
                        known.join(", ")
                    );
                    return Err(Failure::new(message));
                };
                line.push_str(&if *json { quoted(text) } else { text.clone() });
            }
        }
    }
    Ok(line)
}

fn lookup<'a>(value: &'a Value, path: &[String]) -> Result<&'a Value, Failure> {
    let mut found = value;
    for name in path {
        found = found.get(name).ok_or_else(|| {
            Failure::new(format!("--format: there is no field .{} (at {name:?})", path.join(".")))
        })?;
    }
    Ok(found)
}

/// A value as Go prints it, as far as it is plain.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(key, value)| format!("{key}:{}", plain(value))).collect();
            format!("map[{}]", fields.join(" "))
        }
        other => other.to_string(),
    }
}

/// `CreatedAt` → `CREATED AT`.
fn heading(field: &str) -> String {
    let mut text = String::new();
    let mut before = 'A';
    for c in field.chars() {
        if c.is_uppercase() && before.is_lowercase() {
            text.push(' ');
        }
        text.extend(c.to_uppercase());
        before = c;
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list() -> Vec<Row> {
        vec![vec![("ID", "ab".to_owned()), ("Names", "web \"1\"".to_owned())]]
    }

    #[test]
    fn rows_follow_a_template_or_become_json() {
        let columns = [("ID", "CONTAINER ID"), ("Names", "NAMES")];
        assert_eq!(rows(Some("{{.Names}}={{.ID}}"), &columns, &list()).unwrap(), "web \"1\"=ab\n");
        assert_eq!(
            rows(Some("json"), &columns, &list()).unwrap(),
            "{\"ID\":\"ab\",\"Names\":\"web \\\"1\\\"\"}\n"
        );
        assert_eq!(
            rows(Some("table {{.ID}}\\t{{.Names}}"), &columns, &list()).unwrap(),
            "CONTAINER ID   NAMES\nab             web \"1\"\n"
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for wrong in ["{{range .X}}{{end}}", "{{.A", "{{index .A 0}}", "{{A}}", "{{.A..B}}", "{{.Nope}}"] {
            let error = rows(Some(wrong), &[], &list()).unwrap_err();
            let Failure::Said { message, .. } = error else { panic!() };
            assert!(message.starts_with("--format: "), "{message}");
        }
    }

    #[test]
    fn values_are_followed_along_their_path() {
        let thing = json!({"State": {"Pid": 7, "Up": true}, "Args": ["a", "b"], "None": null});
        assert_eq!(value("{{.State.Pid}} {{.State.Up}} {{.Args}}", &thing).unwrap(), "7 true [a b]");
        assert_eq!(value("{{json .Args}}", &thing).unwrap(), "[\"a\",\"b\"]");
        assert_eq!(value("{{.None}}", &thing).unwrap(), "<no value>");
        assert!(value("{{.State.Nope}}", &thing).is_err());
    }
}
