//! The engines that are compared: canoa and dockerd, each with its own command; podman and runc where a
//! bare run is measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::lab::{Lab, eventually};
use e2e::need;

/// An engine, and how it is spoken to.
pub struct Engine {
    /// What it is called in the table.
    pub name: &'static str,
    /// Where it listens; nowhere, if it is no daemon.
    pub socket: PathBuf,
    /// Its processes that are there even when nothing runs.
    pub daemons: Vec<i32>,
    command: Box<dyn Fn() -> Command>,
}

impl Engine {
    /// Its command line with these arguments, ready to start.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = (self.command)();
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// How long that takes, from the start of the command to its end.
    pub fn time(&self, arguments: &[&str]) -> Result<Duration> {
        let mut command = self.command(arguments);
        let start = Instant::now();
        let output = command.output().with_context(|| self.name.to_owned())?;
        let took = start.elapsed();
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        ensure!(output.status.success(), "{} {arguments:?}: {}: {said}", self.name, output.status);
        Ok(took)
    }

    /// What that says.
    pub fn says(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments).stdout(Stdio::piped()).output()?;
        ensure!(output.status.success(), "{} {arguments:?}: {output:?}", self.name);
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// The process that looks after a container: its PID 1's parent.
    pub fn guard_of(&self, container: &str) -> Result<i32> {
        let pid = self.says(&["inspect", "--format", "{{.State.Pid}}", container])?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
        parent.and_then(|pid| pid.parse().ok()).context("the parent of a container's process")
    }
}

/// A command that can be made again and again.
fn again(command: Command) -> Box<dyn Fn() -> Command> {
    let program = command.get_program().to_owned();
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let environment: Vec<_> =
        command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    let folder = command.get_current_dir().map(Path::to_owned);
    Box::new(move || {
        let mut command = Command::new(&program);
        command.args(&arguments).env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &folder {
            command.current_dir(folder);
        }
        command
    })
}

/// Canoa, its image `base` made, and an archive of that for the others: all run from the same files.
pub fn canoa(lab: &Lab) -> Result<(Engine, String)> {
    lab.canoa(&["run", "--rm", "base", "true"]).ok();
    lab.canoa(&["create", "--name", "base", "base"]).ok();
    let tar = lab.folder.join("base.tar").to_string_lossy().into_owned();
    lab.canoa(&["export", "-o", &tar, "base"]).ok();
    lab.canoa(&["rm", "base"]).ok();
    let command = again(lab.command(&[]));
    Ok((Engine { name: "canoa", socket: lab.socket(), daemons: vec![lab.daemon_pid()], command }, tar))
}

/// dockerd with the same image, if it is there. It dies with the lab.
pub fn docker(lab: &Lab, tar: &str) -> Result<Option<Engine>> {
    if !need::on_path("dockerd") || !need::on_path("docker") {
        return Ok(None);
    }
    let socket = PathBuf::from("/run/docker.sock");
    let host = format!("unix://{}", socket.display());
    let log = fs::File::create(lab.folder.join("dockerd.log"))?;
    let daemon = lab
        .program("dockerd")
        .args(["-H", &host, "--data-root"])
        .arg(lab.folder.join("docker"))
        .args(["--exec-root", "/run/docker", "--pidfile", "/run/docker.pid"])
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("starting dockerd")?;
    eventually("dockerd listens", || socket.exists());
    let mut command = lab.program("docker");
    command.env("DOCKER_HOST", &host);
    let command = again(command);
    lab.finish(command().args(["import", tar, "base"])).ok();
    let daemon = daemon.id() as i32;
    let children = fs::read_to_string(format!("/proc/{daemon}/task/{daemon}/children")).unwrap_or_default();
    let mut daemons = vec![daemon];
    daemons.extend(children.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    // Its containerd may be the child of another thread.
    daemons.extend(by_name("containerd"));
    daemons.sort_unstable();
    daemons.dedup();
    Ok(Some(Engine { name: "docker", socket, daemons, command }))
}

/// The processes of that name: all there are in here are the lab's.
fn by_name(name: &str) -> Vec<i32> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_string_lossy().parse::<i32>().ok());
    let is =
        |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name);
    pids.filter(is).collect()
}

/// Podman, as `canoa` and `docker` are called.
pub fn podman(lab: &Lab, tar: &str) -> Option<Engine> {
    if !need::on_path("podman") {
        return None;
    }
    let mut command = lab.program("podman");
    command.args(["--cgroup-manager", "cgroupfs", "--events-backend", "none", "--root"]);
    command.arg(lab.folder.join("podman")).args(["--runroot", "/run/podman"]);
    let command = again(command);
    lab.finish(command().args(["import", tar, "base"])).ok();
    Some(Engine { name: "podman", socket: PathBuf::new(), daemons: vec![], command })
}

/// runc alone, whose command is always the same: `run` of a bundle.
pub fn runc(lab: &Lab, tar: &str) -> Result<Option<Engine>> {
    if !need::on_path("runc") {
        return Ok(None);
    }
    let bundle = lab.folder.join("bundle");
    let rootfs = bundle.join("rootfs");
    fs::create_dir_all(&rootfs)?;
    lab.host(&["tar", "xf", tar, "-C", rootfs.to_str().context("the lab's path")?]).ok();
    let mut spec = lab.program("runc");
    lab.finish(spec.arg("spec").current_dir(&bundle)).ok();
    let config = bundle.join("config.json");
    let mut spec: serde_json::Value = serde_json::from_slice(&fs::read(&config)?)?;
    spec["process"]["terminal"] = false.into();
    spec["process"]["args"] = serde_json::json!(["true"]);
    fs::write(&config, serde_json::to_vec(&spec)?)?;
    let mut command = lab.program("runc");
    command.args(["--root", "/run/runc", "run", "--bundle"]).arg(&bundle).arg("bench");
    Ok(Some(Engine { name: "runc", socket: PathBuf::new(), daemons: vec![], command: again(command) }))
}
