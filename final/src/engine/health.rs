//! Health checks: a command is run in the container now and then, and says whether it is well.
//!
//! A container begins as `starting`. One check that succeeds makes it `healthy`; so many failures in a
//! row as `retries` says make it `unhealthy`, of which those right after the start (`start_period`) don't
//! count as long as it was never well. All as Docker has it; what is known is in `health.json`, so an
//! engine that comes back goes on from there.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::images::config::Healthcheck;
use bollard_stubs::models::{ContainerCreateBody, HealthConfig};
use lifecycle::record::{Status, now, replace};
use serde::{Deserialize, Serialize};

use super::Engine;
use super::containers::{Container, has_run};
use super::error::{Error, Result, blocking};
use probe::probe;

mod probe;

/// So many results are kept.
const KEPT: usize = 5;

/// The shortest time that Docker lets these be, in nanoseconds: a millisecond.
const SHORTEST: i64 = 1_000_000;

/// What is known of a container's health, in Docker's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Health {
    /// In one word.
    pub status: Word,
    /// How many checks in a row have failed.
    pub failing_streak: i64,
    /// The last results, the oldest first.
    pub log: Vec<Outcome>,
}

/// A container's health in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// It was never well since its start, and may become so.
    Starting,
    /// The last check that counted succeeded.
    Healthy,
    /// Too many have failed in a row; or it doesn't run.
    Unhealthy,
}

impl Word {
    /// The word itself: `healthy`.
    pub fn word(self) -> &'static str {
        match self {
            Word::Starting => "starting",
            Word::Healthy => "healthy",
            Word::Unhealthy => "unhealthy",
        }
    }
}

/// How one check went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Outcome {
    /// RFC 3339.
    pub start: String,
    /// The same.
    pub end: String,
    /// 0 for well; -1 when the check could not be made, or took too long.
    pub exit_code: i32,
    /// The beginning of what it said.
    pub output: String,
}

/// Where a container's health is kept: nothing, if nobody looks.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Option<Health>>);

impl Kept {
    /// What is known now.
    pub fn get(&self) -> Option<Health> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, health: Health) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(health);
    }
}

/// What to do, with Docker's values where nothing was said.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan {
    command: Vec<String>,
    interval: Duration,
    timeout: Duration,
    start_period: Duration,
    start_interval: Duration,
    retries: i64,
}

impl Plan {
    /// None if there is nothing to check.
    fn of(body: &ContainerCreateBody) -> Option<Plan> {
        let check = body.healthcheck.as_ref()?;
        let (kind, words) = check.test.as_ref()?.split_first()?;
        let command = match kind.as_str() {
            "CMD" => words.to_vec(),
            "CMD-SHELL" => {
                let own = body.shell.clone().filter(|shell| !shell.is_empty());
                let mut shell = own.unwrap_or_else(|| ["/bin/sh", "-c"].map(str::to_owned).to_vec());
                shell.extend_from_slice(words);
                shell
            }
            _ => return None,
        };
        let time = |given: Option<i64>, usual| {
            let given = given.and_then(|time| u64::try_from(time).ok()).filter(|time| *time > 0);
            given.map_or(Duration::from_secs(usual), Duration::from_nanos)
        };
        Some(Plan {
            command,
            interval: time(check.interval, 30),
            timeout: time(check.timeout, 30),
            start_period: time(check.start_period, 0),
            start_interval: time(check.start_interval, 5),
            retries: check.retries.filter(|retries| *retries > 0).unwrap_or(3),
        })
    }
}

/// Whether a health check makes sense.
///
/// # Errors
/// In Docker's words; and for a kind of test that there isn't, which Docker would leave out in silence.
pub fn check(body: &ContainerCreateBody) -> Result<()> {
    let Some(check) = &body.healthcheck else { return Ok(()) };
    for (name, time) in [
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ] {
        if time.is_some_and(|time| time != 0 && time < SHORTEST) {
            return Err(Error::invalid(format!("{name} in Healthcheck cannot be less than 1ms")));
        }
    }
    if check.retries.is_some_and(|retries| retries < 0) {
        return Err(Error::invalid("Retries in Healthcheck cannot be negative"));
    }
    match check.test.as_deref() {
        None | Some([]) => Ok(()),
        Some([kind, ..]) if kind == "NONE" || kind.is_empty() => Ok(()),
        Some([kind, _, ..]) if kind == "CMD" || kind == "CMD-SHELL" => Ok(()),
        Some([kind, ..]) if kind == "CMD" || kind == "CMD-SHELL" => {
            Err(Error::invalid(format!("the Healthcheck has no command after {kind}")))
        }
        Some([kind, ..]) => Err(Error::invalid(format!(
            "Unknown healthcheck type '{}' (expected 'CMD', 'CMD-SHELL' or 'NONE')",
            kind.escape_debug()
        ))),
    }
}

/// The image's health check, where the container's own says nothing.
pub fn merge(own: &mut Option<HealthConfig>, image: Option<&Healthcheck>) {
    let Some(image) = image else { return };
    let own = own.get_or_insert_default();
    if own.test.as_ref().is_none_or(Vec::is_empty) {
        own.test = Some(image.test.clone());
    }
    for (own, image) in [
        (&mut own.interval, image.interval),
        (&mut own.timeout, image.timeout),
        (&mut own.start_period, image.start_period),
        (&mut own.start_interval, image.start_interval),
        (&mut own.retries, image.retries),
    ] {
        if own.is_none_or(|value| value == 0) {
            *own = Some(image).filter(|value| *value != 0);
        }
    }
}

/// Begins with the checks of a container that has just been started.
pub fn begin(engine: &Arc<Engine>, container: &Arc<Container>) {
    let log = container.health.get().or_else(|| read(container)).map(|health| health.log);
    let health = Health { status: Word::Starting, failing_streak: 0, log: log.unwrap_or_default() };
    watch(engine, container, health);
}

/// Goes on with those of a container that was running when the last engine ended.
pub fn go_on(engine: &Arc<Engine>, container: &Arc<Container>) {
    let new = Health { status: Word::Starting, failing_streak: 0, log: vec![] };
    watch(engine, container, read(container).unwrap_or(new));
}

/// What the last engine knew of one that doesn't run.
pub fn remember(container: &Container) {
    if container.with(|record| Plan::of(&record.config.body)).is_some()
        && let Some(health) = read(container)
    {
        container.health.set(Health { status: Word::Unhealthy, ..health });
    }
}

fn read(container: &Container) -> Option<Health> {
    let text = fs::read(container.folder.join("health.json")).ok()?;
    serde_json::from_slice(&text).ok()
}

fn watch(engine: &Arc<Engine>, container: &Arc<Container>, health: Health) {
    let Some(plan) = container.with(|record| Plan::of(&record.config.body)) else { return };
    container.health.set(health);
    let (engine, container) = (engine.clone(), container.clone());
    let mut life = container.life();
    let run = life.borrow_and_update().ended;
    tokio::spawn(async move {
        // By its end, or by another run.
        let over = async move { drop(life.wait_for(|life| !life.running || life.ended != run).await) };
        tokio::select! {
            () = over => {}
            () = keep_checking(&engine, &container, &plan) => {}
        }
        if let Some(health) = container.health.get() {
            keep(&container, Health { status: Word::Unhealthy, ..health }).await;
        }
    });
}

async fn keep_checking(engine: &Arc<Engine>, container: &Arc<Container>, plan: &Plan) {
    loop {
        let Some(health) = container.health.get() else { return };
        let beginning = health.status == Word::Starting && has_run(&container.state()) < plan.start_period;
        tokio::time::sleep(if beginning { plan.start_interval } else { plan.interval }).await;
        // What stands still can't be asked.
        if container.state().status == Status::Paused {
            continue;
        }
        let (start, early) = (now(), has_run(&container.state()) < plan.start_period);
        let (exit_code, output) = probe(engine, container, plan).await;
        let outcome = Outcome { start, end: now(), exit_code, output };
        let next = after(health.clone(), outcome, early, plan.retries);
        let changed = (next.status != health.status).then_some(next.status);
        keep(container, next).await;
        if let Some(word) = changed {
            engine.events.container(&format!("health_status: {}", word.word()), container);
        }
    }
}

/// What one more result makes of it. `early`: within the time in which failures don't count.
fn after(mut health: Health, outcome: Outcome, early: bool, retries: i64) -> Health {
    if outcome.exit_code == 0 {
        (health.status, health.failing_streak) = (Word::Healthy, 0);
    } else if !(early && health.status == Word::Starting) {
        health.failing_streak += 1;
        if health.failing_streak >= retries {
            health.status = Word::Unhealthy;
        }
    }
    health.log.push(outcome);
    let old = health.log.len().saturating_sub(KEPT);
    health.log.drain(..old);
    health
}

async fn keep(container: &Arc<Container>, health: Health) {
    container.health.set(health.clone());
    let container = container.clone();
    let written = blocking(move || {
        let path = container.folder.join("health.json");
        let text = serde_json::to_vec(&health).map_err(|error| Error::internal("writing JSON", error))?;
        match replace(&path, &text, false) {
            // Removed meanwhile, its folder with it.
            Err(_) if container.life().borrow().removed => Ok(()),
            written => Ok(written?),
        }
    });
    if let Err(error) = written.await {
        tracing::warn!("{error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(status: Word, failing_streak: i64) -> Health {
        Health { status, failing_streak, log: vec![] }
    }

    fn next(health: Health, exit_code: i32, early: bool) -> (Word, i64) {
        let outcome = Outcome { start: now(), end: now(), exit_code, output: String::new() };
        let health = after(health, outcome, early, 3);
        (health.status, health.failing_streak)
    }

    #[test]
    fn so_many_failures_in_a_row_make_it_unhealthy_and_one_success_makes_it_well() {
        assert_eq!(next(health(Word::Starting, 0), 1, false), (Word::Starting, 1));
        assert_eq!(next(health(Word::Healthy, 1), 1, false), (Word::Healthy, 2));
        assert_eq!(next(health(Word::Healthy, 2), -1, false), (Word::Unhealthy, 3));
        assert_eq!(next(health(Word::Unhealthy, 9), 0, false), (Word::Healthy, 0));
    }

    #[test]
    fn early_failures_do_not_count_unless_it_was_well_before() {
        assert_eq!(next(health(Word::Starting, 0), 1, true), (Word::Starting, 0));
        assert_eq!(next(health(Word::Healthy, 0), 1, true), (Word::Healthy, 1));
    }

    #[test]
    fn the_last_five_results_are_kept() {
        let mut all = health(Word::Starting, 0);
        for exit_code in 0..8 {
            let outcome = Outcome { start: now(), end: now(), exit_code, output: String::new() };
            all = after(all, outcome, false, 3);
        }
        let codes: Vec<i32> = all.log.iter().map(|outcome| outcome.exit_code).collect();
        assert_eq!(codes, [3, 4, 5, 6, 7]);
    }

    fn body(json: serde_json::Value) -> ContainerCreateBody {
        serde_json::from_value(serde_json::json!({ "Healthcheck": json })).unwrap()
    }

    #[test]
    fn a_check_that_makes_no_sense_is_refused() {
        for (json, words) in [
            (serde_json::json!({"Test": ["CMD", "x"], "Interval": 999_999}), "Interval in Healthcheck"),
            (serde_json::json!({"Timeout": -1}), "Timeout in Healthcheck cannot be less than 1ms"),
            (serde_json::json!({"StartPeriod": 5}), "StartPeriod in Healthcheck"),
            (serde_json::json!({"StartInterval": 5}), "StartInterval in Healthcheck"),
            (serde_json::json!({"Retries": -1}), "Retries in Healthcheck cannot be negative"),
            (serde_json::json!({"Test": ["CMD"]}), "no command after CMD"),
            (serde_json::json!({"Test": ["curl", "x"]}), "Unknown healthcheck type 'curl'"),
        ] {
            let error = check(&body(json)).unwrap_err();
            assert!(error.message.contains(words), "{words}: {error}");
        }
        check(&body(serde_json::json!({"Test": ["NONE"]}))).unwrap();
        check(&body(serde_json::json!({"Test": ["CMD-SHELL", "true"], "Interval": 1_000_000}))).unwrap();
    }

    #[test]
    fn what_a_container_does_not_say_its_image_does() {
        let image =
            Healthcheck { test: vec!["CMD".into(), "x".into()], interval: 7, ..Healthcheck::default() };
        let mut own = None;
        merge(&mut own, Some(&image));
        let merged = own.unwrap();
        assert_eq!((merged.test.unwrap().len(), merged.interval, merged.timeout), (2, Some(7), None));
        let mut own = Some(HealthConfig { interval: Some(9), ..HealthConfig::default() });
        merge(&mut own, Some(&image));
        assert_eq!(own.unwrap().interval, Some(9));
        let mut own = body(serde_json::json!({"Test": ["NONE"]})).healthcheck;
        merge(&mut own, Some(&image));
        assert_eq!(own.unwrap().test.unwrap(), ["NONE"]);
    }
}
