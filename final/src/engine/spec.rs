//! From Docker's create body to the OCI runtime specification: what a monitor (or runc) carries out.
//!
//! <https://github.com/opencontainers/runtime-spec/blob/main/config.md>

use std::fs;
use std::path::{Path, PathBuf};

use bollard_stubs::models::{ExecConfig, HostConfig, MountType};
use lifecycle::record::Record;
use oci_spec::OciSpecError;
use oci_spec::runtime::{
    Box, BoxBuilder, LinuxBuilder, LinuxNamespace, LinuxNamespaceBuilder, LinuxNamespaceType, Mount,
    MountBuilder, Process, ProcessBuilder, RootBuilder, Spec, SpecBuilder, UserBuilder,
};

use super::Engine;
use super::config::Config;
use super::endpoints::shared_network;
use super::error::{Error, Result};
use super::files::{self, hostname};
use super::resources::resources;
use super::security::Security;
use super::{capabilities, devices, log_driver, sharing, sysctls, ulimits};
use crate::bundle::{Extra, Names};

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Size of /dev/shm, in bytes, unless told otherwise.
const SHM_SIZE: i64 = 64 << 20;

/// Makes a container's bundle: `config.json` and `canoa.json`.
pub fn build(engine: &Engine, folder: &Path, record: &Record<Config>) -> Result<(Spec, Extra)> {
    let config = &record.config;
    let host = config.host();
    let spec = describe(&engine.settings.cgroup_parent, folder, record)?;
    let mut spec = spec;
    if let Some(path) = shared_network(engine, config)? {
        share_network(&mut spec, &path);
    }
    let shm_of = sharing::join(engine, config, &mut spec)?;
    let stdin = config.body.open_stdin == Some(true);
    let log = log_driver::bounds(&host)?;
    let extra = Extra {
        id: record.id.clone(),
        layers: config.layers.clone(),
        upper: made(folder.join("upper"))?,
        work: made(folder.join("work"))?,
        user: config.body.user.clone().unwrap_or_default(),
        groups: host.group_add.clone().unwrap_or_default(),
        interfaces: engine.networks.interfaces(&config.networks)?,
        names: Names {
            zones: engine.networks.zones(&record.id, &config.networks),
            servers: files::servers(config)?,
        },
        // The start knows.
        ports: vec![],
        rules: None,
        log: log.is_some().then(|| folder.join("log.json")),
        log_bounds: log.unwrap_or_default(),
        open_stdin: stdin,
        stdin_once: stdin && config.body.stdin_once == Some(true),
        init: host.init == Some(true),
        shm_of,
        socket: engine.socket(&record.id),
        exit: folder.join("exit.json"),
    };
    made(folder.join("rootfs"))?;
    Ok((spec, extra))
}

/// `config.json`.
fn describe(cgroup_parent: &str, folder: &Path, record: &Record<Config>) -> Result<Spec> {
    let host = record.config.host();
    let security = Security::of(&host)?;
    let seccomp = security.seccomp(host.privileged == Some(true), &capabilities::of(&host))?;
    let mut spec = spec(cgroup_parent, folder, record, &host, security.no_new_privileges)
        .map_err(|error| Error::internal("describing the container", error))?;
    let mut mounts = spec.mounts_mut().take().unwrap_or_default();
    if let Some(linux) = spec.linux_mut() {
        linux.set_seccomp(seccomp);
        devices::give(&host, linux, &mut mounts)?;
    }
    spec.set_mounts(Some(mounts));
    Ok(spec)
}

/// `--network container:NAME`: the other's network namespace becomes this one's.
fn share_network(spec: &mut Spec, path: &Path) {
    let Some(linux) = spec.linux_mut() else { return };
    for namespace in linux.namespaces_mut().iter_mut().flatten() {
        if namespace.typ() == LinuxNamespaceType::Network {
            namespace.set_path(Some(path.to_owned()));
        }
    }
}

fn made(path: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&path)
        .map_err(|error| Error::internal(format!("creating {}", path.display()), error))?;
    Ok(path)
}

/// What the specification has its own words for.
fn spec(
    cgroup_parent: &str,
    folder: &Path,
    record: &Record<Config>,
    host: &HostConfig,
    no_new_privileges: bool,
) -> Result<Spec, OciSpecError> {
    let config = &record.config;
    let name = hostname(record);
    let user = UserBuilder::default().uid(0u32).gid(0u32).build()?;
    let mut process = ProcessBuilder::default()
        .args(config.command())
        .env(environment(config, &name))
        .cwd(directory(config.body.working_dir.as_deref()))
        .user(user)
        .capabilities(capabilities::sets(capabilities::of(host))?)
        .no_new_privileges(no_new_privileges)
        .terminal(config.tty());
    if let Some(score) = host.oom_score_adj.filter(|score| *score != 0) {
        process = process.oom_score_adj(score as i32);
    }
    if let Some(size) = console_size(&host.console_size) {
        process = process.console_size(size);
    }
    let mut process = process.build()?;
    // The library's own default is 1024 open files; Docker leaves what the engine itself has.
    process.set_rlimits(Some(ulimits::rlimits(host)?));

    let privileged = host.privileged == Some(true);
    let paths = |list: &Option<Vec<String>>, default: &[&str]| match list {
        Some(list) => list.clone(),
        None if privileged => vec![],
        None => default.iter().map(|path| (*path).to_owned()).collect::<Vec<String>>(),
    };
    let mut linux = LinuxBuilder::default()
        .namespaces(namespaces(config)?)
        .resources(resources(host)?)
        .cgroups_path(PathBuf::from(cgroup_parent).join(&record.id))
        .masked_paths(paths(&host.masked_paths, &rootfs::mask::MASKED))
        .readonly_paths(paths(&host.readonly_paths, &rootfs::mask::READ_ONLY))
        .rootfs_propagation("rprivate".to_owned())
        .build()?;
    let sysctls = sysctls::of(host, config.network_mode() != "host");
    linux.set_sysctl((!sysctls.is_empty()).then_some(sysctls));
    linux.set_uid_mappings(None);
    linux.set_gid_mappings(None);
    let root = RootBuilder::default().path("rootfs").readonly(host.readonly_rootfs == Some(true)).build()?;
    let mut builder = SpecBuilder::default()
        .version("1.2.0".to_owned())
        .root(root)
        .process(process)
        .hostname(name)
        .mounts(mounts(folder, config, host)?)
        .linux(linux);
    if let Some(domain) = config.body.domainname.as_ref().filter(|domain| !domain.is_empty()) {
        builder = builder.domainname(domain.clone());
    }
    if let Some(annotations) = host.annotations.as_ref().filter(|annotations| !annotations.is_empty()) {
        builder = builder.annotations(annotations.clone());
    }
    builder.build()
}

/// The terminal's size from the start, so that a program draws for it: `[rows, columns]`.
fn console_size(size: &Option<Vec<usize>>) -> Option<Box> {
    match size.as_deref() {
        Some(&[rows, columns]) if rows > 0 && columns > 0 => {
            let clamp = |number: usize| number.min(u16::MAX.into()) as u64;
            BoxBuilder::default().height(clamp(rows)).width(clamp(columns)).build().ok()
        }
        _ => None,
    }
}

/// PATH and HOSTNAME come first, TERM with a terminal; what image and person say goes over them.
/// (HOME is the monitor's, which looks the user up.)
fn environment(config: &Config, hostname: &str) -> Vec<String> {
    let mut all = vec![PATH.to_owned(), format!("HOSTNAME={hostname}")];
    if config.tty() {
        all.push("TERM=xterm".to_owned());
    }
    override_env(&mut all, config.body.env.iter().flatten());
    all
}

fn override_env<'a>(all: &mut Vec<String>, more: impl Iterator<Item = &'a String>) {
    for line in more {
        let name = line.split('=').next();
        match all.iter_mut().find(|other| other.split('=').next() == name) {
            Some(place) => place.clone_from(line),
            None => all.push(line.clone()),
        }
    }
}

fn directory(asked: Option<&str>) -> PathBuf {
    Path::new("/").join(asked.unwrap_or_default())
}

fn namespaces(config: &Config) -> Result<Vec<LinuxNamespace>, OciSpecError> {
    let mut kinds = vec![
        LinuxNamespaceType::Mount,
        LinuxNamespaceType::Uts,
        LinuxNamespaceType::Pid,
        LinuxNamespaceType::Ipc,
        LinuxNamespaceType::Cgroup,
    ];
    if config.network_mode() != "host" {
        kinds.push(LinuxNamespaceType::Network);
    }
    let host = config.host();
    let shared = |mode: &Option<String>| mode.as_deref() == Some("host");
    kinds.retain(|kind| match kind {
        LinuxNamespaceType::Uts => !shared(&host.uts_mode),
        LinuxNamespaceType::Ipc => !shared(&host.ipc_mode),
        LinuxNamespaceType::Pid => !shared(&host.pid_mode),
        _ => true,
    });
    kinds.into_iter().map(|kind| LinuxNamespaceBuilder::default().typ(kind).build()).collect()
}

fn mounts(folder: &Path, config: &Config, host: &HostConfig) -> Result<Vec<Mount>, OciSpecError> {
    let mut all = Vec::new();
    let mut add = |destination: &str, kind: &str, source: &Path, options: &[&str]| {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let mount =
            MountBuilder::default().destination(destination).typ(kind).source(source).options(options);
        all.push(mount.build()?);
        Ok::<_, OciSpecError>(())
    };
    let shm = format!("size={}", host.shm_size.filter(|size| *size > 0).unwrap_or(SHM_SIZE));
    let shm = ["nosuid", "noexec", "nodev", "mode=1777", &shm];
    let tmpfs = ["nosuid", "strictatime", "mode=755", "size=65536k"];
    let devpts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"];
    let access = if host.privileged == Some(true) { "rw" } else { "ro" };
    let system = ["nosuid", "noexec", "nodev", access];
    add("/proc", "proc", Path::new("proc"), &["nosuid", "noexec", "nodev"])?;
    add("/dev", "tmpfs", Path::new("tmpfs"), &tmpfs)?;
    add("/dev/pts", "devpts", Path::new("devpts"), &devpts)?;
    add("/sys", "sysfs", Path::new("sysfs"), &system)?;
    add("/sys/fs/cgroup", "cgroup", Path::new("cgroup"), &system)?;
    match host.ipc_mode.as_deref() {
        // What is shared in memory goes by files there, too.
        Some("host") => {
            for place in ["/dev/mqueue", "/dev/shm"].into_iter().filter(|place| Path::new(place).is_dir()) {
                add(place, "bind", Path::new(place), &["rbind", "rprivate"])?;
            }
        }
        Some(mode) if mode.starts_with("container:") => {
            add("/dev/mqueue", "mqueue", Path::new("mqueue"), &["nosuid", "noexec", "nodev"])?;
            // The monitor has it appear there.
            add("/dev/shm", "bind", &folder.join("shm"), &["rbind", "rprivate"])?;
        }
        mode => {
            add("/dev/mqueue", "mqueue", Path::new("mqueue"), &["nosuid", "noexec", "nodev"])?;
            if mode != Some("none") {
                add("/dev/shm", "tmpfs", Path::new("shm"), &shm)?;
            }
        }
    }
    for (destination, options) in host.tmpfs.iter().flatten() {
        let own: Vec<&str> = options.split(',').filter(|option| !option.is_empty()).collect();
        add(destination, "tmpfs", Path::new("tmpfs"), &[&["nosuid", "nodev", "noexec"], &own[..]].concat())?;
    }
    for mount in host.mounts.iter().flatten().filter(|mount| mount.typ == Some(MountType::TMPFS)) {
        let options = mount.tmpfs_options.clone().unwrap_or_default();
        let mut own = vec!["nosuid".to_owned(), "nodev".to_owned(), "noexec".to_owned()];
        own.extend(options.size_bytes.map(|size| format!("size={size}")));
        own.extend(options.mode.map(|mode| format!("mode={mode:o}")));
        own.extend(options.options.into_iter().flatten().flatten());
        own.extend((mount.read_only == Some(true)).then(|| "ro".to_owned()));
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        add(mount.target.as_deref().unwrap_or_default(), "tmpfs", Path::new("tmpfs"), &own)?;
    }
    for name in ["resolv.conf", "hostname", "hosts"] {
        add(&format!("/etc/{name}"), "bind", &folder.join(name), &["rbind", "rprivate"])?;
    }
    // What lies above comes first: /data, then /data/cache.
    let mut own: Vec<_> = config.mounts.iter().collect();
    own.sort_by_key(|mount| mount.destination.matches('/').count());
    for mount in own {
        let access = if mount.writable { "rw" } else { "ro" };
        let kind = if mount.flat { "bind" } else { "rbind" };
        let propagation = if mount.slave { "rslave" } else { "rprivate" };
        add(&mount.destination, "bind", &mount.source, &[kind, propagation, access])?;
    }
    Ok(all)
}

/// The process of an exec: the container's own, as it was described at its start, with what the
/// exec asks for.
pub fn exec_process(folder: &Path, exec: &ExecConfig) -> Result<Process> {
    let path = folder.join("config.json");
    let spec =
        Spec::load(&path).map_err(|error| Error::internal(format!("reading {}", path.display()), error))?;
    let mut process = spec.process().clone().unwrap_or_default();
    if exec.privileged == Some(true) {
        let all = capabilities::sets(capabilities::all());
        process.set_capabilities(Some(all.map_err(|error| Error::internal("describing the exec", error))?));
    }
    process.set_args(exec.cmd.clone());
    process.set_terminal(exec.tty);
    process.set_console_size(console_size(&exec.console_size));
    let mut env = process.env().clone().unwrap_or_default();
    // TERM is the exec's own matter.
    env.retain(|line| !line.starts_with("TERM=") || exec.tty == Some(true));
    if exec.tty == Some(true) && !env.iter().any(|line| line.starts_with("TERM=")) {
        env.push("TERM=xterm".to_owned());
    }
    override_env(&mut env, exec.env.iter().flatten());
    process.set_env(Some(env));
    if let Some(directory_asked) = exec.working_dir.as_deref().filter(|path| !path.is_empty()) {
        process.set_cwd(directory(Some(directory_asked)));
    }
    Ok(process)
}

#[cfg(test)]
mod tests {
    use super::super::config::MountPoint;
    use super::*;
    use bollard_stubs::models::ContainerCreateBody;
    use lifecycle::record::{State, VERSION};
    use serde_json::Value;

    fn record(body: ContainerCreateBody) -> Record<Config> {
        let mount = |destination: &str, writable| MountPoint {
            volume: None,
            source: PathBuf::from("/host"),
            destination: destination.to_owned(),
            writable,
            ..MountPoint::default()
        };
        Record {
            version: VERSION,
            id: "0123456789ab".repeat(5) + "cdef",
            name: "boat".to_owned(),
            created_at: "2026-11-24T05:00:00.000000000Z".to_owned(),
            config: Config {
                body,
                image: "base".to_owned(),
                image_id: String::new(),
                layers: Vec::new(),
                mounts: vec![mount("/data/inner", false), mount("/data", true)],
                networks: Default::default(),
                published: vec![],
                restarts: Default::default(),
            },
            state: State::default(),
        }
    }

    fn json(body: ContainerCreateBody) -> Value {
        let spec = describe("/canoa", Path::new("/containers/ID"), &record(body)).unwrap();
        let mut json = serde_json::to_value(spec).unwrap();
        // It has tests of its own, and is long.
        assert_eq!(json["linux"]["seccomp"].take()["defaultAction"], "SCMP_ACT_ERRNO");
        // They are sets, in any order.
        for set in json["process"]["capabilities"].as_object_mut().unwrap().values_mut() {
            set.as_array_mut().unwrap().sort_by_key(ToString::to_string);
        }
        json
    }

    fn words(text: &str) -> Option<Vec<String>> {
        Some(text.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn a_typical_container_is_described_as_runc_would_want_it() {
        let host = HostConfig {
            memory: Some(64 << 20),
            nano_cpus: Some(1_500_000_000),
            pids_limit: Some(20),
            ..HostConfig::default()
        };
        let body = ContainerCreateBody {
            cmd: words("sh -c date"),
            env: words("A=1 PATH=/bin"),
            tty: Some(true),
            working_dir: Some("/tmp".to_owned()),
            host_config: Some(host),
            ..ContainerCreateBody::default()
        };
        insta::assert_snapshot!(serde_json::to_string_pretty(&json(body)).unwrap());
    }

    #[test]
    fn on_the_hosts_network_there_is_no_network_namespace() {
        let network = |mode: &str| {
            let host = HostConfig { network_mode: Some(mode.to_owned()), ..HostConfig::default() };
            let json =
                json(ContainerCreateBody { host_config: Some(host), ..ContainerCreateBody::default() });
            json["linux"]["namespaces"].as_array().unwrap().iter().any(|one| one["type"] == "network")
        };
        assert!(network("default") && network("none") && network("bridge"));
        assert!(!network("host"));
    }
}
