//! One mount of a container: what it is, made detached, then hung up inside.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use namespaces::flags::Flags;
use namespaces::{Error, Result, only_one_id, step};

use crate::inside::{self, Kind};
use crate::mount_api::{
    Attributes, fsconfig, fsmount, fsopen, make_private, move_mount, open_tree, set_attributes,
};

/// What is to be mounted, and where inside the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The place inside the root; made if it isn't there.
    pub target: PathBuf,
    /// What.
    pub source: Source,
    /// `MOUNT_ATTR_…`.
    pub attributes: Attributes,
}

/// What a mount shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file system of its own: its type, and its options (`size=64m`).
    New {
        /// `proc`, `tmpfs`, …
        fs_type: String,
        /// Key and value, or a key alone.
        options: Vec<(String, Option<String>)>,
    },
    /// A folder or file of the host: a *bind mount*.
    Bind {
        /// Its path on the host.
        from: PathBuf,
        /// With all that is mounted below it.
        recursive: bool,
        /// What is mounted there on the host later appears in here as well.
        slave: bool,
    },
}

impl Mount {
    /// A folder or file of the host, with all that is mounted below it.
    pub fn bind(from: impl Into<PathBuf>, target: impl Into<PathBuf>, read_only: bool) -> Self {
        let attributes = if read_only { libc::MOUNT_ATTR_RDONLY } else { 0 };
        Mount {
            target: target.into(),
            source: Source::Bind { from: from.into(), recursive: true, slave: false },
            attributes,
        }
    }

    /// The one that `--volume` asks for, if it was given.
    ///
    /// # Errors
    /// Those of [`Mount::volume`].
    pub fn from_flags(flags: &Flags) -> Result<Option<Self>> {
        flags.value("volume").map(Self::volume).transpose()
    }

    /// As people write it after `--volume`: `/on/the/host:/inside`, with `:ro` at the end if it
    /// is only to be read.
    ///
    /// # Errors
    /// Anything else.
    pub fn volume(text: impl AsRef<OsStr>) -> Result<Self> {
        let text = text.as_ref();
        let wrong = |reason: &str| Err(Error::new("read volume", text.display(), reason));
        // Bytes: a path need not be text.
        let parts: Vec<&[u8]> = text.as_bytes().split(|byte| *byte == b':').collect();
        let (from, target, read_only) = match parts[..] {
            [from, target] | [from, target, b"rw"] => (from, target, false),
            [from, target, b"ro"] => (from, target, true),
            [_, _, _] => return wrong("after the second colon there is ro or rw"),
            _ => return wrong("write /on/the/host:/inside or /on/the/host:/inside:ro"),
        };
        if !from.starts_with(b"/") || !target.starts_with(b"/") {
            return wrong("both paths begin with /");
        }
        if text.as_bytes().contains(&0) {
            return wrong("no path has a NUL byte");
        }
        Ok(Self::bind(OsStr::from_bytes(from), OsStr::from_bytes(target), read_only))
    }

    /// A mount as the OCI runtime specification writes it ([config.md], "Mounts"): a type, a
    /// source, and options as words: `["nosuid", "mode=755"]`, `["rbind", "ro"]`.
    ///
    /// # Errors
    /// For an option that this lesson doesn't know how to give.
    ///
    /// [config.md]: https://github.com/opencontainers/runtime-spec/blob/v1.2.0/config.md#mounts
    pub fn from_words(target: &Path, fs_type: &str, source: &Path, words: &[String]) -> Result<Self> {
        let (mut attributes, mut options, mut bind) = (0, vec![], fs_type == "bind");
        let (mut recursive, mut slave) = (false, false);
        for word in words {
            match word.as_str() {
                "ro" => attributes |= libc::MOUNT_ATTR_RDONLY,
                "nosuid" => attributes |= libc::MOUNT_ATTR_NOSUID,
                "nodev" => attributes |= libc::MOUNT_ATTR_NODEV,
                "noexec" => attributes |= libc::MOUNT_ATTR_NOEXEC,
                "noatime" => attributes |= libc::MOUNT_ATTR_NOATIME,
                "strictatime" => attributes |= libc::MOUNT_ATTR_STRICTATIME,
                // The last word counts.
                "rw" => attributes &= !libc::MOUNT_ATTR_RDONLY,
                "suid" => attributes &= !libc::MOUNT_ATTR_NOSUID,
                "dev" => attributes &= !libc::MOUNT_ATTR_NODEV,
                "exec" => attributes &= !libc::MOUNT_ATTR_NOEXEC,
                // What is so anyhow.
                "relatime" | "defaults" => {}
                "private" | "rprivate" => slave = false,
                "slave" | "rslave" if fs_type == "bind" => slave = true,
                "bind" => bind = true,
                "rbind" => (bind, recursive) = (true, true),
                // A slave needs a master, and a file system of its own has none.
                "shared" | "rshared" | "slave" | "rslave" => {
                    return Err(Error::new(
                        "mount",
                        target.display(),
                        format!("propagation {word} is not there for {fs_type}"),
                    ));
                }
                _ => options.push(match word.split_once('=') {
                    Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                    None => (word.clone(), None),
                }),
            }
        }
        let source = if bind {
            Source::Bind { from: source.to_owned(), recursive, slave }
        } else {
            // What /proc/mounts shows in its first column.
            options.insert(0, ("source".to_owned(), Some(source.display().to_string())));
            Source::New { fs_type: fs_type.to_owned(), options }
        };
        Ok(Mount { target: target.to_owned(), source, attributes })
    }

    /// Makes it, detached. Before the pivot: a bind mount's source is on the host, and the kernel
    /// gives an unprivileged user a new /proc or /sys only while they see the old one.
    // ANCHOR: make
    pub(crate) fn make(&self) -> Result<Detached> {
        let (mount, kind) = match &self.source {
            Source::New { fs_type, options } => {
                let context = step("open file system", fs_type, || fsopen(fs_type))?;
                // In a user namespace with one id there is no group 5 (`tty`) to own terminals.
                let possible = |key: &str| !(fs_type == "devpts" && key == "gid" && only_one_id());
                for (key, value) in options.iter().filter(|(key, _)| possible(key)) {
                    let option = value.as_ref().map_or(key.clone(), |value| format!("{key}={value}"));
                    step("set mount option", option, || fsconfig(&context, key, value.as_deref()))?;
                }
                let mount = step("make mount", fs_type, || fsmount(&context, self.attributes))?;
                (mount, Kind::Folder)
            }
            Source::Bind { from, recursive, slave } => {
                let (mount, kind) = self.copy(from, *recursive)?;
                // Since `cut_propagation` it is a slave, if its original is shared.
                if !slave {
                    step("make private", from.display(), || make_private(&mount))?;
                }
                (mount, kind)
            }
        };
        Ok(Detached {
            mount,
            kind,
            target: self.target.clone(),
            plain: matches!(self.source, Source::New { .. }),
        })
    }

    /// A bind mount, detached, and whether it is one of a folder or of a file.
    fn copy(&self, from: &Path, recursive: bool) -> Result<(OwnedFd, Kind)> {
        // ANCHOR: ex-02-5
        // 1. What is it?
        let is_folder = step("look at", from.display(), || std::fs::metadata(from))?.is_dir();
        // 2. A copy of the mount that it is on, beginning there.
        let mount = step("copy mount of", from.display(), || open_tree(None, from, recursive))?;
        // 3. Attributes, such as read-only, are set on the copy; the original keeps its own. And on
        //    each mount that came along: else what is mounted below stays writable.
        if self.attributes != 0 {
            step("set attributes of", from.display(), || set_attributes(&mount, self.attributes, true))?;
        }
        Ok((mount, if is_folder { Kind::Folder } else { Kind::File }))
        // ANCHOR_END: ex-02-5
    }
    // ANCHOR_END: make
}

/// A detached mount, and the place where it is to be hung up.
#[derive(Debug)]
pub(crate) struct Detached {
    mount: OwnedFd,
    kind: Kind,
    target: PathBuf,
    /// Whether its place has to be reached without symbolic links.
    plain: bool,
}

impl Detached {
    /// Whether it is a file system of the container's own, at this place.
    pub(crate) fn is_new_at(&self, place: &str) -> bool {
        self.plain && self.target == Path::new(place)
    }

    /// Hangs it up inside the root.
    // ANCHOR: attach
    pub(crate) fn attach(&self, root: impl AsFd) -> Result<()> {
        let plain = self.plain;
        let target = inside::open_or_make(root, &self.target, self.kind, plain)?;
        step("mount on", self.target.display(), || move_mount(&self.mount, &target))
    }
    // ANCHOR_END: attach
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_two_absolute_paths_and_perhaps_a_mode() {
        assert_eq!(Mount::volume("/a:/b").unwrap(), Mount::bind("/a", "/b", false));
        assert_eq!(Mount::volume("/a:/b:ro").unwrap(), Mount::bind("/a", "/b", true));
        for wrong in ["", "/a", "a:/b", "/a:b", "/a:/b:", "/a:/b:rx", "/a:/b:ro:ro"] {
            let error = Mount::volume(wrong).unwrap_err().to_string();
            assert!(error.starts_with("read volume"), "{wrong}: {error}");
        }
    }
}
