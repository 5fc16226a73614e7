//! `/containers/{id}/archive`: `docker cp`, in both directions; and `/containers/{id}/export`.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::App;
use super::error::Result;
use super::query::Params;
use crate::engine::containers::Container;
use crate::engine::copy::{self, PathStat, Wishes};
use crate::engine::error::Error;
use crate::engine::tree::{self, Merged, Passing, Pieces};

/// `HEAD`: what is there, in a header.
pub async fn stat(State(app): State<App>, Path(name): Path<String>, params: Params) -> Result {
    let container = app.engine.containers.find(&name)?;
    let path = path(&params)?;
    let looked = container.clone();
    let found =
        tree::with(&app.engine, &container, move |merged| Ok(copy::find(&merged, &looked, &path)?.shown))
            .await?;
    Ok(stat_header(&found).into_response())
}

/// `GET`: the same header, and an archive.
pub async fn get(State(app): State<App>, Path(name): Path<String>, params: Params) -> Result {
    let container = app.engine.containers.find(&name)?;
    let path = path(&params)?;
    let (app, from) = (app.clone(), container.clone());
    let (shown, body) = archive(&app, &container, move |merged, ready, sender| {
        let found = copy::find(&merged, &from, &path)?;
        ready(found.shown.clone());
        copy::pack(&found, &from, pieces(merged.passing.clone(), sender))
    })
    .await?;
    app.engine.events.container("archive-path", &container);
    Ok((stat_header(&shown), [(header::CONTENT_TYPE, "application/x-tar")], body).into_response())
}

/// `PUT`: an archive, unpacked into a folder.
pub async fn put(State(app): State<App>, Path(name): Path<String>, params: Params, body: Body) -> Result {
    let container = app.engine.containers.find(&name)?;
    let path = path(&params)?;
    let wishes =
        Wishes { same_kind: params.flag("noOverwriteDirNonDir"), to_its_user: params.flag("copyUIDGID") };
    let into = container.clone();
    tree::with(&app.engine, &container, move |merged| {
        let mut coming =
            Coming { passing: merged.passing.clone(), body: body.into_data_stream(), piece: Bytes::new() };
        let copied = copy::unpack(&merged, &into, &path, wishes, &mut coming);
        // The rest is taken, too: some clients see no answer before they have sent all.
        let most = if copied.is_ok() { u64::MAX } else { MOST_AFTER_AN_ERROR };
        let _ = io::copy(&mut coming.take(most), &mut io::sink());
        copied
    })
    .await?;
    app.engine.events.container("extract-to-dir", &container);
    Ok(().into_response())
}

/// So much is still read of an archive that is refused already, in bytes.
const MOST_AFTER_AN_ERROR: u64 = 16 << 20;

/// All of a container's files.
pub async fn export(State(app): State<App>, Path(name): Path<String>) -> Result {
    let container = app.engine.containers.find(&name)?;
    let ((), body) = archive(&app, &container, |merged, ready, sender| {
        ready(());
        Ok(images::pack::pack(std::os::fd::AsFd::as_fd(&merged), pieces(merged.passing.clone(), sender))?)
    })
    .await?;
    app.engine.events.container("export", &container);
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

type Sender = mpsc::Sender<Bytes>;

/// Begins an archive. `pack` calls `ready` with what is told before the first byte; an error before that is
/// a proper answer. One that comes later breaks the connection off: half an archive must not look whole.
async fn archive<T: Send + 'static>(
    app: &App,
    container: &Arc<Container>,
    pack: impl FnOnce(Merged, &mut dyn FnMut(T), Sender) -> Result<(), Error> + Send + 'static,
) -> Result<(T, Body), Error> {
    let (sender, receiver) = mpsc::channel::<Bytes>(4);
    let (ready, opened) = oneshot::channel();
    // Whoever comes first tells: the archive's beginning, or an error before it.
    let ready = Arc::new(Mutex::new(Some(ready)));
    let first = move |told: Result<T, Error>| {
        let ready = ready.lock().unwrap_or_else(PoisonError::into_inner).take();
        ready.is_some_and(|ready| ready.send(told).is_ok())
    };
    let whole = Arc::new(AtomicBool::new(false));
    let (engine, container, done) = (app.engine.clone(), container.clone(), whole.clone());
    tokio::spawn(async move {
        let (last, begun) = (sender.clone(), first.clone());
        let packed = tree::with(&engine, &container, move |merged| {
            pack(merged, &mut |told| _ = begun(Ok(told)), sender)
        });
        match packed.await {
            Ok(()) => done.store(true, Ordering::Release),
            Err(error) => {
                let words = error.to_string();
                if !first(Err(error)) {
                    tracing::warn!("an archive of {}: {words}", container.id);
                }
            }
        }
        drop(last);
    });
    let told = opened.await.unwrap_or_else(|_| Err(Error::internal("packing", "it was given up")))?;
    let chunks = stream::unfold((receiver, whole), |(mut receiver, whole)| async {
        let chunk = match receiver.recv().await {
            None if whole.swap(true, Ordering::Acquire) => return None,
            None => Err(io::Error::other("the archive broke off")),
            Some(chunk) => Ok(chunk),
        };
        Some((chunk, (receiver, whole)))
    });
    Ok((told, Body::from_stream(chunks)))
}

fn pieces(passing: Passing, sender: Sender) -> impl io::Write {
    Pieces::new(passing, async move |piece| sender.send(Bytes::from(piece)).await.is_ok())
}

fn path(params: &Params) -> Result<String, Error> {
    params
        .text("path")
        .map(str::to_owned)
        .ok_or_else(|| Error::invalid("bad parameter: path cannot be empty"))
}

fn stat_header(stat: &PathStat) -> [(HeaderName, String); 1] {
    let text = json!({
        "name": stat.name,
        "size": stat.size,
        "mode": stat.mode,
        "mtime": stat.mtime.to_string(),
        "linkTarget": stat.link_target,
    });
    [(HeaderName::from_static("x-docker-container-path-stat"), STANDARD.encode(text.to_string()))]
}

/// A request's body, read on a thread that may wait.
struct Coming {
    passing: Passing,
    body: axum::body::BodyDataStream,
    piece: Bytes,
}

impl Read for Coming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.passing.piece(self.body.next())? {
                None => return Ok(0),
                Some(piece) => self.piece = piece.map_err(io::Error::other)?,
            }
        }
        let length = buffer.len().min(self.piece.len());
        buffer[..length].copy_from_slice(&self.piece.split_to(length));
        Ok(length)
    }
}
