//! A value as JSON brings it, in the order in which it came.

use std::fmt::{self, Write};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::structs;

/// What a template works on.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, or nothing at all.
    Nothing(Absent),
    /// `true`, `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// A map, or one of Go's structs.
    Map(Vec<(String, Value)>),
}

/// What it is that is not there: Go prints its kinds of nothing differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// Not known.
    Value,
    /// An empty list: `[]`.
    List,
    /// An empty map: `map[]`.
    Map,
    /// A pointer to nothing: `<nil>`.
    Pointer,
}

/// Fields that are lists in Docker's types, also where there is `null`.
const LISTS: &[&str] = &[
    "Aliases",
    "Args",
    "Binds",
    "CapAdd",
    "CapDrop",
    "Cmd",
    "DNSNames",
    "DeviceCgroupRules",
    "DeviceRequests",
    "Devices",
    "Dns",
    "DnsOptions",
    "DnsSearch",
    "Entrypoint",
    "Env",
    "ExecIDs",
    "ExtraHosts",
    "GroupAdd",
    "Layers",
    "Links",
    "MaskedPaths",
    "Mounts",
    "OnBuild",
    "ReadonlyPaths",
    "RepoDigests",
    "RepoTags",
    "SecurityOpt",
    "Shell",
    "Ulimits",
    "VolumesFrom",
    "Warnings",
];
/// Fields that are maps: a key that is missing is no mistake there.
const MAPS: &[&str] = &[
    "Annotations",
    "Attributes",
    "Containers",
    "DriverOpts",
    "ExposedPorts",
    "GraphDriver",
    "IPAMOptions",
    "Labels",
    "Networks",
    "Options",
    "PortBindings",
    "Ports",
    "Runtimes",
    "StorageOpt",
    "Sysctls",
    "Tmpfs",
    "Volumes",
];
/// Fields that Docker leaves out of its JSON when they are empty, and that a template may ask for.
const OPTIONAL: &[&str] = &["Health", "Healthcheck", "Init", "Platform", "SizeRootFs", "SizeRw"];

impl Value {
    /// A field of a map or struct; `parent` is the field through which the map was reached. `None` where
    /// there is none and should be one.
    pub fn field(&self, parent: Option<&str>, name: &str) -> Option<Value> {
        let Value::Map(fields) = self else { return None };
        // `.ID`, `.HostIP`: in Go a field may be written otherwise than in its JSON, by its capitals.
        let exact = fields.iter().find(|(key, _)| key == name);
        match exact.or_else(|| fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))) {
            Some((_, Value::Nothing(_))) => Some(Value::Nothing(Absent::of(name))),
            Some((_, value)) => Some(value.clone()),
            None if parent.is_some_and(|parent| MAPS.contains(&parent)) => {
                Some(Value::Nothing(Absent::Value))
            }
            // A field of a struct that was left out because it is empty.
            None if structs::fields(fields).is_some_and(|names| names.contains(&name)) => {
                Some(Value::Text(String::new()))
            }
            None if OPTIONAL.contains(&name) => Some(Value::Nothing(Absent::Pointer)),
            None => None,
        }
    }

    /// What `if` makes of it: zero, empty and nothing are false.
    pub fn is_true(&self) -> bool {
        match self {
            Value::Nothing(_) => false,
            Value::Bool(is) => *is,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::Text(text) => !text.is_empty(),
            Value::List(items) => !items.is_empty(),
            Value::Map(fields) => !fields.is_empty(),
        }
    }

    /// A whole number, if it is one.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Value::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// As JSON, without blanks, as Go's encoder without its escapes for HTML.
    pub fn json(&self) -> String {
        let mut text = String::new();
        self.write_json(&mut text);
        text
    }

    /// As JSON with Go's escapes for HTML: so Docker's client writes the whole row of a list.
    pub fn json_for_html(&self) -> String {
        self.json().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
    }

    fn write_json(&self, to: &mut String) {
        match self {
            Value::Nothing(_) => to.push_str("null"),
            Value::Bool(_) | Value::Number(_) => to.push_str(&self.to_string()),
            Value::Text(text) => to.push_str(&serde_json::Value::from(text.as_str()).to_string()),
            Value::List(items) => {
                to.push('[');
                for (at, item) in items.iter().enumerate() {
                    to.push_str(if at > 0 { "," } else { "" });
                    item.write_json(to);
                }
                to.push(']');
            }
            Value::Map(fields) => {
                to.push('{');
                for (at, (key, value)) in fields.iter().enumerate() {
                    to.push_str(if at > 0 { "," } else { "" });
                    let _ = write!(to, "{}:", serde_json::Value::from(key.as_str()));
                    value.write_json(to);
                }
                to.push('}');
            }
        }
    }

    /// Its entries as `range` goes through them: sorted by key.
    pub fn sorted(fields: &[(String, Value)]) -> Vec<&(String, Value)> {
        let mut sorted: Vec<_> = fields.iter().collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        sorted
    }
}

impl Absent {
    fn of(name: &str) -> Absent {
        match name {
            name if LISTS.contains(&name) => Absent::List,
            name if MAPS.contains(&name) => Absent::Map,
            name if OPTIONAL.contains(&name) => Absent::Pointer,
            _ => Absent::Value,
        }
    }
}

/// As Go prints it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nothing(Absent::Value) => f.write_str("<no value>"),
            Value::Nothing(Absent::List) => f.write_str("[]"),
            Value::Nothing(Absent::Map) => f.write_str("map[]"),
            Value::Nothing(Absent::Pointer) => f.write_str("<nil>"),
            Value::Bool(is) => is.fmt(f),
            Value::Number(number) => number.fmt(f),
            Value::Text(text) => f.write_str(text),
            Value::List(items) => {
                f.write_char('[')?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{}", if at > 0 { " " } else { "" }, Inside(item))?;
                }
                f.write_char(']')
            }
            Value::Map(fields) => {
                if let Some(names) = structs::fields(fields) {
                    return structs::print(names, fields, f);
                }
                f.write_str("map[")?;
                for (at, (key, value)) in Value::sorted(fields).into_iter().enumerate() {
                    write!(f, "{}{key}:", if at > 0 { " " } else { "" })?;
                    match value {
                        // `map[80/tcp:{}]`: in Docker's maps it is a struct without fields.
                        Value::Map(inner) if inner.is_empty() => f.write_str("{}")?,
                        other => Inside(other).fmt(f)?,
                    }
                }
                f.write_char(']')
            }
        }
    }
}

/// Within something else nothing is `<nil>`.
struct Inside<'a>(&'a Value);

impl fmt::Display for Inside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Nothing(Absent::Value) => f.write_str("<nil>"),
            other => other.fmt(f),
        }
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Value {
        use serde_json::Value as Json;
        match value {
            Json::Null => Value::Nothing(Absent::Value),
            Json::Bool(is) => Value::Bool(is),
            Json::Number(number) => Value::Number(number),
            Json::String(text) => Value::Text(text),
            Json::Array(items) => Value::List(items.into_iter().map(Value::from).collect()),
            Json::Object(fields) => {
                Value::Map(fields.into_iter().map(|(key, value)| (key, Value::from(value))).collect())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing(Absent::Value))
    }

    fn visit_bool<E>(self, is: bool) -> Result<Value, E> {
        Ok(Value::Bool(is))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Nothing(Absent::Value), Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Value::Map(fields))
    }
}
