//! `/containers`: what exists, and what may happen to it.

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use axum::{Extension, Json, Router};
use futures_util::{StreamExt, stream};
use images::Platform;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::error::{ApiError, Result};
use super::query::Params;
use super::{App, NO_CONTENT, Version, archive, body, hijack, inspect, logs, stats, summary, to_the_end};
use crate::bundle::Streams;
use crate::engine::error::{Error, blocking};
use crate::engine::stop::Condition;
use crate::engine::{
    attach, create, monitor, pause, platform, ports, processes, ps, sharing, start, stop, volumes,
};
use crate::engine::{changes, update};

pub fn routes() -> Router<App> {
    Router::new()
        .route("/containers/json", get(list))
        .route("/containers/create", post(create_one))
        .route("/containers/{name}", delete(remove))
        .route("/containers/{name}/json", get(inspect_one))
        .route("/containers/{name}/start", post(start_one))
        .route("/containers/{name}/stop", post(stop_one))
        .route("/containers/{name}/restart", post(restart))
        .route("/containers/{name}/kill", post(kill))
        .route("/containers/{name}/pause", post(pause_one))
        .route("/containers/{name}/unpause", post(unpause))
        .route("/containers/{name}/wait", post(wait))
        .route("/containers/{name}/rename", post(rename))
        .route("/containers/{name}/resize", post(resize))
        .route("/containers/{name}/attach", post(attach_to))
        .route("/containers/{name}/logs", get(logs::logs))
        .route("/containers/{name}/stats", get(stats::stats))
        .route("/containers/{name}/update", post(update_one))
        .route("/containers/{name}/changes", get(changes_of))
        .route("/containers/{name}/top", get(top))
        .route("/containers/{name}/export", get(archive::export))
        .route("/containers/{name}/archive", get(archive::get).head(archive::stat).put(archive::put))
}

async fn list(State(app): State<App>, params: Params) -> Result {
    let wanted = summary::Wanted::new(&params)?;
    let engine = app.engine.clone();
    // Sizes are read from the disk.
    let list = blocking(move || summary::list(&engine, &wanted)).await?;
    Ok(Json(list).into_response())
}

async fn create_one(State(app): State<App>, params: Params, bytes: Bytes) -> Result {
    let body = body::parse_create(&bytes)?;
    let name = params.text("name").map(|name| name.strip_prefix('/').unwrap_or(name).to_owned());
    let wanted: Option<Platform> =
        params.text("platform").map(str::parse).transpose().map_err(Error::from)?;
    let (engine, asked) = (app.engine.clone(), wanted.is_some());
    let (container, mut warnings) =
        to_the_end(async move { create::create(&engine, name, body, wanted).await }).await?;
    let image = app.engine.images.find(&container.with(|record| record.config.image_id.clone()));
    warnings.extend(image.ok().filter(|_| !asked).and_then(|image| platform::warning(&image)));
    let discarded = container.with(|record| ports::warnings(&record.config));
    warnings.extend(discarded.into_iter().map(str::to_owned));
    let answer = json!({ "Id": container.id, "Warnings": warnings });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

async fn inspect_one(State(app): State<App>, Path(name): Path<String>, params: Params) -> Result {
    let container = app.engine.containers.find(&name)?;
    let size = params.flag("size");
    let answer = blocking(move || Ok(inspect::inspect(&app.engine, &container, size))).await?;
    Ok(Json(answer).into_response())
}

async fn start_one(State(app): State<App>, Path(name): Path<String>) -> Result {
    let container = app.engine.containers.find(&name)?;
    to_the_end(async move { start::start(&app.engine, &container).await }).await?;
    Ok(NO_CONTENT.into_response())
}

async fn stop_one(State(app): State<App>, Path(name): Path<String>, params: Params) -> Result {
    let container = app.engine.containers.find(&name)?;
    let (signal, seconds) = (params.text("signal").map(str::to_owned), params.number("t")?);
    to_the_end(async move { stop::stop(&app.engine, &container, signal.as_deref(), seconds).await }).await?;
    Ok(NO_CONTENT.into_response())
}

async fn restart(State(app): State<App>, Path(name): Path<String>, params: Params) -> Result {
    let container = app.engine.containers.find(&name)?;
    let (signal, seconds) = (params.text("signal").map(str::to_owned), params.number("t")?);
    to_the_end(async move { stop::restart(&app.engine, &container, signal.as_deref(), seconds).await })
        .await?;
    Ok(NO_CONTENT.into_response())
}

async fn kill(State(app): State<App>, Path(name): Path<String>, params: Params) -> Result {
    let container = app.engine.containers.find(&name)?;
    let signal = stop::parse_signal(params.text("signal").unwrap_or("KILL"))?;
    to_the_end(async move { stop::kill(&app.engine, &container, signal).await }).await?;
    Ok(NO_CONTENT.into_response())
}

async fn pause_one(State(app): State<App>, Path(name): Path<String>) -> Result {
    let container = app.engine.containers.find(&name)?;
    to_the_end(async move { pause::pause(&app.engine, &container).await }).await?;
    Ok(NO_CONTENT.into_response())
}

async fn unpause(State(app): State<App>, Path(name): Path<String>) -> Result {
    let container = app.engine.containers.find(&name)?;
    to_the_end(async move { pause::unpause(&app.engine, &container).await }).await?;
    Ok(NO_CONTENT.into_response())
}

/// The head of the answer goes out at once: by it the client knows that its waiting has begun. The
/// body comes at the end.
async fn wait(State(app): State<App>, Path(name): Path<String>, params: Params) -> Result {
    let condition = match params.text("condition") {
        None | Some("not-running") => Condition::NotRunning,
        Some("next-exit") => Condition::NextExit,
        Some("removed") => Condition::Removed,
        Some(other) => return Err(Error::invalid(format!("invalid condition: {other:?}")).into()),
    };
    let container = app.engine.containers.find(&name)?;
    let waiting = stop::wait(&container, condition);
    let text = stream::once(async move {
        let code = waiting.await;
        Ok::<_, std::io::Error>(format!("{}\n", json!({ "StatusCode": code })))
    });
    Ok(([(header::CONTENT_TYPE, "application/json")], Body::from_stream(text)).into_response())
}

async fn rename(State(app): State<App>, Path(name): Path<String>, params: Params) -> Result {
    let container = app.engine.containers.find(&name)?;
    let new = params.text("name").unwrap_or_default().to_owned();
    to_the_end(async move { stop::rename(&app.engine, &container, &new).await }).await?;
    Ok(NO_CONTENT.into_response())
}

async fn update_one(State(app): State<App>, Path(name): Path<String>, bytes: Bytes) -> Result {
    let container = app.engine.containers.find(&name)?;
    let wanted = body::parse_update(&bytes)?;
    let warnings = to_the_end(async move { update::update(&app.engine, &container, wanted).await }).await?;
    let warnings = if warnings.is_empty() { Value::Null } else { warnings.into() };
    Ok(Json(json!({ "Warnings": warnings })).into_response())
}

async fn changes_of(State(app): State<App>, Path(name): Path<String>) -> Result {
    let container = app.engine.containers.find(&name)?;
    let changes = blocking(move || changes::changes(&container)).await?;
    let line = |(path, kind): &(std::path::PathBuf, changes::Kind)| json!({ "Path": path.to_string_lossy(), "Kind": *kind as u8 });
    // Docker's answer where there is none.
    let changes: Value =
        if changes.is_empty() { Value::Null } else { changes.iter().map(line).collect::<Vec<_>>().into() };
    Ok(Json(changes).into_response())
}

/// Rows and columns of a resize.
pub fn size(params: &Params) -> Result<(u16, u16), ApiError> {
    let number = |name: &str| {
        let number: Option<u16> = params.number(name)?;
        number.ok_or_else(|| Error::invalid(format!("{name} is missing")))
    };
    Ok((number("h")?, number("w")?))
}

async fn resize(State(app): State<App>, Path(name): Path<String>, params: Params) -> Result {
    let container = app.engine.containers.find(&name)?;
    let (rows, columns) = size(&params)?;
    container.process()?;
    monitor::resize(&app.engine.socket(&container.id), rows, columns).await?;
    let more = [("height", rows.to_string()), ("width", columns.to_string())];
    app.engine.events.container_with(
        "resize",
        &container,
        &more.each_ref().map(|(key, value)| (*key, value.as_str())),
    );
    Ok(StatusCode::OK.into_response())
}

async fn attach_to(
    State(app): State<App>,
    Path(name): Path<String>,
    Extension(version): Extension<Version>,
    params: Params,
    mut request: Request,
) -> Result {
    let container = app.engine.containers.find(&name)?;
    let tty = container.with(|record| record.config.tty());
    let streaming = params.flag("stream");
    let streams = Streams {
        stdin: streaming
            && params.flag("stdin")
            && container.with(|record| record.config.body.open_stdin == Some(true)),
        stdout: streaming && params.flag("stdout"),
        stderr: streaming && params.flag("stderr"),
    };
    // What was said before, if the client wants it (`logs=1`), comes first.
    let mut past = logs::past(&container, &params)?;
    let offer = hijack::offer(&mut request);
    app.engine.events.container("attach", &container);
    let (engine, container) = (app.engine.clone(), container.clone());
    // Who wants to hear the past alone doesn't wait for a start.
    let attached = match streaming {
        true => Some(attach::attach(&engine, &container, streams).await?),
        false => None,
    };
    match offer {
        Some(offer) => {
            tokio::spawn(async move {
                let Some(mut client) = hijack::connection(offer).await else { return };
                while let Some(piece) = past.next().await {
                    if client.output().await.write_all(&piece).await.is_err() {
                        return;
                    }
                }
                if let Some(attach::Attachment { stream, place }) = attached {
                    hijack::relay(client, stream, std::future::ready(())).await;
                    drop(place);
                }
            });
            Ok(hijack::upgraded(tty, version))
        }
        None => {
            let kind = hijack::content_type(tty, version);
            let (stream, place) = attached.map(|attached| (attached.stream, attached.place)).unzip();
            Ok(([(header::CONTENT_TYPE, kind)], hijack::body(past, stream, place)).into_response())
        }
    }
}

async fn top(State(app): State<App>, Path(name): Path<String>, params: Params) -> Result {
    let container = app.engine.containers.find(&name)?;
    let process = container.process()?;
    let options = params.text("ps_args").unwrap_or("-ef").to_owned();
    let top = blocking(move || {
        let group = sharing::group(&app.engine, &container)?;
        let top = match options.as_str() {
            // The client's own word for none: no program is needed for these columns.
            "-ef" => processes::top(process, group.as_deref()),
            options => ps::top(options, &processes::members(process, group.as_deref())?),
        }?;
        app.engine.events.container("top", &container);
        Ok(top)
    })
    .await?;
    Ok(Json(json!({ "Titles": top.titles, "Processes": top.rows })).into_response())
}

async fn remove(State(app): State<App>, Path(name): Path<String>, params: Params) -> Result {
    let container = app.engine.containers.find(&name)?;
    if params.flag("link") {
        return Err(Error::unsupported("rm --link").into());
    }
    let (force, volumes) = (params.flag("force"), params.flag("v"));
    to_the_end(async move { stop::remove(&app.engine, &container, force, volumes).await }).await?;
    Ok(NO_CONTENT.into_response())
}

/// Which containers use a volume: for its tables.
pub fn volume_users(app: &App, name: &str) -> usize {
    volumes::users(&app.engine, name).len()
}
