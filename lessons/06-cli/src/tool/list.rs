//! `ps`, `logs`, `stop` and `rm`: the record's part of it.

use std::io::{self, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use cgroups::Cgroup;
use lifecycle::log::{LogReader, Stream, Wanted};
use lifecycle::printable;
use lifecycle::record::Status;
use namespaces::Process;

use super::{PARENT, Tool, alive, short};

impl Tool {
    /// A table of the containers.
    pub fn ps(&self, all: bool) -> Result<i32> {
        println!("{:<15}{:<20}{:<20}{:<15}NAME", "CONTAINER ID", "IMAGE", "COMMAND", "STATUS");
        for record in self.records.list()? {
            let running = alive(&record).is_some();
            if !running && !all {
                continue;
            }
            let status = match (running, record.state.finished_at.is_some()) {
                (true, _) => "Up".to_owned(),
                (false, true) => format!("Exited ({})", record.state.exit_code),
                // Its monitor was killed before it could write down how it ended.
                (false, false) if record.state.started_at.is_some() => "Exited (137)".to_owned(),
                (false, false) => "Created".to_owned(),
            };
            // An image's words, and a record that anybody may have changed by hand.
            let cell = |text: &str| printable(text).chars().take(18).collect::<String>();
            let (image, command) = (cell(&record.config.image), cell(&record.config.args.join(" ")));
            let (id, name) = (printable(short(&record.id)), printable(&record.name));
            println!("{id:<15}{image:<20}{command:<20}{status:<15}{name}");
        }
        Ok(0)
    }

    /// What it has said, each stream to ours of the same name.
    pub fn logs(&self, name: &str, follow: bool) -> Result<i32> {
        let record = self.record(name)?;
        let mut log = LogReader::open(&self.records.folder(&record.id).join("log.json"), Wanted::default())?;
        let ended = || !(follow && self.goes_on(&record.id).unwrap_or_default());
        lifecycle::log::follow(&mut log, ended, |entry| match entry.stream {
            Stream::Stdout => io::stdout().write_all(entry.log.as_bytes()),
            Stream::Stderr => io::stderr().write_all(entry.log.as_bytes()),
        })?;
        Ok(0)
    }

    /// Whether more may be said. Its monitor writes the end down a moment after it; one that was
    /// killed never does.
    fn goes_on(&self, id: &str) -> Result<bool> {
        let start = Instant::now();
        loop {
            let record = self.records.load(id)?;
            if record.state.status != Status::Running || start.elapsed() > Duration::from_secs(1) {
                return Ok(false);
            }
            if alive(&record).is_some() {
                return Ok(true);
            }
            sleep(Duration::from_millis(10));
        }
    }

    /// First politely: it has so much time to end by itself.
    // ANCHOR: stop
    pub fn stop(&self, name: &str, time: Duration) -> Result<i32> {
        let record = self.record(name)?;
        // ANCHOR: ex-06-6
        // 1. One that doesn't run is stopped already.
        if let Some(process) = alive(&record) {
            // 2. Ask it to end.
            end(process, libc::SIGTERM, time)?;
            // 3. If it still lives: now it has no choice.
            if process.is_alive() {
                end(process, libc::SIGKILL, Duration::from_secs(10))?;
            }
            // 4. Who looked after it is still cleaning up: wait until it is at rest. (That it isn't there
            //    any more, since it was to be removed, is fine.)
            drop(self.at_rest(&record.id));
        }
        // 5. Say its name, as Docker does: all went well.
        println!("{name}");
        Ok(0)
        // ANCHOR_END: ex-06-6
    }
    // ANCHOR_END: stop

    /// The record, and all files.
    pub fn rm(&self, name: &str, force: bool) -> Result<i32> {
        let record = self.record(name)?;
        if let Some(process) = alive(&record) {
            if !force {
                bail!("container {name} is running: stop it first, or remove it with --force");
            }
            end(process, libc::SIGKILL, Duration::from_secs(10))?;
        }
        // Its files may belong to other users of the namespace.
        self.become_root()?;
        let _lock = self.at_rest(&record.id)?;
        // Empty, and left only if the program that looked after it was killed.
        Cgroup::open(PARENT, &record.id)?.remove()?;
        cgroups::remove_parent(PARENT)?;
        self.records.remove(&record.id)?;
        println!("{name}");
        Ok(0)
    }
}

/// Sends a signal, and waits until it has ended or the time is over.
// ANCHOR: end
fn end(process: Process, signal: i32, patience: Duration) -> Result<()> {
    process.signal(signal)?;
    let start = Instant::now();
    while process.is_alive() && start.elapsed() < patience {
        sleep(Duration::from_millis(10));
    }
    Ok(())
}
// ANCHOR_END: end
