//! Ending containers: kill, stop, restart, wait, remove.

use std::sync::Arc;
use std::time::Duration;

use lifecycle::record::Status;
use nix::sys::signal::Signal;
use tokio::time::timeout;

use super::Engine;
use super::containers::{Container, Life};
use super::error::{Error, Kind, Result, blocking};
use super::tree::Haste;
use super::{pause, processes, restart, start, volumes};

/// How long a killed container may take until we stop believing that it dies.
const PATIENCE: Duration = Duration::from_secs(10);

/// A signal as people write it: `TERM`, `SIGTERM`, `term`, `15`, and the real-time ones `RTMIN+3`.
///
/// # Errors
/// It is none, in Docker's words.
pub fn parse_signal(text: &str) -> Result<i32> {
    let invalid = || Error::invalid(format!("invalid signal: {text}"));
    if let Ok(number) = text.parse::<i32>() {
        return if (1..=libc::SIGRTMAX()).contains(&number) { Ok(number) } else { Err(invalid()) };
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let offset = |text: &str, sign: char| match text.strip_prefix(sign) {
        Some(number) => number.parse::<i32>().ok(),
        None => text.is_empty().then_some(0),
    };
    let number = match name {
        name if name.starts_with("RTMIN") => {
            offset(&name[5..], '+').and_then(|n| libc::SIGRTMIN().checked_add(n))
        }
        name if name.starts_with("RTMAX") => {
            offset(&name[5..], '-').and_then(|n| libc::SIGRTMAX().checked_sub(n))
        }
        // Two names for one signal, which nix knows by its other name only.
        "POLL" => Some(libc::SIGPOLL),
        "CLD" => Some(libc::SIGCHLD),
        name => format!("SIG{name}").parse::<Signal>().ok().map(|signal| signal as i32),
    };
    number.filter(|number| (1..=libc::SIGRTMAX()).contains(number)).ok_or_else(invalid)
}

/// Sends a signal to a running container's PID 1. One that waits for its next run by its restart policy
/// only isn't started any more.
pub async fn kill(engine: &Arc<Engine>, container: &Arc<Container>, signal: i32) -> Result<()> {
    if container.is_restarting() && ends(container, signal) {
        let _operation = container.operation.lock().await;
        if container.is_restarting() {
            return restart::give_up(engine, container).await;
        }
    }
    send(engine, container, signal).await
}

async fn send(engine: &Arc<Engine>, container: &Arc<Container>, signal: i32) -> Result<()> {
    let cannot = |error: Error| Error {
        message: format!("Cannot kill container: {}: {}", container.name(), error.message),
        ..error
    };
    let process = container.process().map_err(cannot)?;
    if ends(container, signal) {
        restart::stopped_by_hand(engine, container).await?;
    }
    let paused = container.state().status == Status::Paused && ends(container, signal);
    if process.is_alive() {
        // Before its death is told, which it may cause.
        engine.events.container_with("kill", container, &[("signal", &signal.to_string())]);
        if paused {
            engine.events.container("unpause", container);
        }
    }
    let sent = blocking(move || processes::signal(process, signal)).await.map_err(cannot)?;
    if !sent {
        return Err(cannot(Error::conflict(format!("Container {} is not running", container.id))));
    }
    if paused {
        // What stands still doesn't hear it. (Only SIGKILL, on cgroup v2: then it is gone already.)
        let went_on = pause::go_on(engine, container).await;
        if process.is_alive() {
            went_on.map_err(cannot)?;
        }
    }
    if signal == libc::SIGKILL {
        // Docker's clients take it for dead when this is answered.
        let _ = timeout(PATIENCE, stopped(container)).await;
    }
    Ok(())
}

/// Whether this signal is meant to end it: as Docker has it, every one is unless the container has a stop
/// signal of its own.
fn ends(container: &Container, signal: i32) -> bool {
    let own = container.with(|record| record.config.body.stop_signal.clone());
    let own = own.filter(|name| !name.is_empty()).map(|name| parse_signal(&name));
    signal == libc::SIGKILL || own.is_none_or(|own| own == Ok(signal))
}

/// Asks a container to end, and makes it end after `seconds` (its own patience, or ten, if none
/// are given; forever if negative).
pub async fn stop(
    engine: &Arc<Engine>,
    container: &Arc<Container>,
    signal: Option<&str>,
    seconds: Option<i64>,
) -> Result<()> {
    let _operation = container.operation.lock().await;
    if container.is_restarting() {
        restart::give_up(engine, container).await?;
        engine.events.container("stop", container);
        return Ok(());
    }
    if !container.is_running() {
        return Err(Error::not_modified("it is stopped already"));
    }
    stop_running(engine, container, signal, seconds).await
}

async fn stop_running(
    engine: &Arc<Engine>,
    container: &Arc<Container>,
    signal: Option<&str>,
    seconds: Option<i64>,
) -> Result<()> {
    let own = container.with(|record| record.config.body.stop_signal.clone());
    let signal = parse_signal(signal.or(own.as_deref()).filter(|name| !name.is_empty()).unwrap_or("TERM"))?;
    let seconds = seconds.or(container.with(|record| record.config.body.stop_timeout)).unwrap_or(10);
    // By whatever signal.
    restart::stopped_by_hand(engine, container).await?;
    match send(engine, container, signal).await {
        // It has ended by itself in this moment, and we are about to hear of it.
        Err(error) if error.kind == Kind::Conflict => {}
        killed => killed?,
    }
    match u64::try_from(seconds) {
        Ok(seconds) => {
            if timeout(Duration::from_secs(seconds), stopped(container)).await.is_err() {
                kill_and_wait(engine, container).await?;
            }
        }
        Err(_negative) => stopped(container).await,
    }
    if container.is_restarting() {
        // It had ended by itself just before.
        restart::give_up(engine, container).await?;
    }
    engine.events.container("stop", container);
    Ok(())
}

async fn kill_and_wait(engine: &Arc<Engine>, container: &Arc<Container>) -> Result<()> {
    match send(engine, container, libc::SIGKILL).await {
        // Its process has ended already, and we are about to hear of it.
        Err(error) if error.kind == Kind::Conflict => {}
        killed => killed?,
    }
    let waited = timeout(PATIENCE, stopped(container)).await;
    waited.map_err(|_| {
        Error::internal(
            format!("killing container {}", container.name()),
            "it does not die: a process in it may hang in the kernel (state D in ps)",
        )
    })
}

/// Stops it if it runs, and starts it.
pub async fn restart(
    engine: &Arc<Engine>,
    container: &Arc<Container>,
    signal: Option<&str>,
    seconds: Option<i64>,
) -> Result<()> {
    {
        let _operation = container.operation.lock().await;
        if container.is_running() {
            stop_running(engine, container, signal, seconds).await?;
        } else if container.is_restarting() {
            restart::give_up(engine, container).await?;
        }
    }
    start::start(engine, container).await?;
    engine.events.container("restart", container);
    Ok(())
}

/// Another name.
pub async fn rename(engine: &Arc<Engine>, container: &Arc<Container>, name: &str) -> Result<()> {
    let _operation = container.operation.lock().await;
    let name = name.strip_prefix('/').unwrap_or(name).to_owned();
    let old = format!("/{}", container.name());
    if name.is_empty() {
        return Err(Error::invalid("Neither old nor new names may be empty"));
    }
    let (engine2, container2) = (engine.clone(), container.clone());
    blocking(move || {
        engine2.containers.rename(&container2, &name)?;
        engine2.networks.renamed(&engine2, &container2)
    })
    .await?;
    engine.events.container_with("rename", container, &[("oldName", &old)]);
    Ok(())
}

/// What somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// That it doesn't run: at once, if so.
    NotRunning,
    /// The end of the run that runs, or of the next.
    NextExit,
    /// That it is removed.
    Removed,
}

/// Begins to wait; what comes out is to be awaited. What happens after this call isn't missed: a
/// client starts the container once it knows that its waiting has begun.
pub fn wait(container: &Arc<Container>, condition: Condition) -> impl Future<Output = i32> + use<> {
    let container = container.clone();
    let mut life = container.life();
    let before = *life.borrow_and_update();
    async move {
        let done = |life: &Life| match condition {
            Condition::NotRunning => {
                !life.running && !life.restarting || life.ended > before.ended || life.removed
            }
            Condition::NextExit => life.ended > before.ended || life.removed,
            Condition::Removed => life.removed,
        };
        let _ = life.wait_for(done).await;
        container.state().exit_code
    }
}

/// Returns when it doesn't run.
pub async fn stopped(container: &Container) {
    let _ = container.life().wait_for(|life| !life.running).await;
}

/// Returns when nothing of the last run is left.
pub async fn cleaned(container: &Container) {
    let _ = timeout(PATIENCE, container.life().wait_for(|life| !life.cleaning)).await;
}

/// Removes a container, with its anonymous volumes if `with_volumes`; a running one only by `force`.
pub async fn remove(
    engine: &Arc<Engine>,
    container: &Arc<Container>,
    force: bool,
    with_volumes: bool,
) -> Result<()> {
    if container.is_running() && force {
        kill_and_wait(engine, container).await?;
    }
    let _operation = container.operation.lock().await;
    let state = container.state();
    match state.status {
        // One that was started again between the kill and the lock, or is about to be.
        Status::Running | Status::Paused if force => kill_and_wait(engine, container).await?,
        Status::Restarting if force => restart::give_up(engine, container).await?,
        Status::Paused => {
            return Err(Error::conflict(format!(
                "cannot remove container \"{}\": container is paused and must be unpaused first",
                container.name(),
            )));
        }
        Status::Running | Status::Restarting => {
            return Err(Error::conflict(format!(
                "cannot remove container \"{}\": container is {}: stop the container before removing or force remove",
                container.name(),
                state.status.word(),
            )));
        }
        Status::Created | Status::Exited | Status::Dead => {}
    }
    cleaned(container).await;
    if container.life().borrow().removed {
        // A --rm container that we have just killed removes itself.
        return Ok(());
    }
    remove_now(engine, container, with_volumes).await
}

/// Removes one that doesn't run, by itself (`--rm`): nobody is there to hear of an error but the log.
pub async fn remove_stopped(engine: &Arc<Engine>, container: &Arc<Container>, with_volumes: bool) {
    if let Err(error) = remove_now(engine, container, with_volumes).await {
        tracing::warn!("removing container {}: {error}", container.id);
    }
}

/// A `--rm` container has ended: for everybody it is gone from this moment, while its monitor still
/// cleans up. (Dropping an overlay waits for the disk, and whoever waits for the container's end
/// shouldn't.) If somebody is busy with it, it goes later instead.
pub async fn retire(engine: &Arc<Engine>, container: &Arc<Container>) {
    let Ok(_operation) = container.operation.try_lock() else { return };
    if container.life().borrow().removed {
        return;
    }
    let (retiring, gone) = (engine.clone(), container.clone());
    let retired = blocking(move || {
        volumes::remove_anonymous(&retiring, &gone);
        retiring.containers.retire(&gone)
    });
    match retired.await {
        Ok(()) => engine.events.container("destroy", container),
        Err(error) => tracing::warn!("removing container {}: {error}", container.id),
    }
}

async fn remove_now(engine: &Arc<Engine>, container: &Arc<Container>, with_volumes: bool) -> Result<()> {
    // Whoever still reads its files has nothing more to expect.
    let _tree = container.tree.alone(Haste::Great).await;
    engine.networks.disconnect(engine, container).await;
    drop(container.waiting.take());
    let told = container.life().borrow().removed;
    let (removing, gone) = (engine.clone(), container.clone());
    blocking(move || {
        if with_volumes && !told {
            volumes::remove_anonymous(&removing, &gone);
        }
        removing.containers.remove(&gone)
    })
    .await?;
    engine.execs.forget(&container.id);
    if !told {
        engine.events.container("destroy", container);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_as_people_write_them() {
        for text in ["TERM", "SIGTERM", "term", "sigterm", "15"] {
            assert_eq!(parse_signal(text).unwrap(), 15, "{text}");
        }
        assert_eq!(parse_signal("RTMIN+3").unwrap(), libc::SIGRTMIN() + 3);
        assert_eq!(parse_signal("SIGRTMAX-1").unwrap(), libc::SIGRTMAX() - 1);
        assert_eq!(parse_signal("WINCH").unwrap(), 28);
    }

    #[test]
    fn what_is_no_signal_is_refused() {
        for text in [
            "",
            "0",
            "-9",
            "65",
            "99999999999",
            "NOPE",
            "RTMIN+99",
            "RTMIN+2147483647",
            "RTMIN-3",
            "RTMIN-x",
            "SIG",
            "RTMINé",
        ] {
            let error = parse_signal(text).unwrap_err();
            assert_eq!(error.message, format!("invalid signal: {text}"));
        }
    }
}
