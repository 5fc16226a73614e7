//! TCP: a connection to the host, and one more to the container, tied together.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{KeepAlive, Linger};

/// So many connections at a time, then no more: whoever opens them without end must not take all
/// threads that this user may have.
const MOST: usize = 2048;
/// How long the container's side may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is carried at a time.
const CHUNK: usize = 64 * 1024;
/// A thread here has no deep calls.
const STACK: usize = 64 * 1024;

static OPEN: AtomicUsize = AtomicUsize::new(0);

/// Takes one connection, and lets a thread carry it.
pub(super) fn accept(listener: &TcpListener, container: SocketAddr) {
    let client = match listener.accept() {
        Ok((client, _)) => client,
        // Whoever called has hung up already.
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted) => return,
        Err(_) => {
            // Too many descriptors are open. The caller stays in the queue, so we'd be back at once.
            thread::sleep(Duration::from_millis(10));
            return;
        }
    };
    if OPEN.fetch_add(1, Ordering::Relaxed) >= MOST {
        OPEN.fetch_sub(1, Ordering::Relaxed);
        reset(&client);
        return;
    }
    let carry = move || {
        carry(&client, container);
        drop(client);
        OPEN.fetch_sub(1, Ordering::Relaxed);
    };
    if thread::Builder::new().stack_size(STACK).spawn(carry).is_err() {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

fn carry(client: &TcpStream, container: SocketAddr) {
    let Ok(server) = TcpStream::connect_timeout(&container, PATIENCE) else {
        // Nobody listens there. The caller was accepted before we could know; a reset is the nearest
        // thing to a refusal.
        return reset(client);
    };
    for end in [client, &server] {
        let _ = end.set_nodelay(true);
        // A caller whose machine has vanished says nothing more, for ever: the kernel asks.
        let _ = setsockopt(end, KeepAlive, &true);
    }
    thread::scope(|scope| {
        let back = thread::Builder::new().stack_size(STACK);
        match back.spawn_scoped(scope, || copy(&server, client)) {
            Ok(_) => copy(client, &server),
            Err(_) => reset(client),
        }
    });
}

/// Carries one direction to its end. The end of what one side says is not the end of what it hears:
/// so only this direction is closed.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let mut buffer = vec![0; CHUNK];
    let carried = loop {
        match from.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(length) => {
                if let Err(error) = to.write_all(&buffer[..length]) {
                    break Err(error);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    match carried {
        Ok(()) => {
            let _ = to.shutdown(Shutdown::Write);
        }
        // One side broke off: the other must not take what it has got for all that there was.
        Err(_) => [from, to].into_iter().for_each(reset),
    }
}

/// Breaks a connection off: when it is closed, its other end hears of an error, and not of an orderly
/// end. A thread that still reads from it wakes up, and closes it, too.
fn reset(stream: &TcpStream) {
    let _ = setsockopt(stream, Linger, &libc::linger { l_onoff: 1, l_linger: 0 });
    let _ = stream.shutdown(Shutdown::Read);
}
