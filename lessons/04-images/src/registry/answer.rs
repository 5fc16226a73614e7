//! What a registry answers: bounded, checked, or told as the error that it means.

use std::fmt;
use std::io::Read;

use reqwest::blocking::Response;
use serde::Deserialize;

use super::{ANSWER_LIMIT, Registry};
use crate::error::clean;
use crate::{Digest, Error, Result};

impl Registry {
    /// The answer, or the error that its status means.
    pub(super) fn success(&self, response: Response) -> Result<Response> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let (registry, image) = (self.reference.registry.clone(), self.image());
        let said = said(response);
        Err(match status.as_u16() {
            401 | 403 => self.denied(&said),
            404 => Error::NotFound { registry, image },
            429 | 500.. => Error::Server { registry, image, status: status.as_u16(), said },
            other => self.not_a_registry(&format!("HTTP status {other} {said}")),
        })
    }

    pub(super) fn read(&self, response: Response, limit: u64, what: &str) -> Result<Vec<u8>> {
        let too_large = || Error::TooLarge { what: format!("{what} of {}", self.image()), limit };
        let expected = response.content_length();
        if expected.is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        let result = response.take(limit + 1).read_to_end(&mut bytes);
        let received = bytes.len() as u64;
        result.map_err(|error| self.cut(received, expected.unwrap_or(received), error))?;
        if received > limit { Err(too_large()) } else { Ok(bytes) }
    }

    /// Whether the bytes are those asked for, where it was by digest.
    pub(super) fn check(&self, what: &str, wanted: &str, found: Digest) -> Result<()> {
        match wanted.parse::<Digest>() {
            Ok(expected) if expected != found => {
                Err(Error::DigestMismatch { what: what.to_owned(), expected, found })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn denied(&self, said: &str) -> Error {
        Error::Denied {
            registry: self.reference.registry.clone(),
            image: self.image(),
            said: said.to_owned(),
        }
    }

    pub(super) fn unreachable(&self, reason: &str) -> Error {
        let registry = self.reference.registry.clone();
        Error::Unreachable { registry, image: self.image(), reason: clean(reason) }
    }

    pub(crate) fn not_a_registry(&self, reason: &str) -> Error {
        let registry = self.reference.registry.clone();
        Error::NotARegistry { registry, image: self.image(), reason: clean(reason) }
    }

    /// The error of a download that ended too soon.
    pub(crate) fn cut(&self, received: u64, expected: u64, reason: impl fmt::Display) -> Error {
        Error::Cut {
            registry: self.reference.registry.clone(),
            image: self.image(),
            received,
            expected,
            reason: clean(reason),
        }
    }
}

/// The registry's own words, fit for a terminal: `{"errors":[{"code":…,"message":…}]}`.
fn said(response: Response) -> String {
    #[derive(Deserialize, Default)]
    struct Said {
        #[serde(default)]
        errors: Vec<Message>,
        details: Option<String>,
    }
    #[derive(Deserialize)]
    struct Message {
        #[serde(default)]
        message: String,
    }
    let mut bytes = Vec::new();
    let _ = response.take(ANSWER_LIMIT).read_to_end(&mut bytes);
    let said: Said = serde_json::from_slice(&bytes).unwrap_or_default();
    let first = said.errors.into_iter().map(|error| error.message).find(|message| !message.is_empty());
    clean(first.or(said.details).unwrap_or_default())
}
