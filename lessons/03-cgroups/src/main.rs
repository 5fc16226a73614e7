//! Lesson 3's program: lesson 2's, within limits.

use std::ffi::OsStr;

use cgroups::{Cgroup, Limits, own_name, own_namespace, remove_parent, sweep};
use namespaces::flags::{Flags, Word, program};
use namespaces::{Command, Foreground, Isolation, Result, Status, exec, set_hostname};
use rootfs::{Mount, Privileges, Root, Rootfs, User};

/// The groups of all lessons' programs are in this one.
const PARENT: &str = "/canoa-lessons";

const USAGE: &str = "usage: lesson-03 run [--memory SIZE] [--cpus NUMBER] [--cpu-shares NUMBER] \
                     [--cpuset-cpus LIST] [--pids NUMBER] [lesson 2's flags] PROGRAM …";

fn main() {
    let known = [&["hostname", "root"], &rootfs::FLAGS[..], &Limits::FLAGS].concat();
    let words: [Word; 1] = [("run", &known, &["PROGRAM"], run)];
    program("lesson-03", USAGE, &words)
}

// ANCHOR: run
fn run(flags: Flags) -> Result<Status> {
    let foreground = Foreground::new()?;
    let limits = Limits::from_flags(&flags)?;
    let privileges = Privileges::from_flags(&flags)?;
    let root = Root::new(flags.value("root"))?;
    let rootfs = Rootfs::folder(root.path())?.mounts(Mount::from_flags(&flags)?);
    let user = flags.text("user")?.unwrap_or("");
    let command = Command::new(&flags.rest);

    // A group that a program before us left behind, because it was killed.
    sweep(PARENT)?;
    // ANCHOR: ex-03-4
    // 1. Make the group: below PARENT, of our own name, with the limits.
    let cgroup = Cgroup::create(PARENT, &own_name()?, &limits)?;
    // 2. The child is born in it where the machine can do that: the second version.
    let child = Isolation::container().born_in(cgroup.birthplace()).spawn(|| {
        // 3. With the first it joins by itself, before anything else: all it does is within the limits.
        cgroup.enter()?;
        // 4. Then its own cgroup namespace: the group in which it is now becomes the root. All else is
        //    as in lesson 2.
        own_namespace()?;
        foreground.enter()?;
        set_hostname(flags.value("hostname").unwrap_or(OsStr::new("container")))?;
        rootfs.enter()?;
        privileges.drop_to(&User::look_up(user)?)?;
        exec(&command)
    });
    // 5. Let it go on, and wait for its end.
    let status = child.and_then(|child| foreground.wait(&child.release()?));
    // 6. If the kernel killed for want of memory, say so on stderr: `lesson-03: out of memory: …`.
    if cgroup.oom_kills().is_ok_and(|kills| kills > 0) {
        eprintln!("lesson-03: out of memory: the kernel killed a process of this container");
    }
    // 7. A group stays until somebody removes it: ours, and the parent if no other is in it. Whatever
    //    came of the child.
    cgroup.remove()?;
    remove_parent(PARENT)?;
    status
    // ANCHOR_END: ex-03-4
}
// ANCHOR_END: run
