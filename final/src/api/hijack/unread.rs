//! What a client has not read yet.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

/// How long a client may take to read the head of an answer.
const PATIENCE: Duration = Duration::from_millis(200);

/// Returns when the other end of a Unix socket has read all that was sent to it, or takes too long for that.
pub async fn all_read(socket: &OwnedFd) {
    let wait = async {
        while bytes(socket).is_some_and(|bytes| bytes > 0) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let _ = tokio::time::timeout(PATIENCE, wait).await;
}

/// How much memory is held by what the other end has not read (unix(7), SIOCOUTQ); nothing if the kernel
/// doesn't say.
fn bytes(socket: &OwnedFd) -> Option<libc::c_int> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: SIOCOUTQ, which has the number of TIOCOUTQ, writes one int to where its argument points: to
    // `bytes`, which lives longer than the call. The descriptor is open.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    (done == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[tokio::test]
    async fn what_the_other_end_has_read_is_known() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let socket = OwnedFd::from(ours.try_clone().unwrap());
        assert_eq!(bytes(&socket), Some(0));
        ours.write_all(b"head").unwrap();
        assert!(bytes(&socket).unwrap() > 0);
        // Who doesn't read is not waited for for ever.
        all_read(&socket).await;
        theirs.read_exact(&mut [0; 4]).unwrap();
        assert_eq!(bytes(&socket), Some(0));
        all_read(&socket).await;
    }
}
