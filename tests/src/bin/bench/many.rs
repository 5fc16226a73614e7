//! What it costs that there are many containers.

use std::io::{BufRead, BufReader, Write};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::wire::{ask, connect, request};

use crate::engines::Engine;
use crate::table::Wanted::{Nothing, OfDockers};
use crate::table::{line, median};
use crate::{IDLE, in_turn};

/// `ps`, `inspect` and `events` with more and more containers, which are made and not started; `ps` with
/// some that run, too.
pub fn measure(both: &[&Engine], rounds: usize) -> Result<()> {
    for count in [10, 100, 1000] {
        for engine in both {
            fill(engine, count)?;
        }
        // The command as a person types it.
        let times = in_turn(both, rounds, &["ps", "-a"])?;
        let wanted = if count == 100 { OfDockers(0.2) } else { Nothing };
        line(&format!("ps -a, {count} containers"), "ms", times[0], times.get(1).copied(), wanted);
        // The engine's own part, without the command.
        for (what, path) in [("ps -a", "/containers/json?all=1"), ("inspect", "/containers/many-7/json")] {
            let times = requests(both, rounds, path);
            line(&format!("  {what} as a request"), "ms", times[0], times.get(1).copied(), Nothing);
        }
        let times: Result<Vec<f64>> = both.iter().map(|engine| events(engine, rounds)).collect();
        let times = times?;
        line("  until an event is heard", "ms", times[0], times.get(1).copied(), Nothing);
    }
    running(both[0], rounds)
}

/// Sees to it that there are so many, `many-0` and so on.
fn fill(engine: &Engine, count: usize) -> Result<()> {
    for number in 0..count {
        let path = format!("/containers/create?name=many-{number}");
        let made = ask(&engine.socket, "POST", &path, br#"{"Image":"base","Cmd":["sleep","10000"]}"#);
        // 409: it is there already.
        ensure!(matches!(made.status, 201 | 409), "{}: {} {}", engine.name, made.status, made.message());
    }
    Ok(())
}

fn requests(engines: &[&Engine], rounds: usize, path: &str) -> Vec<f64> {
    let mut times = vec![Vec::new(); engines.len()];
    for _ in 0..rounds {
        for (engine, times) in engines.iter().zip(&mut times) {
            thread::sleep(IDLE / 5);
            let start = Instant::now();
            ask(&engine.socket, "GET", path, b"");
            times.push(start.elapsed());
        }
    }
    times.into_iter().map(median).collect()
}

/// From asking that something happens until a listener has heard of it.
fn events(engine: &Engine, rounds: usize) -> Result<f64> {
    let mut stream = connect(&engine.socket);
    stream.write_all(&request("GET", "/events?filters=%7B%22event%22:%5B%22rename%22%5D%7D", b""))?;
    let mut lines = BufReader::new(stream).lines();
    // The head, whose end is an empty line: from here on it is heard.
    while !lines.next().context("an answer")??.is_empty() {}
    let mut times = Vec::new();
    for round in 0..rounds {
        thread::sleep(IDLE / 5);
        let (from, to) = if round % 2 == 0 { ("many-3", "other") } else { ("other", "many-3") };
        let start = Instant::now();
        let renamed = ask(&engine.socket, "POST", &format!("/containers/{from}/rename?name={to}"), b"");
        ensure!(renamed.status == 204, "{}: {}", engine.name, renamed.message());
        while !lines.next().context("an event")??.contains("rename") {}
        times.push(start.elapsed());
    }
    if rounds % 2 == 1 {
        ask(&engine.socket, "POST", "/containers/other/rename?name=many-3", b"");
    }
    Ok(median(times))
}

/// Ours only: Docker needs a second and 13 MB for each.
fn running(canoa: &Engine, rounds: usize) -> Result<()> {
    let start = Instant::now();
    for number in 0..100 {
        let started = ask(&canoa.socket, "POST", &format!("/containers/many-{number}/start"), b"");
        ensure!(started.status == 204, "{}", started.message());
    }
    let each = start.elapsed().as_secs_f64() * 10.0;
    line("start of each of 100", "ms", each, None, Nothing);
    thread::sleep(Duration::from_secs(1));
    let times = in_turn(&[canoa], rounds, &["ps"])?;
    line("ps, 100 running of 1000", "ms", times[0], None, Nothing);
    let times = in_turn(&[canoa], rounds, &["exec", "many-50", "true"])?;
    line("exec in one of them", "ms", times[0], None, Nothing);
    for (what, path) in [("ps", "/containers/json"), ("inspect", "/containers/many-7/json")] {
        line(&format!("  {what} as a request"), "ms", requests(&[canoa], rounds, path)[0], None, Nothing);
    }
    line("  until an event is heard", "ms", events(canoa, rounds)?, None, Nothing);
    Ok(())
}
