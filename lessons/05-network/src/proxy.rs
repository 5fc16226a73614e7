//! The way in through a process: what arrives at the sockets of published ports is carried to the
//! container, and back.
//!
//! It is for all that the kernel can't be asked to do ([`crate::dnat`] says what, and why). It is
//! slower, and the container sees the host's address on the bridge as the sender. For whoever may
//! not touch the host's rules, an ordinary user, it is the only way: a socket belongs to the
//! network namespace in which it was opened, wherever its owner is; so the listening ones are the
//! host's, and the ones that are opened here are of the namespace in which the bridge is.
//!
//! A thread waits for all ports together; each TCP connection gets two threads of its own, one for
//! each direction, which is the simplest that works. Threads come after the container was made, as a
//! process with several of them can't be cloned. A process apart would cost its own start, a
//! millisecond, also where nobody ever comes this way.

mod tcp;
mod udp;

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use namespaces::{Result, step};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns};
use nix::unistd::pipe2;

use crate::ports::Port;
use crate::publish::Protocol;
use udp::Conversations;

/// Carries until it is dropped; then the ports are free.
#[derive(Debug)]
pub struct Proxy {
    /// The thread ends when this is closed.
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Begins to carry what comes to these ports to the container, by its address in the network
    /// namespace `inside`; without one, in the calling thread's.
    ///
    /// # Errors
    /// No thread can be started, or the namespace can't be entered: the ports are free again.
    pub fn start(ports: Vec<Port>, container: IpAddr, inside: Option<OwnedFd>) -> Result<Proxy> {
        let (stopped, stop) = step("make pipe", "", || pipe2(OFlag::O_CLOEXEC))?;
        // Tried here first, where there is somebody to tell.
        if let Some(netns) = &inside {
            crate::namespace::in_namespace(netns.as_fd(), || Ok(()))?;
        }
        let work = move || {
            if let Some(netns) = &inside
                && setns(netns, CloneFlags::CLONE_NEWNET).is_err()
            {
                return;
            }
            serve(&stopped, ports, container);
        };
        let thread =
            step("start thread", "proxy", || thread::Builder::new().name("proxy".into()).spawn(work))?;
        Ok(Proxy { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread: until `stopped` is closed at its other end.
fn serve(stopped: &OwnedFd, ports: Vec<Port>, container: IpAddr) {
    let (tcp, udp): (Vec<Port>, Vec<Port>) =
        ports.into_iter().partition(|port| port.mapping.protocol == Protocol::Tcp);
    let tcp: Vec<(TcpListener, SocketAddr)> = tcp
        .into_iter()
        .map(|port| (port.socket.into(), SocketAddr::new(container, port.mapping.port)))
        .collect();
    let mut udp = Conversations::new(udp, container);
    loop {
        let mut watched: Vec<BorrowedFd<'_>> = vec![stopped.as_fd()];
        watched.extend(tcp.iter().map(|(listener, _)| listener.as_fd()));
        watched.extend(udp.descriptors());
        let mut watched: Vec<_> = watched.into_iter().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        // Every now and then, to forget conversations that have ended.
        let timeout = if udp.is_idle() { PollTimeout::NONE } else { PollTimeout::from(1000u16) };
        match poll(&mut watched, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            // Too little memory: it will be better in a moment.
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
        let ready: Vec<bool> = watched.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        drop(watched);
        let Some(([stop], ready)) = ready.split_first_chunk() else { return };
        if *stop {
            return;
        }
        let (ready_tcp, ready_udp) = ready.split_at(tcp.len());
        for ((listener, container), _) in tcp.iter().zip(ready_tcp).filter(|(_, ready)| **ready) {
            tcp::accept(listener, *container);
        }
        udp.serve(ready_udp);
    }
}
