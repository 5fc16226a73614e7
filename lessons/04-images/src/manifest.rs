//! Manifests: of what an image is made.
//!
//! A manifest names a config and some layers by digest; an index names a manifest for each
//! platform. Docker's formats came first and OCI's are the same but for their media types, so
//! one struct reads both.
//! [OCI image manifest](https://github.com/opencontainers/image-spec/blob/main/manifest.md),
//! [Docker's](https://distribution.github.io/distribution/spec/manifest-v2-2/)

use serde::{Deserialize, Serialize};

use crate::{Digest, Platform};

/// Docker's manifest, version 2, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's index.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// OCI's manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI's index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI's config.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// OCI's layer, not compressed.
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// OCI's gzip layer, the usual one.
pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

// ANCHOR: descriptor
/// What points at a blob: its kind, its digest, its size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The kind of blob.
    #[serde(default)]
    pub media_type: String,
    /// Its name and check.
    pub digest: Digest,
    /// Its length, in bytes.
    pub size: u64,
    /// In an index: the platform that this manifest is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Places where the blob may be instead (Windows' base layers): refused, since the registry
    /// that was asked should answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
}
// ANCHOR_END: descriptor

/// One image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// The kind of document.
    #[serde(default)]
    pub media_type: String,
    /// The config, whose digest is the image's id.
    pub config: Descriptor,
    /// The layers, the lowest first.
    pub layers: Vec<Descriptor>,
}

/// Several images, one for each platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// The kind of document.
    #[serde(default)]
    pub media_type: String,
    /// The manifests.
    pub manifests: Vec<Descriptor>,
}

/// What a registry answers when it is asked for a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// One image.
    Manifest(Manifest),
    /// Several.
    Index(Index),
}

impl Document {
    /// Reads either. The members decide, not the header or the media type: a manifest has
    /// layers and an index has manifests, and a document with both, which two readers could
    /// understand in two ways, is neither (CVE-2021-41190).
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Document, String> {
        let json: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let has = |member| json.get(member).is_some();
        let version = json.get("schemaVersion").and_then(serde_json::Value::as_u64);
        match (version, has("layers"), has("manifests")) {
            (Some(2), true, false) => {
                serde_json::from_value(json).map(Document::Manifest).map_err(|error| error.to_string())
            }
            (Some(2), false, true) => {
                serde_json::from_value(json).map(Document::Index).map_err(|error| error.to_string())
            }
            (Some(2), true, true) => Err("it is a manifest and an index at once".to_owned()),
            (Some(1), ..) => Err("it is a manifest of schema version 1, which is obsolete".to_owned()),
            _ => Err("it is neither a manifest nor an index".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOB: &str =
        r#"{"digest":"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","size":3}"#;

    #[test]
    fn a_document_is_read_by_its_members_and_never_as_both() {
        let manifest = format!(r#"{{"schemaVersion":2,"config":{BLOB},"layers":[{BLOB}]}}"#);
        assert!(
            matches!(Document::parse(manifest.as_bytes()), Ok(Document::Manifest(m)) if m.layers.len() == 1)
        );
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{BLOB}]}}"#);
        assert!(matches!(Document::parse(index.as_bytes()), Ok(Document::Index(_))));
        let both = format!(r#"{{"schemaVersion":2,"config":{BLOB},"layers":[],"manifests":[]}}"#);
        assert!(Document::parse(both.as_bytes()).is_err());
        for bad in ["", "{}", "[]", r#"{"schemaVersion":1}"#, r#"{"schemaVersion":2,"layers":3}"#] {
            assert!(Document::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
