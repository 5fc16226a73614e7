//! The registry: asking for manifests and blobs, over HTTP.
//!
//! ```text
//! GET /v2/                                 200 or 401: here is a registry
//! GET /v2/library/ubuntu/manifests/latest  what the image is made of
//! GET /v2/library/ubuntu/blobs/sha256:…    its parts
//! ```
//!
//! Everything that comes back is checked against a digest or bounded in size, and errors are
//! told apart ([`Error`]). Redirects are followed by hand: blobs mostly lie on another host, and
//! that one must not see the password or token that was meant for the registry.
//! [OCI distribution](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull)

mod answer;
mod authorization;
mod client;
mod credentials;

use std::error::Error as _;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{ACCEPT, CONTENT_RANGE, LOCATION, RANGE, WWW_AUTHENTICATE};
use reqwest::{StatusCode, Url, redirect};

use self::authorization::Authorization;
use self::client::{plain_client, secure_client};
pub use self::credentials::Credentials;
use crate::error::clean;
use crate::manifest::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use crate::reference::is_loopback;
use crate::token::Challenge;
use crate::{Digest, Error, Reference, Result};

/// The most that a manifest may take, in bytes; the specification asks for 4 MiB.
pub const MANIFEST_LIMIT: u64 = 4 << 20;
/// The most that a token or an error message may take, in bytes.
const ANSWER_LIMIT: u64 = 64 << 10;
/// From host to host, before it is called a circle.
const REDIRECTS: usize = 10;
/// To connect.
const CONNECT: Duration = Duration::from_secs(15);
/// Without a single byte.
const SILENCE: Duration = Duration::from_secs(30);

/// One image's place in a registry.
pub struct Registry {
    reference: Reference,
    credentials: Option<Credentials>,
    authorization: Mutex<Authorization>,
    plain: OnceLock<Client>,
    secure: OnceLock<Client>,
}

/// What is asked for.
#[derive(Clone, Copy)]
struct Wish<'a> {
    path: &'a str,
    accept: &'a str,
    /// The first byte that is wanted.
    from: u64,
}

impl Registry {
    /// Nothing is sent yet.
    pub fn new(reference: &Reference, credentials: Option<Credentials>) -> Registry {
        Registry {
            reference: reference.clone(),
            credentials,
            authorization: Mutex::new(Authorization::None),
            plain: OnceLock::new(),
            secure: OnceLock::new(),
        }
    }

    /// Fetches a manifest or an index by tag or digest: its bytes and their digest.
    ///
    /// # Errors
    /// Those of the registry, told apart; [`Error::DigestMismatch`] where a digest was asked for.
    pub fn manifest(&self, tag_or_digest: &str) -> Result<(Vec<u8>, Digest)> {
        let path = format!("manifests/{tag_or_digest}");
        let accept = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST].join(", ");
        let response = match self.get(Wish { path: &path, accept: &accept, from: 0 }) {
            // A web server knows no such page either: is this a registry at all?
            Err(missing @ Error::NotFound { .. }) => {
                self.ping()?;
                return Err(missing);
            }
            other => other?,
        };
        let bytes = self.read(response, MANIFEST_LIMIT, "the manifest")?;
        let found = Digest::of(&bytes);
        self.check(&format!("the manifest of {}", self.image()), tag_or_digest, found.clone())?;
        Ok((bytes, found))
    }

    /// Fetches a small blob (a config) whole.
    ///
    /// # Errors
    /// Those of the registry, told apart; [`Error::DigestMismatch`]; [`Error::TooLarge`].
    pub fn small_blob(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let (response, _) = self.blob(digest, 0)?;
        let bytes = self.read(response, limit, "the config")?;
        self.check(&format!("the config of {}", self.image()), &digest.to_string(), Digest::of(&bytes))?;
        Ok(bytes)
    }

    /// Begins to fetch a blob at a byte, and says at which byte the answer really begins: a
    /// server may not know ranges.
    ///
    /// # Errors
    /// Those of the registry, told apart. Reading the answer has its own.
    pub fn blob(&self, digest: &Digest, from: u64) -> Result<(Response, u64)> {
        let path = format!("blobs/{digest}");
        let response = self.get(Wish { path: &path, accept: "*/*", from })?;
        let begins = match response.status() {
            // Content-Range: bytes 100-199/200
            StatusCode::PARTIAL_CONTENT => response
                .headers()
                .get(CONTENT_RANGE)
                .and_then(|value| {
                    value.to_str().ok()?.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
                })
                .filter(|begins| *begins == from)
                .ok_or_else(|| {
                    self.not_a_registry("it answers with another part of a blob than was asked for")
                })?,
            _ => 0,
        };
        Ok((response, begins))
    }

    /// Whether a registry answers here at all.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::NotARegistry`].
    pub fn ping(&self) -> Result<()> {
        let url = self.parse(&format!("{}/v2/", self.reference.origin()))?;
        let response = self.follow(url, Wish { path: "", accept: "*/*", from: 0 })?;
        match response.status() {
            status if status.is_success() || status == StatusCode::UNAUTHORIZED => Ok(()),
            status => Err(self.not_a_registry(&format!("HTTP status {} for /v2/", status.as_u16()))),
        }
    }

    /// The image as people write it.
    pub(crate) fn image(&self) -> String {
        self.reference.familiar()
    }

    // ANCHOR: get
    /// Asks, and asks once more with what the registry wants to know.
    fn get(&self, wish: Wish<'_>) -> Result<Response> {
        let url = format!("{}/v2/{}/{}", self.reference.origin(), self.reference.repository, wish.path);
        let url = self.parse(&url)?;
        let before = self.authorization();
        let response = self.follow(url.clone(), wish)?;
        if response.status() != StatusCode::UNAUTHORIZED || !same_host(response.url(), &url) {
            return self.success(response);
        }
        let challenges = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let challenge = challenges.filter_map(|value| Challenge::parse(value.to_str().ok()?)).next();
        match challenge {
            None => return self.success(response),
            Some(challenge) => self.authorize(challenge, &before)?,
        }
        self.success(self.follow(url, wish)?)
    }
    // ANCHOR_END: get

    // ANCHOR: follow
    /// One request, and wherever it is sent on to.
    fn follow(&self, origin: Url, wish: Wish<'_>) -> Result<Response> {
        let mut url = origin.clone();
        for _ in 0..REDIRECTS {
            let mut request = self.client(&url)?.get(url.clone()).header(ACCEPT, wish.accept);
            if wish.from > 0 {
                request = request.header(RANGE, format!("bytes={}-", wish.from));
            }
            if same_host(&url, &origin) {
                request = self.authorized(request);
            }
            let response = self.send(request)?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let location = location.ok_or_else(|| self.not_a_registry("it redirects to nowhere"))?;
            let next = url.join(location).map_err(|_| self.not_a_registry("it redirects to no URL"))?;
            // From a safe connection to one that others can read: never.
            if !is_private(&next) || (url.scheme() == "https" && next.scheme() != "https") {
                let reason = format!("it redirects to {}, where others could read along", clean(&next));
                return Err(self.not_a_registry(&reason));
            }
            url = next;
        }
        Err(self.not_a_registry("it redirects in circles"))
    }
    // ANCHOR_END: follow

    fn send(&self, request: RequestBuilder) -> Result<Response> {
        request.send().map_err(|error| {
            // The innermost reason is the one that helps: "Connection refused", not "error
            // sending request for url".
            let mut reason = error.to_string();
            let mut source = error.source();
            while let Some(inner) = source {
                reason = inner.to_string();
                source = inner.source();
            }
            if error.is_timeout() {
                reason = "it does not answer in time".to_owned();
            }
            match reason.as_str() {
                parse if parse.starts_with("invalid HTTP") => self.not_a_registry(parse),
                corrupt if corrupt.contains("InvalidContentType") => {
                    self.unreachable("it does not speak TLS, and plain HTTP is for loopback registries only")
                }
                other => self.unreachable(other),
            }
        })
    }

    fn parse(&self, url: &str) -> Result<Url> {
        Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| self.not_a_registry(&format!("{} is no URL", clean(url))))
    }

    /// Two clients: for plain HTTP no certificates are looked for (there may be none on this
    /// machine), and no proxy is asked, since it is for loopback only.
    fn client(&self, url: &Url) -> Result<&Client> {
        let secure = url.scheme() == "https";
        let cell = if secure { &self.secure } else { &self.plain };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let builder = if secure { secure_client() } else { plain_client() };
        let built = builder
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(SILENCE)
            .user_agent(concat!("canoa/", env!("CARGO_PKG_VERSION")))
            .build();
        let client = built.map_err(|error| {
            let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            self.unreachable(&match reason.contains("No CA certificates") {
                true => {
                    "this machine has no CA certificates to check it by: install ca-certificates".to_owned()
                }
                false => reason,
            })
        })?;
        Ok(cell.get_or_init(|| client))
    }
}

/// Scheme, host and port: another port is another server.
fn same_host(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin()
}

/// Whether nobody on the way can read along: HTTPS, or HTTP that doesn't leave this machine.
fn is_private(url: &Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => url.host_str().is_some_and(is_loopback),
        _ => false,
    }
}
