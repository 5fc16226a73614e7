//! Lesson 5's program: lesson 4's, with a network.

use std::path::Path;

use cgroups::{Limits, OwnGroup, own_namespace};
use images::{Progress, PullOptions, Store, WritableLayer};
use namespaces::flags::{Flags, Word, program};
use namespaces::{Foreground, Isolation, Result, Status, exec, set_hostname};
use network::{Member, Network, Publish, names, ports};
use rootfs::{Mount, Privileges, Rootfs, User};

/// The groups of all lessons' programs are in this one.
const PARENT: &str = "/canoa-lessons";
/// Their network, and where its notes are.
const NETWORK: &str = "canoa-lessons";
const NOTES: &str = "/run/canoa-lessons";

const USAGE: &str = "usage: lesson-05 run [lesson 4's flags] [--publish 8080:80] IMAGE [PROGRAM …]";

/// The program. (Lesson 6's tests run it within themselves, to listen to its steps.)
pub fn main() {
    let known = [&["hostname", "publish"], &rootfs::FLAGS[..], &Limits::FLAGS, &images::FLAGS].concat();
    let words: [Word; 1] = [("run", &known, &["IMAGE"], run)];
    program("lesson-05", USAGE, &words)
}

// ANCHOR: run
fn run(flags: Flags) -> Result<Status> {
    let foreground = Foreground::new()?;
    // First of all: that somebody has the port is said before anything is made.
    let ports = ports::reserve(&Publish::from_flags(&flags)?)?;
    // A place in the network, which is given back when this function ends.
    let network = Member::join(Network::at(Path::new(NOTES), NETWORK), &ports)?;

    let store = Store::from_flags(&flags)?;
    let (name, options) = (flags.rest[0].to_string_lossy(), PullOptions::from_flags(&flags)?);
    let image = images::find_or_pull(&store, &name, &options, &Progress::tell)?;
    let layer = WritableLayer::new(&store)?;
    let overlay = layer.over(&image.layers)?;
    let hostname = flags.text("hostname")?.unwrap_or("container");
    let names = names::Files::write(layer.folder(), hostname, &network.addresses())?;
    let volume = Mount::from_flags(&flags)?;
    let privileges = Privileges::from_flags(&flags)?;
    let command = image.config.command(&flags.rest[1..]);
    let user = flags.text("user")?.unwrap_or(&image.config.config.user);

    let cgroup = OwnGroup::create(PARENT, &Limits::from_flags(&flags)?)?;
    let child = Isolation::container().born_in(cgroup.birthplace()).spawn(|| {
        cgroup.enter()?;
        own_namespace()?;
        foreground.enter()?;
        network.enter()?;
        set_hostname(hostname)?;
        let rootfs = Rootfs::mount(overlay.mount()?, layer.rootfs()).with_defaults()?;
        rootfs.mounts(names.mounts()).mounts(volume).enter()?;
        privileges.drop_to(&User::look_up(user)?)?;
        exec(&command)
    })?;
    // ANCHOR: attach
    let _published = network.attach(&child, ports)?;
    foreground.wait(&child.release()?)
    // ANCHOR_END: attach
}
// ANCHOR_END: run
