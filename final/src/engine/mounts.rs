//! What is mounted into a container: `-v`, `--mount`, `--volumes-from`, and the volumes that its image wants.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bollard_stubs::models::{
    Mount, MountBindOptionsPropagationEnum as Propagation, MountType, MountVolumeOptions,
};

use super::Engine;
use super::config::{Config, MountPoint};
use super::error::{Error, Result};
use super::volumes;

/// A `-v`, taken apart: what, where, how.
#[derive(Debug, PartialEq, Eq)]
struct Bind<'a> {
    source: Option<&'a str>,
    destination: &'a str,
    mode: &'a str,
}

/// Takes `[SOURCE:]DESTINATION[:MODE]` apart.
fn parse_bind(text: &str) -> Result<Bind<'_>> {
    let invalid = || Error::invalid(format!("invalid volume specification: '{text}'"));
    let parts: Vec<&str> = text.split(':').collect();
    let bind = match parts.as_slice() {
        [destination] => Bind { source: None, destination, mode: "" },
        [source, destination] if destination.starts_with('/') => {
            Bind { source: Some(source), destination, mode: "" }
        }
        [destination, mode] => Bind { source: None, destination, mode },
        [source, destination, mode] => Bind { source: Some(source), destination, mode },
        _ => return Err(invalid()),
    };
    if !bind.destination.starts_with('/') || bind.source == Some("") {
        return Err(invalid());
    }
    if normal(bind.destination) == "/" {
        let why = "destination can't be '/'";
        return Err(Error::invalid(format!("invalid volume specification: '{text}': {why}")));
    }
    for word in bind.mode.split(',').filter(|word| !word.is_empty()) {
        match word {
            // z and Z are for SELinux, which relabels; where there is none they mean nothing. The
            // rest is what we do anyway.
            "rw" | "ro" | "z" | "Z" => {}
            "nocopy" if !bind.source.is_some_and(|source| source.starts_with('/')) => {}
            "rprivate" | "private" | "slave" | "rslave"
                if bind.source.is_some_and(|source| source.starts_with('/')) => {}
            "shared" | "rshared" => {
                return Err(Error::unsupported(format!("the mount option {word} in '{text}'")));
            }
            _ => {
                return Err(Error::invalid(format!(
                    "invalid volume specification: '{text}': invalid mode: {word}"
                )));
            }
        }
    }
    Ok(bind)
}

/// A path without doubled or trailing slashes and dots. It is not looked up anywhere.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Everything that is to be mounted into a new container. Volumes that don't exist are made.
pub fn mounts(engine: &Engine, config: &Config) -> Result<Vec<MountPoint>> {
    let mut all: Vec<MountPoint> = Vec::new();
    match gather(engine, config, &mut all) {
        Ok(()) => Ok(all),
        Err(error) => {
            volumes::discard(engine, &all);
            Err(error)
        }
    }
}

fn gather(engine: &Engine, config: &Config, all: &mut Vec<MountPoint>) -> Result<()> {
    let host = config.host();
    let mut tmpfs: Vec<String> = Vec::new();
    for text in host.binds.iter().flatten() {
        let bind = parse_bind(text)?;
        let has = |word: &str| bind.mode.split(',').any(|one| one == word);
        let point = MountPoint {
            mode: bind.mode.to_owned(),
            writable: !has("ro"),
            nocopy: has("nocopy"),
            slave: has("slave") || has("rslave"),
            ..mount(engine, bind.source, bind.destination, true, &BTreeMap::new())?
        };
        add(engine, all, &tmpfs, point)?;
    }
    for one in host.mounts.iter().flatten() {
        match of_mount(engine, one)? {
            Some(point) => add(engine, all, &tmpfs, point)?,
            None => {
                let target = normal(one.target.as_deref().unwrap_or_default());
                if all.iter().any(|other| other.destination == target) || tmpfs.contains(&target) {
                    return Err(duplicate(&target));
                }
                tmpfs.push(target);
            }
        }
    }
    let taken = |all: &[MountPoint], destination: &str| {
        let on_tmpfs = tmpfs.iter().any(|target| target == destination);
        on_tmpfs || all.iter().any(|other| other.destination == destination)
    };
    // What was said for this container goes before what it takes from others.
    for point in from_others(engine, host.volumes_from.iter().flatten())? {
        if !taken(all, &point.destination) {
            all.push(point);
        }
    }
    for destination in config.body.volumes.iter().flatten() {
        if !destination.starts_with('/') {
            return Err(Error::invalid(format!("invalid volume specification: '{destination}'")));
        }
        let destination = normal(destination);
        if !taken(all, &destination) {
            all.push(mount(engine, None, &destination, true, &BTreeMap::new())?);
        }
    }
    check_propagation(all)
}

fn add(engine: &Engine, all: &mut Vec<MountPoint>, tmpfs: &[String], point: MountPoint) -> Result<()> {
    if all.iter().any(|other| other.destination == point.destination) || tmpfs.contains(&point.destination) {
        volumes::discard(engine, std::slice::from_ref(&point));
        return Err(duplicate(&point.destination));
    }
    all.push(point);
    Ok(())
}

fn duplicate(destination: &str) -> Error {
    Error::invalid(format!("Duplicate mount point: {destination}"))
}

/// `--volumes-from NAME[:ro]`: all that another container has mounted.
fn from_others<'a>(
    engine: &Engine,
    specifications: impl Iterator<Item = &'a String>,
) -> Result<Vec<MountPoint>> {
    let mut all: Vec<MountPoint> = Vec::new();
    for text in specifications {
        let (name, mode) = text.split_once(':').unwrap_or((text, ""));
        if name.is_empty() {
            return Err(Error::invalid(format!("malformed volumes-from specification: {text:?}")));
        }
        let read_only = match mode {
            "" | "rw" | "z" | "Z" => false,
            "ro" => true,
            _ => return Err(Error::invalid(format!("invalid mode for volumes-from: {mode}"))),
        };
        // Not "404": to clients that would mean that the image is missing, and they would pull it.
        let other = engine.containers.find(name).map_err(Error::invalid)?;
        for point in other.with(|record| record.config.mounts.clone()) {
            // The last one that brings something for a place wins.
            all.retain(|before| before.destination != point.destination);
            all.push(MountPoint { writable: point.writable && !read_only, ..point });
        }
    }
    Ok(all)
}

/// A `--mount`; none for a file system in memory.
fn of_mount(engine: &Engine, one: &Mount) -> Result<Option<MountPoint>> {
    let kind = one.typ.unwrap_or(MountType::VOLUME);
    let wrong = |why: &str| Err(Error::invalid(format!("invalid mount config for type \"{kind}\": {why}")));
    let target = one.target.as_deref().unwrap_or_default();
    if target.is_empty() {
        return wrong("field Target must not be empty");
    }
    if !target.starts_with('/') || target.contains('\0') {
        return wrong(&format!(
            "invalid mount path: '{}' mount path must be absolute",
            target.escape_debug()
        ));
    }
    if normal(target) == "/" {
        return wrong("invalid specification: destination can't be '/'");
    }
    let others = [
        ("BindOptions", one.bind_options.is_some(), MountType::BIND),
        ("VolumeOptions", one.volume_options.is_some(), MountType::VOLUME),
        ("TmpfsOptions", one.tmpfs_options.is_some(), MountType::TMPFS),
        ("ImageOptions", one.image_options.is_some(), MountType::IMAGE),
    ];
    if let Some((field, ..)) = others.iter().find(|(_, given, of)| *given && *of != kind) {
        return wrong(&format!("field {field} must not be specified"));
    }
    let source = one.source.as_deref().filter(|source| !source.is_empty());
    let writable = one.read_only != Some(true);
    match kind {
        MountType::VOLUME => {
            let options = one.volume_options.clone().unwrap_or_default();
            let point = MountPoint {
                mode: "z".to_owned(),
                writable,
                nocopy: options.no_copy == Some(true),
                ..mount(engine, source, target, true, &labels(options)?)?
            };
            Ok(Some(point))
        }
        MountType::BIND => {
            let Some(source) = source else { return wrong("field Source must not be empty") };
            if !source.starts_with('/') {
                return wrong(&format!("invalid mount path: '{source}' mount path must be absolute"));
            }
            let options = one.bind_options.clone().unwrap_or_default();
            let slave = match options.propagation.unwrap_or(Propagation::EMPTY) {
                Propagation::EMPTY | Propagation::PRIVATE | Propagation::RPRIVATE => false,
                Propagation::SLAVE | Propagation::RSLAVE => true,
                other => return Err(Error::unsupported(format!("bind-propagation={other}"))),
            };
            if options.read_only_non_recursive == Some(true) {
                return Err(Error::unsupported("bind-recursive=writable"));
            }
            let point = MountPoint {
                writable,
                slave,
                flat: options.non_recursive == Some(true),
                ..mount(
                    engine,
                    Some(source),
                    target,
                    options.create_mountpoint == Some(true),
                    &BTreeMap::new(),
                )?
            };
            Ok(Some(point))
        }
        MountType::TMPFS if source.is_some() => wrong("field Source must not be specified"),
        MountType::TMPFS => {
            let options = one.tmpfs_options.clone().unwrap_or_default();
            if options.size_bytes.is_some_and(|size| size < 0) {
                return wrong("the size must not be negative");
            }
            if options.mode.is_some_and(|mode| !(0..=0o7777).contains(&mode)) {
                return wrong("the mode is none");
            }
            for words in options.options.iter().flatten() {
                if !matches!(words.iter().map(String::as_str).collect::<Vec<_>>()[..], ["exec" | "noexec"]) {
                    return wrong(&format!("invalid tmpfs option {words:?}"));
                }
            }
            Ok(None)
        }
        other => Err(Error::unsupported(format!("a mount of type {other}"))),
    }
}

/// The labels of a volume that is made by its first mount.
fn labels(options: MountVolumeOptions) -> Result<BTreeMap<String, String>> {
    let driver = options.driver_config.unwrap_or_default();
    let local = driver.name.as_deref().is_none_or(|name| ["", "local"].contains(&name));
    if !local || driver.options.is_some_and(|options| !options.is_empty()) {
        return Err(Error::unsupported("volume-driver and volume-opt"));
    }
    if options.subpath.is_some_and(|path| !path.is_empty()) {
        return Err(Error::unsupported("volume-subpath"));
    }
    Ok(options.labels.unwrap_or_default().into_iter().collect())
}

fn mount(
    engine: &Engine,
    source: Option<&str>,
    destination: &str,
    make: bool,
    labels: &BTreeMap<String, String>,
) -> Result<MountPoint> {
    let destination = normal(destination);
    let point = MountPoint { destination, writable: true, ..MountPoint::default() };
    if let Some(path) = source.filter(|source| source.starts_with('/')) {
        // -v makes a folder that isn't there, --mount doesn't: Docker's difference.
        match fs::metadata(path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && make => fs::create_dir_all(path)
                .map_err(|error| Error::internal(format!("creating {path} for a bind mount"), error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::invalid(format!(
                    "invalid mount config for type \"bind\": bind source path does not exist: {path}"
                )));
            }
            Err(error) => return Err(Error::internal(format!("looking at {path} for a bind mount"), error)),
        }
        return Ok(MountPoint { source: PathBuf::from(path), ..point });
    }
    let known = source.is_some_and(|name| engine.volumes.find(name).is_ok());
    let volume = engine.volumes.create(source, labels.clone())?;
    if !known {
        engine.events.volume("create", &volume.name, &[]);
    }
    let (anonymous, source) = (source.is_none(), engine.volumes.data(&volume.name));
    Ok(MountPoint { volume: Some(volume.name), source, anonymous, ..point })
}

/// Who wants to hear of the host's mounts must take them from where they are told.
fn check_propagation(all: &[MountPoint]) -> Result<()> {
    for point in all.iter().filter(|point| point.slave) {
        let text = fs::read_to_string("/proc/self/mountinfo")
            .map_err(|error| Error::internal("reading /proc/self/mountinfo", error))?;
        let path = fs::canonicalize(&point.source)
            .map_err(|error| Error::internal(format!("looking at {}", point.source.display()), error))?;
        let (place, tells) = mount_of(&text, &path);
        if !tells {
            return Err(Error::invalid(format!(
                "path {} is mounted on {place} but it is not a shared or slave mount",
                point.source.display()
            )));
        }
    }
    Ok(())
}

/// The mount on which a path is, and whether it hears of what is mounted elsewhere:
/// proc_pid_mountinfo(5), fields 5 and 7.
fn mount_of(mountinfo: &str, path: &Path) -> (String, bool) {
    let mut found = ("/".to_owned(), false);
    for line in mountinfo.lines() {
        let mut fields = line.split(' ');
        let Some(place) = fields.nth(4) else { continue };
        let place = place.replace("\\040", " ");
        // The last of those that are the nearest lies on top.
        if path.starts_with(&place) && place.len() >= found.0.len() {
            let tells = fields.skip(1).take_while(|field| *field != "-");
            let tells =
                tells.into_iter().any(|field| field.starts_with("shared:") || field.starts_with("master:"));
            found = (place, tells);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_is_taken_apart_as_docker_does() {
        let bind = |source, destination, mode| Bind { source, destination, mode };
        assert_eq!(parse_bind("/data").unwrap(), bind(None, "/data", ""));
        assert_eq!(parse_bind("name:/data").unwrap(), bind(Some("name"), "/data", ""));
        assert_eq!(parse_bind("/host:/data:ro").unwrap(), bind(Some("/host"), "/data", "ro"));
        assert_eq!(parse_bind("/data:ro").unwrap(), bind(None, "/data", "ro"));
    }

    #[test]
    fn a_bind_that_makes_no_sense_is_refused() {
        for text in
            ["", "a", "a:b", ":/x", "/a:/b:c", "/a:/b:ro:z", "/a:/", "/a:/b/..", "v:/x:shared", "/a:b:c"]
        {
            parse_bind(text).unwrap_err();
        }
    }

    #[test]
    fn options_are_for_volumes_or_for_paths() {
        for text in ["/a:/b:rslave", "/a:/b:ro,slave", "v:/b:nocopy", "v:/b:ro,z", "/a:/b:rprivate"] {
            parse_bind(text).unwrap();
        }
        for text in ["v:/b:rslave", "/a:/b:nocopy", "v:/b:private", "/a:/b:rshared"] {
            parse_bind(text).unwrap_err();
        }
    }

    #[test]
    fn the_nearest_mount_counts_and_of_two_the_upper() {
        let text = "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/a rw\n\
                    30 21 0:5 / /data rw - tmpfs none rw\n\
                    31 30 0:6 / /data/in\\040side rw master:4 - tmpfs none rw\n";
        assert_eq!(mount_of(text, Path::new("/home/x")), ("/".to_owned(), true));
        assert_eq!(mount_of(text, Path::new("/data/x")), ("/data".to_owned(), false));
        assert_eq!(mount_of(text, Path::new("/data/in side/x")), ("/data/in side".to_owned(), true));
        assert_eq!(mount_of(text, Path::new("/database")), ("/".to_owned(), true));
    }
}
