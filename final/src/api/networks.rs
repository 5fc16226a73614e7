//! `/networks`.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use bollard_stubs::models::{NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest};
use serde_json::{Map, Value, json};

use super::error::Result;
use super::inspect::mac_text;
use super::order::Ordered;
use super::query::{Filters, Params};
use super::{App, NO_CONTENT, body, to_the_end};
use crate::engine::Engine;
use crate::engine::error::{Error, blocking};
use crate::engine::networks::{Network, Wanted};
use crate::engine::options::check_endpoint;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/networks", get(list))
        .route("/networks/create", post(create))
        .route("/networks/{name}", get(inspect).delete(remove))
        .route("/networks/{name}/connect", post(connect))
        .route("/networks/{name}/disconnect", post(disconnect))
}

async fn list(State(app): State<App>, params: Params) -> Result {
    let filters = params.filters(&["driver", "id", "label", "name", "scope", "type", "dangling"])?;
    let dangling = filters.flag("dangling")?;
    if let Some(other) =
        filters.get("type").into_iter().flatten().find(|kind| !["builtin", "custom"].contains(&kind.as_str()))
    {
        return Err(Error::invalid(format!("invalid filter: 'type'='{other}'")).into());
    }
    let engine = app.engine.clone();
    let list = blocking(move || {
        let fits = |network: &Network| {
            let unused = || engine.networks.users(network).is_ok_and(|users| users.is_empty());
            filters.any("driver", |driver| network.driver == driver)
                && filters.any("id", |id| network.id.starts_with(id))
                && filters.any("name", |name| network.name.contains(name))
                && filters.any("scope", |scope| scope == "local")
                && filters.any("type", |kind| (kind == "builtin") == network.is_predefined())
                && labels_fit(&filters, network)
                && dangling.is_none_or(|dangling| (!network.is_predefined() && unused()) == dangling)
        };
        let all = engine.networks.all();
        Ok(all.iter().filter(|one| fits(one)).map(|one| show(&engine, one, false)).collect::<Vec<_>>())
    });
    Ok(Json(list.await?).into_response())
}

fn labels_fit(filters: &Filters, network: &Network) -> bool {
    filters.labels(|name| network.labels.get(name).map(String::as_str))
}

async fn inspect(State(app): State<App>, Path(name): Path<String>) -> Result {
    let found = app.engine.networks.find(&name)?;
    Ok(Json(show(&app.engine, &found, true)).into_response())
}

async fn create(State(app): State<App>, bytes: Bytes) -> Result {
    let request: NetworkCreateRequest = body::parse(&bytes)?;
    let wanted = wanted(request)?;
    let made = to_the_end(async move {
        let engine = app.engine.clone();
        blocking(move || engine.networks.create(&engine, &wanted)).await
    });
    Ok((StatusCode::CREATED, Json(json!({ "Id": made.await?.id, "Warning": "" }))).into_response())
}

/// What a request asks for; what isn't there yet is refused by name.
fn wanted(request: NetworkCreateRequest) -> Result<Wanted, Error> {
    let ipam = request.ipam.unwrap_or_default();
    let mut configs = ipam.config.unwrap_or_default();
    let config = configs.pop().unwrap_or_default();
    let driver = ipam.driver.unwrap_or_default();
    let refused = [
        ("--ipv6", request.enable_ipv6 == Some(true)),
        ("--ipv4=false", request.enable_ipv4 == Some(false)),
        ("--ingress", request.ingress == Some(true)),
        ("--config-only", request.config_only == Some(true)),
        (
            "--config-from",
            request.config_from.is_some_and(|from| from.network.is_some_and(|name| !name.is_empty())),
        ),
        ("--scope", request.scope.is_some_and(|scope| !["", "local"].contains(&scope.as_str()))),
        ("--ipam-driver", !["", "default"].contains(&driver.as_str())),
        ("--ipam-opt", ipam.options.is_some_and(|options| !options.is_empty())),
        ("a second subnet", !configs.is_empty()),
        ("--aux-address", config.auxiliary_addresses.is_some_and(|addresses| !addresses.is_empty())),
    ];
    if let Some((option, _)) = refused.iter().find(|(_, asked)| *asked) {
        return Err(Error::unsupported(option));
    }
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    Ok(Wanted {
        name: request.name,
        driver: request.driver.unwrap_or_default(),
        subnet: given(config.subnet),
        gateway: given(config.gateway),
        range: given(config.ip_range),
        internal: request.internal == Some(true),
        // docker-compose asks for it, for each of its networks.
        attachable: request.attachable == Some(true),
        options: request.options.unwrap_or_default().into_iter().collect(),
        labels: request.labels.unwrap_or_default().into_iter().collect(),
    })
}

async fn remove(State(app): State<App>, Path(name): Path<String>) -> Result {
    let found = app.engine.networks.find(&name)?;
    to_the_end(async move {
        let engine = app.engine.clone();
        blocking(move || engine.networks.remove(&engine, &found)).await
    })
    .await?;
    Ok(NO_CONTENT.into_response())
}

async fn connect(State(app): State<App>, Path(name): Path<String>, bytes: Bytes) -> Result {
    let request: NetworkConnectRequest = body::parse(&bytes)?;
    let network = app.engine.networks.find(&name)?;
    let container = app.engine.containers.find(&request.container)?;
    let settings = request.endpoint_config.unwrap_or_default();
    check_endpoint(&settings)?;
    to_the_end(async move { app.engine.networks.plug(&app.engine, &network, &container, &settings).await })
        .await?;
    Ok(StatusCode::OK.into_response())
}

async fn disconnect(State(app): State<App>, Path(name): Path<String>, bytes: Bytes) -> Result {
    let request: NetworkDisconnectRequest = body::parse(&bytes)?;
    let network = app.engine.networks.find(&name)?;
    let container = app.engine.containers.find(&request.container)?;
    to_the_end(async move { app.engine.networks.unplug(&app.engine, &network, &container).await }).await?;
    Ok(StatusCode::OK.into_response())
}

fn show(engine: &Engine, network: &Network, with_containers: bool) -> Ordered {
    let config = network.bridge.iter().map(|bridge| {
        let mut config = json!({
            "Subnet": bridge.gateway.trunc().to_string(),
            "Gateway": bridge.gateway.addr().to_string(),
        });
        if let Some(range) = network.range {
            config["IPRange"] = json!(range.to_string());
        }
        config
    });
    let config: Vec<Value> = config.collect();
    let mut options: BTreeMap<String, String> = network.options.clone();
    if let Some(bridge) = network.bridge.as_ref().filter(|_| network.is_predefined()) {
        options.insert("com.docker.network.bridge.name".to_owned(), bridge.name.clone());
        options.insert("com.docker.network.bridge.default_bridge".to_owned(), "true".to_owned());
    }
    let mut containers = Map::new();
    for container in engine.containers.all().iter().filter(|one| with_containers && one.is_running()) {
        let record = container.record();
        if let Some(endpoint) =
            record.config.networks.get(&network.name).filter(|endpoint| !endpoint.id.is_empty())
        {
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
    let value = json!({
        "Name": network.name,
        "Id": network.id,
        "Created": network.created_at,
        "Scope": "local",
        "Driver": network.driver,
        "EnableIPv4": true,
        "EnableIPv6": false,
        "IPAM": { "Driver": "default", "Options": null, "Config": config },
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Ingress": false,
        "ConfigFrom": { "Network": "" },
        "ConfigOnly": false,
        "Containers": containers,
        "Options": options,
        "Labels": network.labels,
    });
    Ordered { kind: "Network", value }
}
