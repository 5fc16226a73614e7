//! `start`, `run` and `exec`: the kernel's part of it.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command as Spawn, Stdio as SpawnStdio};

use anyhow::{Context, Result, anyhow, bail};
use cgroups::{Cpu, DeviceRule, Limits};
use images::Overlay;
use ipnet::Ipv4Net;
use lifecycle::log::LogWriter;
use lifecycle::pty::Size;
use lifecycle::record::{Record, Status, now};
use lifecycle::stdio::{Ends, Stdio};
use lifecycle::terminal::{RawMode, size};
use lifecycle::{Client, Container, Network, Program, Streams, start_in};
use namespaces::{Child, Command, in_user_namespace};
use network::{Addresses, Bridge, Interface, bridge, forwarding, nat, subnet};
use rootfs::{Mount, Privileges, Rootfs, default_mounts, mask};

use super::{Config, Tool};

/// The parent of all control groups, and the nftables table.
const PARENT: &str = "/canoa-lesson-06";
const TABLE: &str = "canoa-lesson-06";
const BRIDGE: &str = "canoa-l6";

impl Tool {
    /// Starts a container and stays with it.
    pub fn start(&self, id: &str, remove_after: bool) -> Result<i32> {
        self.become_root()?;
        let code = self.supervise(id, true, || Ok(()));
        if remove_after {
            self.records.remove(id)?;
        }
        code
    }

    /// Leaves this program behind as the container's monitor.
    pub fn start_detached(&self, id: &str) -> Result<i32> {
        self.become_root()?;
        let mut monitor = Spawn::new("/proc/self/exe");
        monitor.arg("monitor").arg(&self.root).arg(id);
        monitor.stdin(SpawnStdio::null()).stdout(SpawnStdio::piped());
        let mut monitor = monitor.spawn().context("starting the monitor")?;
        // It closes its output when the program runs, or says there why it doesn't.
        let mut said = String::new();
        if let Some(output) = &mut monitor.stdout {
            output.read_to_string(&mut said)?;
        }
        match said.as_str() {
            "" => {
                println!("{id}");
                Ok(0)
            }
            error => {
                eprint!("{error}");
                Ok(monitor.wait()?.code().unwrap_or(125))
            }
        }
    }

    /// The process that is left behind.
    pub fn monitor(&self, id: &str) -> Result<i32> {
        nix::unistd::setsid()?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        let silent = || -> Result<()> {
            nix::unistd::dup2_stdout(&null)?;
            nix::unistd::dup2_stderr(&null)?;
            Ok(())
        };
        self.supervise(id, false, silent).or_else(|error| {
            let code = error.downcast_ref::<namespaces::Error>().map_or(125, |error| error.exit_code());
            println!("lesson-06: {error:#}");
            Ok(code)
        })
    }

    /// From the record to the exit code.
    fn supervise(&self, id: &str, foreground: bool, started: impl FnOnce() -> Result<()>) -> Result<i32> {
        let mut record = self.records.load(id)?;
        if record.state.process.is_some_and(|process| process.is_alive()) {
            bail!("container {} is running already", record.name);
        }
        let folder = self.records.folder(id);
        let network = self.network(id)?;
        let root = self.overlay(&record)?.mount()?;
        let container = container(&record, Rootfs::mount(root, folder.join("rootfs")), network.clone())?;

        let outcome = container.start().map_err(anyhow::Error::from).and_then(|running| {
            record.state.status = Status::Running;
            record.state.process = lifecycle::record::Process::of(running.child.pid().as_raw());
            record.state.started_at = Some(now());
            self.records.save(&record)?;
            started()?;
            let log = LogWriter::open(&folder.join("log.json"))?;
            let code = serve(&running.child, running.ends, Some(log), foreground, record.config.interactive)?;
            running.cgroup.remove()?;
            Ok(code)
        });
        self.release(id, &network)?;
        record.state.process = None;
        record.state.status = Status::Exited;
        record.state.finished_at = Some(now());
        record.state.exit_code = match &outcome {
            Ok(code) => *code,
            Err(error) => error.downcast_ref::<namespaces::Error>().map_or(125, |error| error.exit_code()),
        };
        self.records.save(&record)?;
        outcome
    }

    /// One more program in a container.
    pub fn exec(&self, name: &str, command: Vec<String>, interactive: bool, tty: bool) -> Result<i32> {
        let record = self.record(name)?;
        let Some(process) = record.state.process.filter(|process| process.is_alive()) else {
            bail!("container {name} is not running: `lesson-06 start {name}` starts it");
        };
        let process = namespaces::Process { pid: process.pid, start_time: process.start_time };
        let mut program = program(&record.config)?;
        program.command.args = command;
        program.stdio = stdio(interactive, tty);
        let running = start_in(process, (PARENT, &record.id), &program)?;
        serve(&running.child, running.ends, None, true, interactive)
    }

    fn overlay(&self, record: &Record<Config>) -> Result<Overlay> {
        let folder = self.records.folder(&record.id);
        for name in ["rootfs", "upper", "work"] {
            fs::create_dir_all(folder.join(name))
                .with_context(|| format!("making {name} of {}", record.name))?;
        }
        Ok(Overlay {
            lower: record.config.layers.clone(),
            upper: folder.join("upper"),
            work: folder.join("work"),
        })
    }

    /// An address on our bridge; for an ordinary user, who has no bridge, only `lo`.
    fn network(&self, id: &str) -> Result<Network> {
        if in_user_namespace() {
            return Ok(Network::Own(vec![]));
        }
        let (bridge, addresses) = self.bridge()?;
        bridge.ensure()?;
        forwarding::enable()?;
        nat::ensure(TABLE, &bridge)?;
        let address = addresses.take(id)?;
        Ok(Network::Own(vec![Interface {
            name: "eth0".into(),
            bridge: bridge.name,
            address: Ipv4Net::new(address, bridge.gateway.prefix_len())?,
            gateway: bridge.gateway.addr(),
            mac: bridge::mac_of(address),
        }]))
    }

    /// The address goes back; with the last container, the bridge goes as well.
    fn release(&self, id: &str, network: &Network) -> Result<()> {
        if matches!(network, Network::Own(interfaces) if !interfaces.is_empty()) {
            let (bridge, addresses) = self.bridge()?;
            addresses.release(id)?;
            if addresses.owners()?.is_empty() {
                nat::remove(TABLE, &bridge)?;
                bridge.remove()?;
            }
        }
        cgroups::remove_parent(PARENT)?;
        Ok(())
    }

    /// Our network: its subnet is chosen once, and kept in a file.
    fn bridge(&self) -> Result<(Bridge, Addresses)> {
        let folder = self.root.join("network");
        fs::create_dir_all(&folder)?;
        let file = folder.join("subnet");
        let subnet: Ipv4Net = match fs::read_to_string(&file) {
            Ok(text) => text.trim().parse().with_context(|| format!("reading {}", file.display()))?,
            Err(_) => {
                let subnet = subnet::choose_subnet(&subnet::candidates())?;
                fs::write(&file, subnet.to_string())?;
                subnet
            }
        };
        let gateway = subnet.hosts().next().ok_or_else(|| anyhow!("{subnet} has no addresses"))?;
        let bridge = Bridge { name: BRIDGE.into(), gateway: Ipv4Net::new(gateway, subnet.prefix_len())? };
        Ok((bridge, Addresses::open(&folder.join("addresses"), subnet, gateway)?))
    }
}

/// From the record's words to the lessons' types.
fn container(record: &Record<Config>, mut rootfs: Rootfs, network: Network) -> Result<Container> {
    let config = &record.config;
    for mount in default_mounts()? {
        rootfs = rootfs.with(mount);
    }
    for (from, to, read_only) in &config.volumes {
        rootfs = rootfs.with(Mount::bind(from, to, *read_only));
    }
    Ok(Container {
        hostname: record.id[..12].to_owned(),
        cgroup: (PARENT.into(), record.id.clone()),
        limits: Limits {
            memory: config.memory,
            memory_and_swap: config.memory.map(|bytes| bytes.saturating_mul(2)),
            cpu: config.nano_cpus.map(Cpu::from_nano),
            pids: config.pids,
            devices: DeviceRule::docker(),
        },
        rootfs: rootfs.mask(mask::MASKED.map(Into::into)).read_only_paths(mask::READ_ONLY.map(Into::into)),
        network,
        program: program(config)?,
        init: config.init,
    })
}

fn program(config: &Config) -> Result<Program> {
    Ok(Program {
        command: Command {
            args: config.args.clone(),
            env: config.env.clone(),
            directory: config.directory.clone(),
        },
        user: config.user.clone(),
        privileges: Privileges::docker()?,
        resource_limits: vec![],
        stdio: stdio(config.interactive, config.tty),
    })
}

fn stdio(input: bool, tty: bool) -> Stdio {
    if !tty {
        return Stdio::Pipes { input };
    }
    Stdio::Terminal { input, size: size(io::stdin().as_fd()).map(|(rows, columns)| Size { rows, columns }) }
}

/// Between the program, its log and this program's own terminal, until it ends.
fn serve(
    child: &Child,
    ends: Ends,
    log: Option<LogWriter>,
    foreground: bool,
    interactive: bool,
) -> Result<i32> {
    let mut streams = Streams::new(ends, log, true);
    let own = |fd: &dyn AsFd| -> io::Result<OwnedFd> { fd.as_fd().try_clone_to_owned() };
    let mut raw = None;
    if foreground {
        let input = if interactive { Some(own(&io::stdin())?) } else { None };
        if streams.is_terminal() && io::stdin().is_terminal() {
            raw = Some(RawMode::enter(io::stdin().as_fd())?);
        }
        streams.attach(Client::on_terminal(input, own(&io::stdout())?, [true, false]), &[]);
        streams.attach(Client::on_terminal(None, own(&io::stderr())?, [false, true]), &[]);
    }
    let status = loop {
        if streams.turn(&[child.as_fd()], None)? == [true] {
            break child.wait()?;
        }
    };
    streams.finish()?;
    drop(raw);
    io::stdout().flush()?;
    Ok(status.code())
}
