//! `/containers/{id}/logs`: what a container has said, and says.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use axum::{Extension, body::Bytes};
use futures_util::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use lifecycle::log::{Entry, LogReader, Stream, Wanted};
use lifecycle::record::Record;

use super::error::{ApiError, Result};
use super::query::Params;
use super::{App, Version, hijack, times};
use crate::engine::config::Config;
use crate::engine::containers::Container;
use crate::engine::error::{Error, blocking};
use crate::engine::log_driver;

/// How an entry is shown.
#[derive(Debug, Clone)]
struct Shown {
    stdout: bool,
    stderr: bool,
    timestamps: bool,
    tty: bool,
    /// What `details` puts before each line, with a blank.
    details: String,
}

impl Shown {
    fn new(params: &Params, record: &Record<Config>) -> Result<Shown, ApiError> {
        let (stdout, stderr) = (params.flag("stdout"), params.flag("stderr"));
        if !stdout && !stderr {
            return Err(Error::invalid("Bad parameters: you must choose at least one stream").into());
        }
        log_driver::check_readable(&record.config.host())?;
        let details = if params.flag("details") { details(&record.config) } else { String::new() };
        let timestamps = params.flag("timestamps");
        Ok(Shown { stdout, stderr, timestamps, tty: record.config.tty(), details })
    }

    /// The bytes of an entry, framed unless there is a terminal; nothing if its stream isn't wanted.
    fn bytes(&self, entry: &Entry) -> Vec<u8> {
        let (wanted, number) = match entry.stream {
            Stream::Stdout => (self.stdout, 1),
            Stream::Stderr => (self.stderr, 2),
        };
        if !wanted {
            return Vec::new();
        }
        let mut text = String::with_capacity(self.details.len() + entry.log.len() + 32);
        if self.timestamps {
            text.push_str(&entry.time);
            text.push(' ');
        }
        text.push_str(&self.details);
        text.push_str(&entry.log);
        if self.tty { text.into_bytes() } else { hijack::frame(number, text.as_bytes()) }
    }
}

/// `a=1,role=db `: names and values as in a query, so that blanks and commas in them do no harm.
fn details(config: &Config) -> String {
    let mut pairs: Vec<String> = log_driver::attributes(config)
        .into_iter()
        .map(|(key, value)| format!("{}={}", query_text(&key), query_text(&value)))
        .collect();
    pairs.sort();
    format!("{} ", pairs.join(","))
}

/// As Go's url.QueryEscape writes it.
fn query_text(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(byte.into()),
            b' ' => escaped.push('+'),
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

fn wanted(params: &Params) -> Result<Wanted, ApiError> {
    let tail = match params.text("tail") {
        None | Some("all") => None,
        Some(text) => text.parse::<i64>().ok().and_then(|lines| usize::try_from(lines).ok()),
    };
    let time = |name| params.text(name).map(times::parse).transpose().map(Option::flatten);
    Ok(Wanted { tail, since: time("since")?, until: time("until")? })
}

pub async fn logs(
    State(app): State<App>,
    Path(name): Path<String>,
    Extension(version): Extension<Version>,
    params: Params,
) -> Result {
    let container = app.engine.containers.find(&name)?;
    let shown = Shown::new(&params, &container.record())?;
    let (wanted, follow) = (wanted(&params)?, params.flag("follow"));
    let kind = hijack::content_type(shown.tty, version);
    let reading = Reading { container, wanted, shown, follow, reader: None, ended: false };
    let chunks = stream::unfold(reading, Reading::next);
    Ok(([(header::CONTENT_TYPE, kind)], Body::from_stream(chunks)).into_response())
}

/// All that was said so far, for an attached client that asks for it (`logs=1`): in pieces, since it may be
/// any amount.
pub fn past(container: &Arc<Container>, params: &Params) -> Result<BoxStream<'static, Bytes>, ApiError> {
    if !params.flag("logs") {
        return Ok(stream::empty().boxed());
    }
    let shown = Shown::new(params, &container.record())?;
    let wanted = Wanted { until: Some(Timestamp::now()), ..Wanted::default() };
    let container = container.clone();
    let reading = Reading { container, wanted, shown, follow: false, reader: None, ended: false };
    let pieces = stream::unfold(reading, Reading::next);
    Ok(pieces.filter_map(async |piece| piece.ok()).boxed())
}

fn failed(error: std::io::Error) -> Error {
    Error::internal("reading the container's log", error)
}

/// A log that is being read, and perhaps followed.
struct Reading {
    container: Arc<Container>,
    wanted: Wanted,
    shown: Shown,
    follow: bool,
    reader: Option<LogReader>,
    ended: bool,
}

/// How many bytes are sent at once, roughly.
const CHUNK: usize = 64 * 1024;

impl Reading {
    /// The next piece of it; none at its end.
    async fn next(mut self) -> Option<(Result<Bytes, Error>, Reading)> {
        while !self.ended {
            let (running, removed) = {
                let life = *self.container.life().borrow();
                (life.running, life.removed)
            };
            // Asked before reading: what was written before the end is read after it.
            let last = !self.follow || !running || removed;
            let read = blocking(move || {
                let bytes = self.read().map_err(failed)?;
                Ok((bytes, self))
            });
            let (bytes, reading) = match read.await {
                Ok(read) => read,
                Err(error) => {
                    tracing::warn!("{error}");
                    return None;
                }
            };
            self = reading;
            if !bytes.is_empty() {
                return Some((Ok(Bytes::from(bytes)), self));
            }
            let past = self.reader.as_ref().is_some_and(LogReader::is_past_until);
            self.ended = last || past;
            if !self.ended {
                let mut life = self.container.life();
                // New lines show within 50 ms, the end of the container at once.
                let ended = life.wait_for(|life| !life.running);
                let _ = tokio::time::timeout(Duration::from_millis(50), ended).await;
            }
        }
        None
    }

    fn read(&mut self) -> std::io::Result<Vec<u8>> {
        if self.reader.is_none() {
            match LogReader::open(&self.container.folder.join("log.json"), self.wanted) {
                Ok(reader) => self.reader = Some(reader),
                // It was never started, or has said nothing yet.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error),
            }
        }
        let mut bytes = Vec::new();
        while let Some(reader) = &mut self.reader
            && bytes.len() < CHUNK
            && let Some(entry) = reader.next_entry()?
        {
            bytes.extend(self.shown.bytes(&entry));
        }
        Ok(bytes)
    }
}
