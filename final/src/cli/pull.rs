//! `canoa pull`: fetch an image, with progress.

use std::fmt;

use clap::Args as ClapArgs;
use hyper::Method;
use hyper::header::HeaderMap;

use super::failure::{Failure, Outcome};
use super::output;
use super::parse;
use super::progress::Progress;
use crate::client::{Client, Path};

/// Fetch an image from its registry
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa pull debian:bookworm")]
pub struct Args {
    /// Only the image's name at the end
    #[arg(short, long)]
    quiet: bool,
    /// Platform, if the image has several: linux/arm64
    #[arg(long)]
    platform: Option<String>,
    /// Name, with :tag or @digest; :latest if neither
    #[arg(value_parser = parse::name)]
    image: String,
}

/// Where progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// `pull`: it is the command's output.
    Output,
    /// `run`: the output is the program's own.
    Errors,
    /// `-q`.
    Nowhere,
}

/// An image's name, split where the API wants it split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    name: String,
    /// A tag, or a digest.
    tag: String,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.tag.contains(':') { '@' } else { ':' };
        write!(f, "{}{separator}{}", self.name, self.tag)
    }
}

impl Reference {
    /// Splits `127.0.0.1:5000/debian:12`; without a tag it is `latest`.
    ///
    /// # Errors
    /// Nothing where a name or a tag should be. The rest is for the engine to judge.
    pub fn parse(text: &str) -> Result<Reference, Failure> {
        let wrong = || {
            Failure::new(format!("invalid reference format: {text:?}: write name, name:tag or name@sha256:…"))
        };
        let (name, tag, well_formed) = match text.split_once('@') {
            // With a digest a tag says nothing more.
            Some((name, digest)) => {
                (split_tag(name).map_or(name, |(name, _)| name), digest, is_digest(digest))
            }
            None => {
                let (name, tag) = split_tag(text).unwrap_or((text, "latest"));
                (name, tag, is_tag(tag))
            }
        };
        let last = name.rsplit('/').next().unwrap_or_default();
        if last.is_empty() || last.contains(':') || name.contains(char::is_whitespace) || !well_formed {
            return Err(wrong());
        }
        Ok(Reference { name: name.to_owned(), tag: tag.to_owned() })
    }

    /// The name, and the tag or digest.
    pub fn parts(self) -> (String, String) {
        (self.name, self.tag)
    }
}

fn is_tag(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"_.-".contains(&c))
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, digits)| {
        !algorithm.is_empty() && digits.len() >= 32 && digits.bytes().all(|c| c.is_ascii_hexdigit())
    })
}

/// The colon of a registry's port is followed by a slash; a tag has none.
fn split_tag(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'))
}

/// Runs the command.
///
/// # Errors
/// The registry's or the engine's.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let image = Reference::parse(&args.image)?;
    let place = if args.quiet { Where::Nowhere } else { Where::Output };
    pull(client, &image, args.platform.as_deref(), place).await?;
    output::line(&image.to_string())?;
    Ok(0)
}

/// Pulls and shows how far it is.
///
/// # Errors
/// Before it begins (no such image) or on the way, where the error comes in the stream.
pub async fn pull(
    client: &Client,
    image: &Reference,
    platform: Option<&str>,
    place: Where,
) -> Result<(), Failure> {
    let path = Path::new("/images/create")
        .query("fromImage", &image.name)
        .query("tag", &image.tag)
        .maybe("platform", platform);
    let mut stream = client.stream(Method::POST, path, HeaderMap::new()).await?;
    let mut progress = Progress::new(place);
    while let Some(bytes) = stream.next().await? {
        progress.feed(&bytes)?;
    }
    progress.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_the_tag_not_at_the_port() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let cases = [
            ("debian", "debian", "latest", "debian:latest"),
            ("debian:12", "debian", "12", "debian:12"),
            ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b", "latest", "127.0.0.1:5000/a/b:latest"),
            ("127.0.0.1:5000/a:1", "127.0.0.1:5000/a", "1", "127.0.0.1:5000/a:1"),
            (&format!("a@{digest}"), "a", &digest, &format!("a@{digest}")),
            (&format!("a:1@{digest}"), "a", &digest, &format!("a@{digest}")),
        ];
        for (text, name, tag, shown) in cases {
            let reference = Reference::parse(text).unwrap();
            assert_eq!((reference.name.as_str(), reference.tag.as_str()), (name, tag));
            assert_eq!(reference.to_string(), shown);
        }
        for wrong in ["", ":x", "a:", "a@", "a b", "a:b c", "a@sha256:12", "a@sha256:", "a@b", "a:é", "a::1"]
        {
            assert!(Reference::parse(wrong).is_err(), "{wrong}");
        }
    }
}
