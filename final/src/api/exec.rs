//! `/exec`: one more program in a running container.

use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use bollard_stubs::models::{ExecConfig, ExecStartConfig};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::containers::size;
use super::error::Result;
use super::order::Ordered;
use super::query::Params;
use super::{App, Version, body, hijack, to_the_end};
use crate::bundle::Streams;
use crate::engine::error::Error;
use crate::engine::{attach, exec};

pub fn routes() -> Router<App> {
    Router::new()
        .route("/containers/{name}/exec", post(create))
        .route("/exec/{id}/start", post(start))
        .route("/exec/{id}/resize", post(resize))
        .route("/exec/{id}/json", get(inspect))
}

async fn create(State(app): State<App>, Path(name): Path<String>, bytes: Bytes) -> Result {
    let config: ExecConfig = body::parse(&bytes)?;
    let container = app.engine.containers.find(&name)?;
    let exec = app.engine.execs.create(&container, config)?;
    app.engine.events.exec("exec_create", &exec);
    Ok((StatusCode::CREATED, Json(json!({ "Id": exec.id }))).into_response())
}

async fn start(
    State(app): State<App>,
    Path(id): Path<String>,
    Extension(version): Extension<Version>,
    mut request: Request,
) -> Result {
    let offer = hijack::offer(&mut request);
    let bytes = Bytes::from_request(request, &()).await;
    let bytes = bytes.map_err(|error| Error::invalid(format!("reading the request's body: {error}")))?;
    let config: ExecStartConfig = body::parse(&bytes)?;
    let exec = app.engine.execs.find(&id)?;
    // What is wrong already is said while there is still HTTP to say it in.
    exec::claim(&exec)?;

    let detached = config.detach == Some(true);
    if detached {
        to_the_end(async move { exec::start(&app.engine, &exec, None).await }).await?;
        return Ok(StatusCode::OK.into_response());
    }
    let tty = exec.config.tty == Some(true);
    let (ours, theirs) = attach::pair()?;
    let streams = Streams {
        stdin: exec.config.attach_stdin == Some(true),
        stdout: exec.config.attach_stdout == Some(true),
        stderr: exec.config.attach_stderr == Some(true),
    };
    let started = exec.clone();
    let engine = app.engine.clone();
    let starting = async move { exec::start(&app.engine, &started, Some((streams, theirs))).await };
    match offer {
        Some(offer) => {
            tokio::spawn(async move {
                let Some(mut client) = hijack::connection(offer).await else {
                    // Claimed, and never to be started: nobody else may, either.
                    return engine.execs.remove(&exec.id);
                };
                match to_the_end(starting).await {
                    Ok(()) => hijack::relay(client, ours, exec.ended()).await,
                    // The HTTP part is over: all that is left to say it in is the stream itself.
                    Err(error) => {
                        let line = format!("{error}\r\n").into_bytes();
                        let line = if tty { line } else { hijack::frame(1, &line) };
                        let output = client.output().await;
                        let _ = output.write_all(&line).await;
                        let _ = output.shutdown().await;
                    }
                }
            });
            Ok(hijack::upgraded(tty, version))
        }
        None => {
            to_the_end(starting).await?;
            let kind = hijack::content_type(tty, version);
            Ok(([(header::CONTENT_TYPE, kind)], hijack::body(stream::empty(), Some(ours), ()))
                .into_response())
        }
    }
}

async fn resize(State(app): State<App>, Path(id): Path<String>, params: Params) -> Result {
    let exec = app.engine.execs.find(&id)?;
    let (rows, columns) = size(&params)?;
    exec.resize(rows, columns).await?;
    Ok(StatusCode::OK.into_response())
}

async fn inspect(State(app): State<App>, Path(id): Path<String>) -> Result {
    let exec = app.engine.execs.find(&id)?;
    let (state, config) = (exec.state(), &exec.config);
    let words = config.cmd.clone().unwrap_or_default();
    let answer = json!({
        "ID": exec.id,
        "Running": state.running,
        "ExitCode": state.exit_code.map_or(Value::Null, Value::from),
        "ProcessConfig": {
            "tty": config.tty == Some(true),
            "entrypoint": words.first().cloned().unwrap_or_default(),
            "arguments": words.get(1..).unwrap_or_default(),
            "privileged": config.privileged == Some(true),
            "user": config.user.clone().unwrap_or_default(),
        },
        "OpenStdin": config.attach_stdin == Some(true),
        "OpenStderr": config.attach_stderr == Some(true),
        "OpenStdout": config.attach_stdout == Some(true),
        "CanRemove": !state.running && state.exit_code.is_some(),
        "ContainerID": exec.container.id,
        "DetachKeys": "",
        "Pid": state.pid,
    });
    Ok(Json(Ordered { kind: "Exec", value: answer }).into_response())
}
