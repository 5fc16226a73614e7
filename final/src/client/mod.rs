//! A client of the Docker Engine API: ours or Docker's, local or remote, all the same.
//!
//! Small on purpose: hyper's HTTP/1 connection on a runtime of one thread, so that a command
//! has connected to its engine within a millisecond or two of its start.

pub mod autostart;
pub mod endpoint;
mod error;
pub mod hijack;
pub mod http;
mod path;

pub use endpoint::Endpoint;
pub use error::{Error, Result};
pub use http::{Client, Stream};
pub use path::Path;
