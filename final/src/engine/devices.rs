//! Devices: those that every container has, `--device`, `--device-cgroup-rule`, and all of them
//! (`--privileged`).
//!
//! Two things have to be so: a node with the device's numbers is there (lesson 2), and the control
//! group lets it be opened (lesson 3).

use std::path::{Path, PathBuf};

use bollard_stubs::models::{DeviceMapping, HostConfig};
use cgroups::DeviceRule;
use oci_spec::OciSpecError;
use oci_spec::runtime::{
    Linux, LinuxDevice, LinuxDeviceBuilder, LinuxDeviceCgroup, LinuxDeviceCgroupBuilder, LinuxDeviceType,
    Mount, MountBuilder,
};
use rootfs::Device;

use super::error::{Error, Result};

/// Describes a container's devices. What a user namespace may not make is mounted there instead.
///
/// # Errors
/// A device that the host doesn't have.
pub fn give(host: &HostConfig, linux: &mut Linux, mounts: &mut Vec<Mount>) -> Result<()> {
    let describing = |error: OciSpecError| Error::internal("describing devices", error);
    let bound = namespaces::in_user_namespace();
    let (mut devices, mut rules) = (vec![], vec![]);
    if host.privileged == Some(true) {
        // In a user namespace these numbers are of no use, whoever holds them.
        if !bound {
            let all = Device::all_of_host(Path::new("/dev"), Path::new("/dev"))?;
            devices = all.iter().map(node).collect::<Result<_, _>>().map_err(describing)?;
        }
        rules.push(everything().map_err(describing)?);
    } else {
        for rule in DeviceRule::docker() {
            rules.push(describe(&rule).map_err(describing)?);
        }
    }
    for mapping in host.devices.iter().flatten() {
        for (device, from) in found(mapping)? {
            let access = mapping.cgroup_permissions.clone().filter(|access| !access.is_empty());
            rules.push(allow(&device, access.as_deref().unwrap_or("rwm")).map_err(describing)?);
            match bound {
                true => mounts.push(bind(&from, &device.path).map_err(describing)?),
                false => devices.push(node(&device).map_err(describing)?),
            }
        }
    }
    for rule in host.device_cgroup_rules.iter().flatten() {
        rules.push(describe(&parse_rule(rule)?).map_err(describing)?);
    }
    linux.set_devices((!devices.is_empty()).then_some(devices));
    if let Some(resources) = linux.resources_mut() {
        resources.set_devices(Some(rules));
    }
    Ok(())
}

/// The devices that a mapping names: one, or all of a folder; and where each is on the host.
fn found(mapping: &DeviceMapping) -> Result<Vec<(Device, PathBuf)>> {
    let host = PathBuf::from(mapping.path_on_host.clone().unwrap_or_default());
    let inside = match mapping.path_in_container.as_deref() {
        None | Some("") => host.clone(),
        Some(path) => PathBuf::from(path),
    };
    let failed = |error: namespaces::Error| {
        let reason = match error.errno {
            0 => error.hint.clone(),
            errno => nix::errno::Errno::from_raw(errno).desc().to_lowercase(),
        };
        let host = host.display().to_string();
        Error::invalid(format!(
            "error gathering device information while adding custom device {host:?}: {reason}"
        ))
    };
    if host.is_dir() {
        let all = Device::all_of_host(&host, &inside).map_err(failed)?;
        let from = |device: &Device| host.join(device.path.strip_prefix(&inside).unwrap_or(Path::new("")));
        return Ok(all
            .into_iter()
            .map(|device| (from(&device), device))
            .map(|(from, d)| (d, from))
            .collect());
    }
    Ok(vec![(Device::of_host(&host, &inside).map_err(failed)?, host.clone())])
}

fn node(device: &Device) -> Result<LinuxDevice, OciSpecError> {
    LinuxDeviceBuilder::default()
        .path(device.path.clone())
        .typ(kind(device))
        .major(device.major as i64)
        .minor(device.minor as i64)
        .file_mode(device.mode)
        .uid(device.uid)
        .gid(device.gid)
        .build()
}

fn bind(from: &Path, place: &Path) -> Result<Mount, OciSpecError> {
    let options = ["bind", "rprivate"].map(str::to_owned).to_vec();
    MountBuilder::default().destination(place).typ("bind").source(from).options(options).build()
}

fn kind(device: &Device) -> LinuxDeviceType {
    if device.block { LinuxDeviceType::B } else { LinuxDeviceType::C }
}

fn allow(device: &Device, access: &str) -> Result<LinuxDeviceCgroup, OciSpecError> {
    LinuxDeviceCgroupBuilder::default()
        .allow(true)
        .typ(kind(device))
        .major(device.major as i64)
        .minor(device.minor as i64)
        .access(access)
        .build()
}

fn everything() -> Result<LinuxDeviceCgroup, OciSpecError> {
    LinuxDeviceCgroupBuilder::default().allow(true).typ(LinuxDeviceType::A).access("rwm").build()
}

fn describe(rule: &DeviceRule) -> Result<LinuxDeviceCgroup, OciSpecError> {
    let mut described = LinuxDeviceCgroupBuilder::default().allow(rule.allow).access(rule.access.clone());
    described = match rule.kind {
        'b' => described.typ(LinuxDeviceType::B),
        'c' => described.typ(LinuxDeviceType::C),
        _ => described,
    };
    // What is left out means all.
    if let Some(major) = rule.major {
        described = described.major(i64::from(major));
    }
    if let Some(minor) = rule.minor {
        described = described.minor(i64::from(minor));
    }
    described.build()
}

/// `c 1:3 rwm`, with `*` for any number.
fn parse_rule(text: &str) -> Result<DeviceRule> {
    let wrong = || Error::invalid(format!("invalid device cgroup rule format: '{}'", text.escape_debug()));
    let words: Vec<&str> = text.split(' ').collect();
    let [kind @ ("a" | "b" | "c"), numbers, access] = words[..] else { return Err(wrong()) };
    let number = |text: &str| match text {
        "*" => Ok(None),
        text if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().map(Some).map_err(|_| wrong()),
        _ => Err(wrong()),
    };
    let (major, minor) = numbers.split_once(':').ok_or_else(wrong)?;
    if !is_access(access) {
        return Err(wrong());
    }
    Ok(DeviceRule {
        allow: true,
        kind: kind.chars().next().unwrap_or('a'),
        major: number(major)?,
        minor: number(minor)?,
        access: access.to_owned(),
    })
}

fn is_access(text: &str) -> bool {
    (1..=3).contains(&text.len()) && text.chars().all(|c| "rwm".contains(c))
}

/// Whether these are devices and rules: asked at `create`. Whether the host has them is seen at the
/// start, as they come and go.
///
/// # Errors
/// In words that name the one that isn't.
pub fn check(host: &HostConfig) -> Result<()> {
    for mapping in host.devices.iter().flatten() {
        for path in [&mapping.path_on_host, &mapping.path_in_container].into_iter().flatten() {
            let climbs = Path::new(path).components().any(|part| part == std::path::Component::ParentDir);
            if !path.is_empty() && (!path.starts_with('/') || path.contains('\0') || climbs) {
                return Err(Error::invalid(format!("{path:?} is not an absolute path")));
            }
        }
        let access = mapping.cgroup_permissions.as_deref().unwrap_or_default();
        if !access.is_empty() && !is_access(access) {
            return Err(Error::invalid(format!("bad mode specified: {}", access.escape_debug())));
        }
        if mapping.path_on_host.as_deref().unwrap_or_default().is_empty() {
            return Err(Error::invalid("a device needs PathOnHost"));
        }
    }
    host.device_cgroup_rules.iter().flatten().try_for_each(|rule| parse_rule(rule).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(json: serde_json::Value) -> Result<()> {
        check(&serde_json::from_value(json).unwrap())
    }

    #[test]
    fn what_is_no_device_and_no_rule_is_refused_by_its_name() {
        checked(serde_json::json!({"Devices": [{"PathOnHost": "/dev/null", "PathInContainer": ""}],
            "DeviceCgroupRules": ["c 1:3 rwm", "a *:* m", "b 8:* r"]}))
        .unwrap();
        for (device, word) in [
            (serde_json::json!({"PathOnHost": "null"}), "null"),
            (serde_json::json!({"PathOnHost": "/dev/../etc"}), "/dev/../etc"),
            (serde_json::json!({"PathOnHost": "/dev/\0"}), "\\0"),
            (serde_json::json!({"PathInContainer": "/dev/null"}), "PathOnHost"),
            (serde_json::json!({"PathOnHost": "/dev/null", "CgroupPermissions": "x\u{1b}"}), "x\\u{1b}"),
        ] {
            let error = checked(serde_json::json!({ "Devices": [device] })).unwrap_err();
            assert!(error.message.contains(word), "{word}: {error}");
        }
        for rule in [
            "",
            "c",
            "d 1:3 r",
            "c 1 r",
            "c 1:3",
            "c 1:3 x",
            "c -1:3 r",
            "c 99999999999:3 r",
            "c 1:3 r w",
            "c  1:3 r",
        ] {
            let error = checked(serde_json::json!({ "DeviceCgroupRules": [rule] })).unwrap_err();
            assert!(error.message.contains(&format!("'{rule}'")), "{rule}: {error}");
        }
    }

    #[test]
    fn a_device_that_is_none_is_an_error_in_dockers_words() {
        for (path, reason) in [("/dev/nothing-there", "no such file"), ("/etc/passwd", "not a device node")] {
            let mapping = DeviceMapping { path_on_host: Some(path.to_owned()), ..DeviceMapping::default() };
            let error = found(&mapping).unwrap_err().message;
            let words = format!("error gathering device information while adding custom device {path:?}: ");
            assert!(error.starts_with(&words) && error.contains(reason), "{error}");
        }
    }
}
