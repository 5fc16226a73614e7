//! Lesson 2's program: lesson 1's, with a file system of its own.

use std::ffi::OsStr;
use std::path::Path;

use namespaces::flags::{Flags, Word, program};
use namespaces::{Command, Error, Foreground, Isolation, Result, Status, exec, set_hostname};
use rootfs::{Mount, Privileges, Root, Rootfs, User, borrow, chroot};

const USAGE: &str = "usage: lesson-02 run [--root FOLDER] [--volume FROM:TO[:ro]] [--user WHO] \
                     [--seccomp none] [lesson 1's flags] PROGRAM … | borrow FOLDER | escape chroot|pivot FOLDER";

fn main() {
    let known = [&["hostname", "root"], &rootfs::FLAGS[..]].concat();
    let words: [Word; 3] = [
        ("run", &known, &["PROGRAM"], run),
        ("borrow", &[], &["FOLDER"], |flags| borrow::into(flags.rest[0].as_ref()).map(|_| Status::Exited(0))),
        ("escape", &[], &["chroot or pivot", "FOLDER"], escape),
    ];
    program("lesson-02", USAGE, &words)
}

// ANCHOR: run
fn run(flags: Flags) -> Result<Status> {
    let foreground = Foreground::new()?;
    let privileges = Privileges::from_flags(&flags)?;
    let root = Root::new(flags.value("root"))?;
    let rootfs = Rootfs::folder(root.path())?.mounts(Mount::from_flags(&flags)?);
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
