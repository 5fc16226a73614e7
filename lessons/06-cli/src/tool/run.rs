//! `start`, `run` and `exec`: the kernel's part of it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command as Spawn, Stdio as SpawnStdio};

use ::network::{Interface, Port, Published, names};
use anyhow::{Context, Error, Result, bail};
use cgroups::{Cpu, DeviceRule, Limits};
use images::Overlay;
use lifecycle::log::LogWriter;
use lifecycle::pty::Size;
use lifecycle::record::{Record, Status, now};
use lifecycle::stdio::Stdio;
use lifecycle::terminal::size;
use lifecycle::{Container, Network, Program, Running, start_in};
use namespaces::CloneFlags;
use namespaces::{Command, Process};
use rootfs::{Mount, OwnBinary, Privileges, Rootfs};

use super::serve::{catch_signals, serve};
use super::{Config, PARENT, Tool, alive, exit_code, first_of, network, short};

/// What a monitor says when the program runs.
const STARTED: &str = "started\n";

impl Tool {
    /// Starts a container and stays with it.
    pub fn start(&self, id: &str) -> Result<i32> {
        self.become_root()?;
        self.supervise(id, true, || Ok(()))
    }

    /// Leaves this program behind as the container's monitor.
    // ANCHOR: start_detached
    pub fn start_detached(&self, id: &str) -> Result<i32> {
        self.become_root()?;
        let own = OwnBinary::seal();
        let mut monitor = Spawn::new(own.path());
        // What `ps` shows.
        monitor.arg0("lesson-06");
        monitor.arg("--root").arg(&self.root).args(["monitor", id]);
        monitor.stdin(SpawnStdio::null()).stdout(SpawnStdio::piped());
        let mut monitor = monitor.spawn().context("starting the monitor")?;
        // It says there that the program runs, or why it doesn't; then it closes its output.
        let mut said = String::new();
        if let Some(output) = &mut monitor.stdout {
            output.read_to_string(&mut said)?;
        }
        match said.as_str() {
            STARTED => {
                println!("{id}");
                Ok(0)
            }
            "" => bail!("the monitor ended without a word, before the program ran: {}", monitor.wait()?),
            error => {
                eprint!("{error}");
                Ok(monitor.wait()?.code().unwrap_or(125))
            }
        }
    }
    // ANCHOR_END: start_detached

    /// The process that is left behind.
    pub fn monitor(&self, id: &str) -> Result<i32> {
        nix::unistd::setsid()?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        let silent = || -> Result<()> {
            // Who waits for it may have been killed meanwhile; the container runs all the same.
            let _ = io::stdout().write_all(STARTED.as_bytes());
            let _ = io::stdout().flush();
            nix::unistd::dup2_stdout(&null)?;
            nix::unistd::dup2_stderr(&null)?;
            Ok(())
        };
        self.supervise(id, false, silent).or_else(|error| {
            println!("lesson-06: {error:#}");
            Ok(exit_code(&error))
        })
    }

    /// From the record to the exit code.
    // ANCHOR: supervise
    fn supervise(&self, id: &str, foreground: bool, started: impl FnOnce() -> Result<()>) -> Result<i32> {
        let (mut record, _lock) = self.at_rest(id)?;
        // An exit code, or why there is none.
        // First of all: that somebody has one of its ports is said before anything is made.
        let outcome = network::reserve(&record.config.ports).map_err(Error::from).and_then(|ports| {
            network::around(|interfaces| self.run(&mut record, interfaces, ports, foreground, started))
        });
        let outcome = first_of(outcome, cgroups::remove_parent(PARENT));
        // ANCHOR: ex-06-3
        // 1. One that is to be removed has nothing more to tell.
        if record.config.remove {
            self.records.remove(id)?;
            return outcome;
        }
        // 2. Else note how it ended, whatever the outcome: no process of it lives, it has exited, and when.
        record.state.process = None;
        record.state.status = Status::Exited;
        record.state.finished_at = Some(now());
        // 3. With which code? For an error, with the one that the tool itself will end with.
        record.state.exit_code = match &outcome {
            Ok(code) => *code,
            Err(error) => exit_code(error),
        };
        // 4. Save the record; the outcome is passed on.
        first_of(outcome, self.records.save(&record))
        // ANCHOR_END: ex-06-3
    }
    // ANCHOR_END: supervise

    fn run(
        &self,
        record: &mut Record<Config>,
        interfaces: Vec<Interface>,
        ports: Vec<Port>,
        foreground: bool,
        started: impl FnOnce() -> Result<()>,
    ) -> Result<i32> {
        let folder = self.records.folder(&record.id);
        let root = Overlay::in_folder(&folder, record.config.layers.clone())?.mount()?;
        let own: Vec<IpAddr> = interfaces.iter().map(|one| one.address.addr().into()).collect();
        let names = names::Files::write(&folder, hostname(record), &own)?;
        let rootfs = Rootfs::mount(root, folder.join("rootfs"));
        let interface = interfaces.first().cloned();
        let container = container(record, rootfs, &names, Network::Own(interfaces))?;
        let log = LogWriter::open(&folder.join("log.json"), record.config.log)?;
        let signals = catch_signals()?;

        let mut published = Published::none();
        let Running { child, cgroup, ends } = container.start_when(|process| {
            published = network::publish(ports, interface.as_ref(), process)?;
            Ok(())
        })?;
        let outcome = Process::with_pid(child.pid().as_raw()).map_err(Error::from).and_then(|process| {
            record.state.status = Status::Running;
            record.state.process = Some(process);
            record.state.started_at = Some(now());
            record.state.finished_at = None;
            self.records.save(record)?;
            started()?;
            serve(&child, ends, signals, Some(log), foreground, record.config.interactive)
        });
        if outcome.is_err() {
            // It must not run on with nobody to look after it. (PID 1 takes all others along.)
            child.kill()?;
        }
        record.state.oom_killed = cgroup.oom_kills().is_ok_and(|kills| kills > 0);
        if record.state.oom_killed && foreground {
            eprintln!("lesson-06: out of memory: the kernel killed a process of this container");
        }
        first_of(outcome, cgroup.remove())
    }

    /// One more program in a container.
    pub fn exec(&self, name: &str, command: Vec<String>, interactive: bool, tty: bool) -> Result<i32> {
        let record = self.record(name)?;
        let Some(process) = alive(&record) else {
            bail!("container {name} is not running: `lesson-06 start {name}` starts it");
        };
        // As the monitor does, by its own means: we can't make mounts before we are in there.
        OwnBinary::run_from_that_of(process.parent()?)?;
        let mut program = program(&record.config)?;
        program.command.args = command.into_iter().map(OsString::from).collect();
        program.stdio = stdio(interactive, tty);
        let signals = catch_signals()?;
        let running = start_in(process, (PARENT, &record.id), &program)?;
        serve(&running.child, running.ends, signals, None, true, interactive)
    }
}

/// From the record's words to the lessons' types.
fn container(
    record: &Record<Config>,
    rootfs: Rootfs,
    names: &names::Files,
    network: Network,
) -> Result<Container> {
    let config = &record.config;
    let volumes = config.volumes.iter().map(Mount::volume).collect::<Result<Vec<_>, _>>()?;
    let rootfs = rootfs.with_defaults()?.mounts(names.mounts()).mounts(volumes);
    Ok(Container {
        hostname: hostname(record).to_owned(),
        cgroup: (PARENT.into(), record.id.clone()),
        limits: Limits {
            memory: config.memory,
            memory_and_swap: config.memory.map(|bytes| bytes.saturating_mul(2)),
            cpu: config.nano_cpus.map(Cpu::from_nano),
            pids: config.pids,
            devices: DeviceRule::docker(),
            ..Limits::default()
        },
        rootfs,
        network,
        shared: CloneFlags::empty(),
        program: program(config)?,
        init: config.init,
    })
}

fn hostname(record: &Record<Config>) -> &str {
    short(&record.id)
}

fn program(config: &Config) -> Result<Program> {
    Ok(Program {
        command: Command {
            args: config.args.iter().map(OsString::from).collect(),
            env: config.env.iter().map(OsString::from).collect(),
            directory: config.directory.clone(),
        },
        user: config.user.clone(),
        groups: vec![],
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
