//! Lesson 5's program: lesson 4's, with a network.
//!
//! ```text
//! cargo run -p lesson-05 -- run [lesson 4's flags] [--publish 8080:80] IMAGE [PROGRAM [ARGUMENT]…]
//! ```

use std::ffi::OsStr;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use cgroups::{Cgroup, Limits, own_name, own_namespace, remove_parent, sweep};
use images::{PullOptions, Store, WritableLayer};
use namespaces::flags::{Flags, finish};
use namespaces::{Error, Foreground, Isolation, Result, Status, exec, set_hostname};
use network::namespace::of_process;
use network::{Interface, Network, Port, Publish, Published, attach, lo_up, names, ports};
use rootfs::{Mount, Privileges, Rootfs, User};

/// The groups of all lessons' programs are in this one.
const PARENT: &str = "/canoa-lessons";
/// Their network, and where its notes are.
const NETWORK: &str = "canoa-lessons";
const NOTES: &str = "/run/canoa-lessons";

/// The program. (Lesson 6's tests run it within themselves, to listen to its steps.)
pub fn main() {
    let known =
        [&["hostname", "volume", "user", "store", "platform", "publish"][..], &Limits::FLAGS].concat();
    let mut words = std::env::args_os().skip(1);
    let outcome = match words.next().as_deref().and_then(OsStr::to_str) {
        Some("run") => Flags::parse(words, &known, &["IMAGE"]).map(run),
        _ => Err("usage: lesson-05 run [lesson 4's flags] [--publish 8080:80] IMAGE [PROGRAM …]".into()),
    };
    finish("lesson-05", outcome)
}

// ANCHOR: run
fn run(flags: Flags) -> Result<Status> {
    let foreground = Foreground::new()?;
    // First of all: that somebody has the port is said before anything is made.
    let wanted = flags.text("publish")?.map(str::parse::<Publish>).transpose()?;
    let wanted: Vec<_> = wanted.iter().flat_map(Publish::bindings).collect();
    let ports = ports::reserve(&wanted)?;
    // An ordinary user can't lay a cable to the host's network: there is only `lo`.
    if !nix::unistd::geteuid().is_root() {
        if !ports.is_empty() {
            return Err(Error::new("publish ports", "", "without root no network leads to them: try sudo"));
        }
        eprintln!("lesson-05: without root there is no network but lo: try sudo");
        return contain(&flags, &foreground, None, ports);
    }
    let network = Network::at(Path::new(NOTES), NETWORK);
    let me = std::process::id().to_string();
    let lives = |process: &str| Path::new("/proc").join(process).exists();
    let status =
        network.join(&me, lives).and_then(|interface| contain(&flags, &foreground, Some(&interface), ports));
    network.leave(&me)?;
    status
}
// ANCHOR_END: run

fn contain(
    flags: &Flags,
    foreground: &Foreground,
    interface: Option<&Interface>,
    ports: Vec<Port>,
) -> Result<Status> {
    let folder = flags.value("store").map_or_else(|| images::data_folder("canoa-lessons"), PathBuf::from);
    let store = Store::open(&folder).map_err(Error::from)?;
    let name = flags.rest[0].to_string_lossy();
    let platform = flags.text("platform")?.map(str::parse).transpose()?;
    let options = PullOptions { platform, credentials: None };
    let image = images::find_or_pull(&store, &name, &options, &|_| {})?;
    let layer = WritableLayer::new(&store)?;
    let overlay = layer.over(&image.layers)?;
    let hostname = flags.text("hostname")?.unwrap_or("container");
    let own: Vec<IpAddr> = interface.iter().map(|interface| interface.address.addr().into()).collect();
    let names = names::Files::write(layer.folder(), hostname, &own)?;
    let mut mounts = names.mounts().map(|(from, to)| Mount::bind(from, to, false)).to_vec();
    mounts.extend(flags.value("volume").map(Mount::volume).transpose()?);
    let privileges = Privileges::docker()?;
    let command = image.config.command(&flags.rest[1..]);
    let user = flags.text("user")?.unwrap_or(&image.config.config.user);

    sweep(PARENT)?;
    let cgroup = Cgroup::create(PARENT, &own_name()?, &Limits::from_flags(flags)?)?;
    let child = Isolation::container().born_in(cgroup.birthplace()).spawn(|| {
        cgroup.enter()?;
        own_namespace()?;
        foreground.enter()?;
        set_hostname(hostname)?;
        if interface.is_none() {
            lo_up()?;
        }
        let mut rootfs = Rootfs::mount(overlay.mount()?, layer.rootfs()).with_defaults()?;
        for mount in &mounts {
            rootfs = rootfs.with(mount.clone());
        }
        rootfs.enter()?;
        privileges.drop_to(&User::look_up(user)?)?;
        exec(&command)
    });
    // ANCHOR: attach
    let status = child.and_then(|child| {
        let Some(interface) = interface else { return foreground.wait(&child.release()?) };
        attach(of_process(child.pid().as_raw())?.as_fd(), interface)?;
        let _published = Published::open(ports, Some(NETWORK), interface)?;
        foreground.wait(&child.release()?)
    });
    // ANCHOR_END: attach
    if cgroup.oom_kills()? > 0 {
        eprintln!("lesson-05: out of memory: the kernel killed a process of this container");
    }
    cgroup.remove()?;
    remove_parent(PARENT)?;
    status
}
