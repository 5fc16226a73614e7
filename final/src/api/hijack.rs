//! A connection that was HTTP becomes a stream of bytes: attach and exec.

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode};
use futures_util::stream;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, split};
use tokio::net::UnixStream;

use super::{Version, header_text};

/// Whether the client wants to take the connection over. One that doesn't say so (some libraries)
/// gets the output as an ordinary answer instead.
pub fn wanted(headers: &HeaderMap) -> bool {
    header_text(headers, "upgrade").is_some()
}

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

/// The client's connection, once the answer has gone out.
pub async fn connection(upgrade: OnUpgrade) -> Option<TokioIo<Upgraded>> {
    match upgrade.await {
        Ok(upgraded) => Some(TokioIo::new(upgraded)),
        Err(error) => {
            tracing::debug!("a client left before its connection was taken over: {error}");
            None
        }
    }
}

/// Carries bytes both ways. The end of the client's input is passed on, and the output goes on; the
/// end of the output is the end of it all, which the client hears only when `end` is there: what it asks
/// next is how it ended.
pub async fn relay(client: TokioIo<Upgraded>, stream: UnixStream, end: impl Future<Output = ()>) {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_container, mut to_container) = stream.into_split();
    let input = async {
        let copied = copy(&mut from_client, &mut to_container).await;
        let _ = to_container.shutdown().await;
        // A container that has ended or closed its input takes no more: its output may still come.
        let _ = copied;
        std::future::pending::<()>().await;
    };
    let output = async {
        let _ = copy(&mut from_container, &mut to_client).await;
        end.await;
        let _ = to_client.shutdown().await;
    };
    tokio::select! {
        () = input => {}
        () = output => {}
    }
}

/// The output as an ordinary answer.
pub fn body(stream: UnixStream) -> Body {
    let chunks = stream::unfold(stream, |mut stream| async move {
        let mut chunk = vec![0; 32 * 1024];
        match stream.read(&mut chunk).await {
            Ok(length) if length > 0 => {
                chunk.truncate(length);
                Some((Ok::<_, std::io::Error>(chunk), stream))
            }
            _ => None,
        }
    });
    Body::from_stream(chunks)
}

/// A piece of output in Docker's frame: 1 is output, 2 is errors.
pub fn frame(stream: u8, bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![stream, 0, 0, 0];
    frame.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    frame.extend_from_slice(bytes);
    frame
}
