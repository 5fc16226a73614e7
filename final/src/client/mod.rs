//! A client of the Docker Engine API: ours or Docker's, local or remote, all the same.
//!
//! Small on purpose: hyper's HTTP/1 connection on a runtime of one thread, so that a command
//! has connected to its engine within a millisecond or two of its start.

pub mod autostart;
mod context;
pub mod endpoint;
mod error;
pub mod hijack;
pub mod http;
mod path;
mod ssh;
pub mod tls;
pub mod transport;

pub use endpoint::{Endpoint, Wish};
pub use error::{Error, Result};
pub use http::{Client, Stream};
pub use path::Path;
