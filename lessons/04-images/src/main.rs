//! Lesson 4's program: lesson 3's, with an image for its root.

use std::ffi::OsStr;

use cgroups::{Limits, OwnGroup, own_namespace};
use images::{Progress, PullOptions, Reference, Store, WritableLayer};
use namespaces::flags::{Flags, Word, program};
use namespaces::{Foreground, Isolation, Result, Status, exec, set_hostname};
use rootfs::{Mount, Privileges, Rootfs, User};

/// The groups of all lessons' programs are in this one.
const PARENT: &str = "/canoa-lessons";

const USAGE: &str = "usage: lesson-04 run [--store FOLDER] [--platform OS/ARCH] \
                     [lesson 3's flags but --root] IMAGE [PROGRAM …] | pull IMAGE | images";

fn main() {
    let known = [&["hostname"], &rootfs::FLAGS[..], &Limits::FLAGS, &images::FLAGS].concat();
    let words: [Word; 3] = [
        ("run", &known, &["IMAGE"], run),
        ("pull", &images::FLAGS, &["IMAGE"], pull),
        ("images", &["store"], &[], list),
    ];
    program("lesson-04", USAGE, &words)
}

// ANCHOR: run
fn run(flags: Flags) -> Result<Status> {
    let foreground = Foreground::new()?;
    let store = Store::from_flags(&flags)?;
    let (name, options) = (flags.rest[0].to_string_lossy(), PullOptions::from_flags(&flags)?);
    let image = images::find_or_pull(&store, &name, &options, &Progress::tell)?;
    let layer = WritableLayer::new(&store)?;
    let overlay = layer.over(&image.layers)?;
    let volume = Mount::from_flags(&flags)?;
    let privileges = Privileges::from_flags(&flags)?;
    let command = image.config.command(&flags.rest[1..]);
    let user = flags.text("user")?.unwrap_or(&image.config.config.user);

    // Lesson 3's group, in one line; it goes when this function ends.
    let cgroup = OwnGroup::create(PARENT, &Limits::from_flags(&flags)?)?;
    let child = Isolation::container().born_in(cgroup.birthplace()).spawn(|| {
        cgroup.enter()?;
        own_namespace()?;
        foreground.enter()?;
        set_hostname(flags.value("hostname").unwrap_or(OsStr::new("container")))?;
        Rootfs::mount(overlay.mount()?, layer.rootfs()).with_defaults()?.mounts(volume).enter()?;
        privileges.drop_to(&User::look_up(user)?)?;
        exec(&command)
    })?;
    foreground.wait(&child.release()?)
}
// ANCHOR_END: run

fn pull(flags: Flags) -> Result<Status> {
    let (store, options) = (Store::from_flags(&flags)?, PullOptions::from_flags(&flags)?);
    let reference: Reference = flags.rest[0].to_string_lossy().parse()?;
    println!("{} {reference}", images::fetch(&store, &reference, &options, &Progress::tell)?.id);
    Ok(Status::Exited(0))
}

fn list(flags: Flags) -> Result<Status> {
    for image in Store::from_flags(&flags)?.list()? {
        let names: Vec<String> = image.tags.iter().map(Reference::familiar).collect();
        println!("{}  {:>12} bytes  {}", image.id.short(), image.size, names.join(" "));
    }
    Ok(Status::Exited(0))
}
