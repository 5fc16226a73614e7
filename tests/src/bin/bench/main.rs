//! What canoa costs beside Docker, measured on this machine in one run.
//!
//! Each engine does the same with the same files, in turn, with 250 ms of idle before each time: back to
//! back, the kernel's grace periods overlap and everybody looks faster than a person finds it (CORRECT.md,
//! "What costs time"). All of it happens in a lab, dockerd included, and nothing is left.

mod engines;
mod many;
mod table;

use std::env;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::case::Case;
use e2e::footprint::Footprint;
use e2e::lab::{Form, Lab};
use e2e::{run, sweep};

use engines::Engine;
use table::Wanted::{Below, Nothing, OfDockers};
use table::{line, median};

/// Before each time that is measured.
pub const IDLE: Duration = Duration::from_millis(250);

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

fn bench(lab: &Lab) -> Result<()> {
    let rounds = env::args().nth(1).map_or(Ok(20), |rounds| rounds.parse()).context("ROUNDS")?;
    let (canoa, tar) = engines::canoa(lab)?;
    let docker = engines::docker(lab, &tar)?;
    let both: Vec<&Engine> = [&canoa].into_iter().chain(&docker).collect();
    table::head();
    memory(&both)?;
    one_container(lab, &both, &tar, rounds)?;
    output(&both)?;
    many::measure(&both, rounds)
}

/// How long a command takes in each of the engines, in milliseconds.
pub fn in_turn(engines: &[&Engine], rounds: usize, arguments: &[&str]) -> Result<Vec<f64>> {
    let mut times = vec![Vec::new(); engines.len()];
    for round in 0..=rounds {
        for (engine, times) in engines.iter().zip(&mut times) {
            thread::sleep(IDLE);
            let took = engine.time(arguments)?;
            // The first one warms up: files are read, a bridge is made.
            if round > 0 {
                times.push(took);
            }
        }
    }
    Ok(times.into_iter().map(median).collect())
}

/// Resident memory: of what is there when nothing runs, and of what one container takes.
fn memory(engines: &[&Engine]) -> Result<()> {
    let mebibytes =
        |pids: &[i32]| pids.iter().map(|pid| Footprint::of(*pid).resident).sum::<u64>() as f64 / 1024.0;
    let (mut idle, mut guard) = (Vec::new(), Vec::new());
    for engine in engines {
        engine.time(&["run", "-d", "--name", "box", "base", "sleep", "10000"])?;
        thread::sleep(Duration::from_secs(3));
        guard.push(mebibytes(&[engine.guard_of("box")?]));
        idle.push(mebibytes(&engine.daemons));
    }
    line("daemon, idle", "MiB", idle[0], idle.get(1).copied(), Below(20.0));
    line("monitor of a container", "MiB", guard[0], guard.get(1).copied(), Below(3.0));
    Ok(())
}

fn one_container(lab: &Lab, both: &[&Engine], tar: &str, rounds: usize) -> Result<()> {
    let times = in_turn(both, rounds, &["run", "--rm", "base", "true"])?;
    line("run --rm base true", "ms", times[0], times.get(1).copied(), Nothing);
    let others = [engines::podman(lab, tar), engines::runc(lab, tar)?];
    for other in others.iter().flatten() {
        let times = in_turn(
            &[other],
            rounds,
            if other.name == "runc" { &[] } else { &["run", "--rm", "base", "true"] },
        )?;
        println!("  {} needs {:.1} ms", other.name, times[0]);
    }
    let times = in_turn(both, rounds, &["exec", "box", "true"])?;
    line("exec box true", "ms", times[0], times.get(1).copied(), OfDockers(0.2));
    Ok(())
}

/// 100 MB of lines of 80 bytes, on their way into the log and out of it.
fn output(engines: &[&Engine]) -> Result<()> {
    let says = "yes abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxya | head -c 100000000";
    let mut writing = vec![Vec::new(); engines.len()];
    let mut reading = writing.clone();
    for _ in 0..3 {
        for (number, engine) in engines.iter().enumerate() {
            thread::sleep(IDLE);
            engine.time(&["create", "--name", "talker", "base", "sh", "-c", says])?;
            let start = Instant::now();
            engine.time(&["start", "talker"])?;
            engine.time(&["wait", "talker"])?;
            writing[number].push(start.elapsed());
            thread::sleep(IDLE);
            reading[number].push(engine.time(&["logs", "talker"])?);
            engine.time(&["rm", "talker"])?;
        }
    }
    let [writing, reading] =
        [writing, reading].map(|times| times.into_iter().map(median).collect::<Vec<_>>());
    line("writing 100 MB through the log", "ms", writing[0], writing.get(1).copied(), OfDockers(0.5));
    line("logs of 100 MB", "ms", reading[0], reading.get(1).copied(), OfDockers(0.1));
    Ok(())
}
