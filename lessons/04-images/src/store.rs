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

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tempfile::{NamedTempFile, TempDir};

use crate::manifest::{Document, Manifest};
use crate::{Digest, Error, ImageConfig, Reference, Result};

/// The most that a manifest or a config may take, in bytes: real ones take some kilobytes.
pub const DOCUMENT_LIMIT: u64 = 8 << 20;

/// The format of `repositories.json`.
const VERSION: u32 = 1;

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

/// `repositories.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Repositories {
    version: u32,
    /// From `docker.io/library/ubuntu:latest` to the image's id.
    tags: BTreeMap<Reference, Digest>,
    /// From `docker.io/library/ubuntu@sha256:…` to the image's id.
    digests: BTreeMap<Reference, Digest>,
    /// The images, with the manifests that brought them.
    images: BTreeMap<Digest, BTreeSet<Digest>>,
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

    /// Removes a name, and the image with its last one, by Docker's rules; with an id all names
    /// go at once, if they are of one repository or `force` is given. Layers that no other image
    /// uses go with it.
    ///
    /// Whether a container uses the image is the caller's to know.
    ///
    /// # Errors
    /// [`Error::NoSuchImage`], [`Error::Ambiguous`], [`Error::Conflict`], or files that can't be
    /// removed.
    pub fn remove(&self, name_or_id: &str, force: bool) -> Result<Vec<Removed>> {
        let mut removed = Vec::new();
        self.change(|index| {
            let (id, name) = index.find(name_or_id)?;
            let mine = |map: &BTreeMap<Reference, Digest>| -> Vec<Reference> {
                map.iter().filter(|(_, other)| **other == id).map(|(name, _)| name.clone()).collect()
            };
            let (tags, digests) = (mine(&index.tags), mine(&index.digests));

            let going: Vec<Reference> = match name {
                // One of several names: only that.
                Some(name) if tags.iter().any(|tag| *tag != name) => {
                    let last_of_name = tags.iter().filter(|tag| tag.name() == name.name()).count() == 1;
                    let its =
                        digests.into_iter().filter(|d| last_of_name && d.name() == name.name() && *d != name);
                    std::iter::once(name.clone()).chain(its).collect()
                }
                Some(_) => tags.into_iter().chain(digests).collect(),
                None => {
                    let names: BTreeSet<String> = tags.iter().map(Reference::name).collect();
                    if names.len() > 1 && !force {
                        return Err(Error::Conflict {
                            image: id.short().to_owned(),
                            reason:
                                "image is referenced in multiple repositories: remove each name, or force it"
                                    .to_owned(),
                        });
                    }
                    tags.into_iter().chain(digests).collect()
                }
            };
            for name in going {
                index.tags.remove(&name);
                index.digests.remove(&name);
                removed.push(Removed::Untagged(name.familiar()));
            }
            if mine(&index.tags).is_empty() && mine(&index.digests).is_empty() {
                let layers = self.config(&id).map(|(config, _)| config.rootfs.diff_ids).unwrap_or_default();
                index.images.remove(&id);
                removed.push(Removed::Deleted(id));
                let kept = self.layers_used(index);
                removed.extend(layers.into_iter().rev().filter(|l| !kept.contains(l)).map(Removed::Deleted));
            }
            Ok(())
        })?;
        self.sweep()?;
        Ok(removed)
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

    /// While this is held, no sweep takes what no image names yet.
    ///
    /// # Errors
    /// The lock file can't be opened.
    pub fn guard(&self) -> Result<Guard> {
        let (file, path) = self.lock_file("lock")?;
        file.lock_shared().map_err(Error::io("locking", &path))?;
        Ok(Guard(file))
    }

    /// Waits until nobody in this process makes this blob or layer, and makes others wait.
    pub(crate) fn claim(&self, digest: &Digest) -> Claim<'_> {
        let mut claimed = lock(&self.claimed);
        while claimed.contains(digest) {
            claimed = self.released.wait(claimed).unwrap_or_else(PoisonError::into_inner);
        }
        claimed.insert(digest.clone());
        Claim { store: self, digest: digest.clone() }
    }

    /// A file in `tmp/`, gone when it is dropped.
    pub(crate) fn temporary_file(&self) -> Result<NamedTempFile> {
        let tmp = self.root.join("tmp");
        NamedTempFile::new_in(&tmp).map_err(Error::io("creating a file in", &tmp))
    }

    /// A folder in `tmp/`, gone when it is dropped.
    pub(crate) fn temporary_folder(&self) -> Result<TempDir> {
        let tmp = self.root.join("tmp");
        TempDir::new_in(&tmp).map_err(Error::io("creating a folder in", &tmp))
    }

    /// Gives a whole and checked file its final name.
    pub(crate) fn add_blob(&self, file: NamedTempFile, digest: &Digest) -> Result<()> {
        let path = self.blob_path(digest);
        file.as_file().sync_all().map_err(Error::io("syncing", &path))?;
        file.persist(&path).map_err(|error| error.error).map_err(Error::io("naming", &path))?;
        sync_folder(&self.root.join("blobs/sha256"))
    }

    /// Gives a whole and checked layer its final name.
    pub(crate) fn add_layer(&self, folder: TempDir, diff_id: &Digest, size: u64) -> Result<()> {
        let path = self.layer_path(diff_id);
        // One call for thousands of files: syncing each would take minutes.
        let opened = File::open(folder.path()).map_err(Error::io("opening", folder.path()))?;
        namespaces::step("sync layer", path.display(), || sync_filesystem(&opened))?;

        let mut file = self.temporary_file()?;
        file.as_file_mut()
            .write_all(size.to_string().as_bytes())
            .map_err(Error::io("writing", file.path()))?;
        file.as_file().sync_all().map_err(Error::io("syncing", file.path()))?;
        let size_path = path.with_added_extension("size");
        file.persist(&size_path).map_err(|error| error.error).map_err(Error::io("naming", &size_path))?;

        match fs::rename(folder.path(), &path) {
            Ok(()) => {
                let _ = folder.keep();
            }
            // Another process was faster; its layer hashed to the same diffID.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EEXIST | libc::ENOTEMPTY)) => {}
            Err(error) => return Err(Error::io("naming", &path)(error)),
        }
        sync_folder(&self.root.join("layers"))
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

    fn read_index(&self) -> Result<Repositories> {
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
    fn change(&self, change: impl FnOnce(&mut Repositories) -> Result<()>) -> Result<()> {
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

    /// Removes what no image names and nobody is making. While somebody is, nothing is removed:
    /// the next sweep will.
    fn sweep(&self) -> Result<()> {
        let (file, _) = self.lock_file("lock")?;
        if file.try_lock().is_err() {
            return Ok(());
        }
        let index = self.read_index()?;
        let mut blobs: BTreeSet<Digest> = index.images.keys().cloned().collect();
        for manifest in index.images.values().flatten() {
            blobs.insert(manifest.clone());
            // A manifest that can't be read names nothing, and must not keep the store shut.
            if let Ok(manifest) = self.manifest(manifest) {
                blobs.extend(manifest.layers.into_iter().map(|layer| layer.digest));
            }
        }
        let layers = self.layers_used(&index);
        let used = |names: &BTreeSet<Digest>, name: &str| {
            let hex = name.strip_suffix(".size").unwrap_or(name);
            names.iter().any(|digest| digest.hex() == hex)
        };
        remove_all_but(&self.root.join("blobs/sha256"), |name| used(&blobs, name))?;
        // Out of its place in one step first, so that a crash leaves no half of a layer there.
        let doomed = self.temporary_folder()?.keep();
        for entry in entries(&self.root.join("layers"))? {
            if !used(&layers, &entry.file_name().to_string_lossy()) {
                let path = entry.path();
                fs::rename(&path, doomed.join(entry.file_name())).map_err(Error::io("removing", &path))?;
            }
        }
        remove_all_but(&self.root.join("tmp"), |_| false)
    }

    fn layers_used(&self, index: &Repositories) -> BTreeSet<Digest> {
        index
            .images
            .keys()
            .filter_map(|id| self.config(id).ok())
            .flat_map(|(config, _)| config.rootfs.diff_ids)
            .collect()
    }

    fn lock_file(&self, name: &str) -> Result<(File, PathBuf)> {
        let path = self.root.join(name);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        Ok((file.map_err(Error::io("opening", &path))?, path))
    }
}

impl Repositories {
    /// The id, and the name where it was found by name.
    fn find(&self, text: &str) -> Result<(Digest, Option<Reference>)> {
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
            (None, _) => {
                Err(Error::NoSuchImage(reference.map_or_else(|| crate::error::clean(text), |r| r.familiar())))
            }
        }
    }
}

/// See [`Store::guard`].
pub struct Guard(#[expect(dead_code, reason = "closing the file is what gives the lock back")] File);

/// See [`Store::claim`].
pub(crate) struct Claim<'a> {
    store: &'a Store,
    digest: Digest,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        lock(&self.store.claimed).remove(&self.digest);
        self.store.released.notify_all();
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

fn sync_filesystem(on_it: &File) -> nix::Result<()> {
    nix::unistd::syncfs(on_it)
}

fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>> {
    fs::read_dir(folder).and_then(Iterator::collect).map_err(Error::io("reading folder", folder))
}

fn remove_all_but(folder: &Path, keep: impl Fn(&str) -> bool) -> Result<()> {
    for entry in entries(folder)? {
        if keep(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("removing", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}
