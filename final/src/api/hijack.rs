//! A connection that was HTTP becomes a stream of bytes: attach and exec.

mod unread;

use std::io::{self, Cursor};
use std::os::fd::{AsFd, OwnedFd};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use futures_util::{Stream, StreamExt, stream};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::net::UnixStream;

use super::hangup::Hangup;
use super::{Version, header_text};

/// `101 UPGRADED`.
pub fn upgraded(tty: bool, version: Version) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert("Connection", axum::http::HeaderValue::from_static("Upgrade"));
    headers.insert("Upgrade", axum::http::HeaderValue::from_static("tcp"));
    headers.insert("Content-Type", content_type(tty, version));
    response
}

/// Raw with a terminal, else in frames; older clients know one name for both.
pub fn content_type(tty: bool, version: Version) -> axum::http::HeaderValue {
    let multiplexed = !tty && version >= Version(1, 42);
    axum::http::HeaderValue::from_static(match multiplexed {
        true => "application/vnd.docker.multiplexed-stream",
        false => "application/vnd.docker.raw-stream",
    })
}

/// What is needed of a request to take its connection over.
#[derive(Debug)]
pub struct Offer {
    upgrade: OnUpgrade,
    hangup: Hangup,
}

/// The request's offer to have its connection taken over. One that makes none (some libraries' don't) gets
/// the output as an ordinary answer instead.
pub fn offer(request: &mut Request) -> Option<Offer> {
    let upgrade = request.extensions_mut().remove::<OnUpgrade>()?;
    let hangup = *request.extensions().get::<Hangup>()?;
    header_text(request.headers(), "upgrade").map(|_| Offer { upgrade, hangup })
}

/// A client's connection that is no HTTP any more.
pub struct Client {
    from: Box<dyn AsyncRead + Send + Unpin>,
    to: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its socket, where it is a Unix one, until the head of the answer was read.
    head: Option<OwnedFd>,
    hangup: Hangup,
}

/// The client's connection, once the answer has gone out.
pub async fn connection(offer: Offer) -> Option<Client> {
    let hangup = offer.hangup;
    let upgraded = match offer.upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            tracing::debug!("a client left before its connection was taken over: {error}");
            return None;
        }
    };
    Some(match upgraded.downcast::<TokioIo<UnixStream>>() {
        Ok(parts) => {
            let stream = parts.io.into_inner();
            let head = stream.as_fd().try_clone_to_owned().ok();
            let (from, to) = stream.into_split();
            // What it has sent along with its request comes first.
            let from = Cursor::new(parts.read_buf).chain(from);
            Client { from: Box::new(from), to: Box::new(to), head, hangup }
        }
        Err(upgraded) => {
            let (from, to) = split(TokioIo::new(upgraded));
            Client { from: Box::new(from), to: Box::new(to), head: None, hangup }
        }
    })
}

impl Client {
    /// The way to the client, once it has read the head of the answer. Python's SDK reads the head through a
    /// buffer and goes on without it: what came in the same breath is lost. Docker never is that quick.
    pub async fn output(&mut self) -> &mut (impl AsyncWrite + use<>) {
        if let Some(socket) = self.head.take() {
            unread::all_read(&socket).await;
        }
        &mut self.to
    }
}

/// Carries bytes both ways. The end of the client's input is passed on, and the output goes on; the
/// end of the output is the end of it all, which the client hears only when `end` is there: what it asks
/// next is how it ended.
pub async fn relay(mut client: Client, stream: UnixStream, end: impl Future<Output = ()>) {
    client.output().await;
    let Client { mut from, mut to, hangup, .. } = client;
    let (mut from_container, mut to_container) = stream.into_split();
    let input = async {
        let copied = copy(&mut from, &mut to_container).await;
        let _ = to_container.shutdown().await;
        // A container that has ended or closed its input takes no more: its output may still come.
        let _ = copied;
        std::future::pending::<()>().await;
    };
    let output = async {
        let _ = copy(&mut from_container, &mut to).await;
        end.await;
        let _ = to.shutdown().await;
    };
    tokio::select! {
        () = input => {}
        () = output => {}
        // While the container says nothing, no write would ever tell.
        () = hangup.happened() => {}
    }
}

/// The output as an ordinary answer: what was said before, and what comes. `kept` is dropped when it is over,
/// or when the client has left.
pub fn body<T: Send + 'static>(
    past: impl Stream<Item = Bytes> + Send + 'static,
    stream: Option<UnixStream>,
    kept: T,
) -> Body {
    let later = stream::unfold((stream, kept), |(mut stream, kept)| async move {
        let mut chunk = vec![0; 32 * 1024];
        match stream.as_mut()?.read(&mut chunk).await {
            Ok(length) if length > 0 => {
                chunk.truncate(length);
                Some((Ok::<_, io::Error>(Bytes::from(chunk)), (stream, kept)))
            }
            _ => None,
        }
    });
    Body::from_stream(past.map(Ok).chain(later))
}

/// A piece of output in Docker's frame: 1 is output, 2 is errors.
pub fn frame(stream: u8, bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![stream, 0, 0, 0];
    frame.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    frame.extend_from_slice(bytes);
    frame
}
