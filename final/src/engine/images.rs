//! Images: lesson 4's store and puller, called on threads that may wait.

use std::path::Path;
use std::sync::Arc;

use images::base::{base, is_base};
use images::{Credentials, Image, Platform, Progress, PullOptions, Pulled, Reference, Removed, Store};

use super::Engine;
use super::containers::Container;
use super::error::{Error, Kind, Result, blocking};

/// All images.
pub struct Images {
    /// Lesson 4's: safe to use from many threads.
    pub store: Store,
}

impl std::fmt::Debug for Images {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Images({})", self.store.root().display())
    }
}

impl Images {
    /// Opens the store below the data root.
    pub fn open(data_root: &Path) -> Result<Images> {
        Ok(Images { store: Store::open(&data_root.join("images"))? })
    }

    /// The image of this name, digest, id or beginning of an id.
    ///
    /// # Errors
    /// Docker's words for none: clients take them as "pull it".
    pub fn find(&self, name: &str) -> Result<Image> {
        match self.store.resolve(name) {
            Err(images::Error::NoSuchImage(_)) => Err(no_such_image(name)),
            found => Ok(found?),
        }
    }
}

impl From<images::Error> for Error {
    fn from(error: images::Error) -> Self {
        use images::Error as E;
        let kind = match &error {
            E::Reference { .. } | E::InvalidDigest(_) | E::InvalidPlatform(_) | E::Ambiguous(_) => {
                Kind::Invalid
            }
            E::NotFound { .. } | E::Denied { .. } | E::NoSuchImage(_) | E::NoSuchPlatform { .. } => {
                Kind::NotFound
            }
            E::Conflict { .. } => Kind::Conflict,
            _ => Kind::Internal,
        };
        Error { kind, message: error.to_string() }
    }
}

/// Docker's words, with the name as a person would write it in full.
pub fn no_such_image(name: &str) -> Error {
    let full = name.parse::<Reference>().map_or_else(|_| name.to_owned(), |reference| reference.familiar());
    Error::not_found(format!("No such image: {full}"))
}

/// The image for a new container. `base` needs no registry: it is made when it is first asked for.
pub fn for_container(engine: &Engine, name: &str) -> Result<Image> {
    match engine.images.find(name) {
        Err(missing) if missing.kind == Kind::NotFound => match name.parse::<Reference>() {
            Ok(reference) if is_base(&reference) => Ok(base(&engine.images.store)?),
            _ => Err(missing),
        },
        found => found,
    }
}

/// Fetches an image, and tells of its progress. `base` is made afresh.
pub async fn pull(
    engine: &Arc<Engine>,
    reference: Reference,
    platform: Option<Platform>,
    credentials: Option<Credentials>,
    progress: impl Fn(Progress) + Send + Sync + 'static,
) -> Result<Pulled> {
    let engine = engine.clone();
    blocking(move || {
        if is_base(&reference) {
            if let Some(wanted) = platform.filter(|wanted| wanted.accepts(&Platform::host()).is_none()) {
                return Err(images::Error::NoSuchPlatform {
                    image: reference.familiar(),
                    wanted,
                    found: vec![Platform::host()],
                }
                .into());
            }
            let image = base(&engine.images.store)?;
            engine.events.image("pull", &reference.familiar(), &reference.familiar_name(), Some(&image));
            return Ok(Pulled { digest: image.id.clone(), image, newer: true });
        }
        let options = PullOptions { platform, credentials };
        let pulled = images::pull(&engine.images.store, &reference, &options, &progress)?;
        let image = Some(&pulled.image);
        engine.events.image("pull", &reference.familiar(), &reference.familiar_name(), image);
        Ok(pulled)
    })
    .await
}

/// A container, running or not, that is made of this image.
pub fn user(engine: &Engine, id: &str) -> Option<Arc<Container>> {
    engine.containers.all().into_iter().find(|one| one.with(|record| record.config.image_id == id))
}

/// Removes a name, and the image with its last one. One that a container uses stays.
pub fn remove(engine: &Engine, name: &str, force: bool) -> Result<Vec<Removed>> {
    let image = engine.images.find(name)?;
    let id = image.id.to_string();
    let by_id = id.strip_prefix("sha256:").is_some_and(|hex| hex.starts_with(name)) || id.starts_with(name);
    let last = by_id || image.tags.len() <= 1;
    let _nobody_comes = engine.alone();
    if let Some(container) = user(engine, &id).filter(|_| last) {
        let (running, short) = (container.is_running(), &container.id[..12]);
        if force && !running {
            // Its names go, the image itself stays for as long as the container: a stopped one
            // needs its layers as much as a running one, or it could never be started again.
            let mut removed = Vec::new();
            for tag in &image.tags {
                engine.images.store.untag(tag)?;
                engine.events.image("untag", &id, &id, Some(&image));
                removed.push(Removed::Untagged(tag.familiar()));
            }
            return Ok(removed);
        }
        let (how, which) = match running {
            true => ("cannot be forced", "running"),
            false => ("must be forced", "stopped"),
        };
        return Err(Error::conflict(format!(
            "conflict: unable to delete {name} ({how}) - image is being used by {which} container {short}"
        )));
    }
    let removed = engine.images.store.remove(name, force)?;
    for one in &removed {
        match one {
            // A name with a digest goes with the last tag beside it, and nothing is told of it.
            Removed::Untagged(name) if name.contains('@') => {}
            Removed::Untagged(_) => engine.events.image("untag", &id, &id, Some(&image)),
            Removed::Deleted(digest) if *digest == image.id => engine.events.image("delete", &id, &id, None),
            // A layer.
            Removed::Deleted(_) => {}
        }
    }
    Ok(removed)
}
