//! What people read of this lesson, and what strangers write: whatever a registry or a person says, the
//! answer is a value or an error that shows what was meant.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::fmt::Display;

use images::manifest::Document;
use images::{Digest, Error, Platform, Reference, Status};
use proptest::prelude::*;

const DIGEST: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn refusal<T: std::str::FromStr<Err = Error>>(text: &str) -> String {
    match text.parse::<T>() {
        Ok(_) => panic!("{text:?} is taken"),
        Err(error) => error.to_string(),
    }
}

fn lines(all: impl IntoIterator<Item = impl Display>) -> String {
    all.into_iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_word_that_makes_no_sense_is_shown_with_what_would() {
    let escape = "ubuntu\u{1b}[31m:22";
    let references = ["", "Ubuntu", "ubuntu:", "x@sha256:12", escape, "../x", "a//b", "host:70000000/x"];
    let digests = ["", "sha256:", "sha256:../../etc/passwd", "md5:ab"];
    let platforms = ["", "linux", "linux/", "linux/amd64/v1/x", "linux/amd 64"];
    insta::assert_snapshot!(lines(
        (references.map(refusal::<Reference>).into_iter())
            .chain(digests.map(refusal::<Digest>))
            .chain(platforms.map(refusal::<Platform>))
    ));
}

#[test]
fn what_a_registry_did_is_one_line_with_the_way_out() {
    let (registry, image) = ("ghcr.io".to_owned(), "ghcr.io/team/app:1".to_owned());
    let platform = |text: &str| text.parse::<Platform>().unwrap();
    insta::assert_snapshot!(lines([
        Error::NotFound { registry: registry.clone(), image: image.clone() },
        Error::Denied { registry: registry.clone(), image: image.clone(), said: String::new() },
        Error::Denied { registry: registry.clone(), image: image.clone(), said: "no such token".into() },
        Error::Server { registry: registry.clone(), image: image.clone(), status: 503, said: String::new() },
        Error::Unreachable { registry: registry.clone(), image: image.clone(), reason: "no route".into() },
        Error::Cut {
            registry: registry.clone(),
            image: image.clone(),
            received: 3,
            expected: 9,
            reason: "timed out".into()
        },
        Error::DigestMismatch {
            what: "layer ba7816bf8f01".into(),
            expected: DIGEST.parse().unwrap(),
            found: Digest::of(b"another")
        },
        Error::NoSuchPlatform {
            image: image.clone(),
            wanted: platform("linux/arm64"),
            found: vec![platform("linux/amd64"), platform("linux/arm/v7")]
        },
        Error::NotARegistry { registry, image, reason: "it is HTML".into() },
        Error::TooLarge { what: "the manifest".into(), limit: 4 << 20 },
        Error::Layer {
            layer: "ba78".into(),
            entry: "../etc/passwd".into(),
            reason: "its path leads out".into()
        },
        Error::NoSuchImage("boat".into()),
    ]));
}

#[test]
fn a_pull_is_told_in_docker_s_words() {
    let (current, total) = (5, 9);
    insta::assert_snapshot!(lines([
        Status::PullingFsLayer,
        Status::Downloading { current, total },
        Status::Retrying { seconds: 1 },
        Status::Retrying { seconds: 4 },
        Status::VerifyingChecksum,
        Status::DownloadComplete,
        Status::Extracting { current, total },
        Status::PullComplete,
        Status::AlreadyExists,
    ]));
}

/// JSON as a registry could write it, in which now and then a member is what it should be.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::json!(null)),
        any::<i64>().prop_map(|number| serde_json::json!(number)),
        Just(serde_json::json!(2)),
        Just(serde_json::json!(DIGEST)),
        ".{0,8}".prop_map(|text| serde_json::json!(text)),
    ];
    let member = prop_oneof![
        Just("schemaVersion".to_owned()),
        Just("layers".to_owned()),
        Just("manifests".to_owned()),
        Just("config".to_owned()),
        Just("digest".to_owned()),
        Just("size".to_owned()),
        Just("mediaType".to_owned()),
        Just("platform".to_owned()),
        Just("urls".to_owned()),
        ".{0,4}",
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| serde_json::json!(list)),
            prop::collection::vec((member.clone(), inner), 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_digest_is_64_small_hexadecimal_digits_and_nothing_else(text in "(sha256:)?[0-9a-fA-F./]{60,68}") {
        match text.parse::<Digest>() {
            Ok(digest) => {
                prop_assert_eq!(digest.to_string(), text);
                let plain = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
                prop_assert!(digest.hex().len() == 64 && digest.hex().chars().all(plain));
            }
            Err(error) => prop_assert!(error.to_string().contains(&text), "{error}"),
        }
    }

    #[test]
    fn no_bytes_make_the_reader_of_documents_panic(bytes: Vec<u8>) {
        let _ = Document::parse(&bytes);
    }

    #[test]
    fn a_document_is_one_of_the_two_or_an_error_in_words(json in json()) {
        match Document::parse(&serde_json::to_vec(&json).unwrap()) {
            Ok(Document::Manifest(manifest)) => {
                prop_assert_eq!(manifest.schema_version, 2);
                prop_assert_eq!(Some(manifest.layers.len()), json["layers"].as_array().map(Vec::len));
            }
            Ok(Document::Index(index)) => {
                prop_assert_eq!(Some(index.manifests.len()), json["manifests"].as_array().map(Vec::len));
            }
            Err(words) => prop_assert!(!words.is_empty()),
        }
    }

    #[test]
    fn what_is_written_is_read_again(layers in prop::collection::vec((any::<[u8; 8]>(), any::<u32>()), 0..5)) {
        let descriptor = |(bytes, size): &([u8; 8], u32)| {
            serde_json::json!({ "digest": Digest::of(bytes).to_string(), "size": size })
        };
        let text = serde_json::json!({
            "schemaVersion": 2,
            "config": descriptor(&([0; 8], 1)),
            "layers": layers.iter().map(descriptor).collect::<Vec<_>>(),
        });
        let Ok(Document::Manifest(manifest)) = Document::parse(text.to_string().as_bytes()) else {
            return Err(TestCaseError::fail("it is a manifest"));
        };
        let found: Vec<_> = manifest.layers.iter().map(|one| (one.digest.clone(), one.size)).collect();
        let expected: Vec<_> = layers.iter().map(|(bytes, size)| (Digest::of(bytes), u64::from(*size))).collect();
        prop_assert_eq!(found, expected);
        let again = serde_json::to_vec(&manifest).unwrap();
        prop_assert_eq!(Document::parse(&again), Ok(Document::Manifest(manifest)));
    }
}
