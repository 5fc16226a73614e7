//! Talking to a monitor: starting one, finding a living one again, and what the two say
//! (README.md, "What is said on a control connection").

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::cmsg_space;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use rootfs::OwnBinary;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Command;

use super::Engine;
use super::error::{Error, Result};
use crate::bundle::{Event, Request, Streams};
use crate::descriptors;

/// A connection to a monitor.
#[derive(Debug)]
pub struct Monitor {
    events: Lines<BufReader<OwnedReadHalf>>,
    requests: OwnedWriteHalf,
}

/// The sending half of such a connection.
pub type Requests = OwnedWriteHalf;

/// So many digits of a container's id are the name of its monitor's socket.
pub const SOCKET_NAME: usize = 32;

/// What a monitor gets, beside its words.
#[derive(Debug)]
pub struct Handed<'a> {
    /// Those who are attached already.
    pub attached: Vec<(Streams, StdStream)>,
    /// The sockets of published ports.
    pub ports: Vec<BorrowedFd<'a>>,
    /// The network namespace in which the bridges are, if it isn't ours.
    pub netns: Option<BorrowedFd<'a>>,
}

impl Engine {
    /// Where the monitor of a container listens: half of the id is name enough, and the path of a
    /// socket has only 107 bytes.
    pub fn socket(&self, id: &str) -> PathBuf {
        self.settings.exec_root.join(format!("{}.sock", &id[..id.len().min(SOCKET_NAME)]))
    }
}

impl Monitor {
    /// Starts `canoa monitor` with these arguments, this connection as its descriptor 3, and what it is
    /// handed from 4 on.
    ///
    /// Needs a tokio runtime around it, whose reaper later takes in the monitor's exit status.
    pub fn spawn(program: &OwnBinary, arguments: &[&str], handed: Handed<'_>) -> Result<Monitor> {
        let Handed { attached, ports, netns } = handed;
        let failed = |error: io::Error| Error::internal("starting canoa monitor", error);
        let (ours, theirs) = StdStream::pair().map_err(failed)?;
        // Descriptors 3, 4, … in the monitor. First they are all moved above that range, so that putting
        // one in its place can't overwrite another that is still to come, nor the program itself.
        let lowest = 3 + attached.len() as RawFd + ports.len() as RawFd + 2;
        let own =
            program.descriptor().map(|own| above(own.as_raw_fd(), lowest)).transpose().map_err(failed)?;
        let mut command = Command::new(match &own {
            Some(own) => PathBuf::from(format!("/proc/self/fd/{}", own.as_raw_fd())),
            None => program.path(),
        });
        command.arg0("canoa").arg("monitor").args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        // With --init a copy of the monitor is PID 1 inside, and shows /proc/1/environ to everybody in
        // there: nothing of the person's who started the daemon.
        command.env_clear();

        let mut places = vec![above(theirs.as_raw_fd(), lowest).map_err(failed)?];
        for (streams, stream) in &attached {
            command.arg("--attach").arg(format!("{}={}", 3 + places.len(), words(*streams)));
            places.push(above(stream.as_raw_fd(), lowest).map_err(failed)?);
        }
        for port in ports {
            command.arg("--port").arg((3 + places.len()).to_string());
            places.push(above(port.as_raw_fd(), lowest).map_err(failed)?);
        }
        if let Some(netns) = netns {
            command.arg("--netns").arg((3 + places.len()).to_string());
            places.push(above(netns.as_raw_fd(), lowest).map_err(failed)?);
        }
        let sources: Vec<RawFd> = places.iter().map(AsRawFd::as_raw_fd).collect();
        // SAFETY: between fork and exec only setsid, setrlimit, close_range and dup2 are called, bare system calls,
        // and nothing is allocated: other threads may have held the allocator's lock at the fork.
        unsafe {
            command.pre_exec(move || {
                // A session of its own: Ctrl-C at the daemon's terminal is not for containers.
                if libc::setsid() < 0 {
                    return Err(io::Error::last_os_error());
                }
                descriptors::give_back()?;
                // Whatever the daemon itself has inherited is not for containers (dup2 clears the mark).
                if libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) < 0 {
                    return Err(io::Error::last_os_error());
                }
                for (place, source) in sources.iter().enumerate() {
                    if libc::dup2(*source, 3 + place as RawFd) < 0 {
                        return Err(io::Error::last_os_error());
                    }
                }
                Ok(())
            });
        }
        let mut child = command.spawn().map_err(failed)?;
        drop((theirs, attached, places));
        // Somebody has to take in its exit status; what it means comes over the connection.
        tokio::spawn(async move { child.wait().await });
        ours.set_nonblocking(true).map_err(failed)?;
        Ok(Monitor::from(UnixStream::from_std(ours).map_err(failed)?))
    }

    /// Finds a living monitor again, and watches it.
    pub async fn connect(socket: &Path) -> Result<Monitor> {
        let mut monitor = Monitor::from(connect(socket).await?);
        monitor.send(&Request::Watch {}).await?;
        Ok(monitor)
    }

    /// The next event; none when the monitor has ended (or speaks nonsense, which is the same).
    pub async fn next(&mut self) -> Option<Event> {
        let line = self.events.next_line().await.ok()??;
        match serde_json::from_str(&line) {
            Ok(event) => Some(event),
            Err(error) => {
                tracing::warn!("a monitor said {line:?}: {error}");
                None
            }
        }
    }

    /// Sends a request.
    pub async fn send(&mut self, request: &Request) -> Result<()> {
        send(&mut self.requests, request).await
    }

    /// Sends a line of its own: the plan of an exec.
    pub async fn send_line(&mut self, line: &impl serde::Serialize) -> Result<()> {
        send(&mut self.requests, line).await
    }

    /// The two halves: events for one task, requests for whoever has one.
    pub fn split(self) -> (Events, Requests) {
        (Events(self.events), self.requests)
    }
}

/// The receiving half.
#[derive(Debug)]
pub struct Events(Lines<BufReader<OwnedReadHalf>>);

impl Events {
    /// As [`Monitor::next`].
    pub async fn next(&mut self) -> Option<Event> {
        serde_json::from_str(&self.0.next_line().await.ok()??).ok()
    }
}

impl From<UnixStream> for Monitor {
    fn from(stream: UnixStream) -> Self {
        let (read, requests) = stream.into_split();
        Monitor { events: BufReader::new(read).lines(), requests }
    }
}

/// Sends one JSON object as a line.
pub async fn send(requests: &mut Requests, line: &impl serde::Serialize) -> Result<()> {
    let failed = |error: io::Error| Error::internal("speaking to the container's monitor", error);
    requests.write_all(&json_line(line)?).await.map_err(failed)
}

/// Puts a client through to a running container's streams.
pub async fn attach(socket: &Path, streams: Streams) -> Result<UnixStream> {
    let mut stream = connect(socket).await?;
    let failed = |error: io::Error| Error::internal("attaching", error);
    stream.write_all(&json_line(&Request::Attach(streams))?).await.map_err(failed)?;
    Ok(stream)
}

/// Tells a container's terminal its size.
pub async fn resize(socket: &Path, rows: u16, columns: u16) -> Result<()> {
    let mut stream = connect(socket).await?;
    let failed = |error: io::Error| Error::internal("resizing", error);
    stream.write_all(&json_line(&Request::Resize { rows, columns })?).await.map_err(failed)
}

/// The descriptor of a running container's merged file system. It blocks.
pub fn root(socket: &Path) -> Result<OwnedFd> {
    let failed = |error: io::Error| Error::internal("asking for the container's file system", error);
    let mut stream = StdStream::connect(socket).map_err(failed)?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).map_err(failed)?;
    io::Write::write_all(&mut stream, &json_line(&Request::Root {})?).map_err(failed)?;
    let mut answer = [0u8; 256];
    let mut space = cmsg_space!([RawFd; 1]);
    let mut buffer = [io::IoSliceMut::new(&mut answer)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut buffer, Some(&mut space), flags)
        .map_err(|errno| failed(errno.into()))?;
    let rights = message.cmsgs().map_err(|errno| failed(errno.into()))?;
    let descriptors = rights.filter_map(|one| match one {
        ControlMessageOwned::ScmRights(fds) => Some(fds),
        _ => None,
    });
    // SAFETY: the kernel has just made these descriptors for us; nobody else owns them.
    let mut owned = descriptors.flatten().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    owned.next().ok_or_else(|| {
        let text = String::from_utf8_lossy(&answer).trim_matches(['\0', '\n']).to_owned();
        failed(io::Error::other(format!("its monitor sent no descriptor but {text:?}")))
    })
}

/// Has a monitor do something, and waits until it is done. It blocks.
pub fn tell(socket: &Path, request: &Request) -> Result<()> {
    let failed = |error: io::Error| Error::internal("speaking to the container's monitor", error);
    let mut stream = StdStream::connect(socket).map_err(failed)?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).map_err(failed)?;
    io::Write::write_all(&mut stream, &json_line(request)?).map_err(failed)?;
    let mut answer = String::new();
    io::BufRead::read_line(&mut io::BufReader::new(stream), &mut answer).map_err(failed)?;
    match serde_json::from_str(&answer) {
        Ok(Event::Done {}) => Ok(()),
        Ok(Event::Refused { message }) => Err(Error::internal("the container's monitor", message)),
        _ => Err(failed(io::Error::other(format!("it said {answer:?}")))),
    }
}

async fn connect(socket: &Path) -> Result<UnixStream> {
    let failed = |error| Error::internal(format!("connecting to {}", socket.display()), error);
    UnixStream::connect(socket).await.map_err(failed)
}

fn json_line(line: &impl serde::Serialize) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec(line).map_err(|error| Error::internal("writing JSON", error))?;
    text.push(b'\n');
    Ok(text)
}

fn words(streams: Streams) -> String {
    let all = [(streams.stdin, "stdin"), (streams.stdout, "stdout"), (streams.stderr, "stderr")];
    let chosen: Vec<&str> = all.into_iter().filter(|(wanted, _)| *wanted).map(|(_, word)| word).collect();
    chosen.join(",")
}

/// A copy of a descriptor whose number is at least `lowest`.
fn above(fd: RawFd, lowest: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the caller holds `fd` open for the length of this call.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    let copy = fcntl(borrowed, FcntlArg::F_DUPFD_CLOEXEC(lowest))?;
    // SAFETY: a new descriptor, which nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}
