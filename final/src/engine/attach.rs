//! Attaching: a client's connection becomes a container's streams.
//!
//! The engine only relays bytes; framing them, or not, is the monitor's work. Who attaches before
//! the start (every `run` does) gets one end of a socket pair, and the monitor the other: so not a
//! byte is missed. Who attaches later is put through to the monitor's control socket.

use std::os::unix::net::UnixStream as StdStream;
use std::sync::{Arc, Mutex, PoisonError};

use lifecycle::record::Status;
use tokio::net::UnixStream;
use tokio::sync::Mutex as AsyncMutex;

use super::Engine;
use super::containers::Container;
use super::error::{Error, Result};
use super::monitor;
use crate::bundle::Streams;

/// One client's streams: what it sends is the container's input, what comes is its output. The
/// end of input is a half-close, the end of output the end of the stream.
#[derive(Debug)]
pub struct Attachment {
    /// The bytes.
    pub stream: UnixStream,
    /// Takes the place in the waiting room back when the client leaves before the start.
    pub place: Option<Place>,
}

/// Those who attached to a container that doesn't run yet.
#[derive(Debug, Default)]
pub struct Waiting {
    /// Held during a start: who attaches meanwhile waits, and is put through afterwards.
    pub gate: AsyncMutex<()>,
    room: Mutex<Room>,
}

#[derive(Debug, Default)]
struct Room {
    next: u64,
    seats: Vec<(u64, Streams, StdStream)>,
}

/// A place among those who wait: given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    container: Arc<Container>,
    number: u64,
}

impl Waiting {
    /// Everybody who waits, for the monitor that is about to start.
    pub fn take(&self) -> Vec<(Streams, StdStream)> {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        room.seats.drain(..).map(|(_, streams, stream)| (streams, stream)).collect()
    }

    fn add(&self, streams: Streams, stream: StdStream) -> u64 {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        room.next += 1;
        let number = room.next;
        room.seats.push((number, streams, stream));
        number
    }

    fn remove(&self, number: u64) {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        room.seats.retain(|(other, ..)| *other != number);
    }
}

impl Drop for Place {
    /// A client that is gone must not become the container's input, which would end at once.
    fn drop(&mut self) {
        self.container.waiting.remove(self.number);
    }
}

/// Attaches to a container, running or not yet.
pub async fn attach(engine: &Engine, container: &Arc<Container>, streams: Streams) -> Result<Attachment> {
    let _gate = container.waiting.gate.lock().await;
    if container.state().status == Status::Paused {
        return Err(Error::conflict(format!(
            "container {} is paused, unpause the container before attach",
            container.id
        )));
    }
    if container.is_restarting() {
        container.process()?;
    }
    if container.is_running() {
        let stream = monitor::attach(&engine.socket(&container.id), streams).await?;
        return Ok(Attachment { stream, place: None });
    }
    let (ours, theirs) = pair()?;
    let number = container.waiting.add(streams, theirs);
    Ok(Attachment { stream: ours, place: Some(Place { container: container.clone(), number }) })
}

/// A socket pair: one end to relay, one for a monitor.
pub fn pair() -> Result<(UnixStream, StdStream)> {
    let failed = |error| Error::internal("making a socket pair", error);
    let (ours, theirs) = StdStream::pair().map_err(failed)?;
    ours.set_nonblocking(true).map_err(failed)?;
    Ok((UnixStream::from_std(ours).map_err(failed)?, theirs))
}
