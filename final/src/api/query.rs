//! What comes after the `?`: read as leniently as dockerd does.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde_json::Value;

use crate::engine::error::{Error, Result};

/// A request's parameters.
#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Params(Query::try_from_uri(&parts.uri).map(|Query(all)| all).unwrap_or_default()))
    }
}

impl Params {
    /// A parameter that isn't empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that may be there more than once.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// A yes or no: anything but nothing, `0`, `no`, `false` and `none` is yes.
    pub fn flag(&self, name: &str) -> bool {
        let value = self.text(name).map(|text| text.trim().to_ascii_lowercase());
        !matches!(value.as_deref(), None | Some("" | "0" | "no" | "false" | "none"))
    }

    /// A number.
    pub fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>> {
        let parse = |text: &str| {
            text.parse()
                .map_err(|_| Error::invalid(format!("invalid value for {name}: {text:?} is no number")))
        };
        self.text(name).map(parse).transpose()
    }

    /// The filters, whatever they are called.
    pub fn any_filters(&self) -> Result<Filters> {
        self.text("filters").map_or_else(|| Ok(Filters::default()), str::parse)
    }

    /// The filters, of which only these are known.
    pub fn filters(&self, known: &[&str]) -> Result<Filters> {
        let filters = self.any_filters()?;
        match filters.0.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(Error::invalid(format!("invalid filter '{key}'"))),
            None => Ok(filters),
        }
    }
}

/// `filters={"label":["a=b"]}`, or the older `{"label":{"a=b":true}}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters(BTreeMap<String, Vec<String>>);

impl FromStr for Filters {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || Error::invalid(format!("invalid filter: {text}"));
        let all: BTreeMap<String, Value> = serde_json::from_str(text).map_err(|_| invalid())?;
        let mut filters = BTreeMap::new();
        for (key, values) in all {
            let values = match values {
                Value::Array(list) => {
                    let words = list.iter().map(|value| value.as_str().map(str::to_owned));
                    words.collect::<Option<Vec<_>>>().ok_or_else(invalid)?
                }
                Value::Object(map) => {
                    let chosen = map.into_iter().filter(|(_, on)| *on != Value::Bool(false));
                    chosen.map(|(value, _)| value).collect()
                }
                Value::Null => Vec::new(),
                _ => return Err(invalid()),
            };
            if !values.is_empty() {
                filters.insert(key, values);
            }
        }
        Ok(Filters(filters))
    }
}

impl Filters {
    /// The values of one filter; none: it isn't used.
    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(key).map(Vec::as_slice)
    }

    /// Whether a filter isn't used, or one of its values fits.
    pub fn any(&self, key: &str, fits: impl Fn(&str) -> bool) -> bool {
        self.get(key).is_none_or(|values| values.iter().any(|value| fits(value)))
    }

    /// Whether labels fit: each wanted `name` or `name=value` must be there.
    pub fn labels<'a>(&self, labels: impl Fn(&str) -> Option<&'a str>) -> bool {
        let fits = |wanted: &String| match wanted.split_once('=') {
            Some((name, value)) => labels(name) == Some(value),
            None => labels(wanted).is_some(),
        };
        self.get("label").is_none_or(|values| values.iter().all(fits))
    }

    /// A yes or no.
    pub fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key) {
            None => Ok(None),
            Some([one]) if matches!(one.as_str(), "1" | "true") => Ok(Some(true)),
            Some([one]) if matches!(one.as_str(), "0" | "false") => Ok(Some(false)),
            Some(other) => Err(Error::invalid(format!("invalid filter '{key}=[{}]'", other.join(" ")))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(uri: &str) -> Params {
        Params(Query::try_from_uri(&uri.parse().unwrap()).map(|Query(all)| all).unwrap())
    }

    #[test]
    fn both_forms_of_filters_say_the_same() {
        let new: Filters = r#"{"label":["a=b","c"],"status":["running"]}"#.parse().unwrap();
        let old: Filters =
            r#"{"label":{"a=b":true,"c":true,"d":false},"status":{"running":true}}"#.parse().unwrap();
        assert_eq!(new, old);
        assert!(
            new.labels(|name| [("a", "b"), ("c", "")].into_iter().find(|(n, _)| *n == name).map(|(_, v)| v))
        );
        assert!(!new.labels(|name| (name == "c").then_some("")));
    }

    #[test]
    fn nonsense_in_filters_is_an_error_and_no_panic() {
        for text in ["x", "[]", "7", r#"{"label":7}"#, r#"{"label":[7]}"#, "{", "null"] {
            text.parse::<Filters>().unwrap_err();
        }
        let unknown =
            params("/x?filters=%7B%22colour%22:%5B%22red%22%5D%7D").filters(&["label"]).unwrap_err();
        assert_eq!(unknown.message, "invalid filter 'colour'");
    }

    #[test]
    fn yes_is_written_in_many_ways() {
        for yes in ["1", "true", "True", "TRUE", "yes", "on"] {
            assert!(params(&format!("/x?all={yes}")).flag("all"), "{yes}");
        }
        for no in ["", "0", "false", "False", "no", "none"] {
            assert!(!params(&format!("/x?all={no}")).flag("all"), "{no}");
        }
        assert!(!params("/x").flag("all"));
    }

    #[test]
    fn a_number_that_is_none_is_named() {
        assert_eq!(params("/x?t=-1").number::<i64>("t").unwrap(), Some(-1));
        assert_eq!(params("/x").number::<i64>("t").unwrap(), None);
        let error = params("/x?t=soon").number::<i64>("t").unwrap_err();
        assert!(error.message.contains("\"soon\" is no number"), "{}", error.message);
    }
}
