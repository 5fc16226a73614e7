//! Pulling from a registry that behaves, and from one that doesn't.
#![allow(missing_docs, dead_code, clippy::unwrap_used, clippy::expect_used)]

#[path = "support/registry.rs"]
mod registry;

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use images::{
    Credentials, Digest, Error, Platform, Progress, PullOptions, Pulled, Reference, Status, Store, pull,
};
use registry::{Answer, Registry, compress, image, layer, noise};
use serde_json::json;
use tempfile::TempDir;

struct Setup {
    registry: Registry,
    folder: TempDir,
    store: Store,
    progress: Mutex<Vec<Progress>>,
}

impl Setup {
    fn new() -> Setup {
        let folder = TempDir::new().unwrap();
        let store = Store::open(folder.path()).unwrap();
        Setup { registry: Registry::start(), folder, store, progress: Mutex::default() }
    }

    /// With an image `app:latest` for this machine, of these layers.
    fn with(layers: &[(Vec<u8>, Digest)]) -> Setup {
        let setup = Setup::new();
        let host = Platform::host();
        let manifest = image(&setup.registry, (&host.os, &host.architecture), layers);
        setup.registry.put("app/manifests/latest", manifest);
        setup
    }

    fn pull(&self) -> Result<Pulled, Error> {
        self.pull_with(&PullOptions::default())
    }

    fn pull_with(&self, options: &PullOptions) -> Result<Pulled, Error> {
        let tell = |progress| self.progress.lock().unwrap().push(progress);
        pull(&self.store, &self.registry.reference("latest"), options, &tell)
    }

    /// Pulls, and shows that nothing half-made is left by the error.
    fn error(&self) -> Error {
        let error = self.pull().expect_err("an error");
        self.nothing_is_left();
        // One line, and it names the registry or what was fetched.
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
        error
    }

    fn nothing_is_left(&self) {
        assert_eq!(count(&self.folder.path().join("tmp")), 0, "tmp");
        assert_eq!(count(&self.folder.path().join("layers")), 0, "layers");
        assert!(self.store.list().unwrap().is_empty());
    }

    fn stages(&self) -> Vec<String> {
        self.progress.lock().unwrap().iter().map(|progress| progress.status.to_string()).collect()
    }
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn credentials() -> Option<Credentials> {
    Some(Credentials { username: "ana".into(), password: "canoa".into() })
}

#[test]
fn a_pulled_image_is_whole_and_its_layers_are_in_order() {
    let setup = Setup::with(&[layer(&[("one", b"1")]), layer(&[("two", b"22")])]);
    let pulled = setup.pull().unwrap();
    assert!(pulled.newer);
    let image = &pulled.image;
    assert_eq!(fs::read(image.layers[0].join("one")).unwrap(), b"1");
    assert_eq!(fs::read(image.layers[1].join("two")).unwrap(), b"22");
    assert_eq!((image.size, image.layer_sizes.as_slice()), (3, &[1, 2][..]));
    assert_eq!(image.config.config.cmd.as_deref(), Some(&["sh".to_owned()][..]));
    // The id is of the config's own bytes, and what isn't known here is still in them.
    assert_eq!(Digest::of(&image.raw_config), image.id);
    assert!(String::from_utf8_lossy(&image.raw_config).contains("x-unknown"));
    assert_eq!(image.tags, [setup.registry.reference("latest")]);
    assert_eq!(image.digests[0].digest.as_ref(), Some(&pulled.digest));
    for stage in [
        "Pulling fs layer",
        "Downloading",
        "Verifying Checksum",
        "Download complete",
        "Extracting",
        "Pull complete",
    ] {
        assert!(setup.stages().iter().any(|seen| seen == stage), "{stage}: {:?}", setup.stages());
    }

    let again = setup.pull().unwrap();
    assert!(!again.newer);
    assert_eq!(setup.stages().last().map(String::as_str), Some("Already exists"));
}

#[test]
fn after_a_restart_the_image_is_still_there_and_tmp_is_swept() {
    let setup = Setup::with(&[layer(&[("one", b"1")])]);
    let id = setup.pull().unwrap().image.id;
    fs::write(setup.folder.path().join("tmp/half"), "").unwrap();
    fs::create_dir_all(setup.folder.path().join("layers").join("0".repeat(64))).unwrap();
    let store = Store::open(setup.folder.path()).unwrap();
    assert_eq!(store.resolve(&setup.registry.reference("latest").familiar()).unwrap().id, id);
    assert_eq!(count(&setup.folder.path().join("tmp")), 0);
    assert_eq!(count(&setup.folder.path().join("layers")), 2, "the layer and its size");
}

#[test]
fn a_token_is_fetched_from_the_realm_with_the_password_and_used() {
    for login in [None, credentials()] {
        let setup = Setup::with(&[layer(&[("f", b"x")])]);
        let realm = format!("http://{}/token", setup.registry.address);
        let wants_login = login.is_some();
        setup.registry.misbehave(move |request| {
            let authorization = request.headers.get("authorization").map(String::as_str);
            if request.path.starts_with("/token?") {
                assert!(
                    request.path.contains("service=here")
                        && request.path.contains("scope=repository%3Aapp%3Apull"),
                    "{}",
                    request.path
                );
                // base64 of ana:canoa
                assert_eq!(authorization, wants_login.then_some("Basic YW5hOmNhbm9h"));
                return Some(Answer::ok(r#"{"token":"t0k3n"}"#));
            }
            match authorization {
                Some("Bearer t0k3n") => None,
                _ => Some(Answer::status(401).header(
                    "WWW-Authenticate",
                    format!("Bearer realm=\"{realm}\",service=\"here\",scope=\"repository:app:pull\""),
                )),
            }
        });
        setup.pull_with(&PullOptions { credentials: login, platform: None }).unwrap();
        let tokens =
            setup.registry.seen().iter().filter(|request| request.path.starts_with("/token")).count();
        assert_eq!(tokens, 1, "one token is enough for all");
    }
}

#[test]
fn basic_authentication_is_answered_and_without_a_login_denied() {
    let setup = Setup::with(&[layer(&[("f", b"x")])]);
    setup.registry.misbehave(|request| match request.headers.get("authorization").map(String::as_str) {
        Some("Basic YW5hOmNhbm9h") => None,
        _ => Some(Answer::status(401).header("WWW-Authenticate", "Basic realm=\"r\"")),
    });
    let error = setup.error();
    assert!(matches!(error, Error::Denied { .. }), "{error}");
    setup.pull_with(&PullOptions { credentials: credentials(), platform: None }).unwrap();
}

#[test]
fn a_redirect_to_another_host_takes_no_credentials_along() {
    let setup = Setup::with(&[layer(&[("f", b"x")])]);
    let other = Registry::start();
    let elsewhere = other.address;
    let (blob, _) = layer(&[("f", b"x")]);
    other.put("blob", blob);
    let digest = Digest::of(&layer(&[("f", b"x")]).0).to_string();
    setup.registry.misbehave(move |request| match request.headers.get("authorization") {
        None => Some(Answer::status(401).header("WWW-Authenticate", "Basic realm=\"r\"")),
        Some(_) if request.path.ends_with(&digest) => {
            Some(Answer::status(307).header("Location", format!("http://{elsewhere}/v2/blob")))
        }
        Some(_) => None,
    });
    setup.pull_with(&PullOptions { credentials: credentials(), platform: None }).unwrap();
    let seen = other.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].headers.get("authorization"), None, "the password went to another host");
}

#[test]
fn a_redirect_from_here_to_plain_http_elsewhere_or_in_circles_is_refused() {
    for location in ["http://registry.example/v2/blob", "/v2/app/manifests/latest", "ftp://127.0.0.1/x"] {
        let setup = Setup::with(&[]);
        setup.registry.misbehave(move |_| Some(Answer::status(302).header("Location", location)));
        let error = setup.error();
        assert!(matches!(error, Error::NotARegistry { .. }), "{location}: {error}");
    }
}

#[test]
fn errors_are_told_apart() {
    type Check = fn(&Error) -> bool;
    let cases: [(u16, Check); 5] = [
        (404, |error| matches!(error, Error::NotFound { .. })),
        (401, |error| matches!(error, Error::Denied { .. })),
        (403, |error| matches!(error, Error::Denied { said, .. } if said == "the registry's words")),
        (500, |error| matches!(error, Error::Server { status: 500, .. })),
        (429, |error| matches!(error, Error::Server { status: 429, .. })),
    ];
    for (status, check) in cases {
        let setup = Setup::with(&[]);
        setup.registry.misbehave(move |request| (request.path != "/v2/").then(|| Answer::status(status)));
        let error = setup.error();
        assert!(check(&error), "{status}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(&setup.registry.address.to_string()) && text.contains("app:latest"), "{text}");
    }
}

#[test]
fn what_is_no_registry_is_called_so() {
    let setup = Setup::new();
    setup.registry.misbehave(|_| Some(Answer::status(404)));
    assert!(matches!(setup.error(), Error::NotARegistry { .. }));
    for body in ["<html>hello</html>", "{}", r#"{"schemaVersion":1}"#] {
        setup.registry.misbehave(move |_| Some(Answer::ok(body)));
        let error = setup.error();
        assert!(matches!(error, Error::NotARegistry { .. }), "{body}: {error}");
    }
}

#[test]
fn a_registry_that_is_not_there_is_unreachable() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path()).unwrap();
    // A port that was just free.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let reference: Reference = format!("127.0.0.1:{port}/app").parse().unwrap();
    let error = pull(&store, &reference, &PullOptions::default(), &|_| {}).unwrap_err();
    assert!(matches!(&error, Error::Unreachable { reason, .. } if reason.contains("refused")), "{error}");
}

#[test]
fn a_cut_download_is_resumed_where_it_ended() {
    let big = layer(&[("big", &noise(300_000))]);
    let setup = Setup::with(std::slice::from_ref(&big));
    let digest = Digest::of(&big.0).to_string();
    let body = big.0.clone();
    let cuts = AtomicUsize::new(0);
    setup.registry.misbehave(move |request| {
        if !request.path.ends_with(&digest) || cuts.fetch_add(1, Ordering::SeqCst) > 0 {
            return None;
        }
        Some(Answer { cut: Some(100_000), ..Answer::ok(body.clone()) })
    });
    let pulled = setup.pull().unwrap();
    assert_eq!(fs::read(pulled.image.layers[0].join("big")).unwrap(), noise(300_000));
    let ranges: Vec<_> =
        setup.registry.seen().iter().filter_map(|request| request.headers.get("range").cloned()).collect();
    assert_eq!(
        ranges,
        ["bytes=100000-"],
        "ex-04-3: after 100,000 bytes it was cut: what is here isn't asked for again"
    );
    assert!(setup.progress.lock().unwrap().iter().any(|p| matches!(p.status, Status::Retrying { .. })));
}

#[test]
fn a_cut_download_is_begun_again_where_ranges_are_not_known_or_wrong() {
    let big = layer(&[("big", &noise(300_000))]);
    for wrong_part in [false, true] {
        let setup = Setup::with(std::slice::from_ref(&big));
        let digest = Digest::of(&big.0).to_string();
        let body = big.0.clone();
        let asked = AtomicUsize::new(0);
        setup.registry.misbehave(move |request| {
            if !request.path.ends_with(&digest) {
                return None;
            }
            match asked.fetch_add(1, Ordering::SeqCst) {
                0 => Some(Answer { cut: Some(100_000), ..Answer::ok(body.clone()) }),
                // The right length, and other bytes.
                1 if wrong_part => {
                    let rest = vec![0; body.len() - 100_000];
                    let range = format!("bytes 100000-{}/{}", body.len() - 1, body.len());
                    Some(Answer { status: 206, ..Answer::ok(rest) }.header("Content-Range", range))
                }
                _ => Some(Answer::ok(body.clone())),
            }
        });
        let pulled = setup.pull();
        let how =
            if wrong_part { "with other bytes than before: begin again, once" } else { "from the beginning" };
        assert!(pulled.is_ok(), "ex-04-3: the second answer came {how}; found: {:?}", pulled.err());
    }
}

#[test]
fn a_download_that_is_always_cut_ends_with_an_error() {
    let big = layer(&[("big", &noise(10_000))]);
    let setup = Setup::with(std::slice::from_ref(&big));
    let digest = Digest::of(&big.0).to_string();
    let body = big.0.clone();
    setup.registry.misbehave(move |request| {
        request.path.ends_with(&digest).then(|| Answer { cut: Some(0), ..Answer::ok(body.clone()) })
    });
    let error = setup.error();
    let cut = matches!(error, Error::Cut { received: 0, .. });
    assert!(cut, "ex-04-3: every answer was cut at once, and in the end that is the error; found: {error:?}");
}

#[test]
fn bytes_that_are_not_what_their_digest_says_are_refused() {
    for what in ["manifests", "config", "layer"] {
        let (bytes, diff_id) = layer(&[("f", b"x")]);
        let setup = Setup::with(&[(bytes.clone(), diff_id)]);
        let manifest = setup.registry.put_manifest(b"{}");
        let layer_digest = Digest::of(&bytes).to_string();
        setup.registry.misbehave(move |request| {
            let is_layer = request.path.ends_with(&layer_digest);
            let wrong = match what {
                "manifests" => request.path.contains("/manifests/"),
                "config" => request.path.contains("/blobs/") && !is_layer,
                _ => is_layer,
            };
            // Same length, so that only the digest can tell.
            wrong.then(|| Answer::ok(vec![b'!'; if is_layer { bytes.len() } else { 9 }]))
        });
        let reference = match what {
            "manifests" => setup.registry.reference("latest").with_digest(&manifest),
            _ => setup.registry.reference("latest"),
        };
        let error = pull(&setup.store, &reference, &PullOptions::default(), &|_| {}).unwrap_err();
        let refused = matches!(error, Error::DigestMismatch { .. });
        let first = "the digest has to be compared before a byte of it is unpacked";
        assert!(
            refused,
            "ex-04-3: the registry sent other bytes in place of the {what}: {first}; found: {error}"
        );
        setup.nothing_is_left();
        assert_eq!(count(&setup.folder.path().join("blobs/sha256")), 0, "{what}");
    }
}

#[test]
fn an_archive_that_is_not_what_the_config_says_is_refused() {
    let (bytes, _) = layer(&[("f", b"x")]);
    let setup = Setup::with(&[(bytes, Digest::of(b"something else"))]);
    let error = setup.error();
    assert!(matches!(error, Error::DigestMismatch { .. }), "{error}");
}

#[test]
fn what_is_too_large_is_refused_before_it_fills_anything() {
    let setup = Setup::new();
    setup.registry.put("app/manifests/latest", vec![b' '; (4 << 20) + 1]);
    assert!(matches!(setup.error(), Error::TooLarge { .. }));

    // More bytes than the manifest says the layer has.
    let (bytes, diff_id) = layer(&[("f", &noise(1000))]);
    let setup = Setup::with(&[(bytes.clone(), diff_id)]);
    let digest = Digest::of(&bytes).to_string();
    setup.registry.misbehave(move |request| {
        request.path.ends_with(&digest).then(|| Answer::ok([bytes.as_slice(), &[0; 100]].concat()))
    });
    assert!(matches!(setup.error(), Error::TooLarge { .. }));
}

#[test]
fn a_damaged_layer_is_one_clear_error() {
    let (whole, diff_id) = layer(&[("f", &noise(10_000))]);
    let cut = whole[..whole.len() / 2].to_vec();
    let (garbage, garbage_id) = compress(&noise(5000));
    for (bytes, id) in [(cut, diff_id), (garbage, garbage_id)] {
        let error = Setup::with(&[(bytes, id)]).error();
        assert!(matches!(error, Error::Layer { .. }), "{error}");
    }
}

#[test]
fn of_an_index_our_platform_is_taken_and_a_missing_one_names_both() {
    let setup = Setup::new();
    let host = Platform::host();
    let mine = layer(&[("mine", b"x")]);
    let ours = image(&setup.registry, (&host.os, &host.architecture), &[mine]);
    let theirs = image(&setup.registry, ("plan9", "mips"), &[layer(&[("theirs", b"x")])]);
    let entry = |manifest: &[u8], os: &str, architecture: &str| {
        let digest = setup.registry.put_manifest(manifest);
        json!({ "digest": digest, "size": manifest.len(), "platform": { "os": os, "architecture": architecture } })
    };
    let (theirs, ours) = (entry(&theirs, "plan9", "mips"), entry(&ours, &host.os, &host.architecture));
    let attestation = json!({ "digest": Digest::of(b""), "size": 1, "platform": { "os": "unknown", "architecture": "unknown" } });
    let index =
        |entries: &[&serde_json::Value]| json!({ "schemaVersion": 2, "manifests": entries }).to_string();

    setup.registry.put("app/manifests/latest", index(&[&theirs, &attestation, &ours]));
    let pulled = setup.pull().unwrap();
    assert!(pulled.image.layers[0].join("mine").exists());
    // The name's digest is the index's.
    assert_eq!(pulled.digest, Digest::of(index(&[&theirs, &attestation, &ours]).as_bytes()));
    let other = PullOptions { platform: Some("plan9/mips".parse().unwrap()), credentials: None };
    assert!(setup.pull_with(&other).unwrap().image.layers[0].join("theirs").exists());

    setup.registry.put("app/manifests/latest", index(&[&theirs, &attestation]));
    let error = setup.pull().unwrap_err().to_string();
    assert!(error.contains("plan9/mips") && error.contains(&host.to_string()), "{error}");
    assert!(!error.contains("unknown"), "{error}");
}

#[test]
fn a_single_image_for_another_machine_names_both_platforms() {
    let setup = Setup::new();
    setup.registry.put("app/manifests/latest", image(&setup.registry, ("plan9", "mips"), &[]));
    let error = setup.error().to_string();
    assert!(error.contains("plan9/mips") && error.contains(&Platform::host().to_string()), "{error}");
}

#[test]
fn a_layer_of_two_pulls_at_once_is_downloaded_once() {
    let big = layer(&[("big", &noise(2_000_000))]);
    let setup = Setup::with(&[big.clone(), big.clone()]);
    std::thread::scope(|scope| {
        let pulls: Vec<_> = (0..4).map(|_| scope.spawn(|| setup.pull())).collect();
        for pull in pulls {
            pull.join().unwrap().unwrap();
        }
    });
    let digest = Digest::of(&big.0).to_string();
    let downloads = setup.registry.seen().iter().filter(|request| request.path.ends_with(&digest)).count();
    assert_eq!(downloads, 1);
}

#[test]
fn a_name_moves_to_the_newer_image_and_the_older_one_stays_without() {
    let setup = Setup::with(&[layer(&[("old", b"x")])]);
    let old = setup.pull().unwrap().image;
    let host = Platform::host();
    let manifest = image(&setup.registry, (&host.os, &host.architecture), &[layer(&[("new", b"x")])]);
    setup.registry.put("app/manifests/latest", manifest);
    let new = setup.pull().unwrap();
    assert!(new.newer);
    assert!(setup.store.resolve(old.id.hex()).unwrap().tags.is_empty());
    assert_eq!(setup.store.list().unwrap().len(), 2);
}
