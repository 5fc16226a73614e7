//! Readers for what people write after flags. Each says what it would have understood.

pub mod env;
pub mod mount;
pub mod size;
pub mod volume;

use std::collections::HashMap;
use std::fs;

use super::failure::Failure;

/// A name or id must not be empty: `/containers//json` would be another request.
pub fn name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("a name must not be empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// `--cpus 1.5`, as billionths of a processor.
pub fn cpus(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is not a number of processors such as 0.5 or 2");
    let value: f64 = text.trim().parse().map_err(|_| wrong())?;
    // Above a million processors something else was meant.
    if !(value > 0.0 && value < 1e6) {
        return Err(wrong());
    }
    Ok((value * 1e9).round() as i64)
}

/// `-l key=value` or `-l key`; the lines of `--label-file` come before them.
pub fn labels(given: &[String], files: &[String]) -> Result<HashMap<String, String>, Failure> {
    let mut labels = HashMap::new();
    let mut all = Vec::new();
    for file in files {
        let text = fs::read_to_string(file)
            .map_err(|error| Failure::new(format!("reading --label-file {file}: {error}")).code(125))?;
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim_start);
        all.extend(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned));
    }
    all.extend_from_slice(given);
    for label in &all {
        let (key, value) = label.split_once('=').unwrap_or((label, ""));
        if key.is_empty() {
            return Err(
                Failure::new(format!("--label {label:?}: the key is missing: write key=value")).code(125)
            );
        }
        labels.insert(key.to_owned(), value.to_owned());
    }
    Ok(labels)
}

/// `-f key=value`, as the JSON that the API wants: `{"key":{"value":true}}`.
pub fn filters(given: &[String]) -> Result<Option<String>, Failure> {
    use std::collections::BTreeMap;
    let mut filters: BTreeMap<&str, BTreeMap<&str, bool>> = BTreeMap::new();
    for filter in given {
        match filter.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                filters.entry(key.trim()).or_default().insert(value.trim(), true);
            }
            _ => {
                // Docker's words and exit status: there it is a flag that isn't understood.
                let words = format!("invalid argument {filter:?} for \"-f, --filter\" flag");
                let words = format!("{words}: bad format of filter (expected name=value)");
                return Err(Failure::new(words).code(125));
            }
        }
    }
    if filters.is_empty() {
        return Ok(None);
    }
    let text = serde_json::to_string(&filters);
    text.map(Some).map_err(|error| Failure::new(format!("writing the filters: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted_in_billionths() {
        assert_eq!(cpus("1.5"), Ok(1_500_000_000));
        assert_eq!(cpus("0.01"), Ok(10_000_000));
        for wrong in ["", "0", "-1", "nan", "inf", "two", "1e9"] {
            assert!(cpus(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn labels_of_a_file_come_first() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "# why\n\na=1\n  b=two words\nc\n").unwrap();
        let name = file.path().to_str().unwrap().to_owned();
        let all = labels(&["a=2".to_owned()], &[name]).unwrap();
        assert_eq!((all["a"].as_str(), all["b"].as_str(), all["c"].as_str()), ("2", "two words", ""));
        assert!(labels(&[], &["/no/such/file".to_owned()]).is_err());
        assert!(labels(&["=x".to_owned()], &[]).is_err());
    }

    #[test]
    fn filters_of_one_key_are_gathered() {
        let given = ["label=a=b".to_owned(), "status=running".to_owned(), "label=c".to_owned()];
        let wanted = r#"{"label":{"a=b":true,"c":true},"status":{"running":true}}"#;
        assert_eq!(filters(&given).unwrap().unwrap(), wanted);
        assert!(filters(&["label".to_owned()]).is_err());
        assert!(filters(&[]).unwrap().is_none());
    }
}
