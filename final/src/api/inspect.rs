//! `GET /containers/{id}/json`: everything there is to know of a container.
//!
//! Structs of our own, because clients read fields that are gone from newer descriptions of the API
//! (`NetworkSettings.IPAddress`), and because dockerd writes a null where others leave a field out.

mod host_config;
mod mount_point;
mod network_settings;

use std::collections::BTreeMap;

use bollard_stubs::models::HealthConfig;
use images::usage;
use lifecycle::record::{Record, Status};
use serde::Serialize;
use serde_json::{Value, json};

use super::order::Ordered;
use super::times::NEVER;
use crate::engine::Engine;
use crate::engine::config::Config;
use crate::engine::containers::Container;
use crate::engine::files::hostname;
use crate::engine::health::Health;
use crate::engine::log_driver;
pub use mount_point::{MountPoint, mount_points};
pub use network_settings::{EndpointSettings, NetworkSettings, endpoints, mac_text};

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Inspect {
    id: String,
    created: String,
    path: String,
    args: Vec<String>,
    state: InspectState,
    image: String,
    resolv_conf_path: String,
    hostname_path: String,
    hosts_path: String,
    log_path: String,
    name: String,
    restart_count: u32,
    driver: &'static str,
    platform: &'static str,
    mount_label: &'static str,
    process_label: &'static str,
    app_armor_profile: &'static str,
    #[serde(rename = "ExecIDs")]
    exec_ids: Option<Vec<String>>,
    host_config: Ordered,
    graph_driver: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_rw: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_root_fs: Option<u64>,
    mounts: Vec<MountPoint>,
    config: InspectConfig,
    network_settings: NetworkSettings,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct InspectState {
    status: &'static str,
    running: bool,
    paused: bool,
    restarting: bool,
    #[serde(rename = "OOMKilled")]
    oom_killed: bool,
    dead: bool,
    pid: i32,
    exit_code: i32,
    error: String,
    started_at: String,
    finished_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<Health>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct InspectConfig {
    hostname: String,
    domainname: String,
    user: String,
    attach_stdin: bool,
    attach_stdout: bool,
    attach_stderr: bool,
    #[serde(skip_serializing_if = "Value::is_null")]
    exposed_ports: Value,
    tty: bool,
    open_stdin: bool,
    stdin_once: bool,
    env: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    healthcheck: Option<HealthConfig>,
    image: String,
    volumes: Value,
    working_dir: String,
    entrypoint: Option<Vec<String>>,
    on_build: Option<Vec<String>>,
    labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_signal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_timeout: Option<i64>,
}

/// A container as `docker inspect` shows it.
pub fn inspect(engine: &Engine, container: &Container, size: bool) -> Inspect {
    let record = container.record();
    let config = &record.config;
    // They are written by its first start.
    let began = record.state.started_at.is_some();
    let file = |name: &str, there: bool| match there {
        true => container.folder.join(name).display().to_string(),
        false => String::new(),
    };
    let mut command = config.command().into_iter();
    let execs = engine.execs.of(&record.id);
    let size_rw = size.then(|| usage(&container.folder.join("upper")));
    let image_size = || engine.images.find(&config.image_id).map_or(0, |image| image.size);
    Inspect {
        id: record.id.clone(),
        created: record.created_at.clone(),
        path: command.next().unwrap_or_default(),
        args: command.collect(),
        state: state(&record, container.health.get()),
        image: config.image_id.clone(),
        resolv_conf_path: file("resolv.conf", began),
        hostname_path: file("hostname", began),
        hosts_path: file("hosts", began),
        log_path: file("log.json", began && log_driver::check_readable(&config.host()).is_ok()),
        name: format!("/{}", record.name),
        restart_count: config.restarts.count,
        driver: "overlay2",
        platform: "linux",
        mount_label: "",
        process_label: "",
        app_armor_profile: "",
        exec_ids: (!execs.is_empty()).then_some(execs),
        host_config: host_config::host_config(config),
        graph_driver: graph_driver(container, config),
        size_rw,
        size_root_fs: size_rw.map(|size| size + image_size()),
        mounts: mount_points(config),
        config: inspect_config(&record),
        network_settings: NetworkSettings::of(engine, &record),
    }
}

fn state(record: &Record<Config>, health: Option<Health>) -> InspectState {
    let state = &record.state;
    InspectState {
        status: state.status.word(),
        running: matches!(state.status, Status::Running | Status::Paused | Status::Restarting),
        paused: state.status == Status::Paused,
        restarting: state.status == Status::Restarting,
        oom_killed: state.oom_killed,
        dead: state.status == Status::Dead,
        pid: state.process.map_or(0, |process| process.pid),
        exit_code: state.exit_code,
        error: state.error.clone(),
        started_at: state.started_at.clone().unwrap_or_else(|| NEVER.to_owned()),
        finished_at: state.finished_at.clone().unwrap_or_else(|| NEVER.to_owned()),
        health,
    }
}

fn inspect_config(record: &Record<Config>) -> InspectConfig {
    let config = &record.config;
    let body = &config.body;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let keys = |list: &Option<Vec<String>>| match list {
        Some(list) if !list.is_empty() => {
            Value::Object(list.iter().map(|key| (key.clone(), json!({}))).collect())
        }
        _ => Value::Null,
    };
    InspectConfig {
        hostname: hostname(record),
        domainname: text(&body.domainname),
        user: text(&body.user),
        attach_stdin: body.attach_stdin == Some(true),
        attach_stdout: body.attach_stdout == Some(true),
        attach_stderr: body.attach_stderr == Some(true),
        exposed_ports: keys(&body.exposed_ports),
        tty: config.tty(),
        open_stdin: body.open_stdin == Some(true),
        stdin_once: body.stdin_once == Some(true),
        env: body.env.clone().filter(|env| !env.is_empty()),
        cmd: body.cmd.clone(),
        image: config.image.clone(),
        volumes: keys(&body.volumes),
        working_dir: text(&body.working_dir),
        entrypoint: body.entrypoint.clone(),
        on_build: body.on_build.clone(),
        labels: body.labels.clone().unwrap_or_default().into_iter().collect(),
        stop_signal: body.stop_signal.clone(),
        stop_timeout: body.stop_timeout,
        healthcheck: body.healthcheck.clone(),
    }
}

fn graph_driver(container: &Container, config: &Config) -> Value {
    let layers: Vec<String> = config.layers.iter().rev().map(|path| path.display().to_string()).collect();
    json!({
        "Name": "overlay2",
        "Data": {
            "LowerDir": layers.join(":"),
            "MergedDir": container.folder.join("rootfs"),
            "UpperDir": container.folder.join("upper"),
            "WorkDir": container.folder.join("work"),
        },
    })
}
