//! Pausing: every process of a container stands still where it is, and later goes on.
//!
//! It is lesson 3's freezing of the container's group. No process is told, none can refuse.

use std::sync::Arc;

use cgroups::Cgroup;
use lifecycle::record::Status;

use super::Engine;
use super::containers::Container;
use super::error::{Error, Kind, Result, blocking};
use super::start::change;

/// Stops a running container where it is.
///
/// # Errors
/// Conflict when it doesn't run, or is paused already; internal when this machine can't do it.
pub async fn pause(engine: &Arc<Engine>, container: &Arc<Container>) -> Result<()> {
    let _operation = container.operation.lock().await;
    container.process()?;
    if container.state().status == Status::Paused {
        return Err(Error::conflict(format!("Container {} is already paused", container.id)));
    }
    freeze(engine, container, true).await.map_err(|error| cannot("pause", container, error))?;
    // It may have ended in this moment: what has ended stays so.
    change(engine, container, |state| {
        if state.status == Status::Running {
            state.status = Status::Paused;
        }
    })
    .await?;
    engine.events.container("pause", container);
    Ok(())
}

/// Lets it go on.
///
/// # Errors
/// When it doesn't run, or isn't paused (internal, as Docker has it).
pub async fn unpause(engine: &Arc<Engine>, container: &Arc<Container>) -> Result<()> {
    let _operation = container.operation.lock().await;
    container.process()?;
    if container.state().status != Status::Paused {
        let message = format!("Container {} is not paused", container.id);
        return Err(Error { kind: Kind::Internal, message });
    }
    go_on(engine, container).await.map_err(|error| cannot("unpause", container, error))?;
    engine.events.container("unpause", container);
    Ok(())
}

/// Lets a paused container go on, for whoever ends it: a frozen process takes no signal.
pub async fn go_on(engine: &Arc<Engine>, container: &Arc<Container>) -> Result<()> {
    freeze(engine, container, false).await?;
    change(engine, container, |state| {
        if state.status == Status::Paused {
            state.status = Status::Running;
        }
    })
    .await
}

async fn freeze(engine: &Arc<Engine>, container: &Arc<Container>, frozen: bool) -> Result<()> {
    let process = container.process()?;
    let (parent, id) = (engine.settings.cgroup_parent.clone(), container.id.clone());
    blocking(move || Ok(Cgroup::of(process.pid, &parent, &id)?.freeze(frozen)?)).await
}

/// What the kernel says of a container that the last engine left: it may have died between freezing it
/// and writing that down.
pub async fn look(engine: &Arc<Engine>, container: &Arc<Container>) -> Result<()> {
    let process = container.process()?;
    let (parent, id) = (engine.settings.cgroup_parent.clone(), container.id.clone());
    let frozen = blocking(move || Ok(Cgroup::of(process.pid, &parent, &id)?.is_frozen()?)).await?;
    let is = if frozen { Status::Paused } else { Status::Running };
    if container.state().status != is {
        change(engine, container, move |state| state.status = is).await?;
    }
    Ok(())
}

fn cannot(what: &str, container: &Container, error: Error) -> Error {
    Error { message: format!("Cannot {what} container {}: {}", container.id, error.message), ..error }
}
