//! Lesson 2's program: lesson 1's, with a file system of its own.
//!
//! ```text
//! cargo run -p lesson-02 -- run [--root FOLDER] [--volume FROM:TO[:ro]] [--user WHO] [--seccomp none]
//!     [lesson 1's flags] PROGRAM [ARGUMENT]…
//! cargo run -p lesson-02 -- borrow FOLDER                  fill a folder with the host's tools
//! cargo run -p lesson-02 -- escape chroot|pivot FOLDER     the attack: out of the folder, then `ls /`
//! ```

use namespaces::flags::{Flags, finish};
use namespaces::{Command, Isolation, Result, Status, exec, set_hostname};
use rootfs::{Mount, Privileges, Rootfs, User, borrow, chroot};
use std::path::Path;

const USAGE: &str = "usage: lesson-02 run [--root FOLDER] [--volume FROM:TO[:ro]] [--user WHO] \
                     [--seccomp none] [lesson 1's flags] PROGRAM … | borrow FOLDER | escape chroot|pivot FOLDER";

fn main() {
    let mut words = std::env::args().skip(1);
    let outcome = match words.next().as_deref() {
        Some("run") => Flags::parse(words, &["hostname", "root", "volume", "user", "seccomp"]).map(run),
        Some("borrow") => Flags::parse(words, &[])
            .map(|flags| borrow::into(Path::new(&flags.rest.concat())).map(|_| Status::Exited(0))),
        Some("escape") => Flags::parse(words, &[]).map(escape),
        _ => Err(USAGE.into()),
    };
    finish("lesson-02", outcome)
}

// ANCHOR: run
fn run(flags: Flags) -> Result<Status> {
    let borrowed;
    let folder = match flags.value("root") {
        Some(folder) => Path::new(folder),
        None => {
            borrowed = borrow::TemporaryRoot::new()?;
            borrowed.path()
        }
    };
    let mut rootfs = Rootfs::folder(folder)?;
    if let Some(volume) = flags.value("volume") {
        rootfs = rootfs.with(Mount::volume(volume)?);
    }
    let mut privileges = Privileges::docker()?;
    if flags.value("seccomp") == Some("none") {
        privileges.seccomp = None;
    }
    let command = Command::new(flags.rest.clone());

    let child = Isolation::container().spawn(|| {
        set_hostname(flags.value("hostname").unwrap_or("container"))?;
        rootfs.enter()?;
        privileges.drop_to(&User::look_up(flags.value("user").unwrap_or(""))?)?;
        exec(&command)
    })?;
    child.release()?.wait()
}
// ANCHOR_END: run

fn escape(flags: Flags) -> Result<Status> {
    let folder = flags.rest.get(1).map_or(Path::new("."), Path::new);
    let way_in = flags.rest.first().map_or("", String::as_str);
    let child = Isolation::container().spawn(|| {
        match way_in {
            "pivot" => Rootfs::folder(folder)?.enter()?,
            _ => chroot::enter(folder)?,
        }
        chroot::escape()?;
        exec(&Command::new(["ls", "/"]))
    })?;
    child.release()?.wait()
}
