//! The flags that describe a container, shared by `run` and `create`, and the body they become.

pub mod life;
pub mod networks;
mod privileges;

use std::collections::HashMap;
use std::path::PathBuf;

use bollard_stubs::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, NetworkingConfig, PortBinding,
};
use clap::{ArgAction, Args, ValueEnum};
use network::publish::{BadPublish, Publish};

use super::failure::Failure;
use super::parse::{self, volume::Volume};
use super::session;

/// When to pull the image before creating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Pull {
    /// Also when it is here.
    Always,
    /// Only when it is not here.
    Missing,
    /// Not at all.
    Never,
}

/// A stream, for `-a`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StreamName {
    /// Standard input.
    #[value(alias = "STDIN")]
    Stdin,
    /// Standard output.
    #[value(alias = "STDOUT")]
    Stdout,
    /// Standard error.
    #[value(alias = "STDERR")]
    Stderr,
}

/// Flags of `run` and `create`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Keep standard input open
    #[arg(short, long)]
    pub interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Remove the container when it ends
    #[arg(long)]
    pub rm: bool,
    /// Its name
    #[arg(long)]
    pub name: Option<String>,
    /// Set an environment variable: NAME=value, or NAME as it is here
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,
    /// Read environment variables from a file
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<String>,
    /// Working directory inside
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// Mount a folder or a volume: /host:/in[:ro], name:/in, /in
    #[arg(short, long, value_name = "SPEC", value_parser = parse::volume::parse)]
    pub volume: Vec<Volume>,
    /// Mount something: type=bind|volume|tmpfs,source=/host,target=/in,readonly,…
    #[arg(long, value_name = "FIELDS", value_parser = parse::mount::parse)]
    pub mount: Vec<Mount>,
    /// Mount all that another container has: NAME[:ro]
    #[arg(long, value_name = "CONTAINER")]
    pub volumes_from: Vec<String>,
    /// User inside: name or uid, with :group
    #[arg(short, long)]
    pub user: Option<String>,
    /// Memory limit: 512m, 1g
    #[arg(short, long, value_name = "SIZE", value_parser = parse::size::parse)]
    pub memory: Option<i64>,
    /// Memory and swap together, -1 for no limit
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = swap)]
    pub memory_swap: Option<i64>,
    /// Memory that is taken from it last: 256m
    #[arg(long, value_name = "SIZE", value_parser = parse::size::parse)]
    pub memory_reservation: Option<i64>,
    /// Don't kill at the memory limit, let wait (cgroup v1)
    #[arg(long)]
    pub oom_kill_disable: bool,
    /// Number of processors: 1.5
    #[arg(long, value_name = "NUMBER", value_parser = parse::cpus)]
    pub cpus: Option<i64>,
    /// Relative share of the processors
    #[arg(short, long, value_name = "SHARES")]
    pub cpu_shares: Option<i64>,
    /// Processors on which it may run: 0-2,5
    #[arg(long, value_name = "LIST")]
    pub cpuset_cpus: Option<String>,
    /// Memory nodes which it may use: 0,1
    #[arg(long, value_name = "LIST")]
    pub cpuset_mems: Option<String>,
    /// Length of a period of --cpu-quota, in microseconds
    #[arg(long, value_name = "MICROSECONDS")]
    pub cpu_period: Option<i64>,
    /// Processor time in each period, in microseconds
    #[arg(long, value_name = "MICROSECONDS", allow_hyphen_values = true)]
    pub cpu_quota: Option<i64>,
    /// Most processes and threads, -1 for no limit
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub pids_limit: Option<i64>,
    /// Run this program instead of the image's entry point
    #[arg(long, value_name = "PROGRAM")]
    pub entrypoint: Option<String>,
    /// Host name inside
    #[arg(short = 'h', long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// Domain name inside
    #[arg(long, value_name = "DOMAIN")]
    pub domainname: Option<String>,
    /// Run a small init as PID 1 that reaps and forwards signals
    #[arg(long)]
    pub init: bool,
    #[command(flatten)]
    networks: networks::Networks,
    /// Publish a port on the host: 8080:80, 127.0.0.1:8080:80/udp, 80, 8000-8005:9000-9005
    #[arg(short, long, value_name = "SPEC", value_parser = publish)]
    pub publish: Vec<Publish>,
    /// Publish all exposed ports, at ports that are free
    #[arg(short = 'P', long)]
    pub publish_all: bool,
    /// Say that it has a port: 80, 53/udp, 8000-8005
    #[arg(long, value_name = "PORT", value_parser = expose)]
    pub expose: Vec<Publish>,
    /// Set a label
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub label: Vec<String>,
    /// Read labels from a file
    #[arg(long, value_name = "FILE")]
    pub label_file: Vec<String>,
    /// Write the container's id into this file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    pub cidfile: Option<PathBuf>,
    #[command(flatten)]
    privileges: privileges::Privileges,
    /// Where what it says goes: json-file, local, none
    #[arg(long, value_name = "DRIVER")]
    pub log_driver: Option<String>,
    /// How much of its log is kept: max-size=10m, max-file=3
    #[arg(long, value_name = "NAME=VALUE", value_parser = log_option)]
    pub log_opt: Vec<(String, String)>,
    /// Read-only root file system
    #[arg(long)]
    pub read_only: bool,
    #[command(flatten)]
    life: life::Life,
    /// Pull the image
    #[arg(long, value_enum, default_value = "missing")]
    pub pull: Pull,
    /// Platform, if the image has several: linux/arm64
    #[arg(long)]
    pub platform: Option<String>,
    /// Attach only to stdin, stdout or stderr
    #[arg(short, long, value_enum, value_name = "STREAM", action = ArgAction::Append)]
    pub attach: Vec<StreamName>,
    /// No output while pulling
    #[arg(short, long)]
    pub quiet: bool,
    /// Image, and what to run in it
    #[arg(required = true, value_name = "IMAGE [COMMAND] [ARG]", trailing_var_arg = true)]
    pub image_and_command: Vec<String>,
}

impl Options {
    /// The image's name.
    pub fn image(&self) -> &str {
        self.image_and_command.first().map_or("", String::as_str)
    }

    /// Whether one of our streams is attached: those of `-a`, else all (input only with `-i`).
    pub fn attached(&self, stream: StreamName) -> bool {
        match self.attach.is_empty() {
            true => stream != StreamName::Stdin || self.interactive,
            false => self.attach.contains(&stream),
        }
    }

    /// The body of `POST /containers/create`.
    ///
    /// # Errors
    /// A flag that makes no sense; the exit status is Docker's, 125.
    pub fn body(&self, detach: bool) -> Result<ContainerCreateBody, Failure> {
        let (mut binds, mut anonymous) = (Vec::new(), Vec::new());
        for volume in &self.volume {
            match volume {
                Volume::Bind(bind) => binds.push(bind.clone()),
                Volume::Anonymous(target) => anonymous.push(target.clone()),
            }
        }
        let (network, endpoints) = self.networks.endpoints()?;
        let attach = |stream| Some(!detach && self.attached(stream));
        let command = self.image_and_command.get(1..).unwrap_or_default();
        let mut host = HostConfig {
            binds: (!binds.is_empty()).then_some(binds),
            mounts: (!self.mount.is_empty()).then(|| self.mount.clone()),
            volumes_from: (!self.volumes_from.is_empty()).then(|| self.volumes_from.clone()),
            memory: Some(self.memory.unwrap_or(0)),
            memory_swap: Some(self.memory_swap.unwrap_or(0)),
            memory_swappiness: Some(-1),
            nano_cpus: Some(self.cpus.unwrap_or(0)),
            memory_reservation: Some(self.memory_reservation.unwrap_or(0)),
            oom_kill_disable: Some(self.oom_kill_disable),
            cpu_shares: Some(self.cpu_shares.unwrap_or(0)),
            cpuset_cpus: Some(self.cpuset_cpus.clone().unwrap_or_default()),
            cpuset_mems: Some(self.cpuset_mems.clone().unwrap_or_default()),
            cpu_period: Some(self.cpu_period.unwrap_or(0)),
            cpu_quota: Some(self.cpu_quota.unwrap_or(0)),
            pids_limit: self.pids_limit,
            init: self.init.then_some(true),
            auto_remove: Some(self.rm),
            readonly_rootfs: Some(self.read_only),
            log_config: Some(HostConfigLogConfig {
                typ: Some(self.log_driver.clone().unwrap_or_default()),
                config: Some(self.log_opt.iter().cloned().collect()),
            }),
            network_mode: Some(network),
            container_id_file: Some(
                self.cidfile.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
            ),
            port_bindings: Some(port_bindings(&self.publish)),
            publish_all_ports: Some(self.publish_all),
            // A resize after the start may come when the program has drawn already.
            console_size: console_size(self.tty),
            ..HostConfig::default()
        };
        self.networks.apply(&mut host);
        self.life.apply(&mut host)?;
        self.privileges.apply(&mut host)?;
        Ok(ContainerCreateBody {
            hostname: Some(self.hostname.clone().unwrap_or_default()),
            domainname: Some(self.domainname.clone().unwrap_or_default()),
            user: Some(self.user.clone().unwrap_or_default()),
            attach_stdin: attach(StreamName::Stdin),
            attach_stdout: attach(StreamName::Stdout),
            attach_stderr: attach(StreamName::Stderr),
            tty: Some(self.tty),
            open_stdin: Some(self.interactive),
            stdin_once: Some(!detach && self.interactive && self.attached(StreamName::Stdin)),
            env: Some(parse::env::collect(&self.env, &self.env_file)?),
            cmd: (!command.is_empty()).then(|| command.to_vec()),
            image: Some(self.image().to_owned()),
            volumes: (!anonymous.is_empty()).then_some(anonymous),
            exposed_ports: Some(self.publish.iter().chain(&self.expose).flat_map(container_ports).collect()),
            working_dir: Some(self.workdir.clone().unwrap_or_default()),
            // `--entrypoint ""` takes the image's away: a list with one empty word, says Docker.
            entrypoint: self.entrypoint.clone().map(|program| vec![program]),
            labels: Some(parse::labels(&self.label, &self.label_file)?),
            stop_signal: self.life.stop_signal.clone(),
            stop_timeout: self.life.stop_timeout,
            healthcheck: self.life.health()?,
            host_config: Some(host),
            networking_config: Some(NetworkingConfig { endpoints_config: Some(endpoints) }),
            ..ContainerCreateBody::default()
        })
    }
}

/// The size that a program's terminal has from its beginning: rows and columns.
pub fn console_size(tty: bool) -> Option<Vec<usize>> {
    let (rows, columns) = session::size().filter(|_| tty)?;
    Some(vec![rows.into(), columns.into()])
}

fn publish(text: &str) -> Result<Publish, String> {
    text.parse().map_err(|error: BadPublish| error.to_string())
}

fn expose(text: &str) -> Result<Publish, String> {
    match text.contains(':') {
        true => Err("write 80, 53/udp or 8000-8005; to publish it is -p".to_owned()),
        false => publish(text),
    }
}

/// `80/tcp`, for each port of the container.
fn container_ports(publish: &Publish) -> impl Iterator<Item = String> + use<> {
    publish.bindings().map(|binding| format!("{}/{}", binding.port, binding.protocol))
}

fn port_bindings(publish: &[Publish]) -> HashMap<String, Option<Vec<PortBinding>>> {
    let mut all: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for binding in publish.iter().flat_map(Publish::bindings) {
        let key = format!("{}/{}", binding.port, binding.protocol);
        all.entry(key).or_default().get_or_insert_default().push(PortBinding {
            host_ip: Some(binding.address.map(|address| address.to_string()).unwrap_or_default()),
            host_port: Some(binding.host.map(|host| host.to_string()).unwrap_or_default()),
        });
    }
    all
}

pub fn swap(text: &str) -> Result<i64, String> {
    if text == "-1" { Ok(-1) } else { parse::size::parse(text) }
}

fn log_option(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("invalid logging option: {text}"))?;
    Ok((name.to_owned(), value.to_owned()))
}
