//! Signals that are meant for the program in the container, not for its client.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::failure::Failure;

/// What is passed on. Not SIGWINCH, which becomes a resize; not SIGCHLD, SIGPIPE and SIGURG, which
/// are this process's own; not SIGTSTP, so that Ctrl-Z stops the client.
const PASSED: [(&str, libc::c_int); 8] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("USR1", libc::SIGUSR1),
    ("USR2", libc::SIGUSR2),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("CONT", libc::SIGCONT),
];

/// The signals that have come. They are kept from the moment this is made, so that one that
/// comes between create and start is not lost.
#[derive(Debug)]
pub struct Signals(mpsc::UnboundedReceiver<&'static str>);

impl Signals {
    /// Catches them from now on.
    ///
    /// # Errors
    /// The kernel's.
    pub fn catch() -> Result<Signals, Failure> {
        let (sender, receiver) = mpsc::unbounded_channel();
        for (name, number) in PASSED {
            let mut caught = signal(SignalKind::from_raw(number))
                .map_err(|error| Failure::new(format!("listening for SIG{name}: {error}")))?;
            let sender = sender.clone();
            tokio::spawn(async move { while caught.recv().await.is_some() && sender.send(name).is_ok() {} });
        }
        Ok(Signals(receiver))
    }

    /// The name of the next one, without SIG.
    pub async fn next(&mut self) -> Option<&'static str> {
        self.0.recv().await
    }
}
