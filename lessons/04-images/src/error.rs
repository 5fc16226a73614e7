//! What can go wrong with an image, told apart.
//!
//! Each is one line for a person: what was being done, on what, why, and the way out where
//! there is one. They are told apart by type because their readers differ: an engine answers
//! 404 to [`Error::NotFound`], and only [`Error::Cut`] is worth another try.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Digest, Platform};

/// Result of this lesson's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an image could not be named, fetched, unpacked, kept or mounted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is no image reference.
    #[error("invalid reference format: {text:?}: {reason}")]
    Reference {
        /// As it was given, cleaned and cut.
        text: String,
        /// Which rule it breaks.
        reason: String,
    },
    /// The text is no digest, or the digest is of a kind that isn't supported.
    #[error("invalid digest {0:?}: want sha256: and 64 hexadecimal digits")]
    InvalidDigest(String),
    /// The text is no platform.
    #[error("invalid platform {0:?}: want OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, as in linux/arm64/v8")]
    InvalidPlatform(String),

    /// The registry answers, and has no such image (404).
    #[error("{registry} has no image {image}: check its name and tag")]
    NotFound {
        /// The registry's host.
        registry: String,
        /// The image as a person writes it.
        image: String,
    },
    /// The registry refuses (401, 403). Many answer so for images that don't exist, too.
    #[error(
        "{registry} denies access to {image}{}{said}: it may not exist, or need a login",
        if said.is_empty() { "" } else { ": " }
    )]
    Denied {
        /// The registry's host.
        registry: String,
        /// The image as a person writes it.
        image: String,
        /// The registry's own words, if any.
        said: String,
    },
    /// The registry has a problem of its own (5xx, 429): later may work.
    #[error(
        "{registry} failed on {image}: HTTP status {status}{}{said}: try again later",
        if said.is_empty() { "" } else { ": " }
    )]
    Server {
        /// The registry's host.
        registry: String,
        /// The image as a person writes it.
        image: String,
        /// HTTP status.
        status: u16,
        /// The registry's own words, if any.
        said: String,
    },
    /// No connection: no such host, refused, no route, timeout, a certificate not trusted.
    #[error("cannot reach {registry} for {image}: {reason}")]
    Unreachable {
        /// The registry's host.
        registry: String,
        /// The image as a person writes it.
        image: String,
        /// Why.
        reason: String,
    },
    /// The answer ended too soon.
    #[error(
        "{registry} cut the download of {image} after {received} of {expected} bytes: {reason}: try again"
    )]
    Cut {
        /// The registry's host.
        registry: String,
        /// The image as a person writes it.
        image: String,
        /// Bytes that came.
        received: u64,
        /// Bytes that were promised.
        expected: u64,
        /// Why.
        reason: String,
    },
    /// The bytes are not those that were asked for.
    #[error(
        "{what} is not what its digest promises: expected {expected}, found {found}: the registry or something on the way has changed it"
    )]
    DigestMismatch {
        /// What was fetched, and from where.
        what: String,
        /// The digest that was asked for.
        expected: Digest,
        /// The digest of the bytes that came.
        found: Digest,
    },
    /// The image exists, but not for this kind of machine.
    #[error("{image} is not for {wanted}: it is for {}", list(found))]
    NoSuchPlatform {
        /// The image as a person writes it.
        image: String,
        /// The platform asked for.
        wanted: Platform,
        /// Those that the image is for.
        found: Vec<Platform>,
    },
    /// Whoever answers there does not speak the registry protocol.
    #[error("{registry} does not answer as a registry does for {image}: {reason}")]
    NotARegistry {
        /// The registry's host.
        registry: String,
        /// The image as a person writes it.
        image: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// Something in the image is larger than this engine takes.
    #[error("{what} is too large: more than {limit} bytes")]
    TooLarge {
        /// What.
        what: String,
        /// The bound, in bytes.
        limit: u64,
    },

    /// A layer's archive is damaged or hostile.
    #[error("layer {layer}: {entry:?}: {reason}")]
    Layer {
        /// The layer's diffID or digest, short.
        layer: String,
        /// The entry's path; empty for the archive as a whole.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },

    /// No image here has this name, id or prefix of an id.
    #[error("No such image: {0}")]
    NoSuchImage(String),
    /// The prefix of an id fits several images.
    #[error("multiple images begin with {0}: give more of the id")]
    Ambiguous(String),
    /// Removing it needs force, or is refused.
    #[error("unable to remove {image}: {reason}")]
    Conflict {
        /// As it was given.
        image: String,
        /// Why.
        reason: String,
    },
    /// The store's own files are damaged or of another version.
    #[error("image store {path}: {reason}")]
    Store {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The operating system refused something on a file of ours.
    #[error("{doing} {path}: {source}{}", way_out(source))]
    Io {
        /// What was being done.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A kernel step failed.
    #[error(transparent)]
    Kernel(#[from] namespaces::Error),
}

/// In the words of the lessons before, for programs that use all of them.
impl From<Error> for namespaces::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Kernel(error) => error,
            other => namespaces::Error::new("images", "", other),
        }
    }
}

impl Error {
    /// For `map_err`: what was being done, on which path.
    pub(crate) fn io(doing: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Error {
        let path = path.as_ref().to_owned();
        move |source| Error::Io { doing, path, source }
    }
}

/// Makes text from outside fit for a person's terminal: one line, no control characters (they
/// could move the cursor or rename the window), at most 200 characters.
pub(crate) fn clean(text: impl Display) -> String {
    let mut all: String = text
        .to_string()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(201)
        .collect::<String>()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    if all.chars().count() > 200 {
        all = all.chars().take(199).collect::<String>() + "…";
    }
    all
}

fn list(platforms: &[Platform]) -> String {
    match platforms {
        [] => "no platform at all".to_owned(),
        some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ": free some space and try again",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_can_not_command_the_terminal() {
        let text = clean("\x1b]0;owned\x07 two\nlines");
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert!(clean("x".repeat(1000)).chars().count() <= 200);
    }
}
