//! Request bodies: made regular before they are parsed, as clients of many years write them.

use axum::body::Bytes;
use bollard_stubs::models::{
    ContainerCreateBody, ContainerUpdateBody, EndpointSettings, HostConfig, NetworkingConfig,
    RestartPolicyNameEnum,
};
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor, value::Error as FieldError};
use serde_json::{Map, Value};

use crate::engine::error::{Error, Result};

/// Parses a body; an empty one is all defaults.
pub fn parse<T: DeserializeOwned + Default>(bytes: &Bytes) -> Result<T> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    let mut value: Value = serde_json::from_slice(bytes).map_err(invalid)?;
    if value.is_null() {
        return Ok(T::default());
    }
    regular_keys::<T>(&mut value);
    words(&mut value, "Cmd")?;
    from_value(value)
}

/// Parses the body of a create request.
pub fn parse_create(bytes: &Bytes) -> Result<ContainerCreateBody> {
    let mut value: Value = serde_json::from_slice(bytes).map_err(invalid)?;
    if !value.is_object() {
        return Err(Error::invalid("invalid request body: it is no object"));
    }
    regular_keys::<ContainerCreateBody>(&mut value);
    for field in ["Cmd", "Entrypoint", "Shell"] {
        words(&mut value, field)?;
    }
    for field in ["Volumes", "ExposedPorts"] {
        empty_objects(&mut value[field]);
    }
    let host = &mut value["HostConfig"];
    regular_keys::<HostConfig>(host);
    check_restart_policy(&host["RestartPolicy"])?;
    // Fields that the API had once, of which the types know nothing any more.
    for (field, flag) in [("KernelMemory", "--kernel-memory"), ("KernelMemoryTCP", "--kernel-memory-tcp")] {
        match field_of(host, field).filter(|value| !value.is_null()) {
            None => {}
            Some(value) if value.as_i64() == Some(0) => {}
            Some(value) if value.is_i64() => return Err(Error::unsupported(flag)),
            Some(_) => return Err(Error::invalid(format!("invalid request body: {field} is no number"))),
        }
    }
    words(host, "CapAdd")?;
    words(host, "CapDrop")?;
    let mac = field_of(&value, "MacAddress").and_then(Value::as_str).filter(|mac| !mac.is_empty());
    let mac = mac.map(str::to_owned);
    let networking = &mut value["NetworkingConfig"];
    // A list is taken for a struct's fields in their order, and this one has but one.
    if networking.is_array() {
        return Err(Error::invalid("invalid request body: NetworkingConfig is no object"));
    }
    regular_keys::<NetworkingConfig>(networking);
    if let Some(endpoints) = networking.get_mut("EndpointsConfig") {
        empty_objects(endpoints);
        for endpoint in endpoints.as_object_mut().into_iter().flat_map(Map::values_mut) {
            regular_keys::<EndpointSettings>(endpoint);
        }
    }
    let mut body = from_value(value)?;
    if let Some(mac) = mac {
        give_mac(&mut body, mac);
    }
    Ok(body)
}

/// Before version 1.44 a container had one hardware address: that on its first network.
fn give_mac(body: &mut ContainerCreateBody, mac: String) {
    let mode = body.host_config.as_ref().and_then(|host| host.network_mode.clone()).unwrap_or_default();
    let networking = body.networking_config.get_or_insert_default();
    let endpoints = networking.endpoints_config.get_or_insert_default();
    let first = if endpoints.contains_key(&mode) { mode } else { "default".to_owned() };
    let endpoint = endpoints.entry(first).or_default();
    if endpoint.mac_address.as_deref().unwrap_or_default().is_empty() {
        endpoint.mac_address = Some(mac);
    }
}

/// Parses the body of an update request.
pub fn parse_update(bytes: &Bytes) -> Result<ContainerUpdateBody> {
    let mut value: Value = serde_json::from_slice(bytes).map_err(invalid)?;
    if !value.is_object() {
        return Err(Error::invalid("invalid request body: it is no object"));
    }
    regular_keys::<ContainerUpdateBody>(&mut value);
    check_restart_policy(&value["RestartPolicy"])?;
    from_value(value)
}

fn from_value<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(without_null(value)).map_err(invalid)
}

fn invalid(error: serde_json::Error) -> Error {
    Error::invalid(format!("invalid request body: {error}"))
}

/// A null means: not given. Indexing above has left some, too.
fn without_null(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key, without_null(value))).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(without_null).collect()),
        other => other,
    }
}

/// Go finds a field whatever the case of its key; so keys are written here as `T` has them.
fn regular_keys<T: DeserializeOwned>(value: &mut Value) {
    let Value::Object(map) = value else {
        // What else it may be, parsing complains about; a null must stay indexable.
        if value.is_null() {
            *value = Value::Object(Map::new());
        }
        return;
    };
    let fields = fields_of::<T>();
    for (key, value) in std::mem::take(map) {
        let known = fields.iter().find(|field| field.eq_ignore_ascii_case(&key));
        map.insert(known.map_or(key.clone(), |field| (*field).to_owned()), value);
    }
}

/// A field, whatever the case of its key.
fn field_of<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// A command may be written as one word: `"Cmd": "ls"`.
fn words(value: &mut Value, field: &str) -> Result<()> {
    match value.get_mut(field) {
        Some(Value::String(word)) => {
            let word = std::mem::take(word);
            value[field] = Value::Array(vec![Value::String(word)]);
            Ok(())
        }
        Some(Value::Array(_) | Value::Null) | None => Ok(()),
        Some(_) => Err(Error::invalid(format!("invalid request body: {field} is no list of strings"))),
    }
}

/// `{"x": null}` means `{"x": {}}`.
fn empty_objects(value: &mut Value) {
    for entry in value.as_object_mut().into_iter().flat_map(Map::values_mut) {
        if entry.is_null() {
            *entry = Value::Object(Map::new());
        }
    }
}

/// In Docker's words: people get them wrong often.
fn check_restart_policy(policy: &Value) -> Result<()> {
    match policy.get("Name").and_then(Value::as_str) {
        Some(name) if name.parse::<RestartPolicyNameEnum>().is_err() => Err(Error::invalid(format!(
            "invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or \
             'unless-stopped'"
        ))),
        _ => Ok(()),
    }
}

/// The names of a struct's fields in JSON. Serde knows them, and tells them to whoever plays the
/// part of its input.
fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Listener<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Listener<'_> {
        type Error = FieldError;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, FieldError> {
            Err(FieldError::custom("only structs are listened to"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, FieldError> {
            *self.0 = fields;
            Err(FieldError::custom("that is all we wanted to know"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut fields: &'static [&'static str] = &[];
    let _ = T::deserialize(Listener(&mut fields));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(text: &str) -> Result<ContainerCreateBody> {
        parse_create(&Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn what_clients_of_many_years_write_is_understood() {
        let body = create(
            r#"{"image":"base","CMD":"ls","Entrypoint":null,"Volumes":{"/x":null},"ExposedPorts":{"80/tcp":{}},
                "hostconfig":{"memory":1048576,"CapAdd":"NET_ADMIN","Binds":null},
                "NetworkingConfig":{"EndpointsConfig":{"default":null}},"Unknown":{"a":1}}"#,
        )
        .unwrap();
        assert_eq!(body.image.as_deref(), Some("base"));
        assert_eq!(body.cmd, Some(vec!["ls".to_owned()]));
        assert_eq!(body.entrypoint, None);
        assert_eq!(body.volumes, Some(vec!["/x".to_owned()]));
        let host = body.host_config.unwrap();
        assert_eq!((host.memory, host.cap_add), (Some(1_048_576), Some(vec!["NET_ADMIN".to_owned()])));
        let endpoints = body.networking_config.unwrap().endpoints_config.unwrap();
        assert!(endpoints.contains_key("default"));
    }

    #[test]
    fn the_stock_clients_body_loses_no_field() {
        let text = r#"{"Hostname":"h","Domainname":"","User":"","AttachStdin":false,"AttachStdout":true,
            "AttachStderr":true,"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":["A=1"],"Cmd":["true"],
            "Image":"base","Volumes":{},"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":{"a":"b"},
            "HostConfig":{"Binds":["v:/v"],"ContainerIDFile":"","LogConfig":{"Type":"","Config":{}},
            "NetworkMode":"default","PortBindings":{},"RestartPolicy":{"Name":"no","MaximumRetryCount":0},
            "AutoRemove":true,"VolumeDriver":"","VolumesFrom":null,"ConsoleSize":[24,80],"CapAdd":null,
            "CgroupnsMode":"","Dns":[],"IpcMode":"","Privileged":false,"ShmSize":0,"Isolation":"",
            "Memory":67108864,"NanoCpus":500000000,"MemorySwappiness":-1,"OomKillDisable":false,
            "PidsLimit":20,"MaskedPaths":null,"ReadonlyPaths":null},
            "NetworkingConfig":{"EndpointsConfig":{"default":{"IPAMConfig":null,"Links":null,"MacAddress":"",
            "GwPriority":0}}}}"#;
        let body = create(text).unwrap();
        let host = body.host_config.unwrap();
        assert_eq!(host.auto_remove, Some(true));
        assert_eq!(host.nano_cpus, Some(500_000_000));
        assert_eq!(host.binds, Some(vec!["v:/v".to_owned()]));
        assert_eq!(host.pids_limit, Some(20));
        assert_eq!(body.labels.unwrap()["a"], "b");
    }

    #[test]
    fn nonsense_is_an_error_in_words_and_no_panic() {
        for text in [
            "",
            "7",
            "[]",
            "null",
            "{",
            r#"{"Cmd":7}"#,
            r#"{"HostConfig":7}"#,
            r#"{"Env":{"a":1}}"#,
            r#"{"NetworkingConfig":[]}"#,
            r#"{"NetworkingConfig":[null]}"#,
            r#"{"HostConfig":{"KernelMemory":true}}"#,
            r#"{"HostConfig":{"Memory":"64m"}}"#,
            r#"{"Volumes":[1]}"#,
        ] {
            let error = create(text).unwrap_err();
            assert!(error.message.starts_with("invalid request body"), "{text}: {}", error.message);
        }
    }

    #[test]
    fn what_the_api_had_once_is_not_left_out_in_silence() {
        for (text, flag) in [
            (r#"{"HostConfig":{"KernelMemory":1048576}}"#, "--kernel-memory"),
            (r#"{"hostconfig":{"kernelmemorytcp":1048576}}"#, "--kernel-memory-tcp"),
        ] {
            assert!(create(text).unwrap_err().message.contains(flag), "{text}");
        }
        create(r#"{"HostConfig":{"KernelMemory":0},"MacAddress":""}"#).unwrap();
    }

    #[test]
    fn the_hardware_address_of_old_clients_is_that_on_the_first_network() {
        let mac = |json: &str, network: &str| {
            let all = create(json).unwrap().networking_config.unwrap().endpoints_config.unwrap();
            all[network].mac_address.clone().unwrap()
        };
        assert_eq!(mac(r#"{"MacAddress":"02:42:ac:11:00:09"}"#, "default"), "02:42:ac:11:00:09");
        let sea = r#"{"MacAddress":"02:42:ac:11:00:09","HostConfig":{"NetworkMode":"sea"},
            "NetworkingConfig":{"EndpointsConfig":{"sea":{}}}}"#;
        assert_eq!(mac(sea, "sea"), "02:42:ac:11:00:09");
    }

    #[test]
    fn a_wrong_restart_policy_gets_dockers_words() {
        let error = create(r#"{"HostConfig":{"RestartPolicy":{"Name":"sometimes"}}}"#).unwrap_err();
        assert!(error.message.starts_with("invalid restart policy: unknown policy 'sometimes'"));
    }
}
