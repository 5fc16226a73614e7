//! What an engine does first: it finds out what has become of everything since the last one ended,
//! perhaps in the middle of something.

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;

use lifecycle::record::Status;
use namespaces::Process;

use super::Engine;
use super::containers::Container;
use super::error::{Result, blocking};
use super::monitor::{Monitor, SOCKET_NAME};
use super::start::{after_cleaning, ended, follow, save_started, unwatched_exit};
use super::{health, pause, ports, restart, stop};
use crate::bundle::Event;

/// Takes up every container that still runs, notes the end of those that don't, and frees what the
/// dead have left behind.
///
/// `in_passing`: a client has started this engine because it needed one, and nobody decided that now
/// everything is to run again.
pub async fn reconcile(engine: &Arc<Engine>, in_passing: bool) -> Result<()> {
    let mut over = Vec::new();
    for container in engine.containers.all() {
        let state = container.state();
        health::remember(&container);
        match state.process {
            Some(process) if container.is_running() => {
                if !take_up(engine, &container, process).await {
                    over.push(container);
                }
            }
            // The last engine died between the start and writing it down.
            _ if found_running(engine, &container).await => {}
            _ => {
                // Created with --rm and never started, or ended while nobody was there to remove it.
                if container.with(|record| record.config.auto_remove()) && state.status != Status::Created {
                    over.push(container);
                }
            }
        }
    }
    let living: HashSet<String> = engine
        .containers
        .all()
        .into_iter()
        .filter(|one| one.is_running())
        .map(|one| one.id.clone())
        .collect();
    let sweeping = engine.clone();
    blocking(move || {
        // Before addresses are free for others.
        ports::reconcile(&sweeping)?;
        sweeping.networks.reconcile(|owner| living.contains(owner))?;
        sweeping.networks.write_all_names(&sweeping)?;
        // Sockets of monitors that were killed: nobody listens there any more.
        for entry in fs::read_dir(&sweeping.settings.exec_root).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".sock"));
            if id.is_some_and(|id| id.len() == SOCKET_NAME && !living.iter().any(|one| one.starts_with(id))) {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    })
    .await?;
    for container in over {
        after_cleaning(engine, &container).await;
    }
    restart::bring_back(engine, in_passing).await;
    Ok(())
}

/// Asks whether a monitor lives of which the record knows nothing, and takes its container up.
async fn found_running(engine: &Arc<Engine>, container: &Arc<Container>) -> bool {
    let Ok(mut monitor) = Monitor::connect(&engine.socket(&container.id)).await else { return false };
    // It answers as soon as its program runs; and ends, with its socket, if that never does.
    let Some(Event::Started { pid, start_time }) = monitor.next().await else { return false };
    let process = Process { pid, start_time };
    container.tell(|life| (life.running, life.cleaning) = (true, true));
    if let Err(error) = save_started(engine, container, process).await {
        tracing::warn!("container {}: {error}", container.id);
    }
    health::go_on(engine, container);
    tokio::spawn(follow(engine.clone(), container.clone(), process, monitor));
    true
}

/// Watches a container that was running when the last engine ended; `false` if it doesn't any more.
async fn take_up(engine: &Arc<Engine>, container: &Arc<Container>, process: Process) -> bool {
    container.tell(|life| (life.running, life.cleaning) = (true, true));
    // Whoever answers is its monitor: the socket's name is the container's id.
    if process.is_alive()
        && let Ok(monitor) = Monitor::connect(&engine.socket(&container.id)).await
    {
        if let Err(error) = pause::look(engine, container).await {
            tracing::warn!("container {}: {error}", container.id);
        }
        health::go_on(engine, container);
        tokio::spawn(follow(engine.clone(), container.clone(), process, monitor));
        return true;
    }
    let exited = unwatched_exit(engine, container, process).await;
    ended(engine, container, exited).await;
    false
}

/// Leaves the host's network as it was found. Only with nothing running.
pub async fn take_down(engine: &Arc<Engine>) -> Result<()> {
    let engine = engine.clone();
    blocking(move || {
        engine.networks.take_down(&engine.settings)?;
        Ok(cgroups::remove_parent(&engine.settings.cgroup_parent)?)
    })
    .await
}

/// Removes every container, with force. What else there is are files, and goes with the data root.
pub async fn remove_all(engine: &Arc<Engine>) -> Result<()> {
    for container in engine.containers.all() {
        stop::remove(engine, &container, true, true).await?;
    }
    Ok(())
}
