//! What can go wrong between this program and an engine.

/// Result of a conversation with an engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A request that did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine answered, and said no: the `message` of its JSON body.
    #[error("Error response from daemon: {message}")]
    Engine {
        /// The HTTP status: 404 not there, 409 not in this state, …
        status: u16,
        /// The engine's own words.
        message: String,
    },
    /// Which engine was meant could not be found out.
    #[error("{0}")]
    Endpoint(String),
    /// There is nobody at the other end.
    #[error("connecting to the engine at {endpoint}: {reason}")]
    Connect {
        /// The address, as people write it.
        endpoint: String,
        /// The kernel's answer, and the way out.
        reason: String,
        /// Whether nobody listens there (as opposed to: we may not).
        absent: bool,
    },
    /// The connection broke in the middle, or what came was not HTTP.
    #[error("talking to the engine at {endpoint}: {reason}")]
    Transport {
        /// The address, as people write it.
        endpoint: String,
        /// What hyper or the kernel says.
        reason: String,
    },
    /// The answer was not what the API promises.
    #[error("reading the engine's answer to {request}: {reason}")]
    Answer {
        /// Method and path.
        request: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Our own daemon did not start.
    #[error("starting the daemon: {0}")]
    Autostart(String),
}

impl Error {
    /// Whether the engine says that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Error::Engine { status: 404, .. })
    }
}
