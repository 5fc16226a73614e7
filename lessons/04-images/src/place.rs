//! Where a program of this user keeps what should be there tomorrow.

use std::env;
use std::path::PathBuf;

use nix::unistd::geteuid;

/// `/var/lib/NAME` for root; for everybody else `NAME` in the folder that the [XDG base directory
/// specification] names: `$XDG_DATA_HOME`, else `~/.local/share`.
///
/// [XDG base directory specification]: https://specifications.freedesktop.org/basedir-spec/latest/
pub fn data_folder(name: &str) -> PathBuf {
    // A relative path would mean another folder from each working directory: the specification
    // says to ignore it.
    let variable = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || variable("HOME").map(|home| home.join(".local/share"));
    let own = variable("XDG_DATA_HOME").or_else(home).filter(|_| !geteuid().is_root());
    own.unwrap_or_else(|| "/var/lib".into()).join(name)
}
