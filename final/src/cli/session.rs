//! A program's streams, joined to ours: what `run`, `attach`, `start -a` and `exec` have in common.

use std::future::pending;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use hyper::upgrade::Upgraded;
use lifecycle::terminal::{self, RawMode};
use tokio::io::{AsyncWriteExt, Stderr, Stdout};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::detach::Keys;
use super::failure::Failure;
use super::signals::Signals;
use crate::client::hijack::{self, Channel, Frames, Incoming, Outgoing};
use crate::client::{Client, Path};

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The engine closed the stream: the program has ended.
    Closed,
    /// The person typed the detach keys: the program goes on.
    Detached,
}

/// What is joined, and how.
#[derive(Debug, Clone)]
pub struct Joined {
    /// The program has a terminal: raw bytes instead of frames.
    pub tty: bool,
    /// Our standard input goes to it.
    pub input: bool,
    /// What to type to leave it alone.
    pub keys: Keys,
    /// Where its terminal is resized: `/containers/ID` or `/exec/ID`.
    pub target: String,
}

/// An open session. While it lives, our terminal may be raw; dropping it restores the terminal.
#[derive(Debug)]
pub struct Session {
    joined: Joined,
    incoming: Incoming,
    outgoing: Outgoing,
    raw: Option<RawMode>,
    typed: Option<mpsc::Receiver<Vec<u8>>>,
}

impl Session {
    /// Takes over an upgraded connection. To be called before the program starts: from now on
    /// what is typed is kept for it.
    ///
    /// # Errors
    /// Our terminal refuses raw mode.
    pub fn open(upgraded: Upgraded, joined: Joined) -> Result<Session, Failure> {
        let (incoming, outgoing) = hijack::split(upgraded);
        let raw = (joined.tty && joined.input && io::stdin().is_terminal())
            .then(|| RawMode::enter(io::stdin().as_fd()))
            .transpose()
            .map_err(Failure::new)?;
        let typed = joined.input.then(read_input);
        Ok(Session { joined, incoming, outgoing, raw, typed })
    }

    /// Passes everything to and fro until the engine closes the stream or the person detaches.
    ///
    /// # Errors
    /// Our own output cannot be written, or the stream is not what it should be.
    pub async fn run(self, client: &Client, signals: Option<Signals>) -> Result<End, Failure> {
        let Session { joined, mut incoming, outgoing, raw, typed } = self;
        let target = joined.target.as_str();
        let end = tokio::select! {
            end = output(&mut incoming, joined.tty) => end.map(|()| End::Closed),
            () = input(outgoing, typed, joined.tty.then_some(joined.keys)) => Ok(End::Detached),
            never = follow_size(client, target, joined.tty) => Err(never),
            stop = pass_on(client, target, signals) => Err(stop),
        };
        drop(raw);
        end
    }
}

/// From the program to our standard output and error.
async fn output(incoming: &mut Incoming, tty: bool) -> Result<(), Failure> {
    let (mut out, mut err) = (tokio::io::stdout(), tokio::io::stderr());
    let mut writer = Writer { frames: (!tty).then(Frames::new), out: &mut out, err: &mut err };
    let mut buffer = vec![0; 64 * 1024];
    while let Some(bytes) = hijack::receive(incoming, &mut buffer).await {
        writer.write(bytes).await?;
    }
    Ok(())
}

/// Writes a stream, framed or not, to our own two.
#[derive(Debug)]
pub struct Writer<'a> {
    /// `None` with a terminal, where everything is output.
    pub frames: Option<Frames>,
    /// Standard output.
    pub out: &'a mut Stdout,
    /// Standard error.
    pub err: &'a mut Stderr,
}

impl Writer<'_> {
    /// Writes what has arrived, and flushes, so that output and errors keep their order.
    ///
    /// # Errors
    /// A closed pipe, a full disk; a stream that is not framed.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        let Writer { frames, out, err } = self;
        let Some(frames) = frames else {
            out.write_all(bytes).await?;
            return Ok(out.flush().await?);
        };
        // A log has a frame for each line. What has arrived together and belongs to the same stream is
        // written together: each write waits for a thread.
        let mut gathered = Vec::new();
        let mut whose = Channel::Output;
        while let Some((channel, piece)) = frames.next(&mut bytes).map_err(Failure::new)? {
            if channel != whose {
                put(out, err, whose, &std::mem::take(&mut gathered)).await?;
                whose = channel;
            }
            gathered.extend_from_slice(piece);
        }
        put(out, err, whose, &gathered).await
    }
}

async fn put(out: &mut Stdout, err: &mut Stderr, channel: Channel, bytes: &[u8]) -> Result<(), Failure> {
    match channel {
        _ if bytes.is_empty() => {}
        Channel::Output => {
            out.write_all(bytes).await?;
            out.flush().await?;
        }
        Channel::Errors => {
            err.write_all(bytes).await?;
            err.flush().await?;
        }
    }
    Ok(())
}

/// From our standard input to the program. Returns only when the detach keys were typed.
async fn input(mut outgoing: Outgoing, typed: Option<mpsc::Receiver<Vec<u8>>>, keys: Option<Keys>) {
    let Some(mut typed) = typed else { return pending().await };
    let mut keys = keys;
    while let Some(bytes) = typed.recv().await {
        let (bytes, detached) = match &mut keys {
            Some(keys) => keys.filter(bytes),
            None => (bytes, false),
        };
        // A program that no longer reads is no error: its output and status still come.
        let _ = outgoing.write_all(&bytes).await;
        let _ = outgoing.flush().await;
        if detached {
            return;
        }
    }
    hijack::close_input(&mut outgoing).await;
    // Kept until the session ends: dropping it would hang up.
    pending::<()>().await;
}

/// Reads our standard input on a thread of its own: a file or a terminal can only be read
/// blocking, and making the descriptor non-blocking would change it for everybody who shares it.
/// The thread ends with the process.
fn read_input() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(4);
    thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        let mut buffer = vec![0; 32 * 1024];
        loop {
            match stdin.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => {
                    if sender.blocking_send(buffer[..length].to_vec()).is_err() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
    });
    receiver
}

/// Gives the program's terminal the size of ours, now and whenever it changes. Ends only with an
/// error of our own.
async fn follow_size(client: &Client, target: &str, tty: bool) -> Failure {
    if !tty {
        return pending().await;
    }
    let mut changes = match signal(SignalKind::window_change()) {
        Ok(changes) => changes,
        Err(error) => return Failure::new(format!("listening for SIGWINCH: {error}")),
    };
    // An exec's program may not run yet when its stream is already open.
    for attempt in 1..=10 {
        if resize(client, target).await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10 * attempt)).await;
    }
    while changes.recv().await.is_some() {
        resize(client, target).await;
    }
    pending().await
}

/// The size of our terminal, where there is one: rows and columns.
pub fn size() -> Option<(u16, u16)> {
    terminal::size(io::stdout()).or_else(|| terminal::size(io::stdin()))
}

async fn resize(client: &Client, target: &str) -> bool {
    let Some((rows, columns)) = size() else { return true };
    let path = Path::new(target).end("/resize").query("h", rows).query("w", columns);
    client.act(path).await.is_ok()
}

/// Passes signals on to the container. Ends only when the person insists on ending us.
async fn pass_on(client: &Client, target: &str, signals: Option<Signals>) -> Failure {
    let Some(mut signals) = signals else { return pending().await };
    let mut insisted = 0;
    while let Some(name) = signals.next().await {
        let path = Path::new(target).end("/kill").query("signal", name);
        // It may just have ended: nobody is left to be told.
        let _ = client.act(path).await;
        insisted += u32::from(matches!(name, "INT" | "TERM"));
        if insisted >= 3 {
            return Failure::new("three times SIGINT or SIGTERM: leaving the container as it is");
        }
    }
    pending().await
}
