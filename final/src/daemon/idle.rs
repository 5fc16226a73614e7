//! When a daemon that a client has started may end by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use crate::engine::Engine;

/// How long nothing may run and nobody be connected before it ends.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// How long answers that are under way may take at the end of the daemon.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// The connections that there are now.
#[derive(Debug, Clone, Default)]
pub struct Connections {
    open: Arc<Open>,
    closing: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Open {
    count: AtomicUsize,
    none_left: Notify,
}

/// One of them: counted until it is dropped.
#[derive(Debug)]
pub struct Connection(Arc<Open>);

impl Connections {
    /// One more.
    pub fn open(&self) -> Connection {
        self.open.count.fetch_add(1, Ordering::SeqCst);
        Connection(self.open.clone())
    }

    /// Becomes true when the daemon ends.
    pub fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Lets the answers that are under way go out, and closes the connections.
    pub async fn close(&self) {
        self.closing.send_replace(true);
        let begin = Instant::now();
        while self.any() && begin.elapsed() < LAST_WORDS {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Whether there are any.
    pub fn any(&self) -> bool {
        self.open.count.load(Ordering::SeqCst) > 0
    }

    /// Waits until the last one of them is closed.
    pub async fn last_closed(&self) {
        self.open.none_left.notified().await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.none_left.notify_one();
        }
    }
}

/// Returns when nothing has run and nobody has been connected for a while.
pub async fn idle(engine: &Engine, connections: &Connections) {
    let mut since = Instant::now();
    while since.elapsed() < PATIENCE {
        // Seldom enough to cost nothing, often enough that it ends within seconds of its time.
        tokio::time::sleep(Duration::from_secs(5)).await;
        if connections.any() || engine.is_busy() {
            since = Instant::now();
        }
    }
}
