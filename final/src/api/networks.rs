//! `/networks`.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::App;
use super::error::{ApiError, Result};
use super::inspect::mac_text;
use super::query::Params;
use crate::engine::Engine;
use crate::engine::error::Error;
use crate::engine::networks::Network;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/networks", get(list))
        .route("/networks/create", post(not_yet))
        .route("/networks/prune", post(prune))
        .route("/networks/{name}", get(inspect).delete(remove))
        .route("/networks/{name}/connect", post(not_yet))
        .route("/networks/{name}/disconnect", post(not_yet))
}

async fn not_yet() -> ApiError {
    ApiError(Error::unsupported("networks of your own"))
}

async fn list(State(app): State<App>, params: Params) -> Result {
    let filters = params.filters(&["driver", "id", "label", "name", "scope", "type", "dangling"])?;
    let fits = |network: &Network| {
        filters.any("driver", |driver| network.driver == driver)
            && filters.any("id", |id| network.id.starts_with(id))
            && filters.any("name", |name| network.name.contains(name))
            && filters.any("scope", |scope| scope == "local")
            // All three are always there: none is of the users' own making, none dangles.
            && filters.any("type", |kind| kind == "builtin")
            && filters.any("dangling", |dangling| matches!(dangling, "0" | "false"))
            && filters.labels(|_| None)
    };
    let all = app.engine.networks.all();
    let list: Vec<Value> =
        all.iter().filter(|one| fits(one)).map(|one| network(&app.engine, one, false)).collect();
    Ok(Json(list).into_response())
}

async fn inspect(State(app): State<App>, Path(name): Path<String>) -> Result {
    let found = app.engine.networks.find(&name)?;
    Ok(Json(network(&app.engine, &found, true)).into_response())
}

async fn remove(State(app): State<App>, Path(name): Path<String>) -> Result {
    let found = app.engine.networks.find(&name)?;
    let why = format!("{} is a pre-defined network and cannot be removed", found.name);
    // Docker's 403.
    Ok((axum::http::StatusCode::FORBIDDEN, Json(json!({ "message": why }))).into_response())
}

async fn prune() -> Json<Value> {
    Json(json!({ "NetworksDeleted": null }))
}

fn network(engine: &Engine, network: &Network, with_containers: bool) -> Value {
    let config = network.bridge.iter().map(|bridge| {
        json!({ "Subnet": bridge.gateway.trunc().to_string(), "Gateway": bridge.gateway.addr().to_string() })
    });
    let config: Vec<Value> = config.collect();
    let options = network.bridge.as_ref().map(|bridge| {
        json!({ "com.docker.network.bridge.name": bridge.name, "com.docker.network.bridge.default_bridge": "true" })
    });
    let mut containers = Map::new();
    for container in engine.containers.all().iter().filter(|one| with_containers && one.is_running()) {
        let record = container.record();
        if let Some(endpoint) = record.config.networks.get(&network.name) {
            let place = json!({
                "Name": record.name,
                "EndpointID": endpoint.id,
                "MacAddress": endpoint.mac.map(mac_text).unwrap_or_default(),
                "IPv4Address": endpoint.address.map(|address| address.to_string()).unwrap_or_default(),
                "IPv6Address": "",
            });
            containers.insert(record.id, place);
        }
    }
    json!({
        "Name": network.name,
        "Id": network.id,
        "Created": network.created_at,
        "Scope": "local",
        "Driver": network.driver,
        "EnableIPv4": true,
        "EnableIPv6": false,
        "IPAM": { "Driver": "default", "Options": null, "Config": config },
        "Internal": false,
        "Attachable": false,
        "Ingress": false,
        "ConfigFrom": { "Network": "" },
        "ConfigOnly": false,
        "Containers": containers,
        "Options": options.unwrap_or_else(|| json!({})),
        "Labels": {},
    })
}
