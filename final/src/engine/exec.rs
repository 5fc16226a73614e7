//! Exec: one more program in a running container.

use std::collections::HashMap;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bollard_stubs::models::ExecConfig;
use lifecycle::record::{self, Status};
use tokio::sync::{Mutex as AsyncMutex, Notify};

use super::Engine;
use super::containers::Container;
use super::error::{Error, Kind, Result, blocking};
use super::monitor::{Handed, Monitor, Requests, send};
use super::spec;
use crate::bundle::{self, Event, Request, Streams};

/// One exec.
#[derive(Debug)]
pub struct Exec {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Where it runs.
    pub container: Arc<Container>,
    /// What was asked for.
    pub config: ExecConfig,
    state: Mutex<ExecState>,
    /// Wakes those who wait for its end.
    over: Notify,
    /// The connection to its monitor.
    requests: AsyncMutex<Option<Requests>>,
}

/// What has become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExecState {
    /// Whether somebody has started it: it can't be done twice.
    pub started: bool,
    /// Whether it runs.
    pub running: bool,
    /// How it ended, or not yet.
    pub exit_code: Option<i32>,
    /// As the host sees it; 0 before the start.
    pub pid: i32,
}

impl Exec {
    /// What has become of it.
    pub fn state(&self) -> ExecState {
        *self.lock()
    }

    /// Tells its terminal its size.
    pub async fn resize(&self, rows: u16, columns: u16) -> Result<()> {
        match self.requests.lock().await.as_mut() {
            Some(requests) => send(requests, &Request::Resize { rows, columns }).await,
            None => Err(Error::conflict(format!("exec {} is not running", self.id))),
        }
    }

    /// Waits until it is known how it ended.
    pub async fn ended(&self) {
        // Asked for before the look, so that an end between the two is not missed.
        let mut over = std::pin::pin!(self.over.notified());
        over.as_mut().enable();
        if self.state().exit_code.is_none() {
            over.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, ExecState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All execs that somebody may still ask for. They are not written down: an exec does not outlive
/// its container, and who waits for one is connected.
#[derive(Debug, Default)]
pub struct Execs {
    all: Mutex<HashMap<String, Arc<Exec>>>,
}

impl Execs {
    /// Prepares an exec; nothing runs yet.
    pub fn create(&self, container: &Arc<Container>, config: ExecConfig) -> Result<Arc<Exec>> {
        runs(container)?;
        if config.cmd.as_ref().is_none_or(Vec::is_empty) {
            return Err(Error::invalid("No exec command specified"));
        }
        let id = record::new_id().map_err(|error| Error::internal("drawing an id", error))?;
        let exec = Arc::new(Exec {
            id: id.clone(),
            container: container.clone(),
            config,
            state: Mutex::default(),
            over: Notify::new(),
            requests: AsyncMutex::new(None),
        });
        self.lock().insert(id, exec.clone());
        Ok(exec)
    }

    /// Finds one by its id.
    pub fn find(&self, id: &str) -> Result<Arc<Exec>> {
        let found = self.lock().get(id).cloned();
        found.ok_or_else(|| Error::not_found(format!("No such exec instance: {id}")))
    }

    /// The ids of a container's execs that have not ended.
    pub fn of(&self, container: &str) -> Vec<String> {
        let all = self.lock();
        let mut ids: Vec<String> = all
            .values()
            .filter(|exec| exec.container.id == container && exec.state().exit_code.is_none())
            .map(|exec| exec.id.clone())
            .collect();
        ids.sort();
        ids
    }

    /// Forgets one of which nobody will ask.
    pub fn remove(&self, id: &str) {
        self.lock().remove(id);
    }

    /// Forgets those of a container that has ended, a moment later: who ran one in it still wants
    /// to know how it ended.
    pub fn forget(self: &Execs, container: &str) {
        let mut all = self.lock();
        all.retain(|_, exec| exec.container.id != container || exec.state().running || exec.state().started);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Exec>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Claims the right to start it: whatever is wrong is said now, before a connection is taken over.
pub fn claim(exec: &Exec) -> Result<()> {
    runs(&exec.container)?;
    let mut state = exec.lock();
    if state.started {
        let message = match state.running {
            true => format!("Error: Exec command {} is already running", exec.id),
            false => format!("Error: Exec command {} has already run", exec.id),
        };
        return Err(Error::conflict(message));
    }
    state.started = true;
    Ok(())
}

/// Starts a claimed exec; returns when its program runs. `client` is its streams, if anybody is
/// there.
pub async fn start(
    engine: &Arc<Engine>,
    exec: &Arc<Exec>,
    client: Option<(Streams, StdStream)>,
) -> Result<()> {
    engine.events.exec("exec_start", exec);
    match run(engine, exec, client).await {
        Ok(monitor) => {
            let (mut events, requests) = monitor.split();
            *exec.requests.lock().await = Some(requests);
            let (engine, exec) = (engine.clone(), exec.clone());
            tokio::spawn(async move {
                let code = loop {
                    match events.next().await {
                        Some(Event::Exited(exited)) => break exited.code,
                        Some(_) => {}
                        None => break 137,
                    }
                };
                engine.events.exec_died(&exec, code);
                finish(&engine, &exec, code).await;
            });
            Ok(())
        }
        Err((code, error)) => {
            finish(engine, exec, code).await;
            Err(error)
        }
    }
}

async fn run(
    engine: &Arc<Engine>,
    exec: &Arc<Exec>,
    client: Option<(Streams, StdStream)>,
) -> Result<Monitor, (i32, Error)> {
    let engine_failed = |error: Error| (126, error);
    let (engine2, exec2) = (engine.clone(), exec.clone());
    let started = blocking(move || {
        let plan = plan(&exec2)?;
        let netns = engine2.settings.netns.as_ref().map(std::os::fd::AsFd::as_fd);
        let handed = Handed { attached: client.into_iter().collect(), ports: vec![], netns };
        Ok((Monitor::spawn(&engine2.own_binary, &["exec"], handed)?, plan))
    });
    let (mut monitor, plan) = started.await.map_err(engine_failed)?;
    monitor.send_line(&plan).await.map_err(engine_failed)?;
    match monitor.next().await {
        Some(Event::Started { pid, .. }) => {
            let mut state = exec.lock();
            (state.running, state.pid) = (true, pid);
            drop(state);
            Ok(monitor)
        }
        Some(Event::Failed { message, code }) => {
            let program = exec.config.cmd.iter().flatten().next().map_or("", String::as_str);
            let why = match code {
                127 if !program.contains('/') => "executable file not found in $PATH".to_owned(),
                127 => format!("stat {program}: no such file or directory"),
                126 => format!("permission denied ({message})"),
                _ => message,
            };
            let message =
                format!("exec failed: unable to start container process: exec: \"{program}\": {why}");
            let kind = if matches!(code, 126 | 127) { Kind::Invalid } else { Kind::Internal };
            Err((code, Error { kind, message }))
        }
        other => Err((126, Error::internal("starting an exec", format!("its monitor said {other:?}")))),
    }
}

async fn finish(engine: &Arc<Engine>, exec: &Arc<Exec>, code: i32) {
    {
        let mut state = exec.lock();
        state.running = false;
        state.exit_code = Some(code);
    }
    exec.over.notify_waiters();
    *exec.requests.lock().await = None;
    // Kept for a while for those who ask how it ended, then forgotten (as dockerd does).
    let (engine, id) = (engine.clone(), exec.id.clone());
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(300)).await;
        engine.execs.lock().remove(&id);
    });
}

/// What the monitor of an exec is told: the container's own process, with what the exec changes.
fn plan(exec: &Exec) -> Result<bundle::Exec> {
    let container = &exec.container;
    let init = container.process()?;
    let process = spec::exec_process(&container.folder, &exec.config)?;
    let own_user = container.with(|record| record.config.body.user.clone());
    let user = exec.config.user.clone().filter(|user| !user.is_empty()).or(own_user);
    Ok(bundle::Exec {
        pid: init.pid,
        start_time: init.start_time,
        bundle: container.folder.clone(),
        process,
        user: user.unwrap_or_default(),
        groups: container.with(|record| record.config.host().group_add.unwrap_or_default()),
        open_stdin: exec.config.attach_stdin == Some(true),
    })
}

fn runs(container: &Container) -> Result<()> {
    match container.state().status {
        Status::Running => Ok(()),
        Status::Paused => Err(Error::conflict(format!(
            "Container {} is paused, unpause the container before exec",
            container.name()
        ))),
        Status::Restarting => container.process().map(drop),
        _ => Err(Error::conflict(format!("container {} is not running", container.id))),
    }
}
