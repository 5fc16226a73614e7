//! From the words of the OCI runtime specification to the lessons' types.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use cgroups::{Cpu, DeviceRule, Limits, NumberList};
use libc::sock_filter;
use lifecycle::pty::Size;
use lifecycle::stdio::Stdio;
use lifecycle::{Container, Network, Program};
use namespaces::{Command, Error, Result, in_user_namespace, step};
use nix::sched::CloneFlags;
use nix::sys::resource::Resource;
use oci_spec::runtime::{
    LinuxDevice, LinuxDeviceType, LinuxNamespace, LinuxNamespaceType, LinuxResources, LinuxSeccomp, Mount,
    PosixRlimitType, Process, Spec,
};
use rootfs::{Device, Privileges, Rootfs, capabilities};

use crate::bundle::{Exec, Extra};
use crate::{descriptors, seccomp};

/// The whole container.
pub(super) fn container(spec: &Spec, extra: &Extra, root: OwnedFd, place: &Path) -> Result<Container> {
    let process = spec.process().as_ref().ok_or_else(|| missing("process"))?;
    let linux = spec.linux().as_ref().ok_or_else(|| missing("linux"))?;
    // Not the host's, and not another's (which we have joined, so that for the child it is ours).
    let is_own = |one: &LinuxNamespace, kind| one.typ() == kind && one.path().is_none();
    let has = |kind: LinuxNamespaceType| linux.namespaces().iter().flatten().any(|one| is_own(one, kind));
    let hosts_processes =
        !linux.namespaces().iter().flatten().any(|one| one.typ() == LinuxNamespaceType::Pid);
    let mut shared = CloneFlags::empty();
    // With a domain name we have made one for it.
    shared.set(CloneFlags::CLONE_NEWUTS, !has(LinuxNamespaceType::Uts) || spec.domainname().is_some());
    shared.set(CloneFlags::CLONE_NEWIPC, !has(LinuxNamespaceType::Ipc));
    shared.set(CloneFlags::CLONE_NEWPID, !has(LinuxNamespaceType::Pid));
    let own_network = has(LinuxNamespaceType::Network);

    let mut rootfs = Rootfs::mount(root, place)
        .read_only(spec.root().as_ref().and_then(|root| root.readonly()).unwrap_or(false))
        .mask(linux.masked_paths().iter().flatten().map(PathBuf::from))
        .read_only_paths(linux.readonly_paths().iter().flatten().map(PathBuf::from))
        .read_only_paths(cgroup_folders(spec))
        .devices(linux.devices().iter().flatten().map(device))
        .sysctls(linux.sysctl().iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
    for mount in spec.mounts().iter().flatten() {
        rootfs = rootfs.mounts(mounts(mount, own_network, hosts_processes)?);
    }
    Ok(Container {
        hostname: spec.hostname().clone().unwrap_or_default(),
        cgroup: split_cgroup(linux.cgroups_path().as_deref())?,
        limits: linux.resources().as_ref().map(limits).transpose()?.unwrap_or_default(),
        rootfs,
        network: if own_network { Network::Own(extra.interfaces.clone()) } else { Network::Host },
        shared,
        program: program(process, linux.seccomp().as_ref(), (&extra.user, &extra.groups), extra.open_stdin)?,
        init: extra.init,
    })
}

/// How soon the kernel ends it when the machine has no memory left: proc_pid_oom_score_adj(5). A child has
/// its parent's.
pub(super) fn set_oom_score(pid: i32, spec: &Spec) -> Result<()> {
    spec.process().as_ref().map_or(Ok(()), |process| write_oom_score(&pid.to_string(), process))
}

/// The same for an exec, which has it from us.
pub(super) fn own_oom_score(process: &Process) -> Result<()> {
    write_oom_score("self", process)
}

fn write_oom_score(pid: &str, process: &Process) -> Result<()> {
    let Some(score) = process.oom_score_adj() else { return Ok(()) };
    let path = format!("/proc/{pid}/oom_score_adj");
    step("write", &path, || std::fs::write(&path, score.to_string()))
}

/// An exec: its program, with the filter of the container, and the container's control group.
pub(super) fn exec(exec: &Exec) -> Result<(Program, (String, String))> {
    let path = exec.bundle.join("config.json");
    let spec = Spec::load(&path).map_err(|error| Error::new("read", path.display(), error))?;
    let linux = spec.linux().as_ref().ok_or_else(|| missing("linux"))?;
    let program =
        program(&exec.process, linux.seccomp().as_ref(), (&exec.user, &exec.groups), exec.open_stdin)?;
    Ok((program, split_cgroup(linux.cgroups_path().as_deref())?))
}

fn program(
    process: &Process,
    filter: Option<&LinuxSeccomp>,
    (user, groups): (&str, &[String]),
    open_stdin: bool,
) -> Result<Program> {
    let stdio = match process.terminal().unwrap_or(false) {
        false => Stdio::Pipes { input: open_stdin },
        true => Stdio::Terminal {
            input: open_stdin,
            size: process.console_size().map(|size| Size {
                rows: size.height().try_into().unwrap_or(u16::MAX),
                columns: size.width().try_into().unwrap_or(u16::MAX),
            }),
        },
    };
    let allowed: Vec<String> = process
        .capabilities()
        .as_ref()
        .and_then(|capabilities| capabilities.bounding().as_ref())
        .into_iter()
        .flatten()
        .map(|capability| format!("CAP_{capability}"))
        .collect();
    let mut resource_limits: Vec<_> = process
        .rlimits()
        .iter()
        .flatten()
        .map(|limit| Ok((resource(limit.typ())?, limit.soft(), limit.hard())))
        .collect::<Result<_>>()?;
    // What we have taken for ourselves is not for the program.
    if let Some((soft, hard)) = descriptors::found()
        && !resource_limits.iter().any(|(resource, ..)| *resource == Resource::RLIMIT_NOFILE)
    {
        resource_limits.push((Resource::RLIMIT_NOFILE, soft, hard));
    }
    Ok(Program {
        command: Command {
            args: process.args().iter().flatten().map(OsString::from).collect(),
            env: process.env().iter().flatten().map(OsString::from).collect(),
            directory: process.cwd().clone(),
        },
        user: user.to_owned(),
        groups: groups.to_vec(),
        privileges: Privileges {
            seccomp: filter.map(compile).transpose()?,
            capabilities: capabilities::by_name(&allowed)?,
            no_new_privileges: process.no_new_privileges().unwrap_or(false),
        },
        resource_limits,
        stdio,
    })
}

fn device(described: &LinuxDevice) -> Device {
    let number = |number: i64| u64::try_from(number).unwrap_or_default();
    Device {
        path: described.path().clone(),
        block: described.typ() == LinuxDeviceType::B,
        major: number(described.major()),
        minor: number(described.minor()),
        mode: described.file_mode().unwrap_or(0o666),
        uid: described.uid().unwrap_or_default(),
        gid: described.gid().unwrap_or_default(),
    }
}

/// The kernel's program of the specification's filter.
fn compile(filter: &LinuxSeccomp) -> Result<Vec<sock_filter>> {
    let policy =
        seccomp::understand(filter).map_err(|reason| Error::new("read seccomp policy", "", reason))?;
    Ok(policy.compile())
}

/// One mount of the specification; that of cgroups may be several.
fn mounts(mount: &Mount, own_network: bool, hosts_processes: bool) -> Result<Vec<rootfs::Mount>> {
    let target = mount.destination();
    let words = mount.options().clone().unwrap_or_default();
    let kind = mount.typ().as_deref().unwrap_or("bind");
    let source = mount.source().as_deref().unwrap_or(Path::new(kind));
    match kind {
        "cgroup" => cgroups::mounts(target, &words),
        // The kernel gives a sysfs only to who owns the network namespace which it would show.
        "sysfs" if !own_network && in_user_namespace() => Ok(vec![rootfs::Mount::bind("/sys", target, true)]),
        // And a proc only to who owns the pid namespace.
        "proc" if hosts_processes && in_user_namespace() => {
            Ok(vec![rootfs::Mount::bind("/proc", target, false)])
        }
        _ => Ok(vec![rootfs::Mount::from_words(target, kind, source, &words)?]),
    }
}

/// Where the container's groups are to be seen without a right to write: what holds them, too, in which
/// folders were made for them.
fn cgroup_folders(spec: &Spec) -> Vec<PathBuf> {
    let is_read_only = |mount: &&Mount| mount.options().iter().flatten().any(|word| word == "ro");
    let cgroups = spec.mounts().iter().flatten().filter(|mount| mount.typ().as_deref() == Some("cgroup"));
    cgroups.filter(is_read_only).map(|mount| mount.destination().clone()).collect()
}

fn limits(resources: &LinuxResources) -> Result<Limits> {
    let positive =
        |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).filter(|n| *n > 0);
    let memory = resources.memory().as_ref();
    let cpu = resources.cpu().as_ref();
    let rules = resources.devices().iter().flatten().map(|rule| {
        let number = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
        let kind = match rule.typ() {
            Some(LinuxDeviceType::B) => 'b',
            Some(LinuxDeviceType::C | LinuxDeviceType::U) => 'c',
            Some(LinuxDeviceType::A) | None => 'a',
            Some(LinuxDeviceType::P) => return Err(Error::new("allow device", "", "a FIFO is no device")),
        };
        Ok(DeviceRule {
            allow: rule.allow(),
            kind,
            major: number(rule.major()),
            minor: number(rule.minor()),
            access: rule.access().clone().unwrap_or_else(|| "rwm".into()),
        })
    });
    let list = |text: &Option<String>| -> Result<Option<NumberList>> {
        let wrong = |reason: String| Error::new("read bundle", "linux.resources.cpu", reason);
        text.as_deref().map(str::parse).transpose().map_err(wrong)
    };
    Ok(Limits {
        memory: positive(memory.and_then(|memory| memory.limit())),
        memory_and_swap: positive(memory.and_then(|memory| memory.swap())),
        memory_reservation: positive(memory.and_then(|memory| memory.reservation())),
        oom_kill_disable: memory.and_then(|memory| memory.disable_oom_killer()).unwrap_or(false),
        cpu: cpu.and_then(|cpu| {
            Some(Cpu { quota: positive(cpu.quota())?, period: cpu.period().unwrap_or(100_000) })
        }),
        cpu_shares: cpu.and_then(|cpu| cpu.shares()),
        cpus: cpu.map_or(Ok(None), |cpu| list(cpu.cpus()))?,
        memory_nodes: cpu.map_or(Ok(None), |cpu| list(cpu.mems()))?,
        pids: positive(resources.pids().as_ref().map(|pids| pids.limit())),
        devices: rules.collect::<Result<_>>()?,
    })
}

/// `/canoa/ID`: parent and name.
fn split_cgroup(path: Option<&Path>) -> Result<(String, String)> {
    let part = |part: Option<&std::ffi::OsStr>| part.map(|text| text.to_string_lossy().into_owned());
    let path = path.unwrap_or(Path::new(""));
    match (part(path.parent().map(Path::as_os_str)), part(path.file_name())) {
        (Some(parent), Some(name)) => Ok((parent, name)),
        _ => Err(missing("linux.cgroupsPath")),
    }
}

fn resource(kind: PosixRlimitType) -> Result<Resource> {
    Ok(match kind {
        PosixRlimitType::RlimitCpu => Resource::RLIMIT_CPU,
        PosixRlimitType::RlimitFsize => Resource::RLIMIT_FSIZE,
        PosixRlimitType::RlimitData => Resource::RLIMIT_DATA,
        PosixRlimitType::RlimitStack => Resource::RLIMIT_STACK,
        PosixRlimitType::RlimitCore => Resource::RLIMIT_CORE,
        PosixRlimitType::RlimitRss => Resource::RLIMIT_RSS,
        PosixRlimitType::RlimitNproc => Resource::RLIMIT_NPROC,
        PosixRlimitType::RlimitNofile => Resource::RLIMIT_NOFILE,
        PosixRlimitType::RlimitMemlock => Resource::RLIMIT_MEMLOCK,
        PosixRlimitType::RlimitAs => Resource::RLIMIT_AS,
        PosixRlimitType::RlimitLocks => Resource::RLIMIT_LOCKS,
        PosixRlimitType::RlimitSigpending => Resource::RLIMIT_SIGPENDING,
        PosixRlimitType::RlimitMsgqueue => Resource::RLIMIT_MSGQUEUE,
        PosixRlimitType::RlimitNice => Resource::RLIMIT_NICE,
        PosixRlimitType::RlimitRtprio => Resource::RLIMIT_RTPRIO,
        PosixRlimitType::RlimitRttime => Resource::RLIMIT_RTTIME,
    })
}

fn missing(what: &str) -> Error {
    Error::new("read bundle", what, "config.json doesn't have it")
}
