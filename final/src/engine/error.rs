//! What the engine answers when it can't do what it was asked to.

use std::fmt::Display;

use lifecycle::record;

/// Result of the engine's work.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something wasn't done, in words for the person who asked. Where a stock client reads the
/// words (it does, here and there), they are Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Whose fault it is, roughly: the API makes a status code of it.
    pub kind: Kind,
    /// One line.
    pub message: String,
}

/// The kinds of error that callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request makes no sense.
    Invalid,
    /// No such thing.
    NotFound,
    /// Not in the state it is in now.
    Conflict,
    /// It is so already.
    NotModified,
    /// Understood, and not allowed.
    Forbidden,
    /// Understood, but this engine doesn't do it (yet).
    Unsupported,
    /// The engine, the machine or the registry failed.
    Internal,
}

impl Error {
    /// The request makes no sense.
    pub fn invalid(message: impl Display) -> Self {
        Error { kind: Kind::Invalid, message: message.to_string() }
    }

    /// No such thing.
    pub fn not_found(message: impl Display) -> Self {
        Error { kind: Kind::NotFound, message: message.to_string() }
    }

    /// Not in the state it is in now.
    pub fn conflict(message: impl Display) -> Self {
        Error { kind: Kind::Conflict, message: message.to_string() }
    }

    /// Understood, and not allowed.
    pub fn forbidden(message: impl Display) -> Self {
        Error { kind: Kind::Forbidden, message: message.to_string() }
    }

    /// It is so already.
    pub fn not_modified(message: impl Display) -> Self {
        Error { kind: Kind::NotModified, message: message.to_string() }
    }

    /// An option which this engine doesn't have yet. Nothing that was asked for is left out in
    /// silence.
    pub fn unsupported(what: impl Display) -> Self {
        Error { kind: Kind::Unsupported, message: format!("{what}: canoa can't do that yet") }
    }

    /// Something failed while `doing`.
    pub fn internal(doing: impl Display, error: impl Display) -> Self {
        Error { kind: Kind::Internal, message: format!("{doing}: {error}") }
    }
}

impl From<record::Error> for Error {
    fn from(error: record::Error) -> Self {
        match error {
            record::Error::NotFound(name) => Error::not_found(format!("No such container: {name}")),
            record::Error::NameTaken { name, id } => name_taken(&name, &id),
            record::Error::Ambiguous(name) => {
                Error::invalid(format!("multiple IDs found with provided prefix: {name}"))
            }
            other => Error { kind: Kind::Internal, message: other.to_string() },
        }
    }
}

impl From<namespaces::Error> for Error {
    fn from(error: namespaces::Error) -> Self {
        Error { kind: Kind::Internal, message: error.to_string() }
    }
}

/// Docker's words for a name that another container has.
pub fn name_taken(name: &str, id: &str) -> Error {
    Error::conflict(format!(
        "Conflict. The container name \"/{name}\" is already in use by container \"{id}\". You have to \
         remove (or rename) that container to be able to reuse that name."
    ))
}

/// Runs work that waits for the disk or the kernel on a thread that may wait. The threads that
/// serve requests must not: one slow disk would hold up everybody.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        // A panic in the work is the panic of the request: it becomes that request's 500.
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => Err(Error::internal("waiting for a thread", error)),
    }
}
