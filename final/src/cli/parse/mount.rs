//! `--mount`: `type=bind,source=/host,target=/in,readonly`, in Docker's words.

use std::collections::HashMap;

use bollard_stubs::models::{
    Mount, MountBindOptions, MountTmpfsOptions, MountType, MountVolumeOptions, MountVolumeOptionsDriverConfig,
};

use super::{size, volume};

/// Reads one `--mount`.
///
/// # Errors
/// What is wrong with it, as Docker says it.
pub fn parse(text: &str) -> Result<Mount, String> {
    let mut mount = Mount { typ: Some(MountType::VOLUME), ..Mount::default() };
    let (mut bind, mut named, mut memory) =
        (MountBindOptions::default(), MountVolumeOptions::default(), MountTmpfsOptions::default());
    for field in fields(text)? {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.to_lowercase(), value),
            None => (field.to_lowercase(), "true"),
        };
        let given = field.contains('=');
        let flags = ["readonly", "ro", "volume-nocopy", "bind-nonrecursive"];
        if !given && !flags.contains(&key.as_str()) {
            return Err(format!("invalid field '{field}' must be a key=value pair"));
        }
        let wrong = || format!("invalid value for {key}: {value}");
        let yes = || go_bool(value).ok_or_else(wrong);
        match key.as_str() {
            "type" => mount.typ = Some(value.to_lowercase().parse().map_err(|_| wrong())?),
            "source" | "src" => mount.source = Some(volume::absolute(value)?),
            "target" | "dst" | "destination" => mount.target = Some(value.to_owned()),
            "readonly" | "ro" => mount.read_only = Some(yes()?),
            "consistency" => mount.consistency = Some(value.to_lowercase()),
            "bind-propagation" => bind.propagation = Some(value.to_lowercase().parse().map_err(|_| wrong())?),
            "bind-nonrecursive" => bind.non_recursive = Some(yes()?),
            "bind-recursive" => match value {
                "enabled" => {}
                "disabled" => bind.non_recursive = Some(true),
                "writable" => bind.read_only_non_recursive = Some(true),
                "readonly" => bind.read_only_force_recursive = Some(true),
                _ => {
                    let all = "\"enabled\", \"disabled\", \"writable\", or \"readonly\"";
                    return Err(format!("{}: {value} (must be {all})", "invalid value for bind-recursive"));
                }
            },
            "volume-nocopy" => named.no_copy = Some(yes()?),
            "volume-subpath" => named.subpath = Some(value.to_owned()),
            "volume-label" => add(&mut named.labels, value),
            "volume-driver" => driver(&mut named).name = Some(value.to_owned()),
            "volume-opt" => add(&mut driver(&mut named).options, value),
            "tmpfs-size" => memory.size_bytes = Some(size::parse(value).map_err(|_| wrong())?),
            "tmpfs-mode" => memory.mode = Some(i64::from_str_radix(value, 8).map_err(|_| wrong())?),
            _ => return Err(format!("unexpected key '{key}' in '{field}'")),
        }
    }
    let kind = mount.typ.unwrap_or(MountType::VOLUME);
    if mount.target.is_none() {
        return Err("target is required".to_owned());
    }
    for (prefix, given, of) in [
        ("bind", bind != MountBindOptions::default(), MountType::BIND),
        ("volume", named != MountVolumeOptions::default(), MountType::VOLUME),
        ("tmpfs", memory != MountTmpfsOptions::default(), MountType::TMPFS),
    ] {
        if given && kind != of {
            return Err(format!("cannot mix '{prefix}-*' options with mount type '{kind}'"));
        }
    }
    mount.bind_options = (bind != MountBindOptions::default()).then_some(bind);
    mount.volume_options = (named != MountVolumeOptions::default()).then_some(named);
    mount.tmpfs_options = (memory != MountTmpfsOptions::default()).then_some(memory);
    Ok(mount)
}

fn driver(options: &mut MountVolumeOptions) -> &mut MountVolumeOptionsDriverConfig {
    options.driver_config.get_or_insert_default()
}

fn add(map: &mut Option<HashMap<String, String>>, text: &str) {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    map.get_or_insert_default().insert(key.to_owned(), value.to_owned());
}

/// The fields of one line of CSV: with commas in between, and in double quotes where a field holds one.
fn fields(text: &str) -> Result<Vec<String>, String> {
    let (mut all, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, quoted) {
            ('"', true) if characters.peek() == Some(&'"') => field.extend(characters.next()),
            ('"', true) => quoted = false,
            ('"', false) if field.is_empty() => quoted = true,
            (',', false) => all.push(std::mem::take(&mut field)),
            (other, _) => field.push(other),
        }
    }
    if quoted {
        return Err(format!("{text:?}: a quote is not closed"));
    }
    all.push(field);
    Ok(all)
}

/// What Go takes for a truth value.
fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_its_own_options() {
        let bind = parse("type=bind,src=/a,dst=/b,readonly,bind-propagation=rslave").unwrap();
        assert_eq!((bind.source.as_deref(), bind.target.as_deref()), (Some("/a"), Some("/b")));
        assert_eq!((bind.typ, bind.read_only), (Some(MountType::BIND), Some(true)));
        assert_eq!(bind.bind_options.unwrap().propagation.unwrap().to_string(), "rslave");
        let volume = parse("target=/b,source=data,volume-nocopy,\"volume-label=a=x,y\",ro=false").unwrap();
        assert_eq!((volume.typ, volume.read_only), (Some(MountType::VOLUME), Some(false)));
        let options = volume.volume_options.unwrap();
        assert_eq!((options.no_copy, options.labels.unwrap()["a"].as_str()), (Some(true), "x,y"));
        let memory = parse("type=tmpfs,destination=/t,tmpfs-size=1m,tmpfs-mode=1770").unwrap();
        let options = memory.tmpfs_options.unwrap();
        assert_eq!((options.size_bytes, options.mode), (Some(1 << 20), Some(0o1770)));
    }

    #[test]
    fn what_makes_no_sense_gets_dockers_words() {
        for (text, words) in [
            ("type=bind,source=/a", "target is required"),
            ("target", "invalid field 'target' must be a key=value pair"),
            ("target=/b,colour=red", "unexpected key 'colour' in 'colour=red'"),
            ("type=floppy,target=/b", "invalid value for type: floppy"),
            ("type=tmpfs,target=/b,tmpfs-mode=9", "invalid value for tmpfs-mode: 9"),
            (
                "type=bind,source=/a,target=/b,volume-nocopy",
                "cannot mix 'volume-*' options with mount type 'bind'",
            ),
            ("target=/b,readonly=maybe", "invalid value for readonly: maybe"),
            ("target=/b,\"volume-label=x", "not closed"),
            ("", "must be a key=value pair"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
