//! The loop of a monitor, until its process has ended.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use lifecycle::Streams;
use namespaces::{Child, Result, Status};

use super::control::Control;
use super::memory;
use super::wiring::Wiring;

/// Whoever has run so long runs longer: its start is over, and what that needed can go.
const SETTLED: Duration = Duration::from_secs(1);

/// Serves everybody until the process ends; then hands out what it had still said.
pub(super) fn until_exit(
    child: &Child,
    streams: &mut Streams,
    control: &mut Control,
    mut wiring: Option<&mut Wiring>,
) -> Result<Status> {
    let start = Instant::now();
    let mut settles = Some(SETTLED);
    loop {
        let mut watched: Vec<BorrowedFd<'_>> = vec![child.as_fd()];
        let questions = wiring.as_deref().and_then(Wiring::questions);
        watched.extend(questions);
        let first = watched.len();
        watched.extend(control.descriptors());
        let ready = streams.turn(&watched, settles)?;
        if settles.is_some() && start.elapsed() >= SETTLED {
            settles = None;
            memory::let_go_of_text();
        }
        if let Some(error) = streams.log_trouble() {
            // The daemon's own standard error. Who reads the log sees there what is missing.
            eprintln!("canoa monitor: writing the log of a container: {error}");
        }
        if let Some(wiring) = wiring.as_deref_mut().filter(|_| first > 1 && ready[1]) {
            wiring.answer();
        }
        control.serve(&ready[first..], streams, wiring.as_deref_mut());
        if ready[0] {
            let status = child.wait()?;
            streams.finish()?;
            return Ok(status);
        }
    }
}
