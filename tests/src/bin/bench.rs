//! How long a container takes, from the command line to its end, beside other engines.
//!
//! Each engine runs `true` from the same file system, in turn, with 250 ms of idle before each run:
//! back to back, the kernel's grace periods overlap and everybody looks faster than a person finds it
//! (CORRECT.md, "What costs time"). All of it happens in a lab, dockerd included.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::case::Case;
use e2e::lab::{Form, Lab};
use e2e::{need, run, sweep};

const IDLE: Duration = Duration::from_millis(250);

fn main() -> ExitCode {
    let result = (|| {
        ensure!(nix::unistd::geteuid().is_root(), "the benchmark needs root: run it under sudo");
        sweep::sweep()?;
        let case =
            Case::new("bench", |lab| bench(lab).unwrap_or_else(|error| panic!("{error:#}"))).within(1800);
        run::watch(&case, Form::Short)
    })();
    match result {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// An engine, and the command that runs `true` in it.
struct Engine {
    name: &'static str,
    command: Box<dyn Fn() -> Command>,
    times: Vec<Duration>,
}

fn bench(lab: &Lab) -> Result<()> {
    let rounds = env::args().nth(1).map_or(Ok(20), |rounds| rounds.parse()).context("ROUNDS")?;
    let mut engines = engines(lab)?;
    for round in 0..=rounds {
        for engine in &mut engines {
            thread::sleep(IDLE);
            let mut command = (engine.command)();
            command.stdin(Stdio::null()).stdout(Stdio::null());
            let start = Instant::now();
            let output = command.output().with_context(|| engine.name.to_owned())?;
            let took = start.elapsed();
            ensure!(
                output.status.success(),
                "{}: {}: {}",
                engine.name,
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            );
            // The first one warms up: files are read, a bridge is made.
            if round > 0 {
                engine.times.push(took);
            }
        }
    }
    print(&mut engines);
    Ok(())
}

fn print(engines: &mut [Engine]) {
    println!("{:<24} {:>10} {:>10} {:>10} {:>8}", "", "median ms", "fastest", "slowest", "ratio");
    let mut ours = None;
    for engine in engines {
        engine.times.sort();
        let at =
            |part: f64| engine.times[((engine.times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
        let median = at(0.5);
        let ratio = median / *ours.get_or_insert(median);
        println!("{:<24} {median:>10.1} {:>10.1} {:>10.1} {ratio:>7.1}x", engine.name, at(0.0), at(1.0));
    }
}

fn engines(lab: &Lab) -> Result<Vec<Engine>> {
    lab.canoa(&["run", "--rm", "base", "true"]).ok();
    lab.canoa(&["create", "--name", "base", "base"]).ok();
    let tar = lab.folder.join("base.tar");
    let tar = tar.to_str().context("the lab's path")?;
    lab.canoa(&["export", "-o", tar, "base"]).ok();
    lab.canoa(&["rm", "base"]).ok();

    let mut engines = vec![engine("canoa run --rm", lab.command(&["run", "--rm", "base", "true"]))];
    if need::on_path("dockerd") && need::on_path("docker") {
        engines.push(docker(lab, tar)?);
    }
    if need::on_path("podman") {
        engines.push(podman(lab, tar));
    }
    if need::on_path("runc") {
        engines.push(runc(lab, tar)?);
    }
    Ok(engines)
}

fn engine(name: &'static str, command: Command) -> Engine {
    // A Command can be run only as it was made; each round makes it again.
    let program = command.get_program().to_owned();
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let environment: Vec<_> =
        command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    let folder = command.get_current_dir().map(Path::to_owned);
    let command = move || {
        let mut command = Command::new(&program);
        command.args(&arguments).env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &folder {
            command.current_dir(folder);
        }
        command
    };
    Engine { name, command: Box::new(command), times: Vec::new() }
}

fn docker(lab: &Lab, tar: &str) -> Result<Engine> {
    let socket = "unix:///run/docker.sock";
    let log = fs::File::create(lab.folder.join("dockerd.log"))?;
    // It dies with the lab.
    lab.program("dockerd")
        .args(["-H", socket, "--data-root"])
        .arg(lab.folder.join("docker"))
        .args(["--exec-root", "/run/docker", "--pidfile", "/run/docker.pid"])
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("starting dockerd")?;
    e2e::lab::eventually("dockerd listens", || Path::new("/run/docker.sock").exists());
    let docker = |arguments: &[&str]| {
        let mut command = lab.program("docker");
        command.env("DOCKER_HOST", socket).args(arguments);
        command
    };
    lab.finish(&mut docker(&["import", tar, "base"])).ok();
    Ok(engine("docker run --rm", docker(&["run", "--rm", "base", "true"])))
}

fn podman(lab: &Lab, tar: &str) -> Engine {
    let podman = |arguments: &[&str]| {
        let mut command = lab.program("podman");
        command.args(["--cgroup-manager", "cgroupfs", "--events-backend", "none", "--root"]);
        command.arg(lab.folder.join("podman")).args(["--runroot", "/run/podman"]).args(arguments);
        command
    };
    lab.finish(&mut podman(&["import", tar, "localhost/base"])).ok();
    engine("podman run --rm", podman(&["run", "--rm", "localhost/base", "true"]))
}

fn runc(lab: &Lab, tar: &str) -> Result<Engine> {
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
    Ok(engine("runc run", command))
}
