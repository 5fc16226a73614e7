//! Noticing that a client has gone while nothing is said.
//!
//! The end of what a client sends is no sign: it may have ended only its half, and still listen (the stock
//! client does so when its standard input ends). A write would tell, but on a quiet stream of events, or at
//! a container that says nothing, there may be none for days. The kernel knows the difference: POLLHUP means
//! that both directions are closed (poll(2)).

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How often it is looked at.
const INTERVAL: Duration = Duration::from_secs(2);

/// The socket of a connection, to ask it whether somebody is still there.
#[derive(Debug, Clone, Copy)]
pub struct Hangup(RawFd);

impl Hangup {
    /// Of this socket. It is asked only while whoever holds the socket holds it: [`Hangup::happened`] is
    /// awaited beside the connection, or the stream that it became, and dropped with it.
    pub fn of(socket: &impl AsRawFd) -> Hangup {
        Hangup(socket.as_raw_fd())
    }

    /// Returns once the client has closed its connection altogether; not at once: who sends a request and
    /// leaves may mean it.
    pub async fn happened(self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            if self.now() {
                return;
            }
        }
    }

    fn now(self) -> bool {
        // SAFETY: only for the length of the call, and only to ask; were the number another file's by now,
        // the answer would be about that one, and no harm done.
        let socket = unsafe { BorrowedFd::borrow_raw(self.0) };
        let mut asked = [PollFd::new(socket, PollFlags::empty())];
        let gone = PollFlags::POLLHUP | PollFlags::POLLERR;
        poll(&mut asked, PollTimeout::ZERO).is_ok()
            && asked[0].revents().is_some_and(|events| events.intersects(gone))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn half_an_end_is_none_and_a_whole_one_is() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        assert!(!Hangup::of(&ours).now());
        theirs.shutdown(Shutdown::Write).unwrap();
        assert!(!Hangup::of(&ours).now());
        drop(theirs);
        assert!(Hangup::of(&ours).now());
    }
}
