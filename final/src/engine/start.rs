//! Starting a container, and following it to its end.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cgroups::Cgroup;
use lifecycle::record::{Status, now};
use namespaces::Process;
use network::publish::Mapping;

use super::Engine;
use super::containers::{Container, has_run};
use super::copy_up::copy_up;
use super::error::{Error, Kind, Result, blocking};
use super::monitor::{Handed, Monitor};
use super::ports::{self, Reserved};
use super::tree::Haste;
use super::{files, health, restart, sharing, spec, stop};
use crate::bundle::{Event, Exited, Extra};

/// Starts a container; returns when its program runs.
///
/// # Errors
/// It runs already ([`Kind::NotModified`]); its program isn't there ([`Kind::Invalid`], in the
/// words that stock clients look for); anything else.
pub async fn start(engine: &Arc<Engine>, container: &Arc<Container>) -> Result<()> {
    let _operation = container.operation.lock().await;
    if container.life().borrow().removed {
        return Err(Error::not_found(format!("No such container: {}", container.id)));
    }
    if container.is_restarting() {
        return Err(Error::not_modified("it is about to run again"));
    }
    if !container.is_running() {
        restart::started_by_hand(engine, container).await?;
    }
    start_locked(engine, container).await
}

/// The same with the container's operation held: also for one that its restart policy starts.
pub async fn start_locked(engine: &Arc<Engine>, container: &Arc<Container>) -> Result<()> {
    match container.state().status {
        Status::Running => return Err(Error::not_modified("it runs already")),
        Status::Paused => {
            return Err(Error::conflict("cannot start a paused container, try unpause instead"));
        }
        Status::Dead => return Err(Error::conflict("container is marked for removal and cannot be started")),
        Status::Created | Status::Exited | Status::Restarting => {}
    }
    stop::cleaned(container).await;
    // Its files are the monitor's from here on.
    let tree = container.tree.alone(Haste::Some).await;
    // Who attaches from now on waits until it runs, and is then put through to its monitor.
    let gate = container.waiting.gate.lock().await;
    match run(engine, container).await {
        Ok((process, monitor)) => {
            let (engine, container) = (engine.clone(), container.clone());
            container.tell(|life| (life.running, life.restarting, life.cleaning) = (true, false, true));
            // First this, then its end: a program may have ended before we get here.
            let saved = save_started(&engine, &container, process).await;
            drop(gate);
            engine.events.container("start", &container);
            if let Err(error) = saved {
                // It runs, and that is the answer. An engine that comes back asks the monitor.
                tracing::warn!("container {}: {error}", container.id);
            }
            health::begin(&engine, &container);
            tokio::spawn(follow(engine, container, process, monitor));
            Ok(())
        }
        Err(failure) => {
            // With `--rm` it is removed now, and who removes it wants its files alone.
            drop((gate, tree));
            Err(failed(engine, container, failure).await)
        }
    }
}

/// A start that failed: the code its container ends with, and the words for the client.
struct Failure {
    code: i32,
    message: String,
    kind: Kind,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { code: 125, message: error.message, kind: error.kind }
    }
}

async fn run(engine: &Arc<Engine>, container: &Arc<Container>) -> Result<(Process, Monitor), Failure> {
    // First of all: a port that somebody has is an error before anything is made.
    let Reserved { ports, table } = ports::reserve(engine, container).await?;
    engine.networks.connect(engine, container).await?;
    engine.events.mounted(container);
    let mut monitor = {
        let (engine, container) = (engine.clone(), container.clone());
        blocking(move || {
            let bundle =
                prepare(&engine, &container, ports.iter().map(|port| port.mapping).collect(), table)?;
            let handed = Handed {
                attached: container.waiting.take(),
                ports: ports.iter().map(AsFd::as_fd).collect(),
                netns: engine.settings.netns.as_ref().map(AsFd::as_fd),
            };
            // From here on the ports are the monitor's; ours are closed.
            Monitor::spawn(&engine.own_binary, &["run", &bundle.to_string_lossy()], handed)
        })
        .await?
    };
    match monitor.next().await {
        Some(Event::Started { pid, start_time }) => Ok((Process { pid, start_time }, monitor)),
        Some(Event::Failed { message, code }) => {
            let command = container.with(|record| record.config.command());
            // It cleans up and ends.
            while monitor.next().await.is_some() {}
            Err(explain(code, &message, command.first().map_or("", String::as_str)))
        }
        Some(other) => Err(silent(&format!("said {other:?} before it had started anything"))),
        None => Err(silent("ended without a word")),
    }
}

fn silent(what: &str) -> Failure {
    let message = format!("the container's monitor {what}: the daemon's log may say why");
    Failure { code: 125, message, kind: Kind::Internal }
}

/// Makes everything that a monitor needs: the small files, the bundle.
fn prepare(
    engine: &Engine,
    container: &Container,
    ports: Vec<Mapping>,
    rules: Option<String>,
) -> Result<std::path::PathBuf> {
    let record = container.record();
    let folder = &container.folder;
    // The last run's: should the monitor die, its exit must not be taken for this one's.
    let _ = fs::remove_file(folder.join("exit.json"));
    files::write(engine, folder, &record)?;
    copy_up(engine, folder, &record)?;
    let (spec, extra) = spec::build(engine, folder, &record)?;
    let extra = Extra { ports, rules, ..extra };
    write_json(&folder.join("config.json"), &spec)?;
    write_json(&folder.join("canoa.json"), &extra)?;
    Ok(folder.clone())
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_vec(value).map_err(|error| Error::internal("writing JSON", error))?;
    // Plainly, without waiting for the disk: each start writes it anew.
    fs::write(path, text).map_err(|error| Error::internal(format!("writing {}", path.display()), error))
}

/// Docker's words where its client reads them: it takes the exit codes 127 and 126 from there.
fn explain(code: i32, message: &str, program: &str) -> Failure {
    let doing = "failed to create task for container";
    let (message, kind) = match code {
        127 if program.contains('/') => (
            format!("{doing}: exec: \"{program}\": stat {program}: no such file or directory"),
            Kind::Invalid,
        ),
        127 => (format!("{doing}: exec: \"{program}\": executable file not found in $PATH"), Kind::Invalid),
        // "exec /bin/sh: Exec format error …": a program for another machine.
        126 if message.contains("Exec format error") => {
            let what = message.split(": ").next().unwrap_or_default();
            (format!("{doing}: {what}: exec format error"), Kind::Invalid)
        }
        126 => (format!("{doing}: exec: \"{program}\": permission denied ({message})"), Kind::Invalid),
        _ => (format!("{doing}: {message}"), Kind::Internal),
    };
    Failure { code, message, kind }
}

/// A start that failed leaves the container as it was, with the reason written down.
async fn failed(engine: &Arc<Engine>, container: &Arc<Container>, failure: Failure) -> Error {
    // Who had attached before is told so by the end of the stream.
    drop(container.waiting.take());
    let Failure { code, message, kind } = failure;
    let words = message.clone();
    let changed = change(engine, container, move |state| {
        if state.status == Status::Restarting {
            state.status = Status::Exited;
        }
        state.process = None;
        state.exit_code = code;
        state.error = words;
    });
    if let Err(error) = changed.await {
        tracing::warn!("container {}: {error}", container.id);
    }
    ports::release(engine, container).await;
    engine.events.left(engine, container);
    engine.networks.disconnect(engine, container).await;
    container.tell(|life| {
        life.restarting = false;
        life.ended += 1;
    });
    if container.with(|record| record.config.auto_remove()) {
        stop::remove_stopped(engine, container, true).await;
    }
    Error { kind, message }
}

pub async fn save_started(engine: &Arc<Engine>, container: &Arc<Container>, process: Process) -> Result<()> {
    change(engine, container, move |state| {
        state.status = Status::Running;
        state.process = Some(process);
        state.exit_code = 0;
        state.error = String::new();
        state.oom_killed = false;
        state.started_at = Some(now());
        state.finished_at = None;
    })
    .await
}

/// Changes a container's state, in memory and on disk.
pub async fn change(
    engine: &Arc<Engine>,
    container: &Arc<Container>,
    change: impl FnOnce(&mut lifecycle::record::State) + Send + 'static,
) -> Result<()> {
    let (engine, container) = (engine.clone(), container.clone());
    blocking(move || engine.containers.change(&container, |record| change(&mut record.state))).await
}

/// Follows a running container to its end: its exit is made known first, cleaning up comes after.
pub async fn follow(engine: Arc<Engine>, container: Arc<Container>, process: Process, mut monitor: Monitor) {
    let exited = loop {
        match monitor.next().await {
            Some(Event::Exited(exited)) => break exited,
            Some(_) => {}
            None => break unwatched_exit(&engine, &container, process).await,
        }
    };
    let again = ended(&engine, &container, exited).await;
    if container.with(|record| record.config.auto_remove()) {
        stop::retire(&engine, &container).await;
    }
    // The end of the connection is the end of the monitor: all is cleaned up then.
    while monitor.next().await.is_some() {}
    after_cleaning(&engine, &container).await;
    if let Some(wait) = again {
        restart::later(&engine, &container, wait);
    }
}

/// How a container ended whose monitor is gone without having told us.
pub async fn unwatched_exit(engine: &Arc<Engine>, container: &Container, process: Process) -> Exited {
    if container.state().status == Status::Paused {
        // What stands still doesn't die either.
        let (parent, id) = (engine.settings.cgroup_parent.clone(), container.id.clone());
        let killed = blocking(move || Ok(Cgroup::of(process.pid, &parent, &id)?.kill()?)).await;
        if let Err(error) = killed {
            tracing::warn!("container {}: {error}", container.id);
        }
    }
    // PID 1 dies with its monitor; that takes a moment.
    for _ in 0..200 {
        if !process.is_alive() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let written = fs::read(container.folder.join("exit.json"));
    let exited = written.ok().and_then(|text| serde_json::from_slice(&text).ok());
    exited.unwrap_or_else(|| Exited { code: 137, oom_killed: false, finished_at: now() })
}

/// Writes the end of a run down and tells those who wait; and says how long to wait for the next run,
/// if the restart policy wants one.
pub async fn ended(engine: &Arc<Engine>, container: &Arc<Container>, exited: Exited) -> Option<Duration> {
    let (code, ran, end) = (exited.code, has_run(&container.state()), exited.clone());
    let (owner, ended) = (engine.clone(), container.clone());
    let write_down = move || {
        let mut again = None;
        let written = owner.containers.change(&ended, |record| {
            // One change: who sees that it was counted sees that the run is over.
            again = restart::decide(record, code);
            let state = &mut record.state;
            state.status = if again.is_some() { Status::Restarting } else { Status::Exited };
            state.process = None;
            state.exit_code = code;
            state.oom_killed = end.oom_killed;
            state.finished_at = Some(end.finished_at);
        });
        if let Err(error) = written {
            tracing::warn!("container {}: {error}", ended.id);
        }
        Ok(again)
    };
    let again = blocking(write_down).await.unwrap_or_else(|error| {
        tracing::warn!("container {}: {error}", container.id);
        None
    });
    // Before those who wait go on: what they tell ("stop", "destroy") comes after.
    engine.events.died(engine, container, &exited, ran);
    container.tell(|life| {
        life.running = false;
        life.restarting = again.is_some();
        life.ended += 1;
    });
    engine.execs.forget(&container.id);
    again
}

/// The last run is cleaned up: its address is free, and a `--rm` container goes.
pub async fn after_cleaning(engine: &Arc<Engine>, container: &Arc<Container>) {
    // A monitor that was killed has left its control group behind.
    let (parent, id) = (engine.settings.cgroup_parent.clone(), container.id.clone());
    let shares = container.with(|record| sharing::shares_processes(&record.config.host()));
    let remove = move || {
        let group = Cgroup::open(&parent, &id)?;
        if shares {
            // Nobody's death has ended those.
            group.kill()?;
        }
        Ok(group.remove()?)
    };
    if let Err(error) = blocking(remove).await {
        tracing::warn!("container {}: {error}", container.id);
    }
    ports::release(engine, container).await;
    engine.networks.disconnect(engine, container).await;
    container.tell(|life| life.cleaning = false);
    if container.with(|record| record.config.auto_remove()) {
        let _operation = container.operation.lock().await;
        // Somebody may have started it again in the meantime.
        if !container.is_running() {
            stop::remove_stopped(engine, container, true).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stock_client_finds_its_words_for_127_and_126_and_for_nothing_else() {
        let not_found = explain(127, "exec nope: ENOENT", "nope");
        assert!(not_found.message.contains("executable file not found"), "{}", not_found.message);
        assert!(explain(127, "", "/nope").message.contains("no such file or directory"));
        assert!(explain(126, "", "/etc/passwd").message.contains("permission denied"));
        let other = explain(125, "mount proc on /proc: Permission denied (os error 13)", "sh").message;
        for words in ["executable file not found", "no such file or directory", "permission denied"] {
            assert!(!other.contains(words), "{other}");
        }
    }
}
