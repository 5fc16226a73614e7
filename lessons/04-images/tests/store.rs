//! Naming and removing images by Docker's rules.
#![allow(missing_docs, dead_code, clippy::unwrap_used, clippy::expect_used)]

#[path = "support/registry.rs"]
mod registry;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use images::{Digest, Error, Image, Platform, PullOptions, Reference, Removed, Store, base, pull};
use registry::{Registry, image, layer};
use tempfile::TempDir;

struct Setup {
    registry: Registry,
    folder: TempDir,
    store: Store,
}

impl Setup {
    fn new() -> Setup {
        let folder = TempDir::new().unwrap();
        let store = Store::open(folder.path()).unwrap();
        Setup { registry: Registry::start(), folder, store }
    }

    /// Pulls an image of these one-file layers.
    fn pull(&self, tag: &str, files: &[&str]) -> Image {
        let host = Platform::host();
        let layers: Vec<_> = files.iter().map(|file| layer(&[(file, file.as_bytes())])).collect();
        let manifest = image(&self.registry, (&host.os, &host.architecture), &layers);
        self.registry.put(&format!("app/manifests/{tag}"), manifest);
        pull(&self.store, &self.registry.reference(tag), &PullOptions::default(), &|_| {}).unwrap().image
    }

    fn files(&self, folder: &str) -> usize {
        fs::read_dir(self.folder.path().join(folder)).unwrap().count()
    }
}

fn name(text: &str) -> Reference {
    text.parse().unwrap()
}

#[test]
fn an_image_is_found_by_name_by_id_and_by_the_beginning_of_its_id() {
    let setup = Setup::new();
    let image = setup.pull("one", &["a"]);
    setup.store.tag(&image.id, &name("barco")).unwrap();
    let digest = image.digests[0].canonical();
    let id = image.id.to_string();
    for text in [
        "barco",
        "barco:latest",
        "docker.io/library/barco",
        &id,
        image.id.hex(),
        image.id.short(),
        &id[..12],
        &digest,
    ] {
        assert_eq!(setup.store.resolve(text).unwrap().id, image.id, "{text}");
    }
    for text in ["", "barco:2", "bar", "sha256:", "0123456789abcdef0", "../../etc/passwd", "\x1b[31m"] {
        let error = setup.store.resolve(text).unwrap_err();
        assert!(matches!(error, Error::NoSuchImage(_)), "{text:?}: {error}");
        assert!(!error.to_string().contains('\x1b'));
    }
}

#[test]
fn a_beginning_that_fits_several_ids_is_an_error() {
    let setup = Setup::new();
    // Of 17 images two begin with the same digit.
    let ids: Vec<Digest> = (0..17).map(|n| setup.pull("x", &[&format!("file{n}")]).id).collect();
    let first = |id: &Digest| id.hex()[..1].to_owned();
    let twice =
        ids.iter().map(first).find(|digit| ids.iter().filter(|id| first(id) == *digit).count() > 1).unwrap();
    let error = setup.store.resolve(&twice).unwrap_err();
    assert!(matches!(error, Error::Ambiguous(_)), "{error}");
}

#[test]
fn removing_one_of_two_names_removes_only_the_name() {
    let setup = Setup::new();
    let image = setup.pull("one", &["a"]);
    setup.store.tag(&image.id, &name("barco")).unwrap();
    assert_eq!(setup.store.remove("barco", false).unwrap(), [Removed::Untagged("barco:latest".into())]);
    assert_eq!(setup.store.resolve(image.id.hex()).unwrap().tags.len(), 1);
    assert!(Path::new(&image.layers[0]).exists());
}

#[test]
fn removing_the_last_name_removes_the_image_but_not_what_others_share() {
    let setup = Setup::new();
    let one = setup.pull("one", &["shared", "own"]);
    let two = setup.pull("two", &["shared"]);
    let removed = setup.store.remove(&one.tags[0].familiar(), false).unwrap();
    let own = &one.config.rootfs.diff_ids[1];
    assert!(removed.contains(&Removed::Deleted(one.id.clone())));
    assert!(removed.contains(&Removed::Deleted(own.clone())));
    assert!(!removed.contains(&Removed::Deleted(two.config.rootfs.diff_ids[0].clone())));
    assert!(two.layers[0].join("shared").exists());
    assert!(!setup.store.layer_path(own).exists());
    // A config, a manifest, a layer.
    assert_eq!(setup.files("blobs/sha256"), 3);

    setup.store.remove(&two.tags[0].familiar(), false).unwrap();
    for folder in ["blobs/sha256", "layers", "tmp"] {
        assert_eq!(setup.files(folder), 0, "{folder}");
    }
    assert!(matches!(setup.store.remove("app", false), Err(Error::NoSuchImage(_))));
}

#[test]
fn removing_by_id_an_image_with_names_in_two_repositories_needs_force() {
    let setup = Setup::new();
    let image = setup.pull("one", &["a"]);
    setup.store.tag(&image.id, &name("barco")).unwrap();
    let error = setup.store.remove(image.id.short(), false).unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error}");
    let removed = setup.store.remove(image.id.short(), true).unwrap();
    assert!(removed.contains(&Removed::Untagged("barco:latest".into())));
    assert!(setup.store.list().unwrap().is_empty());
}

#[test]
fn while_somebody_pulls_nothing_is_swept() {
    let setup = Setup::new();
    let image = setup.pull("one", &["a"]);
    {
        let _pulling = setup.store.guard().unwrap();
        setup.store.remove(image.id.hex(), false).unwrap();
        let other = Store::open(setup.folder.path()).unwrap();
        assert!(other.list().unwrap().is_empty());
        assert_eq!(setup.files("layers"), 2);
    }
    Store::open(setup.folder.path()).unwrap();
    assert_eq!(setup.files("layers"), 0);
}

#[test]
fn names_given_by_many_threads_and_stores_at_once_are_all_kept() {
    let setup = Setup::new();
    let image = setup.pull("one", &["a"]);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (setup, image) = (&setup, &image);
            scope.spawn(move || {
                let own = Store::open(setup.folder.path()).unwrap();
                let store = if thread % 2 == 0 { &setup.store } else { &own };
                for number in 0..10 {
                    store.tag(&image.id, &name(&format!("t{thread}:{number}"))).unwrap();
                }
            });
        }
    });
    assert_eq!(setup.store.resolve(image.id.hex()).unwrap().tags.len(), 41);
}

#[test]
fn the_layers_are_for_nobody_else_on_the_host_to_run() {
    let setup = Setup::new();
    let mode = fs::metadata(setup.folder.path().join("layers")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_store_that_is_a_file_damaged_or_newer_is_one_clear_error() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for (path, content) in [
        (&file, None),
        (&folder.path().join("a"), Some("{")),
        (&folder.path().join("b"), Some(r#"{"version":9,"tags":{},"digests":{},"images":{}}"#)),
    ] {
        if let Some(content) = content {
            fs::create_dir(path).unwrap();
            fs::write(path.join("repositories.json"), content).unwrap();
        }
        let error = Store::open(path).err().unwrap().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
}

#[test]
fn base_is_made_of_the_hosts_tools_without_a_network() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let made = base::base(&store).unwrap();
    let found = store.resolve(base::NAME).unwrap();
    assert_eq!(found.id, made.id);
    assert!(fs::symlink_metadata(found.layers[0].join("bin/sh")).is_ok());
    assert!(found.config.config.labels[base::LABEL].contains(" from /"));
    assert_eq!(found.config.config.cmd.as_deref(), Some(&["sh".to_owned()][..]));
    assert!(
        base::is_base(&name("base"))
            && !base::is_base(&name("base:1"))
            && !base::is_base(&name("localhost/base"))
    );
    // Again: afresh, and the name moves.
    base::base(&store).unwrap();
    assert!(store.resolve(base::NAME).is_ok());
}
