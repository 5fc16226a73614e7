//! `repositories.json`: which name is which image.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

use super::{Store, lock, sync_folder};
use crate::error::clean;
use crate::{Digest, Error, Reference, Result};

/// The format of `repositories.json`.
const VERSION: u32 = 1;

/// `repositories.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Repositories {
    pub(super) version: u32,
    /// From `docker.io/library/ubuntu:latest` to the image's id.
    pub(super) tags: BTreeMap<Reference, Digest>,
    /// From `docker.io/library/ubuntu@sha256:…` to the image's id.
    pub(super) digests: BTreeMap<Reference, Digest>,
    /// The images, with the manifests that brought them.
    pub(super) images: BTreeMap<Digest, BTreeSet<Digest>>,
}

impl Store {
    pub(super) fn read_index(&self) -> Result<Repositories> {
        let path = self.root.join("repositories.json");
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Repositories::default()),
            other => other.map_err(Error::io("reading", &path))?,
        };
        let index: Repositories = serde_json::from_slice(&bytes)
            .map_err(|error| Error::Store { path: path.clone(), reason: error.to_string() })?;
        if index.version > VERSION {
            let reason =
                format!("its format is {}, and this program knows {VERSION}: use a newer one", index.version);
            return Err(Error::Store { path, reason });
        }
        Ok(index)
    }

    /// Reads the index, changes it, and writes it whole: all or nothing.
    pub(super) fn change(&self, change: impl FnOnce(&mut Repositories) -> Result<()>) -> Result<()> {
        let _unswept = self.guard()?;
        let _here = lock(&self.index);
        let (elsewhere, path) = self.lock_file("repositories.lock")?;
        elsewhere.lock().map_err(Error::io("locking", &path))?;

        let mut index = self.read_index()?;
        change(&mut index)?;
        index.version = VERSION;
        let path = self.root.join("repositories.json");
        let mut file = self.temporary_file()?;
        serde_json::to_writer_pretty(file.as_file_mut(), &index)
            .map_err(io::Error::from)
            .and_then(|()| file.as_file().sync_all())
            .map_err(Error::io("writing", &path))?;
        file.persist(&path).map_err(|error| error.error).map_err(Error::io("naming", &path))?;
        sync_folder(&self.root)
    }
}

impl Repositories {
    /// The id, and the name where it was found by name.
    pub(super) fn find(&self, text: &str) -> Result<(Digest, Option<Reference>)> {
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        let is_hex = !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit());
        // A name wins over the beginning of an id: an image may well be called "cafe".
        let reference = if text.starts_with("sha256:") { None } else { text.parse::<Reference>().ok() };
        if let Some(reference) = &reference {
            let found = match &reference.digest {
                Some(digest) => {
                    let name = reference.with_digest(digest);
                    self.digests.get(&name).map(|id| (id.clone(), Some(name)))
                }
                None => self.tags.get(reference).map(|id| (id.clone(), Some(reference.clone()))),
            };
            if let Some(found) = found {
                return Ok(found);
            }
        }
        let mut by_id = self.images.keys().filter(|id| is_hex && id.hex().starts_with(hex));
        match (by_id.next(), by_id.next()) {
            (Some(id), None) => Ok((id.clone(), None)),
            (Some(_), Some(_)) => Err(Error::Ambiguous(text.to_owned())),
            (None, _) => Err(Error::NoSuchImage(reference.map_or_else(|| clean(text), |r| r.familiar()))),
        }
    }
}
