//! How many files a process may have open.
//!
//! A login and a service manager give 1024 and allow more to those who ask (the soft and the hard limit,
//! getrlimit(2)): programs that use select(2) can't count further. Daemon and monitor have a connection
//! for each client, and take all that they can get. What a container's program finds is what the daemon
//! was started with, as with Docker: some programs close all the descriptors that they may have, one by
//! one.

use std::io;
use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The limit as this process was started with it: soft and hard.
static FOUND: OnceLock<(u64, u64)> = OnceLock::new();

/// Takes as many as there are. That it isn't possible is no error: then it is as it was.
pub fn take_all() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        FOUND.get_or_init(|| (soft, hard));
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// What it was before, if it was changed: soft and hard.
pub fn found() -> Option<(u64, u64)> {
    FOUND.get().copied()
}

/// Makes it again what it was, between fork and exec: a bare system call.
pub fn give_back() -> io::Result<()> {
    match found() {
        Some((soft, hard)) => Ok(setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?),
        None => Ok(()),
    }
}
