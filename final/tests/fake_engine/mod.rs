//! An engine that is none: it answers as a test tells it to, and remembers what it was asked.
//!
//! HTTP by hand, so that a test sees the client's bytes and can answer with bytes that no
//! well-behaved server would send.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// What a client asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET /v1.47/containers/json`, with the query.
    pub line: String,
    pub headers: HashMap<String, String>,
    pub body: String,
}

/// What to answer.
pub enum Reply {
    /// A status and a JSON body.
    Json(u16, String),
    /// A 200 whose pieces come one by one, chunked.
    Pieces(Vec<Vec<u8>>),
    /// 101, and then the stream belongs to this function.
    Upgrade(Box<dyn FnOnce(UnixStream) + Send>),
    /// These bytes and nothing else; then the connection is closed.
    Raw(&'static [u8]),
}

impl Reply {
    pub fn ok(body: &str) -> Reply {
        Reply::Json(200, body.to_owned())
    }

    pub fn error(status: u16, message: &str) -> Reply {
        Reply::Json(status, format!("{{\"message\":{}}}", serde_json::Value::from(message)))
    }
}

/// The engine. It ends with the test's process.
pub struct FakeEngine {
    folder: TempDir,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl FakeEngine {
    /// An engine of API 1.47 that answers through `answer`, which sees the path without its version.
    pub fn start(answer: impl Fn(&str, &Request) -> Reply + Send + Sync + 'static) -> FakeEngine {
        FakeEngine::of_version(Some("1.47"), answer)
    }

    /// One that hangs up on a connection over which nothing came for so long, as every server does.
    pub fn hanging_up_after(
        idle: Duration,
        answer: impl Fn(&str, &Request) -> Reply + Send + Sync + 'static,
    ) -> FakeEngine {
        FakeEngine::listen(Some("1.47"), Some(idle), answer)
    }

    /// The same with another version in its greeting, or none.
    pub fn of_version(
        version: Option<&'static str>,
        answer: impl Fn(&str, &Request) -> Reply + Send + Sync + 'static,
    ) -> FakeEngine {
        FakeEngine::listen(version, None, answer)
    }

    fn listen(
        version: Option<&'static str>,
        idle: Option<Duration>,
        answer: impl Fn(&str, &Request) -> Reply + Send + Sync + 'static,
    ) -> FakeEngine {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("sock")).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (asked.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (log.clone(), answer.clone());
                stream.set_read_timeout(idle).unwrap();
                thread::spawn(move || serve(stream, version, &log, &*answer));
            }
        });
        FakeEngine { folder, asked }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("sock")
    }

    /// The client, told to talk to this engine.
    pub fn canoa(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(client());
        command.arg("-H").arg(format!("unix://{}", self.socket().display())).args(arguments);
        command.env_remove("CANOA_HOST");
        command
    }

    /// Everything that was asked, but for the greeting.
    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }

    /// The first request that begins so; the test fails when it has not come after some seconds.
    pub fn wait_for(&self, start: &str) -> Request {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(10) {
            if let Some(request) = self.asked().into_iter().find(|request| request.line.starts_with(start)) {
                return request;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("{start} was never asked; these were: {:#?}", self.asked());
    }
}

/// The program. Where the tests run elsewhere than they were built, the variable says where it is.
pub fn client() -> PathBuf {
    std::env::var_os("CARGO_BIN_EXE_canoa").unwrap_or(env!("CARGO_BIN_EXE_canoa").into()).into()
}

/// One frame of a stream without a terminal.
pub fn frame(channel: u8, text: &str) -> Vec<u8> {
    let mut bytes = vec![channel, 0, 0, 0];
    bytes.extend((text.len() as u32).to_be_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

fn serve(
    stream: UnixStream,
    version: Option<&str>,
    log: &Mutex<Vec<Request>>,
    answer: &(dyn Fn(&str, &Request) -> Reply + Send + Sync),
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some(request) = read(&mut reader) {
        if request.line == "HEAD /_ping" {
            let version = version.map(|version| format!("Api-Version: {version}\r\n")).unwrap_or_default();
            let head = format!("HTTP/1.1 200 OK\r\n{version}Content-Length: 2\r\n\r\n");
            writer.write_all(head.as_bytes()).unwrap();
            continue;
        }
        log.lock().unwrap().push(request.clone());
        let (method, path) = request.line.split_once(' ').unwrap();
        let path =
            path.strip_prefix("/v").and_then(|path| path.split_once('/')).map_or(path, |(_, path)| path);
        // A client that goes away in the middle is what some tests are about.
        let sent = match answer(&format!("{method} /{path}"), &request) {
            Reply::Json(204, _) => writer.write_all(b"HTTP/1.1 204 No Content\r\n\r\n"),
            Reply::Json(status, body) => {
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
                );
                writer.write_all((head + &body).as_bytes())
            }
            Reply::Pieces(pieces) => pieces_of(&mut writer, &pieces),
            Reply::Raw(bytes) => {
                let _ = writer.write_all(bytes);
                return;
            }
            Reply::Upgrade(serve) => {
                let head = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
                writer.write_all(head).unwrap();
                assert!(reader.buffer().is_empty(), "the client sent input before the upgrade");
                return serve(writer);
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

fn pieces_of(writer: &mut UnixStream, pieces: &[Vec<u8>]) -> std::io::Result<()> {
    writer.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    for piece in pieces {
        writer.write_all(format!("{:x}\r\n", piece.len()).as_bytes())?;
        writer.write_all(piece)?;
        writer.write_all(b"\r\n")?;
    }
    writer.write_all(b"0\r\n\r\n")
}

fn read(reader: &mut BufReader<UnixStream>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let headers: HashMap<String, String> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let line = lines[0].trim_end_matches(" HTTP/1.1").to_owned();
    Some(Request { line, headers, body: String::from_utf8(body).unwrap() })
}
