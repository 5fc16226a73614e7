//! `/containers/{id}/export`: a container's file system as an archive.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use futures_util::stream;
use images::Overlay;
use tokio::sync::mpsc;

use super::App;
use super::error::Result;
use crate::engine::Engine;
use crate::engine::containers::Container;
use crate::engine::error::{Error, blocking};
use crate::engine::{monitor, stop};

pub async fn export(State(app): State<App>, Path(name): Path<String>) -> Result {
    let container = app.engine.containers.find(&name)?;
    // Kept for as long as the archive is made: one overlay at a time on a container's files.
    let operation = container.clone();
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(16);
    // An archive that breaks off must not look whole: the connection breaks off with it.
    let broken = sender.clone();
    let (ready, opened) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let _operation = operation.operation.lock().await;
        if !container.is_running() {
            stop::cleaned(&container).await;
        }
        let engine = app.engine.clone();
        let packing = container.clone();
        let packed = blocking(move || {
            let root = root(&engine, &packing);
            let root = match root {
                Ok(root) => root,
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return Ok(());
                }
            };
            let _ = ready.send(Ok(()));
            let mut chunks = Chunks { sender, buffer: Vec::with_capacity(Chunks::SIZE) };
            images::pack::pack(root.as_fd(), &mut chunks)?;
            chunks.flush().map_err(|error| Error::internal("sending the archive", error))
        });
        match packed.await {
            Ok(()) => app.engine.events.container("export", &container),
            Err(error) => {
                tracing::warn!("exporting {}: {error}", container.id);
                let _ = broken.send(Err(io::Error::other(error))).await;
            }
        }
    });
    // An error before the first byte is a proper answer.
    opened.await.unwrap_or_else(|_| Err(Error::internal("exporting", "it was given up")))?;
    let chunks = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    });
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], Body::from_stream(chunks)).into_response())
}

/// The merged tree: its monitor has it while it runs; else nobody has, and we mount it.
fn root(engine: &Engine, container: &Arc<Container>) -> Result<OwnedFd, Error> {
    if container.is_running() {
        return monitor::root(&engine.socket(&container.id));
    }
    let folder = &container.folder;
    let (upper, work) = (folder.join("upper"), folder.join("work"));
    for path in [&upper, &work] {
        std::fs::create_dir_all(path)
            .map_err(|error| Error::internal(format!("creating {}", path.display()), error))?;
    }
    let lower = container.with(|record| record.config.layers.clone());
    Ok(Overlay { lower, upper, work }.mount()?)
}

/// Bytes on their way to a client, in pieces. It blocks while the client is slow.
struct Chunks {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Chunks {
    const SIZE: usize = 64 * 1024;
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= Chunks::SIZE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = Bytes::from(std::mem::replace(&mut self.buffer, Vec::with_capacity(Chunks::SIZE)));
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the client has left");
        self.sender.blocking_send(Ok(chunk)).map_err(gone)
    }
}
