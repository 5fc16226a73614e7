//! `GET /system/df`: what takes how much room.

use std::collections::HashMap;
use std::path::Path;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use images::{Image, usage};
use serde_json::{Value, json};

use super::error::Result;
use super::images::summary;
use super::query::Params;
use super::summary::{Wanted, list};
use super::volumes::show;
use super::{App, Version};
use crate::engine::error::{self, Error, blocking};
use crate::engine::volumes::users;

const TYPES: [&str; 4] = ["container", "image", "volume", "build-cache"];

/// All of it, or the kinds that `type` names.
pub async fn df(State(app): State<App>, Extension(version): Extension<Version>, params: Params) -> Result {
    // Older versions don't know the parameter.
    let types: Vec<String> =
        params.all("type").filter(|_| version >= Version(1, 42)).map(str::to_owned).collect();
    if let Some(other) = types.iter().find(|kind| !TYPES.contains(&kind.as_str())) {
        return Err(Error::invalid(format!("unknown object type: {other}")).into());
    }
    let wants = move |kind: &str| types.is_empty() || types.iter().any(|one| one == kind);
    let answer = blocking(move || {
        let mut answer = json!({
            "LayersSize": 0, "Images": null, "Containers": null, "Volumes": null, "BuildCache": null,
        });
        if wants("image") {
            let images = app.engine.images.store.list()?;
            answer["LayersSize"] = json!(layers(&images).values().map(|(size, _)| size).sum::<u64>());
            answer["Images"] = json!(shown(&app, &images, version));
        }
        if wants("container") {
            answer["Containers"] = json!(list(&app.engine, &Wanted::all_with_sizes()?)?);
        }
        if wants("volume") {
            answer["Volumes"] = json!(volumes(&app));
        }
        if version < Version(1, 42) {
            answer["BuilderSize"] = json!(0);
        }
        error::Result::Ok(answer)
    });
    Ok(Json(answer.await?).into_response())
}

/// Each layer's size, and how many images have it. On the disk it is there once.
fn layers(images: &[Image]) -> HashMap<&Path, (u64, usize)> {
    let mut layers = HashMap::new();
    for (path, size) in images.iter().flat_map(|image| image.layers.iter().zip(&image.layer_sizes)) {
        layers.entry(path.as_path()).or_insert((*size, 0)).1 += 1;
    }
    layers
}

fn shown(app: &App, images: &[Image], version: Version) -> Vec<Value> {
    let layers = layers(images);
    let mut made_of: HashMap<String, u64> = HashMap::new();
    for container in app.engine.containers.all() {
        *made_of.entry(container.with(|record| record.config.image_id.clone())).or_default() += 1;
    }
    let shared = |path: &Path| layers.get(path).filter(|(_, images)| *images > 1).map(|(size, _)| *size);
    let show = |image: &Image| {
        let mut one = summary(image, version);
        one["SharedSize"] = json!(image.layers.iter().filter_map(|path| shared(path.as_path())).sum::<u64>());
        one["Containers"] = json!(made_of.get(&image.id.to_string()).copied().unwrap_or(0));
        one
    };
    let mut list: Vec<Value> = images.iter().map(show).collect();
    list.sort_by_key(|image| std::cmp::Reverse(image["Created"].as_i64()));
    list
}

fn volumes(app: &App) -> Vec<Value> {
    let show = |volume| {
        let mut one = show(app, volume);
        let size = usage(&app.engine.volumes.data(&volume.name));
        one["UsageData"] = json!({ "RefCount": users(&app.engine, &volume.name).len(), "Size": size });
        one
    };
    app.engine.volumes.all().iter().map(show).collect()
}
