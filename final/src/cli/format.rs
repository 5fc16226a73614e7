//! `--format`: `json`, `table …`, or a [template](super::template) in Go's language.

use std::collections::BTreeMap;

use super::failure::Failure;
use super::table;
use super::template::value::{Absent, Value};
use super::template::{Labels, Template};

/// A list of things to print: each a row of named fields, in the order in which JSON shows them. A
/// platform that is empty is not known: `null`.
pub type Row = Vec<(&'static str, String)>;

/// The labels of a thing, for `.Label "key"`.
pub type LabelMap = Option<BTreeMap<String, String>>;

/// The exit status of a template that makes no sense.
const BAD_TEMPLATE: u8 = 64;

/// Prints rows as a table with these columns `(field, heading)`, or as `--format` says.
///
/// # Errors
/// A template that is not understood, or a field that does not exist.
pub fn rows(format: Option<&str>, columns: &[(&str, &str)], rows: &[Row]) -> Result<String, Failure> {
    labelled_rows(format, columns, &rows.iter().map(|row| (row.clone(), None)).collect::<Vec<_>>())
}

/// As [`rows`], of things that have labels.
///
/// # Errors
/// As [`rows`].
pub fn labelled_rows(
    format: Option<&str>,
    columns: &[(&str, &str)],
    rows: &[(Row, LabelMap)],
) -> Result<String, Failure> {
    let (template, with_header) = match format {
        None | Some("" | "table") => return Ok(plain_table(columns, rows)),
        Some("json") => ("{{json .}}".to_owned(), false),
        Some(format) => match format.strip_prefix("table ") {
            Some(template) => (template.trim().to_owned(), true),
            None => (format.to_owned(), false),
        },
    };
    // Docker does so for lists, and not for single things.
    let template = parse(&template.replace("\\t", "\t").replace("\\n", "\n"), 1)?;
    let failed = |error: String| Failure::new(format!("failed to execute template: {error}"));
    let none = BTreeMap::new();
    let mut lines = Vec::new();
    for (row, labels) in rows {
        let labels = Labels::Of(labels.as_ref().unwrap_or(&none));
        lines.push(template.render(&value_of(row), labels).map_err(failed)?);
    }
    if !with_header {
        return Ok(lines.iter().map(|line| format!("{line}\n")).collect());
    }
    // The headings come from the same template, carried out on the columns' names.
    let fields: Vec<&str> = match rows.first() {
        Some((row, _)) => row.iter().map(|(field, _)| *field).collect(),
        None => columns.iter().map(|(field, _)| *field).collect(),
    };
    let headings = fields.into_iter().map(|field| {
        let known = columns.iter().find(|(name, _)| *name == field);
        let heading = known.map_or_else(|| heading(field), |(_, heading)| (*heading).to_owned());
        (field.to_owned(), Value::Text(heading))
    });
    // Where there is no row, a field that is not among the columns is not known to be wrong.
    let header = template.render(&Value::Map(headings.collect()), Labels::Heading);
    lines.insert(0, if rows.is_empty() { header.unwrap_or_default() } else { header.map_err(failed)? });
    let cells: Vec<Vec<String>> =
        lines.iter().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
    Ok(table::render(&cells))
}

fn plain_table(columns: &[(&str, &str)], rows: &[(Row, LabelMap)]) -> String {
    let cell = |row: &Row, field: &str| -> String {
        row.iter().find(|(name, _)| *name == field).map(|(_, text)| text.clone()).unwrap_or_default()
    };
    let mut cells = vec![columns.iter().map(|(_, heading)| (*heading).to_owned()).collect()];
    for (row, _) in rows {
        cells.push(columns.iter().map(|(field, _)| cell(row, field)).collect());
    }
    table::render(&cells)
}

fn value_of(row: &Row) -> Value {
    let value = |name: &str, text: &str| match (name, text) {
        ("Platform", "") => Value::Nothing(Absent::Pointer),
        _ => Value::Text(text.to_owned()),
    };
    Value::Map(row.iter().map(|(name, text)| ((*name).to_owned(), value(name, text))).collect())
}

/// One thing as `--format` says: for `info`, `version`.
///
/// # Errors
/// As [`rows`].
pub fn value(format: &str, value: &serde_json::Value) -> Result<String, Failure> {
    json(format, &value.to_string())
}

/// One thing, given as JSON, whose order of fields is kept.
///
/// # Errors
/// As [`rows`]; or it isn't JSON.
pub fn json(format: &str, text: &str) -> Result<String, Failure> {
    let template = parse(if format == "json" { "{{json .}}" } else { format }, BAD_TEMPLATE)?;
    let value: Value = serde_json::from_str(text)
        .map_err(|error| Failure::new(format!("reading the engine's answer: {error}")))?;
    let failed = |error: String| Failure::new(format!("template parsing error: {error}"));
    template.render(&value, Labels::None).map_err(failed)
}

fn parse(template: &str, code: u8) -> Result<Template, Failure> {
    let words = if code == BAD_TEMPLATE { "template parsing error" } else { "failed to parse template" };
    Template::parse(template).map_err(|error| Failure::new(format!("{words}: {error}")).code(code))
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

    const COLUMNS: [(&str, &str); 2] = [("ID", "CONTAINER ID"), ("Names", "NAMES")];

    #[test]
    fn rows_follow_a_template_or_become_json() {
        assert_eq!(rows(Some("{{.Names}}={{.ID}}"), &COLUMNS, &list()).unwrap(), "web \"1\"=ab\n");
        assert_eq!(
            rows(Some("json"), &COLUMNS, &list()).unwrap(),
            "{\"ID\":\"ab\",\"Names\":\"web \\\"1\\\"\"}\n"
        );
    }

    #[test]
    fn a_table_has_headings_whatever_is_done_to_its_cells() {
        let table = |format: &str| rows(Some(format), &COLUMNS, &list()).unwrap();
        assert_eq!(table("table {{.ID}}\\t{{.Names}}"), "CONTAINER ID   NAMES\nab             web \"1\"\n");
        assert_eq!(
            table("table {{upper .ID}}\\t{{json .Names}}"),
            "CONTAINER ID   NAMES\nAB             \"web \\\"1\\\"\"\n"
        );
        assert_eq!(rows(Some("table {{.ID}}"), &COLUMNS, &[]).unwrap(), "CONTAINER ID\n");
        let labels = BTreeMap::from([("com.my-role".to_owned(), "db".to_owned())]);
        let labelled = [(list().remove(0), Some(labels))];
        assert_eq!(
            labelled_rows(Some("table {{.ID}}\\t{{.Label \"com.my-role\"}}"), &COLUMNS, &labelled).unwrap(),
            "CONTAINER ID   my role\nab             db\n"
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (wrong, code) in [("{{range .X}}{{end}}", 1), ("{{.A", 1), ("{{.Nope}}", 1)] {
            let Failure::Said { code: found, message } = rows(Some(wrong), &[], &list()).unwrap_err() else {
                panic!()
            };
            assert!(message.starts_with("failed to "), "{message}");
            assert_eq!(found, code, "{wrong}");
        }
        let Failure::Said { code, message } = value("{{.A", &json!({})).unwrap_err() else { panic!() };
        assert_eq!((code, message.as_str()), (64, "template parsing error: unclosed action"));
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
