//! `/volumes`.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use bollard_stubs::models::VolumeCreateRequest;
use serde_json::{Value, json};

use super::error::Result;
use super::query::Params;
use super::{App, NO_CONTENT, body, containers::volume_users};
use crate::engine::error::{Error, blocking};
use crate::engine::volumes::{self, Volume};

pub fn routes() -> Router<App> {
    Router::new()
        .route("/volumes", get(list))
        .route("/volumes/create", post(create))
        .route("/volumes/{name}", get(inspect).delete(remove))
}

async fn list(State(app): State<App>, params: Params) -> Result {
    let filters = params.filters(&["dangling", "driver", "label", "name"])?;
    let dangling = filters.flag("dangling")?;
    let fits = |volume: &Volume| {
        filters.any("name", |name| volume.name.contains(name))
            && filters.any("driver", |driver| driver == "local")
            && filters.labels(|name| volume.labels.get(name).map(String::as_str))
            && dangling.is_none_or(|dangling| (volume_users(&app, &volume.name) == 0) == dangling)
    };
    let all = app.engine.volumes.all();
    let list: Vec<Value> =
        all.iter().filter(|volume| fits(volume)).map(|volume| show(&app, volume)).collect();
    Ok(Json(json!({ "Volumes": list, "Warnings": null })).into_response())
}

/// A volume as `GET /volumes` shows it.
pub fn show(app: &App, volume: &Volume) -> Value {
    json!({
        "CreatedAt": volume.created_at,
        "Driver": "local",
        "Labels": if volume.labels.is_empty() { Value::Null } else { json!(volume.labels) },
        "Mountpoint": app.engine.volumes.data(&volume.name),
        "Name": volume.name,
        "Options": null,
        "Scope": "local",
    })
}

async fn create(State(app): State<App>, bytes: Bytes) -> Result {
    let request: VolumeCreateRequest = body::parse(&bytes)?;
    if request.driver.as_deref().is_some_and(|driver| !["", "local"].contains(&driver)) {
        return Err(Error::unsupported("a volume driver other than local").into());
    }
    if request.driver_opts.is_some_and(|options| !options.is_empty()) {
        return Err(Error::unsupported("options of a volume (--opt)").into());
    }
    if request.cluster_volume_spec.is_some() {
        return Err(Error::unsupported("a cluster volume").into());
    }
    let name = request.name.filter(|name| !name.is_empty());
    let labels: BTreeMap<String, String> = request.labels.unwrap_or_default().into_iter().collect();
    let engine = app.engine.clone();
    let volume = blocking(move || {
        let known = name.as_deref().is_some_and(|name| engine.volumes.find(name).is_ok());
        let volume = engine.volumes.create(name.as_deref(), labels)?;
        if !known {
            engine.events.volume("create", &volume.name, &[]);
        }
        Ok(volume)
    })
    .await?;
    Ok((StatusCode::CREATED, Json(show(&app, &volume))).into_response())
}

async fn inspect(State(app): State<App>, Path(name): Path<String>) -> Result {
    let volume = app.engine.volumes.find(&name)?;
    Ok(Json(show(&app, &volume)).into_response())
}

async fn remove(State(app): State<App>, Path(name): Path<String>, params: Params) -> Result {
    let force = params.flag("force");
    blocking(move || volumes::remove(&app.engine, &name, force)).await?;
    Ok(NO_CONTENT.into_response())
}
