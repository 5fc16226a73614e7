//! The store: which images are here, as files that anybody can look at.
//!
//! ```text
//! blobs/sha256/HEX    manifests, configs and compressed layers, as they came; named by digest
//! layers/HEX/         a layer's files, named by its diffID, ready to be a lower folder of an overlay
//! layers/HEX.size     how many bytes they are
//! repositories.json   which name is which image
//! tmp/                whatever isn't whole yet
//! lock                held (shared) while something is being added, so that no sweep takes it
//! ```
//!
//! Whatever appears under its final name is whole: it is written in `tmp/`, synced, and then
//! renamed, which the kernel does as one step ([rename(2)]). After a crash there may be rubbish
//! in `tmp/` and blobs that no image uses; both are swept when the store is opened.
//!
//! An image is its config's digest in `repositories.json`. Layers are shared: what no image's
//! manifest or config names any more is removed.
//!
//! [rename(2)]: https://man7.org/linux/man-pages/man2/rename.2.html

mod add;
mod remove;
mod repositories;

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

pub use self::add::Guard;
use self::repositories::Repositories;
use crate::manifest::{Document, Manifest};
use crate::{Digest, Error, ImageConfig, Reference, Result};

/// The most that a manifest or a config may take, in bytes: real ones take some kilobytes.
pub const DOCUMENT_LIMIT: u64 = 8 << 20;

/// A folder with images. All methods take `&self` and may be called from many threads, and from
/// several processes on one folder.
pub struct Store {
    root: PathBuf,
    /// One writer of `repositories.json` at a time, in this process.
    index: Mutex<()>,
    /// Blobs and layers that somebody is making now.
    claimed: Mutex<HashSet<Digest>>,
    released: Condvar,
}

/// One image.
#[derive(Debug, Clone)]
pub struct Image {
    /// The digest of its config.
    pub id: Digest,
    /// The config.
    pub config: ImageConfig,
    /// The config's own bytes, with all that [`ImageConfig`] does not know.
    pub raw_config: Vec<u8>,
    /// Its names here.
    pub tags: Vec<Reference>,
    /// `name@sha256:…`: by which digests registries know it.
    pub digests: Vec<Reference>,
    /// The digests of its manifests here.
    pub manifests: Vec<Digest>,
    /// Bytes of all its files.
    pub size: u64,
    /// Bytes of each layer's files, the lowest first.
    pub layer_sizes: Vec<u64>,
    /// Each layer's folder, the lowest first.
    pub layers: Vec<PathBuf>,
}

/// What [`Store::remove`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// A name, in familiar form.
    Untagged(String),
    /// An image, or a layer that no other image uses.
    Deleted(Digest),
}

impl Store {
    /// Opens the store in this folder, makes it where there is none, and sweeps what a crash
    /// has left.
    ///
    /// # Errors
    /// The folder can't be made or used, or is of a later format.
    pub fn open(root: &Path) -> Result<Store> {
        for folder in ["blobs/sha256", "layers", "tmp"] {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(Error::io("creating folder", &path))?;
        }
        // An image may hold set-uid programs with known holes: on the host they are nobody's to run.
        let layers = root.join("layers");
        fs::set_permissions(&layers, Permissions::from_mode(0o700))
            .map_err(Error::io("setting the mode of", &layers))?;
        let store = Store {
            root: root.to_owned(),
            index: Mutex::default(),
            claimed: Mutex::default(),
            released: Condvar::new(),
        };
        store.read_index()?;
        store.sweep()?;
        Ok(store)
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All images.
    ///
    /// # Errors
    /// The store's files can't be read.
    pub fn list(&self) -> Result<Vec<Image>> {
        let index = self.read_index()?;
        index.images.keys().map(|id| self.load(&index, id)).collect()
    }

    /// The image with this name, digest, id or beginning of an id.
    ///
    /// # Errors
    /// [`Error::NoSuchImage`], [`Error::Ambiguous`], or the store's files can't be read.
    pub fn resolve(&self, name_or_id: &str) -> Result<Image> {
        let index = self.read_index()?;
        let (id, _) = index.find(name_or_id)?;
        self.load(&index, &id)
    }

    /// Gives an image one more name, which another image may lose by this.
    ///
    /// # Errors
    /// [`Error::NoSuchImage`], or the store's files can't be written.
    pub fn tag(&self, id: &Digest, name: &Reference) -> Result<()> {
        self.change(|index| {
            if !index.images.contains_key(id) {
                return Err(Error::NoSuchImage(id.to_string()));
            }
            let tag = name.tag.as_deref().unwrap_or("latest");
            index.tags.insert(name.with_tag(tag), id.clone());
            Ok(())
        })
    }

    /// Takes a name away; the image stays.
    ///
    /// # Errors
    /// [`Error::NoSuchImage`], or the store's files can't be written.
    pub fn untag(&self, name: &Reference) -> Result<()> {
        self.change(|index| match (index.tags.remove(name), index.digests.remove(name)) {
            (None, None) => Err(Error::NoSuchImage(name.familiar())),
            _ => Ok(()),
        })
    }

    /// Where a blob is, or would be.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    /// Where a layer's files are, or would be.
    pub fn layer_path(&self, diff_id: &Digest) -> PathBuf {
        self.root.join("layers").join(diff_id.hex())
    }

    /// Reads a manifest or a config, and checks it again: a disk may err as well.
    ///
    /// # Errors
    /// It isn't here, is larger than [`DOCUMENT_LIMIT`], or is damaged.
    pub fn document(&self, digest: &Digest) -> Result<Vec<u8>> {
        let path = self.blob_path(digest);
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(DOCUMENT_LIMIT).read_to_end(&mut bytes))
            .map_err(Error::io("reading", &path))?;
        match Digest::of(&bytes) {
            found if found == *digest => Ok(bytes),
            found => Err(Error::DigestMismatch {
                what: path.display().to_string(),
                expected: digest.clone(),
                found,
            }),
        }
    }

    /// Keeps a manifest or a config.
    ///
    /// # Errors
    /// It can't be written.
    pub fn add_document(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        if !self.blob_path(&digest).exists() {
            let mut file = self.temporary_file()?;
            file.as_file_mut().write_all(bytes).map_err(Error::io("writing", file.path()))?;
            self.add_blob(file, &digest)?;
        }
        Ok(digest)
    }

    /// Makes an image of a manifest whose blobs and layers are all here, with its names. The
    /// caller holds a [`Store::guard`] from before it added the first of them.
    ///
    /// # Errors
    /// Something of it is missing, or the store's files can't be written.
    pub fn add_image(
        &self,
        manifest: &Digest,
        tag: Option<&Reference>,
        digest: Option<&Reference>,
    ) -> Result<Image> {
        let id = self.manifest(manifest)?.config.digest;
        let (config, _) = self.config(&id)?;
        for diff_id in &config.rootfs.diff_ids {
            let path = self.layer_path(diff_id);
            fs::metadata(&path).map_err(Error::io("looking for layer", &path))?;
        }
        self.change(|index| {
            index.images.entry(id.clone()).or_default().insert(manifest.clone());
            if let Some(tag) = tag {
                index.tags.insert(tag.clone(), id.clone());
            }
            if let Some(digest) = digest {
                index.digests.insert(digest.clone(), id.clone());
            }
            Ok(())
        })?;
        self.load(&self.read_index()?, &id)
    }

    /// A manifest that is here.
    pub(crate) fn manifest(&self, digest: &Digest) -> Result<Manifest> {
        match Document::parse(&self.document(digest)?) {
            Ok(Document::Manifest(manifest)) => Ok(manifest),
            Ok(Document::Index(_)) => Err(self.damaged(digest, "an index, not a manifest")),
            Err(reason) => Err(self.damaged(digest, &reason)),
        }
    }

    /// A config that is here, and its bytes.
    pub(crate) fn config(&self, id: &Digest) -> Result<(ImageConfig, Vec<u8>)> {
        let bytes = self.document(id)?;
        let config = serde_json::from_slice(&bytes).map_err(|error| self.damaged(id, &error.to_string()))?;
        Ok((config, bytes))
    }

    fn damaged(&self, digest: &Digest, reason: &str) -> Error {
        Error::Store { path: self.blob_path(digest), reason: reason.to_owned() }
    }

    fn load(&self, index: &Repositories, id: &Digest) -> Result<Image> {
        let (config, raw_config) = self.config(id)?;
        let of = |map: &BTreeMap<Reference, Digest>| -> Vec<Reference> {
            map.iter().filter(|(_, other)| *other == id).map(|(name, _)| name.clone()).collect()
        };
        let layers: Vec<PathBuf> = config.rootfs.diff_ids.iter().map(|id| self.layer_path(id)).collect();
        let layer_sizes: Vec<u64> = layers
            .iter()
            .map(|path| fs::read_to_string(path.with_added_extension("size")).ok()?.parse().ok())
            .map(Option::unwrap_or_default)
            .collect();
        Ok(Image {
            id: id.clone(),
            config,
            raw_config,
            tags: of(&index.tags),
            digests: of(&index.digests),
            manifests: index.images.get(id).into_iter().flatten().cloned().collect(),
            size: layer_sizes.iter().fold(0, |sum, size| sum.saturating_add(*size)),
            layer_sizes,
            layers,
        })
    }

    fn lock_file(&self, name: &str) -> Result<(File, PathBuf)> {
        let path = self.root.join(name);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        Ok((file.map_err(Error::io("opening", &path))?, path))
    }
}

/// A panic elsewhere while holding the lock has left nothing half done: files are renamed whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A rename is only on disk when the folder is.
fn sync_folder(path: &Path) -> Result<()> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(Error::io("syncing", path))
}
