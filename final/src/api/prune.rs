//! `POST /containers/prune` and the like: removing what nobody uses.

use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Extension, Json, Router};
use serde_json::{Value, json};

use super::error::Result;
use super::images::removed_line;
use super::query::{Filters, Params};
use super::{App, Version, to_the_end};
use crate::engine::error::{self, Error};
use crate::engine::prune::{self, Chosen};
use crate::moment;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/containers/prune", post(containers))
        .route("/networks/prune", post(networks))
        .route("/volumes/prune", post(volumes))
        .route("/images/prune", post(images))
        .route("/build/prune", post(build))
}

fn chosen(filters: &Filters) -> error::Result<Chosen> {
    let all = |key: &str| filters.get(key).unwrap_or_default().to_vec();
    let until = match filters.get("until") {
        None => None,
        Some([one]) => Some(moment::timestamp(one).map_err(|_| bad_until(one))?),
        Some(_) => return Err(Error::invalid("more than one until filter specified")),
    };
    Ok(Chosen { labels: all("label"), without: all("label!"), until })
}

fn bad_until(text: &str) -> Error {
    Error::invalid(match text.contains('-') {
        true => format!("parsing time {text:?}: it is no date and time such as 2026-11-24T04:33:00Z"),
        false => format!("failed to parse value as time or duration: {text:?}"),
    })
}

/// Go writes an empty list so.
fn or_null(list: Vec<impl Into<Value>>) -> Value {
    if list.is_empty() { Value::Null } else { list.into() }
}

async fn containers(State(app): State<App>, params: Params) -> Result {
    let chosen = chosen(&params.filters(&["label", "label!", "until"])?)?;
    let (deleted, space) = to_the_end(async move { prune::containers(&app.engine, &chosen).await }).await?;
    Ok(Json(json!({ "ContainersDeleted": or_null(deleted), "SpaceReclaimed": space })).into_response())
}

async fn networks(State(app): State<App>, params: Params) -> Result {
    let chosen = chosen(&params.filters(&["label", "label!", "until"])?)?;
    let deleted = to_the_end(async move { prune::networks(&app.engine, &chosen).await }).await?;
    Ok(Json(json!({ "NetworksDeleted": or_null(deleted) })).into_response())
}

async fn volumes(State(app): State<App>, Extension(version): Extension<Version>, params: Params) -> Result {
    let filters = params.filters(&["all", "label", "label!"])?;
    let chosen = chosen(&filters)?;
    // Before 1.42 all were meant, also those with a name.
    let all = version < Version(1, 42) || filters.flag("all")? == Some(true);
    let (deleted, space) = to_the_end(async move { prune::volumes(&app.engine, &chosen, all).await }).await?;
    Ok(Json(json!({ "VolumesDeleted": deleted, "SpaceReclaimed": space })).into_response())
}

async fn images(State(app): State<App>, params: Params) -> Result {
    let filters = params.filters(&["dangling", "label", "label!", "until"])?;
    let (chosen, dangling) = (chosen(&filters)?, filters.flag("dangling")?.unwrap_or(true));
    let (removed, space) =
        to_the_end(async move { prune::images(&app.engine, &chosen, dangling).await }).await?;
    let deleted = or_null(removed.iter().map(removed_line).collect());
    Ok(Json(json!({ "ImagesDeleted": deleted, "SpaceReclaimed": space })).into_response())
}

/// There is no cache of builds.
async fn build(State(app): State<App>) -> Json<Value> {
    app.engine.events.pruned("builder", 0);
    Json(json!({ "CachesDeleted": null, "SpaceReclaimed": 0 }))
}
