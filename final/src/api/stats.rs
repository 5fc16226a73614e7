//! `/containers/{id}/stats`.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use cgroups::Statistics;
use futures_util::stream;
use serde_json::{Map, Value, json};

use super::error::Result;
use super::query::Params;
use super::times::NEVER;
use super::{App, Version};
use crate::engine::containers::Container;
use crate::engine::error::{Error, blocking};
use crate::engine::stats::{self, Sample};

/// Docker's own: a look each second.
const PAUSE: Duration = Duration::from_secs(1);

/// Once, or again and again. A second look tells how much was used in between: for one answer the client
/// waits for it, unless it says `one-shot`.
pub async fn stats(
    State(app): State<App>,
    Path(name): Path<String>,
    Extension(version): Extension<Version>,
    params: Params,
) -> Result {
    let container = app.engine.containers.find(&name)?;
    let stream = params.text("stream").is_none() || params.flag("stream");
    let one_shot = params.flag("one-shot") && version >= Version(1, 41);
    if stream && one_shot {
        return Err(Error::invalid("cannot have stream=true and one-shot=true").into());
    }
    let look = async move |app: &App, container: &std::sync::Arc<Container>| {
        let (engine, container) = (app.engine.clone(), container.clone());
        blocking(move || stats::look(&engine, &container)).await
    };
    if !stream {
        let mut first = None;
        if !one_shot {
            first = look(&app, &container).await?;
            if first.is_some() {
                tokio::time::sleep(PAUSE).await;
            }
        }
        let second = look(&app, &container).await?;
        return Ok(Json(answer(&container, first.as_ref(), second.as_ref())).into_response());
    }
    // The first answer comes at once, with nothing to compare it with.
    let lines =
        stream::unfold((app, container, None, true), move |(app, container, before, first)| async move {
            if !first {
                let mut life = container.life();
                let removed = life.wait_for(|life| life.removed);
                if tokio::time::timeout(PAUSE, removed).await.is_ok() {
                    return None;
                }
            }
            let now = match look(&app, &container).await {
                Ok(now) => now,
                Err(error) => {
                    return Some((Err(std::io::Error::other(error)), (app, container, None, false)));
                }
            };
            let text = format!("{}\n", answer(&container, before.as_ref(), now.as_ref()));
            Some((Ok(Bytes::from(text)), (app, container, now, false)))
        });
    Ok(([(header::CONTENT_TYPE, "application/json")], Body::from_stream(lines)).into_response())
}

fn answer(container: &Container, before: Option<&Sample>, now: Option<&Sample>) -> Value {
    let mut answer = json!({
        "name": format!("/{}", container.name()),
        "id": container.id,
        "read": now.map_or(NEVER, |now| now.read.as_str()),
        "preread": before.map_or(NEVER, |before| before.read.as_str()),
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": cpu(now),
        "precpu_stats": cpu(before),
        "memory_stats": now.map_or(json!({}), memory),
        "pids_stats": now.map_or(json!({}), |now| pids(&now.group)),
        "blkio_stats": block_io(now.map(|now| &now.group)),
    });
    if let Some(now) = now.filter(|now| !now.interfaces.is_empty()) {
        let networks: Map<String, Value> = now
            .interfaces
            .iter()
            .map(|one| {
                let ([rx, rx_packets, rx_errors, rx_dropped], [tx, tx_packets, tx_errors, tx_dropped]) =
                    (one.received, one.sent);
                let counters = json!({
                    "rx_bytes": rx, "rx_packets": rx_packets, "rx_errors": rx_errors, "rx_dropped": rx_dropped,
                    "tx_bytes": tx, "tx_packets": tx_packets, "tx_errors": tx_errors, "tx_dropped": tx_dropped,
                });
                (one.name.clone(), counters)
            })
            .collect();
        answer["networks"] = networks.into();
    }
    answer
}

fn cpu(sample: Option<&Sample>) -> Value {
    let cpu = sample.and_then(|sample| sample.group.cpu.clone()).unwrap_or_default();
    let mut usage = json!({
        "total_usage": cpu.total, "usage_in_kernelmode": cpu.system, "usage_in_usermode": cpu.user,
    });
    if !cpu.by_processor.is_empty() {
        usage["percpu_usage"] = json!(cpu.by_processor);
    }
    let mut answer = json!({
        "cpu_usage": usage,
        "throttling_data": {
            "periods": cpu.periods, "throttled_periods": cpu.throttled_periods, "throttled_time": cpu.throttled,
        },
    });
    if let Some(sample) = sample {
        answer["system_cpu_usage"] = json!(sample.machine);
        answer["online_cpus"] = json!(sample.processors);
    }
    answer
}

fn memory(sample: &Sample) -> Value {
    let Some(memory) = &sample.group.memory else { return json!({}) };
    let limit = memory.limit.unwrap_or(u64::MAX).min(sample.memory);
    let mut answer = json!({ "usage": memory.used, "limit": limit, "stats": memory.details });
    if let Some(peak) = memory.peak {
        answer["max_usage"] = json!(peak);
    }
    answer
}

fn pids(group: &Statistics) -> Value {
    let Some(pids) = group.pids else { return json!({}) };
    // The largest number is Go's way to say "none".
    json!({ "current": pids.current, "limit": pids.limit.unwrap_or(u64::MAX) })
}

fn block_io(group: Option<&Statistics>) -> Value {
    let devices = group.and_then(|group| group.block_io.as_ref());
    let list = |read: fn(&cgroups::statistics::BlockIo) -> [u64; 2]| -> Option<Vec<Value>> {
        let lines = devices?.iter().flat_map(|device| {
            let words = ["read", "write"].into_iter().zip(read(device));
            words.map(|(op, value)| {
                json!({
                    "major": device.major, "minor": device.minor, "op": op, "value": value,
                })
            })
        });
        Some(lines.collect())
    };
    json!({
        "io_service_bytes_recursive": list(|device| [device.read_bytes, device.written_bytes]),
        "io_serviced_recursive": list(|device| [device.reads, device.writes]),
        "io_queue_recursive": null,
        "io_service_time_recursive": null,
        "io_wait_time_recursive": null,
        "io_merged_recursive": null,
        "io_time_recursive": null,
        "sectors_recursive": null,
    })
}
