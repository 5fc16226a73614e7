//! `/_ping`, `/version`, `/info`, and what is only ours.

use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use lifecycle::record::Status;
use serde_json::{Value, json};

use super::error::Result;
use super::query::Params;
use super::{App, End, NO_CONTENT, OLDEST, VERSION, df, events, to_the_end};
use crate::build_id::build_id;
use crate::engine::error::Error;
use crate::engine::reconcile;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/_ping", get(ping))
        .route("/version", get(version))
        .route("/info", get(info))
        .route("/events", get(events::events))
        .route("/system/df", get(df::df))
        .route("/auth", post(auth))
        .route("/canoa/stop", post(stop))
        .route("/canoa/reset", post(reset))
}

async fn ping(State(app): State<App>) -> impl IntoResponse {
    let headers = [
        // For our own client: one that was started by a client is replaced when it is of another build.
        (HeaderName::from_static("canoa-autostarted"), if app.autostarted { "1" } else { "0" }),
        // Ended by us, it would be there again at once.
        (HeaderName::from_static("canoa-activated"), if app.activated { "1" } else { "0" }),
        (header::CACHE_CONTROL, "no-cache, no-store, must-revalidate"),
        (header::PRAGMA, "no-cache"),
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
    ];
    (headers, "OK")
}

async fn version() -> Json<Value> {
    let api = format!("{}.{}", VERSION.0, VERSION.1);
    let oldest = format!("{}.{}", OLDEST.0, OLDEST.1);
    let canoa = env!("CARGO_PKG_VERSION");
    let host = Host::look();
    Json(json!({
        "Platform": { "Name": "canoa" },
        "Components": [{
            "Name": "Engine",
            "Version": canoa,
            "Details": {
                "ApiVersion": api, "MinAPIVersion": oldest, "Arch": host.go_arch, "Os": "linux",
                "KernelVersion": host.kernel, "GitCommit": build_id(), "GoVersion": "", "BuildTime": "",
                "Experimental": "false",
            },
        }],
        "Version": canoa,
        "ApiVersion": api,
        "MinAPIVersion": oldest,
        "GitCommit": build_id(),
        "GoVersion": "",
        "Os": "linux",
        "Arch": host.go_arch,
        "KernelVersion": host.kernel,
        "BuildTime": "",
    }))
}

/// What the machine is.
struct Host {
    kernel: String,
    name: String,
    arch: String,
    go_arch: &'static str,
    memory: u64,
    cpus: usize,
    system: String,
}

impl Host {
    fn look() -> Host {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let memory = read("/proc/meminfo");
        let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let kibibytes =
            memory.and_then(|rest| rest.split_whitespace().next()).and_then(|text| text.parse().ok());
        let release = read("/etc/os-release");
        let system = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        Host {
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            name: read("/proc/sys/kernel/hostname").trim().to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            // Go's name for it, which is the API's.
            go_arch: match std::env::consts::ARCH {
                "x86_64" => "amd64",
                "aarch64" => "arm64",
                other => other,
            },
            memory: kibibytes.unwrap_or(0u64) * 1024,
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            system: system.unwrap_or("Linux").trim_matches('"').to_owned(),
        }
    }
}

async fn info(State(app): State<App>) -> Result {
    let engine = app.engine.clone();
    let images = crate::engine::error::blocking(move || Ok(engine.images.store.list()?.len())).await?;
    let host = Host::look();
    let containers = app.engine.containers.all();
    let running = containers.iter().filter(|container| container.is_running()).count();
    let paused = containers.iter().filter(|container| container.state().status == Status::Paused).count();
    let engine = app.engine.clone();
    let support = crate::engine::error::blocking(move || Ok(engine.support().clone())).await?;
    let v2 = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let rootless = app.engine.settings.netns.is_some();
    let mut security = vec!["name=seccomp,profile=builtin"];
    if v2 {
        security.push("name=cgroupns");
    }
    if rootless {
        security.push("name=rootless");
    }
    // In parts: one is too large for the macro.
    let mut answer = json!({
        "ID": build_id(),
        "Containers": containers.len(),
        "ContainersRunning": running - paused,
        "ContainersPaused": paused,
        "ContainersStopped": containers.len() - running,
        "Images": images,
        "Driver": "overlay2",
        "DriverStatus": [["Backing", "overlayfs, mounted detached: no mount on the host"]],
        "Plugins": { "Volume": ["local"], "Network": ["bridge", "host", "null"], "Authorization": null, "Log": ["json-file", "local", "none"] },
    });
    let more = json!({
        "MemoryLimit": support.memory, "SwapLimit": support.swap, "CpuCfsPeriod": support.cpu_quota,
        "CpuCfsQuota": support.cpu_quota, "CPUShares": support.cpu_shares, "CPUSet": support.cpuset,
        "PidsLimit": support.pids, "OomKillDisable": support.oom_kill_disable, "IPv4Forwarding": true,
        "Debug": false, "NFd": 0, "NGoroutines": 0, "NEventsListener": app.engine.events.listeners(),
        "SystemTime": lifecycle::record::now(),
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": if v2 { "2" } else { "1" },
        "KernelVersion": host.kernel,
        "OperatingSystem": host.system,
        "OSVersion": "",
        "OSType": "linux",
        "Architecture": host.arch,
    });
    let last = json!({
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": { "InsecureRegistryCIDRs": ["127.0.0.0/8", "::1/128"], "IndexConfigs": {}, "Mirrors": null },
        "NCPU": host.cpus,
        "MemTotal": host.memory,
        "GenericResources": null,
        "DockerRootDir": app.engine.settings.data_root,
        "HttpProxy": "", "HttpsProxy": "", "NoProxy": "",
        "Name": host.name,
        "Labels": [],
        "ExperimentalBuild": false,
        "ServerVersion": env!("CARGO_PKG_VERSION"),
        "Runtimes": { "canoa": { "path": "canoa monitor" } },
        "DefaultRuntime": "canoa",
        "Swarm": { "NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": false, "Error": "", "RemoteManagers": null },
        "LiveRestoreEnabled": true,
        "Isolation": "",
        "InitBinary": "canoa",
        "ContainerdCommit": { "ID": "" }, "RuncCommit": { "ID": "" }, "InitCommit": { "ID": build_id() },
        "SecurityOptions": security,
        "Warnings": null,
    });
    for part in [more, last] {
        if let (Value::Object(answer), Value::Object(part)) = (&mut answer, part) {
            answer.extend(part);
        }
    }
    Ok(Json(answer).into_response())
}

async fn auth() -> super::error::ApiError {
    super::error::ApiError(Error::unsupported("login"))
}

/// Only ours: `canoa system stop`; with `reason=replace` a client has another build to put in our
/// place.
async fn stop(State(app): State<App>, params: Params) -> Result {
    let end = if params.text("reason") == Some("replace") { End::Replace } else { End::Stop };
    app.end.try_send(end).map_err(|_| Error::conflict("the daemon is ending already"))?;
    Ok(NO_CONTENT.into_response())
}

/// Only ours: `canoa system reset`. Everything is gone when it is answered, and so is the daemon soon.
async fn reset(State(app): State<App>) -> Result {
    let engine = app.engine.clone();
    to_the_end(async move { reconcile::remove_all(&engine).await }).await?;
    app.end.try_send(End::Reset).map_err(|_| Error::conflict("the daemon is ending already"))?;
    Ok(NO_CONTENT.into_response())
}
