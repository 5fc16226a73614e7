//! Lesson 4's overlay, tried on the file system where canoa will keep its layers: not each one can hold
//! an overlay's upper folder (another overlay can't, as inside most containers).

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::geteuid;

use super::child::{Outcome, Refusal, in_child, leftovers};
use super::kernel::{become_privileged, make_mounts_private};

const PREFIX: &str = ".canoa-doctor-";

/// Mounts one and writes through it.
pub fn overlay() -> Outcome {
    // Looked up here: in the child's user namespace everybody is root.
    let place = place();
    for scratch in leftovers(&place, PREFIX) {
        remove(&scratch);
    }
    let scratch = place.join(format!("{PREFIX}{}", std::process::id()));
    let outcome = in_child(|| {
        make_folder(&scratch)?;
        for folder in ["lower", "upper", "work", "merged"] {
            make_folder(&scratch.join(folder))?;
        }
        become_privileged()?;
        unshare(CloneFlags::CLONE_NEWNS).map_err(|e| Refusal::new("unshare", "CLONE_NEWNS", e))?;
        make_mounts_private()?;
        mount_overlay(&scratch)?;
        let file = scratch.join("merged/file");
        fs::write(&file, "doctor").map_err(|e| Refusal::new("write", file.display(), e))?;
        Ok(place.display().to_string())
    });
    remove(&scratch);
    outcome
}

fn mount_overlay(scratch: &Path) -> Result<(), Refusal> {
    // Relative paths: a colon or a comma in the folder's own path would be taken for a separator.
    std::env::set_current_dir(scratch).map_err(|e| Refusal::new("chdir", scratch.display(), e))?;
    // In a user namespace the overlay may not use trusted.* attributes, and has to be told.
    let userxattr = if in_initial_user_namespace() { "" } else { ",userxattr" };
    let options = format!("lowerdir=lower,upperdir=upper,workdir=work{userxattr}");
    mount(Some("overlay"), "merged", Some("overlay"), MsFlags::empty(), Some(options.as_str()))
        .map_err(|e| Refusal::new("mount overlay on", scratch.join("merged").display(), e))
}

/// The initial user namespace maps all ids onto themselves.
fn in_initial_user_namespace() -> bool {
    fs::read_to_string("/proc/self/uid_map")
        .is_ok_and(|map| map.split_ascii_whitespace().eq(["0", "0", "4294967295"]))
}

/// The folder nearest to canoa's data that exists.
fn place() -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = if geteuid().is_root() {
        PathBuf::from("/var/lib/canoa")
    } else {
        variable("XDG_DATA_HOME")
            .or_else(|| variable("HOME").map(|home| home.join(".local/share")))
            .unwrap_or_else(std::env::temp_dir)
            .join("canoa")
    };
    data.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

fn make_folder(path: &Path) -> Result<(), Refusal> {
    DirBuilder::new().mode(0o700).create(path).map_err(|e| Refusal::new("mkdir", path.display(), e))
}

fn remove(scratch: &Path) {
    // The overlay makes a folder that not even its owner may enter.
    let _ = fs::set_permissions(scratch.join("work/work"), Permissions::from_mode(0o700));
    let _ = fs::remove_dir_all(scratch);
}
