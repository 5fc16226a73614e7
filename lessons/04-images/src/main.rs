//! Lesson 4's program: lesson 3's, with an image for its root.
//!
//! ```text
//! cargo run -p lesson-04 -- run [--store FOLDER] [--platform OS/ARCH] [lesson 3's flags but --root] IMAGE [PROGRAM [ARGUMENT]…]
//! cargo run -p lesson-04 -- pull [--store FOLDER] [--platform OS/ARCH] IMAGE
//! cargo run -p lesson-04 -- images [--store FOLDER]
//! ```

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::PathBuf;

use cgroups::{Cgroup, Limits, own_name, own_namespace, remove_parent, sweep};
use images::{Image, Progress, PullOptions, Reference, Status as Stage, Store, WritableLayer};
use namespaces::flags::{Flags, finish};
use namespaces::{Foreground, Isolation, Result, Status, exec, set_hostname};
use rootfs::{Mount, Privileges, Rootfs, User};

/// The groups of all lessons' programs are in this one.
const PARENT: &str = "/canoa-lessons";

const USAGE: &str = "usage: lesson-04 run [--store FOLDER] [--platform OS/ARCH] \
                     [lesson 3's flags but --root] IMAGE [PROGRAM …] | pull IMAGE | images";

fn main() {
    let known = [&["hostname", "volume", "user", "store", "platform"][..], &Limits::FLAGS].concat();
    let mut words = std::env::args_os().skip(1);
    let outcome = match words.next().as_deref().and_then(OsStr::to_str) {
        Some("run") => Flags::parse(words, &known, &["IMAGE"]).map(run),
        Some("pull") => Flags::parse(words, &["store", "platform"], &["IMAGE"]).map(pull),
        Some("images") => Flags::parse(words, &["store"], &[]).map(list),
        _ => Err(USAGE.into()),
    };
    finish("lesson-04", outcome)
}

// ANCHOR: run
fn run(flags: Flags) -> Result<Status> {
    let foreground = Foreground::new()?;
    let store = open(&flags)?;
    let image = images::find_or_pull(&store, &name(&flags), &options(&flags)?, &tell)?;
    let layer = WritableLayer::new(&store)?;
    let overlay = layer.over(&image.layers)?;
    let volume = flags.value("volume").map(Mount::volume).transpose()?;
    let privileges = Privileges::docker()?;
    let command = image.config.command(&flags.rest[1..]);
    let user = flags.text("user")?.unwrap_or(&image.config.config.user);

    sweep(PARENT)?;
    let cgroup = Cgroup::create(PARENT, &own_name()?, &Limits::from_flags(&flags)?)?;
    let child = Isolation::container().born_in(cgroup.birthplace()).spawn(|| {
        cgroup.enter()?;
        own_namespace()?;
        foreground.enter()?;
        set_hostname(flags.value("hostname").unwrap_or(OsStr::new("container")))?;
        let mut rootfs = Rootfs::mount(overlay.mount()?, layer.rootfs()).with_defaults()?;
        if let Some(mount) = &volume {
            rootfs = rootfs.with(mount.clone());
        }
        rootfs.enter()?;
        privileges.drop_to(&User::look_up(user)?)?;
        exec(&command)
    });
    let status = child.and_then(|child| foreground.wait(&child.release()?));
    if cgroup.oom_kills()? > 0 {
        eprintln!("lesson-04: out of memory: the kernel killed a process of this container");
    }
    cgroup.remove()?;
    remove_parent(PARENT)?;
    status
}
// ANCHOR_END: run

fn pull(flags: Flags) -> Result<Status> {
    let reference: Reference = name(&flags).parse()?;
    let Image { id, .. } = images::fetch(&open(&flags)?, &reference, &options(&flags)?, &tell)?;
    println!("{id} {reference}");
    Ok(Status::Exited(0))
}

fn list(flags: Flags) -> Result<Status> {
    for image in open(&flags)?.list()? {
        let names: Vec<String> = image.tags.iter().map(Reference::familiar).collect();
        println!("{}  {:>12} bytes  {}", image.id.short(), image.size, names.join(" "));
    }
    Ok(Status::Exited(0))
}

/// The image's.
fn name(flags: &Flags) -> Cow<'_, str> {
    flags.rest[0].to_string_lossy()
}

fn options(flags: &Flags) -> Result<PullOptions> {
    let platform = flags.text("platform")?.map(str::parse).transpose()?;
    Ok(PullOptions { platform, credentials: None })
}

fn tell(progress: Progress) {
    if !matches!(progress.status, Stage::Downloading { .. } | Stage::Extracting { .. }) {
        eprintln!("{}: {}", progress.id, progress.status);
    }
}

/// Where images are kept: `--store`, or the folder that all lessons' programs share.
fn open(flags: &Flags) -> Result<Store> {
    let folder = flags.value("store").map_or_else(|| images::data_folder("canoa-lessons"), PathBuf::from);
    Ok(Store::open(&folder)?)
}
