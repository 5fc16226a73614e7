//! HTTP as bytes: for requests that no proper client would send.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Nothing that the engine is asked in tests takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status code; 0: there was no answer at all, the connection was closed.
    pub status: u16,
    /// The body, its chunks put together.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// What an error says, of which every client reads `{"message": …}`.
    pub fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }

    fn from_bytes(bytes: &[u8]) -> Answer {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Answer::default();
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
        let rest = &bytes[end + 4..];
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
        let body = match length {
            _ if head.contains("transfer-encoding: chunked") => without_chunks(rest),
            // What comes after it answers what came after the request.
            Some(length) => rest[..rest.len().min(length)].to_vec(),
            None => rest.to_vec(),
        };
        Answer { status, body }
    }
}

fn without_chunks(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let length = usize::from_str_radix(&String::from_utf8_lossy(&rest[..end]), 16).unwrap_or_default();
        let chunk = rest.get(end + 2..end + 2 + length).unwrap_or_default();
        body.extend_from_slice(chunk);
        rest = rest.get(end + 2 + length + 2..).unwrap_or_default();
        if length == 0 {
            break;
        }
    }
    body
}

/// A connection to the engine.
///
/// # Panics
/// Nobody listens.
pub fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap_or_else(|error| panic!("the engine is gone: {error}"));
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket of ours");
    stream.set_write_timeout(Some(PATIENCE)).expect("a socket of ours");
    stream
}

/// A proper request, which asks for the connection's end after it.
pub fn request(method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Sends a proper request, and takes the whole answer.
#[track_caller]
pub fn ask(socket: &Path, method: &str, path: &str, body: &[u8]) -> Answer {
    exchange(socket, &request(method, path, body))
}

/// Sends these bytes and nothing more, and takes what comes until the connection ends.
///
/// # Panics
/// It doesn't end.
#[track_caller]
pub fn exchange(socket: &Path, bytes: &[u8]) -> Answer {
    let mut stream = connect(socket);
    // Who is refused in the middle finds nobody who reads the rest.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut all = Vec::new();
    if let Err(error) = stream.read_to_end(&mut all) {
        let hung_up = error.kind() == io::ErrorKind::ConnectionReset;
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
        assert!(hung_up, "no end of the answer: {error}\n{start:?}\n{:?}", Answer::from_bytes(&all));
    }
    Answer::from_bytes(&all)
}

/// Sends these bytes, waits for the head of the answer, and hangs up whatever else may come. Returns the
/// status.
#[track_caller]
pub fn glance(socket: &Path, bytes: &[u8]) -> u16 {
    let mut stream = connect(socket);
    let _ = stream.write_all(bytes);
    status_of(&mut stream)
}

/// The status of an answer that is on its way; what has come of its body is thrown away. 0: the
/// connection was closed.
///
/// # Panics
/// Nothing comes.
#[track_caller]
pub fn status_of(stream: &mut UnixStream) -> u16 {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => head.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("no answer: {error}: {:?}", String::from_utf8_lossy(&head)),
        }
    }
    Answer::from_bytes(&head).status
}
