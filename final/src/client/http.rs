//! Requests and answers: HTTP/1.1 over the engine's socket, JSON in both directions.

use std::cell::RefCell;
use std::io;

use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, UPGRADE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::mpsc;

use super::endpoint::Endpoint;
use super::error::{Error, Result};
use super::path::Path;
use super::tls;
use super::transport::dial;

/// The newest version of the API that this client speaks.
pub const NEWEST: Version = Version(1, 47);

/// An API version, `1.47`: compared by number, not as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u16, pub u16);

impl Version {
    /// Reads `1.47`.
    pub fn parse(text: &str) -> Option<Version> {
        let (major, minor) = text.split_once('.')?;
        Some(Version(major.parse().ok()?, minor.parse().ok()?))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// What an engine says of itself in the headers of `/_ping`.
#[derive(Debug, Clone, Default)]
pub struct Greeting {
    /// `Api-Version`.
    pub version: Option<Version>,
    /// `Canoa-Build`: which build of canoa it is; other engines have none.
    pub build: Option<String>,
    /// `Canoa-Autostarted: 1`: a client started it, not a person.
    pub autostarted: bool,
    /// `Canoa-Activated: 1`: systemd holds its socket.
    pub activated: bool,
}

/// What a request carries: all at once, or as it comes.
type Payload = UnsyncBoxBody<Bytes, io::Error>;

fn at_once(bytes: Bytes) -> Payload {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// A client of one engine. Requests that overlap get a connection each.
#[derive(Debug)]
pub struct Client {
    endpoint: Endpoint,
    version: Version,
    /// A connection on which no answer is outstanding.
    idle: RefCell<Option<SendRequest<Payload>>>,
}

impl Client {
    /// Connects, greets, and agrees on the version: the engine's own, at most [`NEWEST`].
    ///
    /// # Errors
    /// Nobody listens, we may not, or it isn't an engine.
    pub async fn connect(endpoint: Endpoint) -> Result<(Client, Greeting)> {
        let client = Client { endpoint, version: NEWEST, idle: RefCell::new(None) };
        let response = client.exchange(Method::HEAD, "/_ping", Body::None, None).await?;
        let head = match client.collect("HEAD /_ping", response).await {
            Ok((head, _)) => head,
            // An answer to HEAD has no body: what is wrong is told on asking again.
            Err(Error::Engine { .. }) => {
                let response = client.exchange(Method::GET, "/_ping", Body::None, None).await?;
                client.collect("GET /_ping", response).await.map_err(|error| client.wants_tls(error))?.0
            }
            Err(error) => return Err(error),
        };
        let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let greeting = Greeting {
            version: text("api-version").and_then(Version::parse),
            build: text("canoa-build").map(str::to_owned),
            autostarted: text("canoa-autostarted") == Some("1"),
            activated: text("canoa-activated") == Some("1"),
        };
        // Engines from before the header speak 1.24, says Docker's own client.
        let version = greeting.version.unwrap_or(Version(1, 24)).min(NEWEST);
        Ok((Client { version, ..client }, greeting))
    }

    /// An engine that answers so (Go's words, and so dockerd's and ours) has been spoken to in the open.
    fn wants_tls(&self, error: Error) -> Error {
        match error {
            Error::Engine { status: 400, message } if message.contains("HTTP request to an HTTPS server") => {
                Error::Endpoint(format!("{message} {} speaks TLS: add --tlsverify", self.endpoint))
            }
            other => other,
        }
    }

    /// The engine that this client talks to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The version agreed on.
    pub fn version(&self) -> Version {
        self.version
    }

    /// GET, and the JSON that comes back.
    ///
    /// # Errors
    /// The engine's, the connection's, or JSON of another shape.
    pub async fn get<T: DeserializeOwned>(&self, path: Path) -> Result<T> {
        let bytes = self.call(Method::GET, &path, Body::None).await?;
        parse(&format!("GET {}", path.as_str()), &bytes)
    }

    /// GET, and the bytes that come back, for whoever wants the engine's own order of fields.
    ///
    /// # Errors
    /// The engine's or the connection's.
    pub async fn get_bytes(&self, path: Path) -> Result<Bytes> {
        self.call(Method::GET, &path, Body::None).await
    }

    /// POST of a JSON body, and the JSON that comes back.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post<T: DeserializeOwned>(&self, path: Path, body: &impl Serialize) -> Result<T> {
        let bytes = self.call(Method::POST, &path, json(&path, body)?).await?;
        parse(&format!("POST {}", path.as_str()), &bytes)
    }

    /// POST without a body, whose answer is only that it was done.
    ///
    /// # Errors
    /// The engine's or the connection's.
    pub async fn act(&self, path: Path) -> Result<()> {
        self.call(Method::POST, &path, Body::None).await.map(drop)
    }

    /// POST of a JSON body, whose answer is only that it was done.
    ///
    /// # Errors
    /// The engine's or the connection's.
    pub async fn act_with(&self, path: Path, body: &impl Serialize) -> Result<()> {
        self.call(Method::POST, &path, json(&path, body)?).await.map(drop)
    }

    /// DELETE; the bytes of the answer, which for most things is empty.
    ///
    /// # Errors
    /// The engine's or the connection's.
    pub async fn delete(&self, path: Path) -> Result<Bytes> {
        self.call(Method::DELETE, &path, Body::None).await
    }

    /// A request whose answer comes bit by bit: logs, progress, `wait`. Returns with the head.
    ///
    /// # Errors
    /// The engine's or the connection's.
    pub async fn stream(&self, method: Method, path: Path, headers: HeaderMap) -> Result<Stream> {
        self.stream_with_head(method, path, headers).await.map(|(_, stream)| stream)
    }

    /// As [`Client::stream`], with the answer's headers.
    ///
    /// # Errors
    /// The engine's or the connection's.
    pub async fn stream_with_head(
        &self,
        method: Method,
        path: Path,
        headers: HeaderMap,
    ) -> Result<(HeaderMap, Stream)> {
        let request = format!("{method} {}", path.as_str());
        let path = self.versioned(&path);
        let response = self.exchange_with(method, &path, Body::None, None, headers).await?;
        let (head, body) = self.ok(&request, response).await?.into_parts();
        Ok((head.headers, Stream { body, endpoint: self.endpoint.to_string() }))
    }

    /// HEAD: the answer's headers.
    ///
    /// # Errors
    /// The engine's or the connection's; of an error there are no words, since it has no body.
    pub async fn head(&self, path: Path) -> Result<HeaderMap> {
        let request = format!("HEAD {}", path.as_str());
        let response = self.exchange(Method::HEAD, &self.versioned(&path), Body::None, None).await?;
        Ok(self.collect(&request, response).await?.0.headers)
    }

    /// PUT of an archive, in pieces as they come.
    ///
    /// # Errors
    /// The engine's or the connection's; the archive's own.
    pub async fn put(&self, path: Path, archive: mpsc::Receiver<io::Result<Bytes>>) -> Result<()> {
        self.call(Method::PUT, &path, Body::Archive(archive)).await.map(drop)
    }

    /// POST that turns the connection into a two-way stream (101 Switching Protocols).
    ///
    /// # Errors
    /// The engine's or the connection's; an engine that answers anything but 101.
    pub async fn upgrade(&self, path: Path, body: Option<&Value>) -> Result<hyper::upgrade::Upgraded> {
        let request = format!("POST {}", path.as_str());
        let body = body.map_or(Ok(Body::None), |body| json(&path, body))?;
        let response = self.exchange(Method::POST, &self.versioned(&path), body, Some("tcp")).await?;
        let response = self.ok(&request, response).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let reason = format!("status {} where 101 was due: it cannot stream", response.status());
            return Err(Error::Answer { request, reason });
        }
        hyper::upgrade::on(response).await.map_err(|error| self.broken(&error))
    }

    async fn call(&self, method: Method, path: &Path, body: Body) -> Result<Bytes> {
        let request = format!("{method} {}", path.as_str());
        let response = self.exchange(method, &self.versioned(path), body, None).await?;
        Ok(self.collect(&request, response).await?.1)
    }

    fn versioned(&self, path: &Path) -> String {
        format!("/v{}{}", self.version, path.as_str())
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Body,
        upgrade: Option<&'static str>,
    ) -> Result<(Response<Incoming>, SendRequest<Payload>)> {
        self.exchange_with(method, path, body, upgrade, HeaderMap::new()).await
    }

    /// Lets go of the idle connection, before a wait that the engine may not sit through: for somebody at
    /// a prompt.
    pub fn hang_up(&self) {
        self.idle.borrow_mut().take();
    }

    /// Sends on the idle connection, or on a new one. The connection comes back with the answer's
    /// head, for whoever reads the body to the end.
    async fn exchange_with(
        &self,
        method: Method,
        path: &str,
        body: Body,
        upgrade: Option<&'static str>,
        headers: HeaderMap,
    ) -> Result<(Response<Incoming>, SendRequest<Payload>)> {
        let idle = self.idle.borrow_mut().take().filter(SendRequest::is_ready);
        let mut sender = match idle {
            Some(sender) => sender,
            None => open(&self.endpoint).await?,
        };
        let mut request = Request::new(at_once(Bytes::new()));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|error| Error::Answer {
            request: path.to_owned(),
            reason: format!("not a path for HTTP: {error}"),
        })?;
        *request.headers_mut() = headers;
        // HTTP/1.1 wants a Host; an address of the file system has none, Docker says "docker".
        request.headers_mut().insert(HOST, HeaderValue::from_static("docker"));
        match body {
            Body::None => {}
            Body::Json(bytes) => {
                request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                *request.body_mut() = at_once(bytes);
            }
            Body::Archive(pieces) => {
                request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
                let frames = stream::unfold(pieces, |mut pieces| async {
                    pieces.recv().await.map(|piece| (piece.map(Frame::data), pieces))
                });
                *request.body_mut() = StreamBody::new(frames).boxed_unsync();
            }
        }
        if let Some(protocol) = upgrade {
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            request.headers_mut().insert(UPGRADE, HeaderValue::from_static(protocol));
        }
        let response = sender.send_request(request).await.map_err(|error| self.broken(&error))?;
        Ok((response, sender))
    }

    /// Passes a good answer on and makes an [`Error::Engine`] of a bad one.
    async fn ok(
        &self,
        request: &str,
        (response, sender): (Response<Incoming>, SendRequest<Payload>),
    ) -> Result<Response<Incoming>> {
        let status = response.status();
        if !status.is_client_error() && !status.is_server_error() {
            return Ok(response);
        }
        self.collect(request, (response, sender)).await?;
        Err(Error::Answer { request: request.to_owned(), reason: format!("status {status}") })
    }

    /// Reads the whole answer and keeps the connection for the next request.
    async fn collect(
        &self,
        request: &str,
        (response, sender): (Response<Incoming>, SendRequest<Payload>),
    ) -> Result<(hyper::http::response::Parts, Bytes)> {
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.map_err(|error| self.broken(&error))?.to_bytes();
        *self.idle.borrow_mut() = Some(sender);
        let status = head.status;
        if status.is_client_error() || status.is_server_error() {
            let message = serde_json::from_slice::<Value>(&bytes)
                .ok()
                .and_then(|body| body["message"].as_str().map(|text| text.trim().to_owned()))
                // Who isn't an engine, or answers before one is asked, does so in plain words.
                .or_else(|| plain(&head.headers, &bytes))
                .filter(|message| !message.is_empty())
                .unwrap_or_else(|| format!("the engine answered {status} to {request}"));
            return Err(Error::Engine { status: status.as_u16(), message });
        }
        Ok((head, bytes))
    }

    fn broken(&self, error: &hyper::Error) -> Error {
        Error::Transport { endpoint: self.endpoint.to_string(), reason: reason(error) }
    }
}

/// A body that arrives bit by bit.
#[derive(Debug)]
pub struct Stream {
    body: Incoming,
    endpoint: String,
}

impl Stream {
    /// The next bytes, however many there are; `None` at the end.
    ///
    /// # Errors
    /// The connection broke before the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| Error::Transport {
                endpoint: self.endpoint.clone(),
                reason: reason(&error),
            })?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// All that is left of it, as one JSON value.
    ///
    /// # Errors
    /// The connection's, or JSON of another shape.
    pub async fn json<T: DeserializeOwned>(mut self, request: &str) -> Result<T> {
        let mut bytes = Vec::new();
        while let Some(more) = self.next().await? {
            bytes.extend_from_slice(&more);
        }
        parse(request, &bytes)
    }
}

/// The body of a request.
enum Body {
    None,
    Json(Bytes),
    Archive(mpsc::Receiver<io::Result<Bytes>>),
}

fn json(path: &Path, body: &impl Serialize) -> Result<Body> {
    let bytes = serde_json::to_vec(body).map_err(|error| Error::Answer {
        request: path.as_str().to_owned(),
        reason: format!("writing the request as JSON: {error}"),
    })?;
    Ok(Body::Json(bytes.into()))
}

fn parse<T: DeserializeOwned>(request: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::Answer { request: request.to_owned(), reason: error.to_string() })
}

/// Opens a connection and lets it be driven in the background.
async fn open(endpoint: &Endpoint) -> Result<SendRequest<Payload>> {
    let (sender, connection) = http1::handshake(TokioIo::new(dial(endpoint).await?))
        .await
        .map_err(|error| Error::Transport { endpoint: endpoint.to_string(), reason: reason(&error) })?;
    // Its errors reach us through the request that is under way.
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}

/// A short answer that is text.
fn plain(headers: &HeaderMap, bytes: &[u8]) -> Option<String> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let text = std::str::from_utf8(bytes).ok().map(str::trim);
    text.filter(|text| kind.is_some_and(|kind| kind.starts_with("text/plain")) && text.len() < 500)
        .map(str::to_owned)
}

/// hyper's own words are short ("connection error"); the reason is in what caused them.
fn reason(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}{}", tls::advice(error));
        cause = error.source();
    }
    text
}
