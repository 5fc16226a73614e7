//! A registry of the tests' own, which answers well or misbehaves as it is told.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use images::{Digest, Reference};

/// What came in.
#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    pub headers: HashMap<String, String>,
}

/// What goes out.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Close the connection after so many bytes of the body.
    pub cut: Option<usize>,
}

impl Answer {
    pub fn ok(body: impl Into<Vec<u8>>) -> Answer {
        Answer { status: 200, body: body.into(), ..Answer::default() }
    }

    pub fn status(status: u16) -> Answer {
        Answer {
            status,
            body: b"{\"errors\":[{\"code\":\"X\",\"message\":\"the registry's words\"}]}".to_vec(),
            ..Answer::default()
        }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Answer {
        self.headers.push((name.into(), value.into()));
        self
    }
}

type Handler = dyn Fn(&Request) -> Option<Answer> + Send + Sync;

/// Serves `/v2/` on a loopback port until it is dropped.
pub struct Registry {
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    /// Path below `/v2/` to content.
    content: Mutex<HashMap<String, Vec<u8>>>,
    seen: Mutex<Vec<Request>>,
    /// Asked first; `None` lets the ordinary answer through.
    handler: Mutex<Box<Handler>>,
    stop: AtomicBool,
}

impl Registry {
    pub fn start() -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            content: Mutex::default(),
            seen: Mutex::default(),
            handler: Mutex::new(Box::new(|_| None)),
            stop: AtomicBool::new(false),
        });
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stop.load(Ordering::SeqCst) {
                    break;
                }
                let shared = shared.clone();
                std::thread::spawn(move || {
                    // A client that hangs up is no concern of this thread.
                    let _ = serve(stream?, &shared);
                    std::io::Result::Ok(())
                });
            }
        });
        Registry { address, state }
    }

    pub fn misbehave(&self, handler: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static) {
        *self.state.handler.lock().unwrap() = Box::new(handler);
    }

    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.state.content.lock().unwrap().insert(path.to_owned(), bytes.into());
    }

    pub fn put_blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.put(&format!("app/blobs/{digest}"), bytes);
        digest
    }

    /// Puts a manifest under its digest, and returns its descriptor's digest.
    pub fn put_manifest(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.put(&format!("app/manifests/{digest}"), bytes);
        digest
    }

    pub fn reference(&self, tag: &str) -> Reference {
        format!("{}/app:{tag}", self.address).parse().unwrap()
    }

    pub fn seen(&self) -> Vec<Request> {
        self.state.seen.lock().unwrap().clone()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut stream: TcpStream, state: &State) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or("").to_owned();
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) => headers.insert(name.to_lowercase(), value.to_owned()),
                None => break,
            };
        }
        let request = Request { path, headers };
        state.seen.lock().unwrap().push(request.clone());
        let special = (state.handler.lock().unwrap())(&request);
        let answer = special.unwrap_or_else(|| ordinary(&request, state));
        let mut head = format!("HTTP/1.1 {} X\r\nContent-Length: {}\r\n", answer.status, answer.body.len());
        for (name, value) in &answer.headers {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all(head.as_bytes())?;
        stream.write_all(b"\r\n")?;
        stream.write_all(&answer.body[..answer.cut.unwrap_or(answer.body.len())])?;
        if answer.cut.is_some() {
            return stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

/// A well-behaved answer, ranges included.
fn ordinary(request: &Request, state: &State) -> Answer {
    let Some(path) = request.path.strip_prefix("/v2/") else { return Answer::status(404) };
    if path.is_empty() {
        return Answer::ok("{}");
    }
    let Some(bytes) = state.content.lock().unwrap().get(path).cloned() else { return Answer::status(404) };
    let from = request
        .headers
        .get("range")
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    match from {
        None => Answer::ok(bytes),
        Some(from) => {
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            Answer { status: 206, body: bytes[from..].to_vec(), ..Answer::default() }
                .header("Content-Range", range)
        }
    }
}

/// A gzip layer of these files, and its diffID.
pub fn layer(files: &[(&str, &[u8])]) -> (Vec<u8>, Digest) {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, *content).unwrap();
    }
    compress(&tar.into_inner().unwrap())
}

pub fn compress(archive: &[u8]) -> (Vec<u8>, Digest) {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(archive).unwrap();
    (gzip.finish().unwrap(), Digest::of(archive))
}

/// Bytes that don't compress, always the same.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(length)
    .collect()
}

/// A config and a manifest for these layers, for a platform; returns the manifest's bytes.
pub fn image(registry: &Registry, platform: (&str, &str), layers: &[(Vec<u8>, Digest)]) -> Vec<u8> {
    let diff_ids: Vec<&Digest> = layers.iter().map(|(_, diff_id)| diff_id).collect();
    let config = serde_json::json!({
        "os": platform.0, "architecture": platform.1, "config": { "Cmd": ["sh"] }, "x-unknown": 7,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = config.to_string();
    let layers: Vec<_> = layers
        .iter()
        .map(|(bytes, _)| serde_json::json!({ "digest": registry.put_blob(bytes), "size": bytes.len() }))
        .collect();
    serde_json::json!({
        "schemaVersion": 2,
        "config": { "digest": registry.put_blob(config.as_bytes()), "size": config.len() },
        "layers": layers,
    })
    .to_string()
    .into_bytes()
}
