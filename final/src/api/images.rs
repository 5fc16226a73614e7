//! `/images`: what is here, and what can be fetched.

use std::collections::VecDeque;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use futures_util::stream;
use images::{Credentials, Image, Platform, Progress, Pulled, Reference, Removed, Status};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::error::Result;
use super::order::Ordered;
use super::query::Params;
use super::{App, Version, header_text, times};
use crate::engine::error::{Error, blocking};
use crate::engine::{self, images as engine_images};

/// From this version on `VirtualSize`, which always was the same as `Size`, isn't told any more.
const VIRTUAL_SIZE_ENDS: Version = Version(1, 44);

pub fn routes() -> Router<App> {
    Router::new()
        .route("/images/json", get(list))
        .route("/images/create", axum::routing::post(pull))
        // Names hold raw slashes and colons: what is wanted of them stands at the path's end.
        .route("/images/{*rest}", get(named_get).post(named_post).delete(remove))
}

async fn named_get(
    State(app): State<App>,
    Path(rest): Path<String>,
    Extension(version): Extension<Version>,
) -> Result {
    match rest.rsplit_once('/') {
        Some((name, "json")) => inspect(app, name.to_owned(), version).await,
        Some((name, "history")) => history(app, name.to_owned()).await,
        _ => Err(Error::not_found("page not found").into()),
    }
}

async fn named_post(State(app): State<App>, Path(rest): Path<String>, params: Params) -> Result {
    match rest.rsplit_once('/') {
        Some((name, "tag")) => tag(app, name.to_owned(), params).await,
        Some((_, "push")) => Err(Error::unsupported("pushing images").into()),
        _ => Err(Error::not_found("page not found").into()),
    }
}

async fn list(State(app): State<App>, Extension(version): Extension<Version>, params: Params) -> Result {
    let filters = params.filters(&["reference", "label", "dangling", "before", "since", "until"])?;
    for name in ["before", "since", "until"] {
        if filters.get(name).is_some() {
            return Err(Error::unsupported(format!("the filter {name}")).into());
        }
    }
    let dangling = filters.flag("dangling")?;
    let all = params.flag("all");
    let fits = move |image: &Image| {
        let labels = &image.config.config.labels;
        let reference = filters.any("reference", |pattern| {
            image
                .tags
                .iter()
                .any(|tag| matches(pattern, &tag.familiar_name()) || matches(pattern, &tag.familiar()))
        });
        reference
            && filters.labels(|name| labels.get(name).map(String::as_str))
            && dangling.is_none_or(|dangling| image.tags.is_empty() == dangling)
            // What has lost its name and has no digest either is only shown to who wants all.
            && (all || dangling == Some(true) || !image.tags.is_empty() || !image.digests.is_empty())
    };
    let images = blocking(move || Ok(app.engine.images.store.list()?)).await?;
    let mut list: Vec<Value> =
        images.iter().filter(|image| fits(image)).map(|image| summary(image, version)).collect();
    list.sort_by_key(|image| std::cmp::Reverse(image["Created"].as_i64()));
    Ok(Json(list).into_response())
}

/// Whether a name fits a pattern in which `*` is any text.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            let places = name.char_indices().map(|(place, _)| place).chain([name.len()]);
            places.into_iter().any(|place| matches(rest, &name[place..]))
        }),
    }
}

fn familiar(names: &[Reference]) -> Vec<String> {
    names.iter().map(Reference::familiar).collect()
}

fn created(image: &Image) -> String {
    image.config.created.clone().unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

/// An image as `GET /images/json` shows it.
pub fn summary(image: &Image, version: Version) -> Value {
    let mut summary = json!({
        "Id": image.id.to_string(),
        "ParentId": "",
        "RepoTags": familiar(&image.tags),
        "RepoDigests": familiar(&image.digests),
        "Created": times::seconds(&created(image)),
        "Size": image.size,
        "SharedSize": -1,
        "Labels": image.config.config.labels,
        "Containers": -1,
    });
    if version < VIRTUAL_SIZE_ENDS {
        summary["VirtualSize"] = json!(image.size);
    }
    summary
}

async fn inspect(app: App, name: String, version: Version) -> Result {
    let image = blocking(move || app.engine.images.find(&name)).await?;
    let config = &image.config;
    let (run, layers) = (&config.config, &config.rootfs.diff_ids);
    let list = |list: &[String]| if list.is_empty() { Value::Null } else { json!(list) };
    let map = |map: Value| if map.as_object().is_some_and(|map| map.is_empty()) { Value::Null } else { map };
    let mut run_config = json!({
        "Hostname": "", "Domainname": "", "User": run.user, "AttachStdin": false, "AttachStdout": false,
        "AttachStderr": false, "Tty": false, "OpenStdin": false, "StdinOnce": false,
        "Env": list(&run.env), "Cmd": run.cmd, "Image": "", "Volumes": map(json!(run.volumes)),
        "WorkingDir": run.working_dir, "Entrypoint": run.entrypoint, "OnBuild": list(&run.on_build),
        "Labels": map(json!(run.labels)),
    });
    // Those that Docker leaves out where there is nothing.
    let ports = map(json!(run.exposed_ports));
    let optional = [
        ("ExposedPorts", ports),
        ("StopSignal", json!(run.stop_signal)),
        ("StopTimeout", json!(run.stop_timeout)),
        ("Shell", json!(run.shell)),
        ("Healthcheck", json!(run.healthcheck)),
    ];
    for (key, value) in optional.into_iter().filter(|(_, value)| !value.is_null()) {
        run_config[key] = value;
    }
    let lower: Vec<String> = image.layers.iter().rev().map(|path| path.display().to_string()).collect();
    let mut answer = json!({
        "Id": image.id.to_string(),
        "RepoTags": familiar(&image.tags),
        "RepoDigests": familiar(&image.digests),
        "Parent": "",
        "Comment": config.history.last().and_then(|step| step.comment.clone()).unwrap_or_default(),
        "Created": created(&image),
        "DockerVersion": "",
        "Author": config.author.clone().unwrap_or_default(),
        "Config": run_config,
        "Architecture": config.architecture,
        "Os": config.os,
        "Size": image.size,
        "GraphDriver": { "Data": { "UpperDir": lower.first(), "LowerDir": lower.get(1..).unwrap_or_default().join(":") }, "Name": "overlay2" },
        "RootFS": { "Type": "layers", "Layers": layers.iter().map(ToString::to_string).collect::<Vec<_>>() },
        "Metadata": { "LastTagTime": times::NEVER },
    });
    // Docker has taken it away with API 1.45, and docker-compose 1.29 can't recreate a container without it,
    // whatever version it speaks: it looks there for the volumes that it has to carry over.
    answer["ContainerConfig"] = answer["Config"].clone();
    if let Some(variant) = &config.variant {
        answer["Variant"] = json!(variant);
    }
    if version < VIRTUAL_SIZE_ENDS {
        answer["VirtualSize"] = json!(image.size);
    }
    let answer = Ordered { kind: "Image", value: answer };
    Ok(Json(answer).into_response())
}

/// How an image was made, the newest step first; only its last step is an image with an id.
async fn history(app: App, name: String) -> Result {
    let image = blocking(move || app.engine.images.find(&name)).await?;
    let mut sizes = image.layer_sizes.iter();
    let mut steps: Vec<Value> = Vec::new();
    for step in &image.config.history {
        let size = if step.empty_layer { 0 } else { sizes.next().copied().unwrap_or(0) };
        steps.push(json!({
            "Id": "<missing>",
            "Created": step.created.as_deref().map_or(0, times::seconds),
            "CreatedBy": step.created_by.clone().unwrap_or_default(),
            "Tags": null,
            "Size": size,
            "Comment": step.comment.clone().unwrap_or_default(),
        }));
    }
    // Layers of which the history says nothing are there all the same.
    steps.extend(sizes.map(|size| {
        json!({ "Id": "<missing>", "Created": 0, "CreatedBy": "", "Tags": null, "Size": size, "Comment": "" })
    }));
    steps.reverse();
    if let Some(newest) = steps.first_mut() {
        newest["Id"] = json!(image.id.to_string());
        newest["Tags"] = if image.tags.is_empty() { Value::Null } else { json!(familiar(&image.tags)) };
    }
    Ok(Json(steps).into_response())
}

async fn tag(app: App, name: String, params: Params) -> Result {
    let repository = params.text("repo").ok_or_else(|| Error::invalid("repo is missing"))?;
    let text = match params.text("tag") {
        Some(tag) => format!("{repository}:{tag}"),
        None => repository.to_owned(),
    };
    let reference: Reference = text.parse().map_err(Error::from)?;
    if reference.digest.is_some() {
        return Err(Error::invalid("refusing to create a tag with a digest reference").into());
    }
    blocking(move || {
        let image = app.engine.images.find(&name)?;
        app.engine.images.store.tag(&image.id, &reference)?;
        app.engine.events.image("tag", &image.id.to_string(), &reference.familiar(), Some(&image));
        Ok(())
    })
    .await?;
    Ok(StatusCode::CREATED.into_response())
}

async fn remove(State(app): State<App>, Path(name): Path<String>, params: Params) -> Result {
    let force = params.flag("force");
    let removed = blocking(move || engine_images::remove(&app.engine, &name, force)).await?;
    let list: Vec<Value> = removed.iter().map(removed_line).collect();
    Ok(Json(list).into_response())
}

/// What was removed, as clients read it.
pub fn removed_line(removed: &Removed) -> Value {
    match removed {
        Removed::Untagged(name) => json!({ "Untagged": name }),
        Removed::Deleted(digest) => json!({ "Deleted": digest.to_string() }),
    }
}

/// Pulls. What fails before anything has come is an ordinary error; what fails later comes in the
/// stream.
async fn pull(State(app): State<App>, params: Params, headers: HeaderMap) -> Result {
    if params.text("fromSrc").is_some() {
        return Err(Error::unsupported("importing images").into());
    }
    let name = params.text("fromImage").ok_or_else(|| Error::invalid("fromImage is missing"))?;
    let text = match params.text("tag") {
        Some(digest) if digest.contains(':') => format!("{name}@{digest}"),
        Some(tag) => format!("{name}:{tag}"),
        None => name.to_owned(),
    };
    let reference: Reference = text.parse().map_err(Error::from)?;
    let platform: Option<Platform> =
        params.text("platform").map(str::parse).transpose().map_err(Error::from)?;
    let credentials = credentials(&headers)?;

    let (told, mut lines) = mpsc::unbounded_channel();
    let (engine, wanted) = (app.engine.clone(), reference.clone());
    let pulling = tokio::spawn(async move {
        let progress = move |progress: Progress| drop(told.send(progress_line(&progress)));
        engine_images::pull(&engine, wanted, platform, credentials, progress).await
    });
    // The first sign of life decides what kind of answer it is.
    let first = lines.recv().await;
    let mut pull = Pull { ready: VecDeque::new(), lines, pulling: Some(pulling), reference };
    match first {
        Some(first) => pull.ready.extend([pull.head(), first]),
        None => {
            let pulled = pull.result().await?;
            pull.ready.push_back(pull.head());
            pull.ready.extend(pull.tail(&pulled));
        }
    }
    let chunks = stream::unfold(pull, Pull::next);
    Ok(([(header::CONTENT_TYPE, "application/json")], Body::from_stream(chunks)).into_response())
}

/// A pull that is going on, line by line.
struct Pull {
    ready: VecDeque<Value>,
    lines: mpsc::UnboundedReceiver<Value>,
    pulling: Option<JoinHandle<engine::error::Result<Pulled>>>,
    reference: Reference,
}

impl Pull {
    fn head(&self) -> Value {
        let digest = self.reference.digest.as_ref().map(ToString::to_string);
        let tag = self.reference.tag.clone().or(digest).unwrap_or_default();
        json!({ "status": format!("Pulling from {}", self.reference.repository), "id": tag })
    }

    fn tail(&self, pulled: &Pulled) -> [Value; 2] {
        let name = self.reference.familiar();
        let status = match pulled.newer {
            true => format!("Status: Downloaded newer image for {name}"),
            false => format!("Status: Image is up to date for {name}"),
        };
        [json!({ "status": format!("Digest: {}", pulled.digest) }), json!({ "status": status })]
    }

    async fn result(&mut self) -> engine::error::Result<Pulled> {
        match self.pulling.take() {
            Some(pulling) => pulling.await.unwrap_or_else(|error| Err(Error::internal("pulling", error))),
            None => Err(Error::internal("pulling", "it is over")),
        }
    }

    async fn next(mut self) -> Option<(std::result::Result<String, Error>, Pull)> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                // Docker ends its lines so.
                return Some((Ok(format!("{line}\r\n")), self));
            }
            if let Some(line) = self.lines.recv().await {
                self.ready.push_back(line);
                continue;
            }
            self.pulling.as_ref()?;
            match self.result().await {
                Ok(pulled) => self.ready.extend(self.tail(&pulled)),
                Err(error) => {
                    let message = error.to_string();
                    self.ready.push_back(json!({ "errorDetail": { "message": message }, "error": message }));
                }
            }
        }
    }
}

fn progress_line(progress: &Progress) -> Value {
    let detail = match progress.status {
        Status::Downloading { current, total } | Status::Extracting { current, total } => {
            json!({ "current": current, "total": total })
        }
        _ => json!({}),
    };
    json!({ "status": progress.status.to_string(), "progressDetail": detail, "id": progress.id })
}

/// `X-Registry-Auth`: a JSON object in base64, of any dialect.
fn credentials(headers: &HeaderMap) -> engine::error::Result<Option<Credentials>> {
    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Auth {
        username: String,
        password: String,
    }
    let Some(text) = header_text(headers, "x-registry-auth").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let invalid = || Error::invalid("invalid X-Registry-Auth header: it is no JSON object in base64");
    let dialects = [URL_SAFE, URL_SAFE_NO_PAD, STANDARD, STANDARD_NO_PAD];
    let bytes = dialects.iter().find_map(|dialect| dialect.decode(text).ok()).ok_or_else(invalid)?;
    let auth: Option<Auth> = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
    let auth = auth.filter(|auth| !auth.username.is_empty());
    Ok(auth.map(|Auth { username, password }| Credentials { username, password }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(matches("deb*", "debian"));
        assert!(matches("*:latest", "debian:latest"));
        assert!(matches("d*b*n", "debian"));
        assert!(!matches("deb", "debian"));
        assert!(!matches("*x", "debian"));
    }

    #[test]
    fn credentials_come_in_base64_of_any_dialect() {
        let json = r#"{"username":"ana","password":"¿sí?"}"#;
        for text in [URL_SAFE.encode(json), STANDARD.encode(json), URL_SAFE_NO_PAD.encode(json)] {
            let mut headers = HeaderMap::new();
            headers.insert("x-registry-auth", text.parse().unwrap());
            assert_eq!(credentials(&headers).unwrap().unwrap().username, "ana");
        }
        for text in ["e30=", "bnVsbA=="] {
            let mut headers = HeaderMap::new();
            headers.insert("x-registry-auth", text.parse().unwrap());
            assert!(credentials(&headers).unwrap().is_none());
        }
        let mut headers = HeaderMap::new();
        headers.insert("x-registry-auth", "%%%".parse().unwrap());
        credentials(&headers).unwrap_err();
    }
}
