//! Restart policies: what happens after a container's end.
//!
//! `no`, `always`, `unless-stopped` and `on-failure[:N]`, as Docker has them: the first restart comes
//! after 100 ms, each further one after twice the time of the last, up to a minute; a run of ten seconds
//! or more begins anew. Whoever stops a container by hand stops this as well.

use std::sync::Arc;
use std::time::Duration;

use bollard_stubs::models::{HostConfig, RestartPolicyNameEnum as Name};
use lifecycle::record::{Record, Status};
use serde::{Deserialize, Serialize};

use super::Engine;
use super::config::Config;
use super::containers::{Container, has_run};
use super::error::{Error, Result, blocking};
use super::{start, stop};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);

/// A run of this length was a good one: what comes after it is the first failure again.
const GOOD_RUN: Duration = Duration::from_secs(10);

/// What the record keeps of a container's restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Restarts {
    /// How often the policy has started it since a person did.
    pub count: u32,
    /// Milliseconds that were waited before the last restart.
    pub waited: u64,
    /// Whether a person has stopped it, so that it stays stopped.
    pub by_hand: bool,
}

/// Whether these make sense together.
///
/// # Errors
/// In Docker's words.
pub fn check(host: &HostConfig) -> Result<()> {
    let Some(policy) = &host.restart_policy else { return Ok(()) };
    let retries = policy.maximum_retry_count.unwrap_or(0);
    let name = policy.name.unwrap_or(Name::EMPTY);
    let wrong = match name {
        Name::EMPTY => return Ok(()),
        Name::ON_FAILURE if retries < 0 => "invalid restart policy: maximum retry count cannot be negative",
        Name::NO | Name::ALWAYS | Name::UNLESS_STOPPED if retries < 0 => {
            "invalid restart policy: maximum retry count can only be used with 'on-failure' and cannot be \
             negative"
        }
        Name::NO | Name::ALWAYS | Name::UNLESS_STOPPED if retries > 0 => {
            "invalid restart policy: maximum retry count can only be used with 'on-failure'"
        }
        Name::ALWAYS | Name::UNLESS_STOPPED | Name::ON_FAILURE if host.auto_remove == Some(true) => {
            "can't create 'AutoRemove' container with restart policy"
        }
        _ => return Ok(()),
    };
    Err(Error::invalid(wrong))
}

/// How long to wait before the next start of a container that has just ended so; none if it is to stay
/// as it is.
fn pause(host: &HostConfig, restarts: Restarts, code: i32, ran: Duration) -> Option<Duration> {
    let policy = host.restart_policy.clone().unwrap_or_default();
    let retries = policy.maximum_retry_count.unwrap_or(0);
    let again = match policy.name.unwrap_or(Name::EMPTY) {
        Name::EMPTY | Name::NO => false,
        _ if restarts.by_hand => false,
        Name::ALWAYS | Name::UNLESS_STOPPED => true,
        Name::ON_FAILURE => code != 0 && (retries <= 0 || i64::from(restarts.count) < retries),
    };
    let waited = if ran >= GOOD_RUN { Duration::ZERO } else { Duration::from_millis(restarts.waited) };
    again.then(|| (waited * 2).clamp(FIRST, LONGEST))
}

/// Decides what comes after the end of a run, and counts it in the record: how long to wait for the next one,
/// if there is to be one.
pub fn decide(record: &mut Record<Config>, code: i32) -> Option<Duration> {
    let wait = pause(&record.config.host(), record.config.restarts, code, has_run(&record.state))?;
    record.config.restarts.count += 1;
    record.config.restarts.waited = wait.as_millis() as u64;
    Some(wait)
}

/// Starts it again after a while, unless somebody has stopped, started or removed it meanwhile.
pub fn later(engine: &Arc<Engine>, container: &Arc<Container>, wait: Duration) {
    let (engine, container) = (engine.clone(), container.clone());
    let ended = container.life().borrow().ended;
    tokio::spawn(async move {
        tokio::time::sleep(wait).await;
        let _operation = container.operation.lock().await;
        let life = *container.life().borrow();
        if !container.is_restarting() || life.ended != ended || life.removed {
            return;
        }
        if let Err(error) = start::start_locked(&engine, &container).await {
            tracing::warn!("restarting container {}: {error}", container.id);
        }
    });
}

/// Somebody stops it: no restart comes after the end.
pub async fn stopped_by_hand(engine: &Arc<Engine>, container: &Arc<Container>) -> Result<()> {
    if container.with(|record| record.config.restarts.by_hand) {
        return Ok(());
    }
    change(engine, container, |restarts| restarts.by_hand = true).await
}

/// Somebody starts it: counting begins anew.
pub async fn started_by_hand(engine: &Arc<Engine>, container: &Arc<Container>) -> Result<()> {
    if container.with(|record| record.config.restarts) == Restarts::default() {
        return Ok(());
    }
    change(engine, container, |restarts| *restarts = Restarts::default()).await
}

async fn change(
    engine: &Arc<Engine>,
    container: &Arc<Container>,
    change: impl FnOnce(&mut Restarts) + Send + 'static,
) -> Result<()> {
    let (engine, container) = (engine.clone(), container.clone());
    blocking(move || engine.containers.change(&container, |record| change(&mut record.config.restarts))).await
}

/// One that waits for its next start has no process to be told to end: it only doesn't start any more.
/// Called with the operation held.
pub async fn give_up(engine: &Arc<Engine>, container: &Arc<Container>) -> Result<()> {
    stopped_by_hand(engine, container).await?;
    stop::cleaned(container).await;
    start::change(engine, container, |state| {
        if state.status == Status::Restarting {
            state.status = Status::Exited;
        }
    })
    .await?;
    container.tell(|life| life.restarting = false);
    Ok(())
}

/// What an engine brings back at its own start: what waited for its next run when the last engine
/// ended; and by `always` also what was stopped by hand, unless a client has started this engine only in
/// passing (`in_passing`).
pub async fn bring_back(engine: &Arc<Engine>, in_passing: bool) {
    for container in engine.containers.all() {
        let (status, policy, restarts) = container.with(|record| {
            let policy = record.config.host().restart_policy.and_then(|policy| policy.name);
            (record.state.status, policy, record.config.restarts)
        });
        let back = match status {
            Status::Restarting => true,
            Status::Exited => policy == Some(Name::ALWAYS) && restarts.by_hand && !in_passing,
            _ => false,
        };
        if back && status == Status::Exited {
            let marked = async {
                change(engine, &container, |restarts| *restarts = Restarts::default()).await?;
                start::change(engine, &container, |state| state.status = Status::Restarting).await
            };
            if let Err(error) = marked.await {
                tracing::warn!("container {}: {error}", container.id);
                continue;
            }
        }
        if back {
            container.tell(|life| life.restarting = true);
            later(engine, &container, Duration::ZERO);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(json: &str) -> HostConfig {
        serde_json::from_str(&format!("{{\"RestartPolicy\":{json}}}")).unwrap()
    }

    fn waits(json: &str, restarts: Restarts, code: i32, ran: u64) -> Option<u64> {
        let wait = pause(&host(json), restarts, code, Duration::from_secs(ran));
        wait.map(|wait| wait.as_millis() as u64)
    }

    #[test]
    fn who_is_restarted_is_what_the_policy_says() {
        let first = Restarts::default();
        let by_hand = Restarts { by_hand: true, ..first };
        assert_eq!(waits(r#"{"Name":"no"}"#, first, 1, 0), None);
        assert_eq!(waits("{}", first, 1, 0), None);
        for policy in [r#"{"Name":"always"}"#, r#"{"Name":"unless-stopped"}"#] {
            assert_eq!(waits(policy, first, 0, 0), Some(100));
            assert_eq!(waits(policy, by_hand, 0, 0), None);
        }
        let policy = r#"{"Name":"on-failure","MaximumRetryCount":2}"#;
        assert_eq!(waits(policy, first, 0, 0), None);
        assert_eq!(waits(policy, first, 3, 0), Some(100));
        assert_eq!(waits(policy, Restarts { count: 1, ..first }, 3, 0), Some(100));
        assert_eq!(waits(policy, Restarts { count: 2, ..first }, 3, 0), None);
        assert_eq!(waits(r#"{"Name":"on-failure"}"#, Restarts { count: 99, ..first }, 3, 0), Some(100));
    }

    #[test]
    fn the_pause_doubles_up_to_a_minute_and_begins_anew_after_a_good_run() {
        let policy = r#"{"Name":"always"}"#;
        let after = |waited, ran| waits(policy, Restarts { waited, ..Restarts::default() }, 1, ran).unwrap();
        let mut wait = 0;
        let all: Vec<u64> = std::iter::from_fn(|| {
            wait = after(wait, 0);
            Some(wait)
        })
        .take(12)
        .collect();
        let doubled = [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000];
        assert_eq!(all, doubled);
        assert_eq!(after(51200, 9), 60000);
        assert_eq!(after(51200, 10), 100);
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_dockers_words() {
        for (json, words) in [
            (r#"{"Name":"always","MaximumRetryCount":3}"#, "can only be used with 'on-failure'"),
            (r#"{"Name":"no","MaximumRetryCount":-1}"#, "'on-failure' and cannot be negative"),
            (r#"{"Name":"on-failure","MaximumRetryCount":-1}"#, "maximum retry count cannot be negative"),
        ] {
            let error = check(&host(json)).unwrap_err();
            assert!(error.message.contains(words), "{json}: {error}");
        }
        let removed = HostConfig { auto_remove: Some(true), ..host(r#"{"Name":"always"}"#) };
        assert!(check(&removed).unwrap_err().message.contains("AutoRemove"));
        check(&HostConfig { auto_remove: Some(true), ..host(r#"{"Name":"no"}"#) }).unwrap();
        check(&host(r#"{"Name":"on-failure","MaximumRetryCount":5}"#)).unwrap();
    }
}
