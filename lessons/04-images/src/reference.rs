//! References: how people name an image.
//!
//! ```text
//!  localhost:5000 / team/app : 1.2  @ sha256:ab…
//!  registry         repository  tag     digest
//! ```
//!
//! Almost all of it may be left out, by rules that Docker has set and everybody follows
//! ([distribution/reference](https://pkg.go.dev/github.com/distribution/reference)): no registry
//! means Docker Hub, one word there means `library/` of it, no tag means `latest`. The one hard
//! question is whether the first word is a registry or a folder: it is a registry if it could
//! be a host and nothing else, by a dot, a port, an upper-case letter, or the name `localhost`.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::clean;
use crate::{Digest, Error};

/// The registry that is meant when none is named.
pub const DOCKER_HUB: &str = "docker.io";

// ANCHOR: reference
/// A valid reference, with what was left out filled in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    /// Host, and port if there is one: `docker.io`, `127.0.0.1:5000`.
    pub registry: String,
    /// The path in the registry: `library/ubuntu`.
    pub repository: String,
    /// The tag; `latest` is filled in where there is neither tag nor digest.
    pub tag: Option<String>,
    /// The digest of the manifest, which wins over the tag.
    pub digest: Option<Digest>,
}
// ANCHOR_END: reference

impl Reference {
    /// In full: `docker.io/library/ubuntu:latest`.
    pub fn canonical(&self) -> String {
        self.with_name(&self.name())
    }

    /// As people write it: `ubuntu:latest`.
    pub fn familiar(&self) -> String {
        self.with_name(&self.familiar_name())
    }

    /// Registry and repository in full, without tag and digest: `docker.io/library/ubuntu`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The name as people write it: `ubuntu`.
    pub fn familiar_name(&self) -> String {
        match (self.registry.as_str(), self.repository.strip_prefix("library/")) {
            (DOCKER_HUB, Some(short)) if !short.contains('/') => short.to_owned(),
            (DOCKER_HUB, _) => self.repository.clone(),
            _ => self.name(),
        }
    }

    /// The same name with this tag and no digest.
    pub fn with_tag(&self, tag: &str) -> Reference {
        Reference { tag: Some(tag.to_owned()), digest: None, ..self.clone() }
    }

    /// The same name with this digest and no tag.
    pub fn with_digest(&self, digest: &Digest) -> Reference {
        Reference { tag: None, digest: Some(digest.clone()), ..self.clone() }
    }

    /// The host that speaks the registry protocol: Docker Hub's has another name than its images.
    pub fn host(&self) -> &str {
        if self.registry == DOCKER_HUB { "registry-1.docker.io" } else { &self.registry }
    }

    /// Where its protocol begins: `https://registry-1.docker.io`. Plain HTTP is for loopback
    /// only, where nobody on the way can read a password or change an answer.
    pub fn origin(&self) -> String {
        let scheme = if is_loopback(&self.registry) { "http" } else { "https" };
        format!("{scheme}://{}", self.host())
    }

    fn with_name(&self, name: &str) -> String {
        let mut text = name.to_owned();
        if let Some(tag) = &self.tag {
            text += ":";
            text += tag;
        }
        if let Some(digest) = &self.digest {
            text += "@";
            text += &digest.to_string();
        }
        text
    }
}

impl FromStr for Reference {
    type Err = Error;

    /// # Errors
    /// [`Error::Reference`], with the rule that the text breaks.
    fn from_str(text: &str) -> Result<Reference, Error> {
        let bad = |reason: &str| Error::Reference { text: clean(text), reason: reason.to_owned() };

        let Parts { registry, repository, tag, digest } = take_apart(text);
        let digest = digest.map(str::parse::<Digest>).transpose().map_err(|error| bad(&error.to_string()))?;
        if let Some(tag) = tag
            && !is_tag(tag)
        {
            return Err(bad("a tag is 1 to 128 letters, digits, _ . or -, and begins with none of . -"));
        }

        if !is_host(registry) {
            return Err(bad("the part before the first slash is no host name"));
        }
        if repository.is_empty() {
            return Err(bad("it names no repository"));
        }
        if repository.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(bad("repository name must be lowercase"));
        }
        if !repository.split('/').all(is_component) {
            return Err(bad("a repository is made of a-z and 0-9, separated by one of . _ __ - /"));
        }
        // 64 hexadecimal digits are an image's id: a name like that could never be told from it.
        if format!("sha256:{text}").parse::<Digest>().is_ok() {
            return Err(bad("64 hexadecimal digits are an id, not a name"));
        }
        if registry.len() + 1 + repository.len() > 255 {
            return Err(bad("registry and repository are longer than 255 characters"));
        }
        let tag = tag.map(str::to_owned);
        Ok(Reference { registry: registry.to_owned(), repository, tag, digest })
    }
}

impl TryFrom<String> for Reference {
    type Error = Error;
    fn try_from(text: String) -> Result<Reference, Error> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> String {
        reference.canonical()
    }
}

impl fmt::Display for Reference {
    /// The familiar form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.familiar())
    }
}

/// The parts as they stand in a text, or as they are meant where they were left out. Whether they may
/// be what they are is looked at later.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    registry: &'a str,
    repository: String,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

// ANCHOR: take_apart
/// Takes a reference apart: `localhost:5000/team/app:1.2@sha256:ab…`.
fn take_apart(text: &str) -> Parts<'_> {
    // ANCHOR: ex-04-1
    // 1. From the back: the digest is what stands behind the first `@`.
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    // 2. The tag is behind the last colon, unless a slash follows: then it is a port that does.
    let (rest, tag) = match rest.rsplit_once(':') {
        Some((rest, tag)) if !tag.contains('/') => (rest, Some(tag)),
        _ => (rest, None),
    };
    // 3. Without tag and digest, `latest` is meant.
    let tag = tag.or(if digest.is_none() { Some("latest") } else { None });
    // 4. What is before the first slash is the registry, if it could be nothing else; otherwise it is
    //    `DOCKER_HUB`, of which `index.docker.io` is an older name.
    let (registry, path) = match rest.split_once('/') {
        Some(("index.docker.io", path)) => (DOCKER_HUB, path),
        Some((first, path)) if could_only_be_a_host(first) => (first, path),
        _ => (DOCKER_HUB, rest),
    };
    // 5. A single word on Docker Hub is in its folder `library/`. (No word stays none.)
    let one_word = registry == DOCKER_HUB && !path.is_empty() && !path.contains('/');
    let repository = if one_word { format!("library/{path}") } else { path.to_owned() };
    Parts { registry, repository, tag, digest }
    // ANCHOR_END: ex-04-1
}
// ANCHOR_END: take_apart

// ANCHOR: could_only_be_a_host
fn could_only_be_a_host(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|b| b.is_ascii_uppercase())
}
// ANCHOR_END: could_only_be_a_host

/// `name`, `name:port`, `[IPv6]`, `[IPv6]:port`.
fn is_host(text: &str) -> bool {
    let (host, port) = split_port(text);
    let port_is_good = port.is_none_or(|port| !port.is_empty() && port.parse::<u16>().is_ok_and(|n| n != 0));
    let host_is_good = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => host.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        }),
    };
    port_is_good && host_is_good
}

fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        // A colon inside the brackets belongs to the IPv6 address.
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    }
}

/// `[a-z0-9]+` again and again, between them one of `.`, `_`, `__`, or any number of `-`.
fn is_component(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    if !plain(*first) || !plain(*last) {
        return false;
    }
    bytes.split(|&b| plain(b)).all(|separator| {
        matches!(separator, [] | b"." | b"_" | b"__") || separator.iter().all(|&b| b == b'-')
    })
}

/// `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`.
fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    matches!(text.as_bytes(), [first, rest @ ..]
        if word(*first) && rest.len() < 128 && rest.iter().all(|&b| word(b) || b == b'.' || b == b'-'))
}

/// `localhost`, 127.0.0.0/8 and `[::1]`, with or without a port.
pub fn is_loopback(registry: &str) -> bool {
    let (host, _) = split_port(registry);
    host == "localhost"
        || host == "[::1]"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_taken_apart_by_dockers_rules() {
        let digest = "sha256:ab";
        for (text, registry, repository, tag, digest) in [
            ("ubuntu", DOCKER_HUB, "library/ubuntu", Some("latest"), None),
            ("ubuntu:22.04", DOCKER_HUB, "library/ubuntu", Some("22.04"), None),
            ("team/app", DOCKER_HUB, "team/app", Some("latest"), None),
            ("docker.io/ubuntu", DOCKER_HUB, "library/ubuntu", Some("latest"), None),
            ("index.docker.io/ubuntu", DOCKER_HUB, "library/ubuntu", Some("latest"), None),
            ("localhost/app", "localhost", "app", Some("latest"), None),
            ("localhost:5000/app", "localhost:5000", "app", Some("latest"), None),
            ("localhost:5000/team/app:1", "localhost:5000", "team/app", Some("1"), None),
            ("[::1]:5000/app", "[::1]:5000", "app", Some("latest"), None),
            ("ghcr.io/app@sha256:ab", "ghcr.io", "app", None, Some(digest)),
            ("app:1@sha256:ab", DOCKER_HUB, "library/app", Some("1"), Some(digest)),
            ("", DOCKER_HUB, "", Some("latest"), None),
        ] {
            let expected = Parts { registry, repository: repository.to_owned(), tag, digest };
            let why = match text {
                _ if text.contains(":5000") => ": a colon before a slash begins a port, not a tag",
                _ if digest.is_some() => ": a digest says it all, so no tag is made up beside it",
                _ => "",
            };
            assert_eq!(take_apart(text), expected, "ex-04-1: {text:?}{why}");
        }
    }
}
