//! Pulling: from a name to an image in the store.
//!
//! 1. The name's manifest; if it is an index, that of our platform.
//! 2. The config, whose digest is the image's id.
//! 3. The layers, several at once: download, check, unpack, check again ([`layer`]).
//! 4. Only then the name: an image is there whole, or not at all.

mod layer;
mod progress;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

pub use self::progress::{Progress, Status};
use crate::manifest::{Descriptor, Document, Manifest};
use crate::registry::{Credentials, Registry};
use crate::store::DOCUMENT_LIMIT;
use crate::{Digest, Error, Image, ImageConfig, Platform, Reference, Result, Store, base};

/// How many layers are pulled at once, as Docker does.
const AT_ONCE: usize = 3;

/// The most layers that an overlay takes (`OVL_MAX_STACK`).
const LAYERS: usize = 500;

/// How to pull.
#[derive(Debug, Clone, Default)]
pub struct PullOptions {
    /// For which machine; the host's own unless given.
    pub platform: Option<Platform>,
    /// For a registry that asks for a login.
    pub credentials: Option<Credentials>,
}

/// A pulled image.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// The image.
    pub image: Image,
    /// The digest by which the registry knows the name: of the index, or of the manifest.
    pub digest: Digest,
    /// Whether the name means another image than before.
    pub newer: bool,
}

/// The image of this name or id: the one that is here, else `base` made afresh, else [`pull`]ed.
///
/// # Errors
/// As [`pull`] and [`base()`](crate::base::base).
pub fn find_or_pull(
    store: &Store,
    name: &str,
    options: &PullOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Image> {
    match store.resolve(name) {
        Err(Error::NoSuchImage(_)) => fetch(store, &name.parse()?, options, progress),
        other => other,
    }
}

/// The image of this name as it is now, whatever is here already: `base` is made, all others are
/// pulled.
///
/// # Errors
/// As [`pull`] and [`base()`](crate::base::base).
pub fn fetch(
    store: &Store,
    reference: &Reference,
    options: &PullOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Image> {
    if base::is_base(reference) {
        return base::base(store);
    }
    Ok(pull(store, reference, options, progress)?.image)
}

/// Pulls an image. `progress` is called from several threads, one layer's stages in order.
///
/// # Errors
/// Each of [`Error`]'s; the store is then as before, but for layers that are whole and of use to
/// the next try.
pub fn pull(
    store: &Store,
    reference: &Reference,
    options: &PullOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Pulled> {
    // Nothing that comes now may be swept before the image names it.
    let _unswept = store.guard()?;
    let registry = Registry::new(reference, options.credentials.clone());
    let wanted = options.platform.clone().unwrap_or_else(Platform::host);

    let (digest, manifest_bytes, manifest) = manifest(&registry, reference, &wanted)?;
    let config_bytes = registry.small_blob(&manifest.config.digest, DOCUMENT_LIMIT)?;
    let config: ImageConfig = serde_json::from_slice(&config_bytes)
        .map_err(|error| registry.not_a_registry(&format!("the image's config: {error}")))?;
    check(&registry, &manifest, &config, &wanted)?;

    layers(store, &registry, &manifest.layers, &config.rootfs.diff_ids, progress)?;
    store.add_document(&config_bytes)?;
    let manifest_digest = store.add_document(&manifest_bytes)?;
    let before = store.resolve(&reference.canonical()).ok();
    let tag = reference.digest.is_none().then_some(reference);
    let image = store.add_image(&manifest_digest, tag, Some(&reference.with_digest(&digest)))?;
    let newer = before.is_none_or(|before| before.id != image.id);
    Ok(Pulled { image, digest, newer })
}

/// The digest of the name, and the manifest for our platform.
fn manifest(
    registry: &Registry,
    reference: &Reference,
    wanted: &Platform,
) -> Result<(Digest, Vec<u8>, Manifest)> {
    let name = match (&reference.digest, &reference.tag) {
        (Some(digest), _) => digest.to_string(),
        (None, Some(tag)) => tag.clone(),
        (None, None) => "latest".to_owned(),
    };
    let parse = |bytes: &[u8]| Document::parse(bytes).map_err(|reason| registry.not_a_registry(&reason));
    let (bytes, digest) = registry.manifest(&name)?;
    let index = match parse(&bytes)? {
        Document::Manifest(manifest) => return Ok((digest, bytes, manifest)),
        Document::Index(index) => index,
    };
    let offered: Vec<Platform> =
        index.manifests.iter().map(|one| one.platform.clone().unwrap_or_default()).collect();
    let chosen = wanted.choose(&offered).and_then(|place| index.manifests.get(place));
    let Some(chosen) = chosen else {
        // "unknown/unknown" are signatures and the like, no machine's.
        let found = offered.into_iter().filter(|one| one.os != "unknown" && !one.os.is_empty()).collect();
        return Err(Error::NoSuchPlatform { image: registry.image(), wanted: wanted.clone(), found });
    };
    let (bytes, _) = registry.manifest(&chosen.digest.to_string())?;
    match parse(&bytes)? {
        Document::Manifest(manifest) => Ok((digest, bytes, manifest)),
        Document::Index(_) => Err(registry.not_a_registry("an index within an index")),
    }
}

fn check(registry: &Registry, manifest: &Manifest, config: &ImageConfig, wanted: &Platform) -> Result<()> {
    let platform = config.platform();
    // Some old images don't say; those that do must be for us.
    if !platform.architecture.is_empty() && wanted.accepts(&platform).is_none() {
        return Err(Error::NoSuchPlatform {
            image: registry.image(),
            wanted: wanted.clone(),
            found: vec![platform],
        });
    }
    let (layers, diff_ids) = (manifest.layers.len(), config.rootfs.diff_ids.len());
    if layers != diff_ids {
        let reason = format!("its manifest has {layers} layers and its config {diff_ids}");
        return Err(registry.not_a_registry(&reason));
    }
    if layers > LAYERS {
        return Err(
            registry.not_a_registry(&format!("{layers} layers are more than the {LAYERS} of an overlay"))
        );
    }
    match manifest.layers.iter().find(|layer| !layer.urls.is_empty()) {
        Some(_) => Err(registry.not_a_registry("a layer that lies elsewhere (a \"foreign\" one)")),
        None => Ok(()),
    }
}

// ANCHOR: parallel
/// All layers, some at once: each thread takes the next one that nobody has taken.
fn layers(
    store: &Store,
    registry: &Registry,
    layers: &[Descriptor],
    diff_ids: &[Digest],
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<Error>> = Mutex::new(None);
    let failed = || failure.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(layers.len()) {
            scope.spawn(|| {
                while failed().is_none() {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(layer), Some(diff_id)) = (layers.get(place), diff_ids.get(place)) else {
                        break;
                    };
                    if let Err(error) = layer::pull(store, registry, layer, diff_id, progress) {
                        failed().get_or_insert(error);
                    }
                }
            });
        }
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}
// ANCHOR_END: parallel
