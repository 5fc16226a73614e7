//! Names of groups. They become folders, so a name that leads elsewhere is refused before it is used.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use namespaces::{Error, Process, Result, step};

use crate::Cgroup;
use crate::layout::Layout;

/// Longest name of a folder (`NAME_MAX`).
const LONGEST: usize = 255;

/// The path of `parent/name` below the group in which we may make some.
///
/// # Errors
/// When `parent` isn't a path such as `/canoa`, or `name` isn't one folder's name.
pub(crate) fn path(parent: &str, name: &str) -> Result<PathBuf> {
    let wrong = |what: &str, reason| Err(Error::new("name cgroup", format!("{what:?}"), reason));
    if !is_name(OsStr::new(name)) {
        return wrong(name, "a group's name is one word of at most 255 bytes, without a slash");
    }
    let Some(inside) = parent.strip_prefix('/') else {
        return wrong(parent, "the parent of a group is a path that begins with a slash");
    };
    let inside = Path::new(inside);
    let plain = |part: Component<'_>| matches!(part, Component::Normal(part) if is_name(part));
    if !inside.components().all(plain) {
        return wrong(parent, "no part of a group's path may be . or .., or longer than 255 bytes");
    }
    Ok(inside.join(name))
}

/// The kernel itself refuses a line's end (it would break `/proc/PID/cgroup`) and takes other
/// control characters; nobody wants those.
fn is_name(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    let harmless = bytes.iter().all(|byte| *byte != b'/' && !byte.is_ascii_control());
    harmless && !matches!(bytes, b"" | b"." | b"..") && bytes.len() <= LONGEST
}

// ANCHOR: own_name
/// A name for the group of this very process: its pid, when it began, and the pid namespace in which
/// it is called so (two programs in two of them may have the same pid, and share the groups).
///
/// A group outlives its maker: namespaces vanish with their last process, a group stays until
/// somebody removes it. So that the next one can clean up after a program that was killed, the name
/// says whose the group is.
pub fn own_name() -> Result<String> {
    let Process { pid, start_time } = Process::with_pid(std::process::id() as i32)?;
    Ok(format!("{pid}-{start_time}-{}", pid_namespace()?))
}
// ANCHOR_END: own_name

fn pid_namespace() -> Result<u64> {
    let path = "/proc/self/ns/pid";
    step("read namespace", path, || fs::metadata(path).map(|metadata| metadata.ino()))
}

/// Removes the groups below `parent` whose maker ([`own_name`]) is gone, with what still runs in
/// them. What else there is is left alone; so are the groups of another pid namespace, whose
/// processes we can't see.
pub fn sweep(parent: &str) -> Result<()> {
    let namespace = pid_namespace()?;
    for home in Layout::of_this_machine()?.homes() {
        for entry in fs::read_dir(home.join(parent.trim_start_matches('/'))).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| is_abandoned(name, namespace)) else { continue };
            let swept = Cgroup::open(parent, name).and_then(|group| {
                if !group.processes()?.is_empty() {
                    group.kill()?;
                }
                group.remove()
            });
            // Another program may be sweeping, too.
            if entry.path().exists() {
                swept?;
            }
        }
    }
    Ok(())
}

/// `4711-90210-4026531836`, perhaps with something after another dash.
fn is_abandoned(name: &str, namespace: u64) -> bool {
    let mut parts = name.split('-').map(str::parse);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Ok(pid)), Some(Ok(start_time)), Some(Ok(its))) if its == namespace => {
            i32::try_from(pid).is_ok_and(|pid| !Process { pid, start_time }.is_alive())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_a_folder_below_its_parent() {
        assert_eq!(path("/canoa", "ab12").unwrap(), Path::new("canoa/ab12"));
        assert_eq!(path("/a/b", "c").unwrap(), Path::new("a/b/c"));
        assert_eq!(path("/", "c").unwrap(), Path::new("c"));
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused_and_shown() {
        let long = "x".repeat(256);
        for name in ["", ".", "..", "a/b", "/", "../..", "a\0b", "a\nb", "\u{7f}", &long] {
            let error = path("/canoa", name).unwrap_err();
            assert!(error.on == format!("{name:?}") && error.errno == 0, "{error}");
        }
        let long = format!("/{long}");
        for parent in ["", "canoa", "/..", "/a/../..", "/a/./../b", "/a\0", "/a/\n", "../canoa", &long] {
            let error = path(parent, "name").unwrap_err();
            assert!(error.on == format!("{parent:?}") && error.errno == 0, "{error}");
        }
    }

    #[test]
    fn a_group_is_abandoned_when_its_maker_is_gone() {
        let (own, here) = (own_name().unwrap(), pid_namespace().unwrap());
        assert!(!is_abandoned(&own, here) && !is_abandoned(&format!("{own}-2"), here));
        // The same pid, of another time; and of another namespace, of which we know nothing.
        let another = format!("{}-1-{here}", std::process::id());
        assert!(is_abandoned(&another, here) && is_abandoned(&format!("{another}-2"), here));
        assert!(!is_abandoned(&another, here + 1));
        for other in ["", "boat", "12", "12-boat", "1-5", "-1-5", "99999999999999-1", "0123456789abcdef-x"] {
            assert!(!is_abandoned(&format!("{other}-{here}"), here) || other == "1-5", "{other}");
            assert!(!is_abandoned(other, here), "{other}");
        }
    }
}
