//! Lesson 3's program: lesson 2's, within limits.
//!
//! ```text
//! cargo run -p lesson-03 -- run [--memory 64m] [--cpus 0.5] [--cpu-shares 512] [--cpuset-cpus 0-1] [--pids 20]
//!     [lesson 2's flags] PROGRAM [ARGUMENT]…
//! ```

use cgroups::{Cgroup, Limits, own_name, own_namespace, remove_parent, sweep};
use namespaces::flags::{Flags, finish};
use namespaces::{Command, Isolation, Result, Status, exec, set_hostname};
use rootfs::{Mount, Privileges, Rootfs, User, borrow};
use std::path::Path;

/// The groups of all lessons' programs are in this one.
const PARENT: &str = "/canoa-lessons";

const USAGE: &str = "usage: lesson-03 run [--memory SIZE] [--cpus NUMBER] [--cpu-shares NUMBER] \
                     [--cpuset-cpus LIST] [--pids NUMBER] [lesson 2's flags] PROGRAM …";

fn main() {
    let mut words = std::env::args().skip(1);
    let known = [&["hostname", "root", "volume", "user"][..], &Limits::FLAGS].concat();
    let outcome = match words.next().as_deref() {
        Some("run") => Flags::parse(words, &known).map(run),
        _ => Err(USAGE.into()),
    };
    finish("lesson-03", outcome)
}

fn run(flags: Flags) -> Result<Status> {
    let limits = Limits::from_flags(&flags)?;
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
    let privileges = Privileges::docker()?;
    let command = Command::new(flags.rest.clone());

    // A group that a program before us left behind, because it was killed.
    sweep(PARENT)?;
    let cgroup = Cgroup::create(PARENT, &own_name()?, &limits)?;
    let status = Isolation::container().born_in(cgroup.birthplace()).spawn(|| {
        cgroup.enter()?;
        own_namespace()?;
        set_hostname(flags.value("hostname").unwrap_or("container"))?;
        rootfs.enter()?;
        privileges.drop_to(&User::look_up(flags.value("user").unwrap_or(""))?)?;
        exec(&command)
    });
    let status = status.and_then(|child| child.release()?.wait());
    if cgroup.oom_kills()? > 0 {
        eprintln!("lesson-03: out of memory: the kernel killed a process of this container");
    }
    cgroup.remove()?;
    remove_parent(PARENT)?;
    status
}
