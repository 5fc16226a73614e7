//! Small images, made here: layers, configuration, manifest (OCI image specification).

use std::fs;
use std::io::Write;

use anyhow::{Context, Result};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// An image as a registry hands it out: blobs, each known by its digest.
#[derive(Debug, Clone)]
pub struct Image {
    /// The manifest, as bytes: its digest depends on every one of them.
    pub manifest: Vec<u8>,
    /// The configuration.
    pub config: Vec<u8>,
    /// The layers, compressed, the lowest first.
    pub layers: Vec<Vec<u8>>,
}

impl Image {
    /// An image of these layers (tar archives, the lowest first), for this machine's architecture.
    pub fn of(layers: &[Vec<u8>]) -> Result<Image> {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Self::of_architecture(layers, architecture)
    }

    /// The same for another architecture, by its name in Go.
    pub fn of_architecture(layers: &[Vec<u8>], architecture: &str) -> Result<Image> {
        Self::of_variant(layers, architecture, "")
    }

    /// The same for a variant of another architecture: `arm`, `v7`.
    pub fn of_variant(layers: &[Vec<u8>], architecture: &str, variant: &str) -> Result<Image> {
        let diff_ids: Vec<String> = layers.iter().map(|layer| digest(layer)).collect();
        let config = serde_json::to_vec(&json!({
            "architecture": architecture,
            "variant": variant,
            "os": "linux",
            "config": { "Cmd": ["sh"], "Env": ["PATH=/bin:/sbin:/usr/bin:/usr/sbin"] },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
            "history": layers.iter().map(|_| json!({ "created_by": "canoa's tests" })).collect::<Vec<_>>(),
        }))?;
        let layers = layers.iter().map(|layer| compress(layer)).collect::<Result<Vec<_>>>()?;
        let manifest = serde_json::to_vec(&json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": layers.iter()
                .map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer))
                .collect::<Vec<_>>(),
        }))?;
        Ok(Image { manifest, config, layers })
    }

    /// The blob of this digest.
    pub fn blob(&self, wanted: &str) -> Option<&[u8]> {
        self.layers.iter().chain([&self.config]).find(|blob| digest(blob) == wanted).map(Vec::as_slice)
    }
}

/// The media type of a manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The media type of an index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// `sha256:…` of some bytes.
pub fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// How one document names another.
pub fn descriptor(media_type: &str, blob: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(blob), "size": blob.len() })
}

fn compress(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// One thing in a layer.
#[derive(Debug, Clone, Copy)]
pub enum Entry<'a> {
    /// A folder.
    Folder(&'a str),
    /// A file with its content and mode.
    File(&'a str, &'a [u8], u32),
    /// A symbolic link and where it leads.
    Link(&'a str, &'a str),
}

/// A tar archive of these, all owned by root. Paths are written as they are, hostile ones too.
pub fn layer(entries: &[Entry<'_>]) -> Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    for entry in entries {
        let (path, kind, content, mode, link): (_, _, &[u8], _, _) = match *entry {
            Entry::Folder(path) => (path, EntryType::Directory, b"", 0o755, ""),
            Entry::File(path, content, mode) => (path, EntryType::Regular, content, mode, ""),
            Entry::Link(path, to) => (path, EntryType::Symlink, b"", 0o777, to),
        };
        let mut header = Header::new_ustar();
        // Past tar's own checks, which would refuse `..`: that is what some of the tests are about.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_700_000_000);
        header.set_cksum();
        builder.append(&header, content)?;
    }
    Ok(builder.into_inner()?)
}

/// A layer that can run something: busybox (Debian's static one) under its most common names.
pub fn busybox_layer() -> Result<Vec<u8>> {
    let path = ["/usr/bin/busybox", "/bin/busybox"].into_iter().find(|path| fs::metadata(path).is_ok());
    let busybox = fs::read(path.context("there is no busybox: apt install busybox-static")?)?;
    const NAMES: &str = "sh cat ls echo ps ip id env hostname true false sleep head tail dd mount grep wget \
        nc httpd seq test touch mkdir rm kill ping stty tty pwd whoami wc sync date sort tr cut readlink";
    let links: Vec<String> = NAMES.split_whitespace().map(|name| format!("bin/{name}")).collect();
    let mut entries = vec![
        Entry::Folder("bin/"),
        Entry::File("bin/busybox", &busybox, 0o755),
        Entry::Folder("etc/"),
        Entry::File(
            "etc/passwd",
            b"root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n",
            0o644,
        ),
        Entry::File("etc/group", b"root:x:0:\nada:x:1000:\n", 0o644),
        Entry::Folder("root/"),
        Entry::Folder("home/"),
        Entry::Folder("var/"),
    ];
    entries.extend(links.iter().map(|link| Entry::Link(link, "/bin/busybox")));
    layer(&entries)
}
