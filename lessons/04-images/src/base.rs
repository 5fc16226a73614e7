//! `base`: an image for which no network is needed.
//!
//! It is made here, from the host's own tools, in lesson 2's way, and is then an image like any
//! other: one layer, a manifest, a config whose labels say what it is made of.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;

use rootfs::borrow;

use crate::config::{History, RootFs, Run};
use crate::digest::HashingWriter;
use crate::manifest::{Descriptor, Manifest, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST};
use crate::pack::pack;
use crate::{Error, Image, ImageConfig, Platform, Reference, Result, Store, usage};

/// The reserved name: no registry is asked for it.
pub const NAME: &str = "base";

/// The label that says of what it is made: `busybox from /usr/bin/busybox; …`.
pub const LABEL: &str = "canoa.borrowed";

/// What an image's programs are looked for in, as in Docker's images.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether this reference means the image that is made here.
pub fn is_base(reference: &Reference) -> bool {
    reference.canonical() == "docker.io/library/base:latest"
}

/// Makes it afresh from what the host has now, and gives it its name.
///
/// # Errors
/// The host has no shell to lend, or something can't be copied or kept.
pub fn base(store: &Store) -> Result<Image> {
    let _unswept = store.guard()?;
    let folder = store.temporary_folder()?;
    let borrowed = borrow::into(folder.path())?;
    // The root is for everybody; a temporary folder is only for its maker.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755))
        .map_err(Error::io("setting the mode of", folder.path()))?;

    // The layer isn't compressed, so its digest and its diffID are the same.
    let mut archive = HashingWriter::new(store.temporary_file()?);
    let tree = File::open(folder.path()).map_err(Error::io("opening", folder.path()))?;
    pack(tree.as_fd(), &mut archive)?;
    let (mut file, diff_id, length) = archive.finish();
    file.flush().map_err(Error::io("writing", file.path()))?;
    store.add_blob(file, &diff_id)?;
    let size = usage(folder.path());
    store.add_layer(folder, &diff_id, size)?;

    let made_of: Vec<String> =
        borrowed.iter().map(|one| format!("{} from {}", one.name, one.from.display())).collect();
    let now = jiff::Timestamp::now().to_string();
    let platform = Platform::host();
    let config = ImageConfig {
        created: Some(now.clone()),
        architecture: platform.architecture,
        os: platform.os,
        variant: platform.variant,
        config: Run {
            env: vec![PATH.to_owned()],
            cmd: Some(vec!["sh".to_owned()]),
            labels: BTreeMap::from([(LABEL.to_owned(), made_of.join("; "))]),
            ..Run::default()
        },
        rootfs: RootFs { diff_ids: vec![diff_id.clone()], ..RootFs::default() },
        history: vec![History {
            created: Some(now),
            created_by: Some("borrowed from the host's own tools".to_owned()),
            ..History::default()
        }],
        ..ImageConfig::default()
    };
    let descriptor = |media_type: &str, digest, size| Descriptor {
        media_type: media_type.to_owned(),
        digest,
        size,
        platform: None,
        urls: Vec::new(),
    };
    let config = to_json(&config)?;
    let config_digest = store.add_document(&config)?;
    let manifest = Manifest {
        schema_version: 2,
        media_type: OCI_MANIFEST.to_owned(),
        config: descriptor(OCI_CONFIG, config_digest, config.len() as u64),
        layers: vec![descriptor(OCI_LAYER, diff_id, length)],
    };
    let manifest = store.add_document(&to_json(&manifest)?)?;
    store.add_image(&manifest, Some(&NAME.parse()?), None)
}

fn to_json(document: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(document).map_err(|error| Error::Io {
        doing: "writing as JSON",
        path: NAME.into(),
        source: error.into(),
    })
}
