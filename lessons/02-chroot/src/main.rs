//! Lesson 2's program: lesson 1's, with a file system of its own.
//!
//! ```text
//! cargo run -p lesson-02 -- run [--root FOLDER] [--volume FROM:TO[:ro]] [--user WHO] [--seccomp none]
//!     [lesson 1's flags] PROGRAM [ARGUMENT]…
//! cargo run -p lesson-02 -- borrow FOLDER                  fill a folder with the host's tools
//! cargo run -p lesson-02 -- escape chroot|pivot FOLDER     the attack: out of the folder, then `ls /`
//! ```

use std::ffi::OsStr;
use std::path::Path;

use namespaces::flags::{Flags, finish};
use namespaces::{Command, Error, Foreground, Isolation, Result, Status, exec, set_hostname};
use rootfs::{Mount, Privileges, Root, Rootfs, User, borrow, chroot};

const USAGE: &str = "usage: lesson-02 run [--root FOLDER] [--volume FROM:TO[:ro]] [--user WHO] \
                     [--seccomp none] [lesson 1's flags] PROGRAM … | borrow FOLDER | escape chroot|pivot FOLDER";

fn main() {
    let known = ["hostname", "root", "volume", "user", "seccomp"];
    let mut words = std::env::args_os().skip(1);
    let outcome = match words.next().as_deref().and_then(OsStr::to_str) {
        Some("run") => Flags::parse(words, &known, &["PROGRAM"]).map(run),
        Some("borrow") => Flags::parse(words, &[], &["FOLDER"])
            .map(|flags| borrow::into(Path::new(&flags.rest[0])).map(|_| Status::Exited(0))),
        Some("escape") => Flags::parse(words, &[], &["chroot or pivot", "FOLDER"]).map(escape),
        _ => Err(USAGE.into()),
    };
    finish("lesson-02", outcome)
}

// ANCHOR: run
fn run(flags: Flags) -> Result<Status> {
    let foreground = Foreground::new()?;
    let root = Root::new(flags.value("root"))?;
    let mut rootfs = Rootfs::folder(root.path())?;
    if let Some(volume) = flags.value("volume") {
        rootfs = rootfs.with(Mount::volume(volume)?);
    }
    let mut privileges = Privileges::docker()?;
    if flags.text("seccomp")? == Some("none") {
        privileges.seccomp = None;
    }
    let user = flags.text("user")?.unwrap_or("");
    let command = Command::new(&flags.rest);

    let child = Isolation::container().spawn(|| {
        foreground.enter()?;
        set_hostname(flags.value("hostname").unwrap_or(OsStr::new("container")))?;
        rootfs.enter()?;
        privileges.drop_to(&User::look_up(user)?)?;
        exec(&command)
    })?;
    foreground.wait(&child.release()?)
}
// ANCHOR_END: run

fn escape(flags: Flags) -> Result<Status> {
    let (way_in, folder) = (&flags.rest[0], Path::new(&flags.rest[1]));
    let child = Isolation::container().spawn(|| {
        match way_in.to_str() {
            Some("chroot") => chroot::enter(folder)?,
            Some("pivot") => Rootfs::just(folder).enter()?,
            _ => return Err(Error::new("enter by", way_in.display(), "there are chroot and pivot")),
        }
        chroot::escape()?;
        exec(&Command::new(["ls", "/"]))
    })?;
    child.release()?.wait()
}
