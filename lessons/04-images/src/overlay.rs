//! The overlay: an image's layers as one tree, with a writable one on top.
//!
//! Layers are never changed. The kernel's *overlayfs* shows several folders as one: a file is
//! that of the uppermost folder that has it, what is written goes to the *upper* folder, and what
//! is removed is covered there by a whiteout. So a hundred containers share one image, each with
//! an upper folder of its own, and to make one costs nothing.
//!
//! The mount is *detached*: a descriptor, and no place in any tree. Nobody on the host sees it,
//! it moves into the container's own mount namespace, and it is gone when nobody holds it.
//! [overlayfs](https://docs.kernel.org/filesystems/overlayfs.html)

use std::fmt;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use namespaces::{Error, Result, in_user_namespace, step};
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::sys::utsname::uname;
use nix::unistd::fchdir;
use rootfs::mount_api::{fsconfig, fsmount, fsopen, open_tree};

/// The layers of an image as one tree, with a writable folder on top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// The image's layers, the lowest first.
    pub lower: Vec<PathBuf>,
    /// Where writes go.
    pub upper: PathBuf,
    /// The overlay's own work folder: empty, beside `upper` on the same file system.
    pub work: PathBuf,
}

/// Of fixed meaning whatever the kernel's defaults are. A renamed folder must not become a
/// reference to a lower one (`redirect_dir`), nor a changed mode a file without content
/// (`metacopy`): an upper folder can then be read, and committed, as it is. `index` would tie it
/// to these very lower folders.
const OPTIONS: [(&str, &str); 3] = [("redirect_dir", "nofollow"), ("metacopy", "off"), ("index", "off")];

/// The value of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value<'a> {
    Folder(&'a Path),
    Word(&'static str),
    /// A flag has none.
    Nothing,
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Folder(path) => write!(f, "={}", path.display()),
            Value::Word(word) => write!(f, "={word}"),
            Value::Nothing => Ok(()),
        }
    }
}

impl Overlay {
    /// Mounts it, detached. Works in a process with many threads, and leaves no mount behind.
    ///
    /// # Errors
    /// The kernel's; most often a file system that can't hold an upper folder (`EINVAL`), such as
    /// another overlay.
    pub fn mount(&self) -> Result<OwnedFd> {
        if self.lower.is_empty() {
            // The kernel wants at least one lower folder. Over nothing, the upper one is all.
            return step("copy mount of", self.upper.display(), || open_tree(None, &self.upper, false));
        }
        // Asked by its version, and not by trying: the kernel notes each option that it doesn't know in
        // its log, which would be at every start.
        let kernel = step("ask kernel for version", "", uname)?;
        match knows_lowerdir_plus(&kernel.release().to_string_lossy()) {
            true => self.mount_by_descriptor(),
            false => self.mount_by_place(),
        }
    }

    // ANCHOR: new
    /// What the overlay is told, in this order: a key, and its value.
    fn options(&self, in_user_namespace: bool) -> Vec<(&'static str, Value<'_>)> {
        // ANCHOR: ex-04-6
        // 1. Each layer is a `lowerdir+`, the uppermost first: where two have a file, that is the one seen.
        let mut options: Vec<_> =
            self.lower.iter().rev().map(|layer| ("lowerdir+", Value::Folder(layer))).collect();
        // 2. What is written goes to `upperdir`; `workdir` is the overlay's own.
        options.push(("upperdir", Value::Folder(&self.upper)));
        options.push(("workdir", Value::Folder(&self.work)));
        // 3. `OPTIONS`, whatever the kernel's defaults are.
        options.extend(OPTIONS.map(|(key, value)| (key, Value::Word(value))));
        // 4. In a user namespace nobody may read `trusted.*`: with `userxattr` the overlay's own attributes
        //    are `user.*`.
        if in_user_namespace {
            options.push(("userxattr", Value::Nothing));
        }
        options
        // ANCHOR_END: ex-04-6
    }

    /// By `fsopen`, and one `fsconfig` for each option.
    fn mount_by_descriptor(&self) -> Result<OwnedFd> {
        let context = step("open file system", "overlay", || fsopen("overlay")).map_err(module)?;
        for (key, value) in self.options(in_user_namespace()) {
            step("set overlay option", format!("{key}{value}"), || match value {
                Value::Folder(path) => fsconfig(&context, key, Some(Named::new(path)?.name())),
                Value::Word(word) => fsconfig(&context, key, Some(word)),
                Value::Nothing => fsconfig(&context, key, None),
            })?;
        }
        step("mount overlay", self.upper.display(), || fsmount(&context, 0)).map_err(place_hint)
    }
    // ANCHOR_END: new

    // ANCHOR: old
    /// The old way, as [`Overlay::mount`] does where the kernel is too old for the new one: by
    /// `mount(2)`, which needs a place. It is one in a mount namespace that is made for this and
    /// ends with its thread; what `open_tree` copies from there stays.
    ///
    /// # Errors
    /// As [`Overlay::mount`].
    pub fn mount_by_place(&self) -> Result<OwnedFd> {
        // A thread of its own, since its mount namespace and working directory change.
        std::thread::scope(|scope| match scope.spawn(|| self.mount_in_own_namespace()).join() {
            Ok(result) => result,
            Err(_) => Err(Error::new("mount overlay", self.upper.display(), "its thread panicked")),
        })
    }

    fn mount_in_own_namespace(&self) -> Result<OwnedFd> {
        step("unshare", "mount namespace", || unshare(CloneFlags::CLONE_NEWNS))?;
        let none = None::<&str>;
        step("cut propagation of", "/", || {
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none)
        })?;
        // All options together may take one page, and paths are long. Descriptors have short
        // names: in the folder /proc/self/fd they are just numbers. They are opened here, since
        // the overlay takes only folders of the mount namespace in which it is made.
        let folder = |path: &Path| step("open", path.display(), || open_folder(path));
        let (mut opened, mut lower, mut words) = (vec![], vec![], vec![]);
        for (key, value) in self.options(in_user_namespace()) {
            let Value::Folder(path) = value else {
                words.push(format!("{key}{value}"));
                continue;
            };
            let path = folder(path)?;
            match key {
                "lowerdir+" => lower.push(number(&path)),
                _ => words.push(format!("{key}={}", number(&path))),
            }
            opened.push(path);
        }
        let options = format!("lowerdir={},{}", lower.join(":"), words.join(","));
        let descriptors = folder(Path::new("/proc/self/fd"))?;
        step("change folder to", "/proc/self/fd", || fchdir(&descriptors))?;
        // Any folder will do as the place; this one is there.
        step("mount overlay", self.upper.display(), || {
            mount(Some("overlay"), &self.upper, Some("overlay"), MsFlags::empty(), Some(options.as_str()))
        })
        .map_err(place_hint)?;
        step("copy mount of", self.upper.display(), || open_tree(None, &self.upper, false))
    }
    // ANCHOR_END: old
}

/// A path as `fsconfig` takes it: its own text, or where that is too long for it (255 bytes) or
/// has characters that the overlay would understand in its own way, a descriptor's name.
struct Named {
    text: String,
    _open: Option<OwnedFd>,
}

impl Named {
    fn new(path: &Path) -> nix::Result<Named> {
        let plain =
            |text: &&str| text.len() < 256 && !text.contains(['\\', ',', ':']) && text.starts_with('/');
        Ok(match path.to_str().filter(plain) {
            Some(text) => Named { text: text.to_owned(), _open: None },
            None => {
                let folder = open_folder(path)?;
                Named { text: format!("/proc/self/fd/{}", number(&folder)), _open: Some(folder) }
            }
        })
    }

    fn name(&self) -> &str {
        &self.text
    }
}

/// Since Linux 6.7. A release is `6.12.9-amd64` or the like.
fn knows_lowerdir_plus(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (6_u32, 7_u32)
}

fn open_folder(path: &Path) -> nix::Result<OwnedFd> {
    open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
}

fn number(folder: &OwnedFd) -> String {
    use std::os::fd::AsRawFd;
    folder.as_raw_fd().to_string()
}

fn module(error: Error) -> Error {
    match error.errno {
        libc::ENODEV => error.hint("this kernel has no overlayfs: try \"modprobe overlay\""),
        _ => error,
    }
}

fn place_hint(error: Error) -> Error {
    match error.errno {
        libc::EINVAL => error.hint("the data root may lie on a file system that can't hold an overlay's upper folder, such as another overlay: choose another one"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nix::fcntl::openat;

    use super::*;

    fn overlay() -> Overlay {
        let path = |name: &str| Path::new("/layers").join(name);
        Overlay { lower: ["base", "tools", "app"].map(path).into(), upper: path("upper"), work: path("work") }
    }

    #[test]
    fn the_uppermost_layer_is_told_first() {
        let overlay = overlay();
        let told = overlay.options(false);
        let lower: Vec<_> =
            told.iter().filter(|(key, _)| *key == "lowerdir+").map(|(_, path)| path.to_string()).collect();
        let expected = ["=/layers/app", "=/layers/tools", "=/layers/base"];
        assert_eq!(
            lower, expected,
            "ex-04-6: `lower` has the lowest layer first, and the kernel wants the uppermost first"
        );
    }

    #[test]
    fn the_overlay_is_told_all_that_it_must_know() {
        let overlay = overlay();
        for in_user_namespace in [false, true] {
            let told = overlay.options(in_user_namespace);
            let value = |name: &str| told.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
            assert_eq!(value("upperdir"), Some(Value::Folder(&overlay.upper)), "ex-04-6: {told:?}");
            assert_eq!(value("workdir"), Some(Value::Folder(&overlay.work)), "ex-04-6: {told:?}");
            for (key, word) in OPTIONS {
                assert_eq!(
                    value(key),
                    Some(Value::Word(word)),
                    "ex-04-6: {key}, whatever the kernel's default: {told:?}"
                );
            }
            let expected = in_user_namespace.then_some(Value::Nothing);
            assert_eq!(
                value("userxattr"),
                expected,
                "ex-04-6: in a user namespace, and only there: {told:?}"
            );
        }
    }

    // Tests of the mounts themselves are in tests/overlay.rs; here is only what needs no privilege.
    #[test]
    fn an_old_kernel_is_told_by_its_release() {
        for new in ["6.7", "6.7.0-rc1", "6.12.9-amd64", "6.18.0", "10.0"] {
            assert!(knows_lowerdir_plus(new), "{new}");
        }
        for old in
            ["6.6.99", "5.15.0-100-generic", "6.1.0-30-amd64", "4.4.0", "6", "", "six", "99999999999.9"]
        {
            assert!(!knows_lowerdir_plus(old), "{old}");
        }
    }

    #[test]
    fn a_path_that_the_overlay_would_misread_is_named_by_descriptor() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("a,b:c\\d");
        fs::create_dir(&odd).unwrap();
        fs::write(odd.join("f"), "").unwrap();
        assert_eq!(Named::new(folder.path()).unwrap().name(), folder.path().to_str().unwrap());
        let named = Named::new(&odd).unwrap();
        assert!(named.name().starts_with("/proc/self/fd/"), "{}", named.name());
        let again = open_folder(Path::new(named.name())).unwrap();
        assert!(openat(&again, "f", OFlag::O_RDONLY, Mode::empty()).is_ok());
    }
}
