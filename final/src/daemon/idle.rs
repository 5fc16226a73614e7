//! When a daemon that a client has started may end by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::engine::Engine;

/// How long nothing may run and nobody be connected before it ends.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// How many connections there are now.
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<AtomicUsize>);

/// One of them: counted until it is dropped.
#[derive(Debug)]
pub struct Connection(Arc<AtomicUsize>);

impl Connections {
    /// One more.
    pub fn open(&self) -> Connection {
        self.0.fetch_add(1, Ordering::SeqCst);
        Connection(self.0.clone())
    }

    fn any(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
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
