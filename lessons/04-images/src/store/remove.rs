//! Removing: names, then images without a name, then what no image uses any more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use super::repositories::Repositories;
use super::{Removed, Store};
use crate::{Digest, Error, Reference, Result};

impl Store {
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

    /// Removes what no image names and nobody is making. While somebody is, nothing is removed:
    /// the next sweep will.
    pub(super) fn sweep(&self) -> Result<()> {
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

    pub(super) fn layers_used(&self, index: &Repositories) -> BTreeSet<Digest> {
        index
            .images
            .keys()
            .filter_map(|id| self.config(id).ok())
            .flat_map(|(config, _)| config.rootfs.diff_ids)
            .collect()
    }
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
