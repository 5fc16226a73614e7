//! Lesson 5's program: lesson 3's, with a network.
//!
//! ```text
//! cargo run -p lesson-05 -- run [--hostname NAME] [lesson 3's flags] PROGRAM [ARGUMENT]…
//! ```

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::Path;

use cgroups::{Cgroup, Cpu, DeviceRule, Limits, own_namespace, parse_size, remove_parent};
use namespaces::flags::{Flags, finish};
use namespaces::{Command, Error, Isolation, Result, Status, exec, set_hostname};
use network::namespace::of_process;
use network::{Interface, Network, attach, lo_up, names};
use rootfs::{Mount, Privileges, Rootfs, User, borrow};

/// The groups of all lessons' programs are in this one.
const PARENT: &str = "/canoa-lessons";
/// Their network, and where its notes are.
const NETWORK: &str = "canoa-lessons";
const NOTES: &str = "/run/canoa-lessons";

fn main() {
    let mut words = std::env::args().skip(1);
    let known = ["hostname", "root", "volume", "user", "memory", "cpus", "pids"];
    let outcome = match words.next().as_deref() {
        Some("run") => Flags::parse(words, &known).map(run),
        _ => Err("usage: lesson-05 run [--hostname NAME] [--memory SIZE] … PROGRAM …".into()),
    };
    finish("lesson-05", outcome)
}

fn run(flags: Flags) -> Result<Status> {
    // An ordinary user can't lay a cable to the host's network: there is only `lo`.
    if !nix::unistd::geteuid().is_root() {
        eprintln!("lesson-05: without root there is no network but lo: try sudo");
        return contain(&flags, None);
    }
    let network = Network::at(Path::new(NOTES), NETWORK);
    let me = std::process::id().to_string();
    let lives = |process: &str| Path::new("/proc").join(process).exists();
    let status = network.join(&me, lives).and_then(|interface| contain(&flags, Some(&interface)));
    network.leave(&me)?;
    status
}

fn contain(flags: &Flags, interface: Option<&Interface>) -> Result<Status> {
    let borrowed;
    let folder = match flags.value("root") {
        Some(folder) => Path::new(folder),
        None => {
            borrowed = borrow::TemporaryRoot::new()?;
            borrowed.path()
        }
    };
    let mut rootfs = Rootfs::folder(folder)?;
    if let Some((from, to)) = flags.value("volume").and_then(|volume| volume.split_once(':')) {
        rootfs = rootfs.with(Mount::bind(from, to.trim_end_matches(":ro"), to.ends_with(":ro")));
    }
    let hostname = flags.value("hostname").unwrap_or("container");
    let own: Vec<IpAddr> = interface.iter().map(|interface| interface.address.addr().into()).collect();
    let names = names::Files::write(hostname, &own)?;
    for (from, to) in names.mounts() {
        rootfs = rootfs.with(Mount::bind(from, to, false));
    }
    let privileges = Privileges::docker()?;
    let command = Command::new(flags.rest.clone());

    let cgroup = Cgroup::create(PARENT, &std::process::id().to_string(), &limits(flags)?)?;
    let status = Isolation::container().born_in(cgroup.birthplace()).spawn(|| {
        cgroup.enter()?;
        own_namespace()?;
        set_hostname(hostname)?;
        if interface.is_none() {
            lo_up()?;
        }
        rootfs.enter()?;
        privileges.drop_to(&User::look_up(flags.value("user").unwrap_or(""))?)?;
        exec(&command)
    });
    let status = status.and_then(|child| {
        if let Some(interface) = interface {
            attach(of_process(child.pid().as_raw())?.as_fd(), interface)?;
        }
        child.release()?.wait()
    });
    if cgroup.oom_kills()? > 0 {
        eprintln!("lesson-05: out of memory: the kernel killed a process of this container");
    }
    cgroup.remove()?;
    remove_parent(PARENT)?;
    status
}

fn limits(flags: &Flags) -> Result<Limits> {
    let wrong = |flag: &'static str| move |reason: String| Error::new("set limit", flag, reason);
    let memory = flags.value("memory").map(parse_size).transpose().map_err(wrong("--memory"))?;
    let cpus =
        flags.value("cpus").map(|text| text.parse::<f64>().map_err(|e| wrong("--cpus")(e.to_string())));
    let pids =
        flags.value("pids").map(|text| text.parse::<u64>().map_err(|e| wrong("--pids")(e.to_string())));
    Ok(Limits {
        memory,
        memory_and_swap: memory.map(|bytes| bytes.saturating_mul(2)),
        cpu: cpus.transpose()?.map(|cpus| Cpu::from_nano((cpus * 1e9) as u64)),
        pids: pids.transpose()?,
        devices: DeviceRule::docker(),
    })
}
