//! The Docker Engine API, version 1.47: routes, JSON, status codes. It knows no kernel; what a
//! request wants is done by the [engine](crate::engine).
//!
//! <https://docs.docker.com/reference/api/engine/version/v1.47/>

mod archive;
mod body;
mod containers;
mod df;
mod error;
mod events;
mod exec;
pub mod hangup;
mod hijack;
mod images;
mod inspect;
mod logs;
mod networks;
mod order;
mod prune;
mod query;
mod stats;
mod summary;
mod system;
mod times;
mod volumes;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use axum::response::IntoResponse;
use axum::{Json, Router};
use futures_util::FutureExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::json;

use crate::build_id::build_id;
use crate::engine::Engine;
use crate::engine::error::Error;
use error::ApiError;

/// The newest version of the API that is spoken here: major and minor number.
pub const VERSION: (u32, u32) = (1, 47);
/// The oldest one.
pub const OLDEST: (u32, u32) = (1, 24);

/// What every handler can reach.
#[derive(Debug, Clone)]
pub struct App {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The way to end the daemon: whoever sends here asks for it.
    pub end: tokio::sync::mpsc::Sender<End>,
    /// Whether a client has started this daemon.
    pub autostarted: bool,
    /// Whether systemd holds the socket, and starts a daemon whenever somebody connects.
    pub activated: bool,
}

/// How the daemon shall end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It ends; containers live on.
    Stop,
    /// … and another comes in its place at once.
    Replace,
    /// Everything of ours goes with it.
    Reset,
}

/// The version of the API in which a request is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

/// All routes, without the version before them.
pub fn router(app: App) -> Router {
    Router::new()
        .merge(system::routes())
        .merge(containers::routes())
        .merge(exec::routes())
        .merge(images::routes())
        .merge(networks::routes())
        .merge(volumes::routes())
        .merge(prune::routes())
        .fallback(page_not_found)
        .method_not_allowed_fallback(page_not_found)
        .with_state(app)
}

async fn page_not_found() -> ApiError {
    ApiError(Error::not_found("page not found"))
}

/// Answers one request: finds the version in its path, routes it, and puts on every answer the
/// headers that clients expect. A panic on the way is this request's 500, and nobody else's.
pub async fn answer<B>(router: Router, mut request: Request<B>) -> Response<Body>
where
    B: axum::body::HttpBody<Data = axum::body::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let routed = match versioned(request.uri()) {
        Ok((version, uri)) => {
            request.extensions_mut().insert(version);
            *request.uri_mut() = uri;
            let service = TowerToHyperService::new(router);
            let answer = AssertUnwindSafe(service.call(request.map(Body::new))).catch_unwind().await;
            match answer {
                Ok(Ok(response)) if response.status() == StatusCode::PAYLOAD_TOO_LARGE => too_large(),
                Ok(Ok(response)) if response.status().is_client_error() => in_json(response).await,
                Ok(Ok(response)) => response,
                Ok(Err(impossible)) => match impossible {},
                Err(_) => ApiError(Error::internal("answering", "the engine has a bug: its log says where"))
                    .into_response(),
            }
        }
        Err(error) => ApiError(error).into_response(),
    };
    with_headers(routed)
}

/// The framework says this in plain text; clients read every error as JSON.
fn too_large() -> Response<Body> {
    let words = json!({ "message": "the request's body is too large: more than 2 MB" });
    (StatusCode::PAYLOAD_TOO_LARGE, Json(words)).into_response()
}

/// What the framework itself refuses (a path that is no text, a body that broke off) it says in plain text,
/// too.
async fn in_json(response: Response<Body>) -> Response<Body> {
    let kind = header_text(response.headers(), "content-type").unwrap_or_default();
    if !kind.starts_with("text/plain") {
        return response;
    }
    let status = response.status();
    let words = axum::body::to_bytes(response.into_body(), 4096).await.unwrap_or_default();
    (status, Json(json!({ "message": String::from_utf8_lossy(&words) }))).into_response()
}

fn with_headers(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert("Api-Version", HeaderValue::from_static("1.47"));
    headers.insert("Docker-Experimental", HeaderValue::from_static("false"));
    headers.insert("Ostype", HeaderValue::from_static("linux"));
    let server = concat!("Canoa/", env!("CARGO_PKG_VERSION"), " (linux)");
    headers.insert(header::SERVER, HeaderValue::from_static(server));
    if let Ok(build) = HeaderValue::from_str(build_id()) {
        headers.insert("Canoa-Build", build);
    }
    response
}

/// Takes `/v1.47` off a path, if it is there, and checks it.
fn versioned(uri: &Uri) -> Result<(Version, Uri), Error> {
    let newest = Version(VERSION.0, VERSION.1);
    let path = uri.path();
    let Some((version, rest)) = path.strip_prefix("/v").and_then(|rest| rest.split_once('/')) else {
        return Ok((newest, uri.clone()));
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let number = |text: &str| text.parse::<u32>().ok().filter(|_| digits(text));
    let Some((major, minor)) =
        version.split_once('.').and_then(|(major, minor)| Some((number(major)?, number(minor)?)))
    else {
        // Something else that begins with v: /volumes, say.
        return Ok((newest, uri.clone()));
    };
    if (major, minor) > VERSION {
        return Err(Error::invalid(format!(
            "client version {version} is too new. Maximum supported API version is {}.{}",
            VERSION.0, VERSION.1
        )));
    }
    if (major, minor) < OLDEST {
        return Err(Error::invalid(format!(
            "client version {version} is too old. Minimum supported API version is {}.{}, please upgrade your \
             client to a newer version",
            OLDEST.0, OLDEST.1
        )));
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let bare = format!("/{rest}{query}").parse();
    Ok((Version(major, minor), bare.map_err(|error| Error::invalid(format!("invalid path: {error}")))?))
}

/// Runs an operation to its end even if the client that asked for it hangs up: half a start, or
/// half a removal, would help nobody.
async fn to_the_end<T: Send + 'static>(
    operation: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    match tokio::spawn(operation).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => Err(Error::internal("waiting for an operation", error)),
    }
}

/// `204 No Content`.
const NO_CONTENT: StatusCode = StatusCode::NO_CONTENT;

/// A header's text, if it is there and is text.
fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Result<(Version, String), Error> {
        versioned(&text.parse().unwrap()).map(|(version, uri)| (version, uri.to_string()))
    }

    #[test]
    fn the_version_comes_off_the_path() {
        assert_eq!(path("/v1.41/info?x=1").unwrap(), (Version(1, 41), "/info?x=1".to_owned()));
        assert_eq!(path("/info").unwrap(), (Version(1, 47), "/info".to_owned()));
        assert_eq!(path("/volumes/create").unwrap().1, "/volumes/create");
        for none in ["/v1.x/info", "/v1.+47/info", "/v1./info", "/v/info"] {
            assert_eq!(path(none).unwrap().1, none);
        }
    }

    #[test]
    fn a_version_out_of_range_is_refused_in_dockers_words() {
        let new = path("/v1.48/info").unwrap_err().message;
        assert_eq!(new, "client version 1.48 is too new. Maximum supported API version is 1.47");
        let old = path("/v1.23/info").unwrap_err().message;
        assert!(old.starts_with("client version 1.23 is too old. Minimum supported API version is 1.24"));
        path("/v99999999999999.1/info").unwrap();
    }
}
