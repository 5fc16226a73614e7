//! Registries: Debian's real one with a real image in it, and our own that misbehaves on demand.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::image::{self, Image};
use crate::lab::Lab;

/// Where the Debian image lies, in the form in which docker-registry keeps its blobs: `.ci/image` makes
/// it.
pub fn storage() -> PathBuf {
    cache().join("registry")
}

/// What is made or fetched once for each machine. `CANOA_E2E` names another folder than the `e2e` beside
/// this program's own `debug`.
pub fn cache() -> PathBuf {
    env::var_os("CANOA_E2E").map(PathBuf::from).unwrap_or_else(|| {
        // target/debug/deps/system-1234, target/debug/book
        let program = env::current_exe().unwrap_or_default();
        let target =
            program.ancestors().find(|folder| folder.ends_with("debug") || folder.ends_with("release"));
        target.and_then(Path::parent).unwrap_or(&program).join("e2e")
    })
}

/// Debian's `docker-registry`, on a loopback port of its own.
#[derive(Debug)]
pub struct DebianRegistry {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub host: String,
}

impl DebianRegistry {
    /// Starts it on the machine's Debian image, read-only.
    ///
    /// # Panics
    /// If it doesn't come up.
    pub fn start(lab: &Lab) -> DebianRegistry {
        Self::serve(&lab.folder, &storage(), free_port())
    }

    /// Starts it on the images in `storage`, at this port. Its own files are in `folder`.
    ///
    /// # Panics
    /// If it doesn't come up.
    pub fn serve(folder: &Path, storage: &Path, port: u16) -> DebianRegistry {
        let config = folder.join("registry.yml");
        let text = format!(
            "version: 0.1\nlog:\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    \
             rootdirectory: {}\n  maintenance:\n    readonly:\n      enabled: true\nhttp:\n  addr: \
             127.0.0.1:{port}\n",
            storage.display()
        );
        fs::write(&config, text).expect("the lab's folder is writable");
        let log = File::create(folder.join("registry.log")).expect("the lab's folder is writable");
        let child = Command::new("docker-registry")
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::from(log.try_clone().expect("a descriptor")))
            .stderr(log)
            .spawn()
            .expect("docker-registry starts");
        let host = format!("127.0.0.1:{port}");
        let end = Instant::now() + Duration::from_secs(15);
        while TcpStream::connect(&host).is_err() {
            assert!(Instant::now() < end, "the registry doesn't listen after 15 s");
            thread::sleep(Duration::from_millis(20));
        }
        DebianRegistry { child, host }
    }
}

impl Drop for DebianRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    listener.local_addr().expect("it is bound").port()
}

/// How our own registry behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Well.
    Good,
    /// Every answer is this status.
    Status(u16),
    /// Half of a layer comes, then the connection is closed. Each time.
    CutsLayers,
    /// Half of a layer comes the first time that it is asked for.
    CutsLayersOnce,
    /// A layer has one byte that isn't what its digest says.
    WrongLayer,
    /// The manifest is no JSON.
    WrongManifest,
}

/// Our own registry, for one image that it has under every name, or for several platforms of it. It reads and answers just enough
/// HTTP/1.1, one request a connection.
#[derive(Debug)]
pub struct OwnRegistry {
    /// `127.0.0.1:PORT`.
    pub host: String,
}

impl OwnRegistry {
    /// Starts it in a thread, which lives as long as the case.
    pub fn start(image: Image, behaviour: Behaviour) -> OwnRegistry {
        Self::serve(vec![image], behaviour, None)
    }

    /// With an index of these images, each for a platform (`linux/arm/v7`).
    pub fn with_index(platforms: &[(&str, Image)]) -> OwnRegistry {
        let entry = |(platform, image): &(&str, Image)| {
            let mut words = platform.split('/');
            let mut platform = serde_json::json!({ "os": words.next(), "architecture": words.next() });
            if let Some(variant) = words.next() {
                platform["variant"] = variant.into();
            }
            let mut descriptor = image::descriptor(image::MANIFEST, &image.manifest);
            descriptor["platform"] = platform;
            descriptor
        };
        let index = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": image::INDEX,
            "manifests": platforms.iter().map(entry).collect::<Vec<_>>(),
        });
        let images = platforms.iter().map(|(_, image)| image.clone()).collect();
        Self::serve(images, Behaviour::Good, Some(index.to_string().into_bytes()))
    }

    fn serve(images: Vec<Image>, behaviour: Behaviour, index: Option<Vec<u8>>) -> OwnRegistry {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
        let host = listener.local_addr().expect("it is bound").to_string();
        thread::spawn(move || {
            let mut cuts = 0;
            for stream in listener.incoming().flatten() {
                // Whatever the client does to its connection is no failure of the registry's.
                let _ = answer(stream, &images, index.as_deref(), behaviour, &mut cuts);
            }
        });
        OwnRegistry { host }
    }

    /// With an image of busybox.
    pub fn with_busybox(behaviour: Behaviour) -> OwnRegistry {
        let note = image::layer(&[image::Entry::File("etc/note", b"the upper layer\n", 0o644)]);
        let layers = [image::busybox_layer().expect("a layer"), note.expect("a layer")];
        Self::start(Image::of(&layers).expect("an image"), behaviour)
    }
}

fn answer(
    mut stream: TcpStream,
    images: &[Image],
    index: Option<&[u8]>,
    behaviour: Behaviour,
    cuts: &mut u32,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut from = 0;
    for header in lines.by_ref() {
        let header = header?.to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(range) = header.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap_or(0);
        }
    }
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let last = path.rsplit('/').next().unwrap_or_default();
    let layer = images.iter().flat_map(|image| &image.layers).any(|layer| image::digest(layer) == last);
    // A manifest by its digest, else what the name means: the index, or the only one.
    let by_digest = images.iter().find(|image| image::digest(&image.manifest) == last);

    let (status, kind, body) = match behaviour {
        Behaviour::Status(status) => (status, "application/json", error_body(status)),
        _ if path == "/v2/" => (200, "application/json", b"{}".to_vec()),
        Behaviour::WrongManifest if path.contains("/manifests/") => {
            (200, image::MANIFEST, b"<html>not a manifest</html>".to_vec())
        }
        _ if path.contains("/manifests/") => match (by_digest, index) {
            (None, Some(index)) => (200, image::INDEX, index.to_vec()),
            (found, _) => (200, image::MANIFEST, found.unwrap_or(&images[0]).manifest.clone()),
        },
        _ => match images.iter().find_map(|image| image.blob(last)) {
            Some(blob) if from > 0 => {
                (206, "application/octet-stream", blob.get(from..).unwrap_or_default().to_vec())
            }
            Some(blob) => (200, "application/octet-stream", blob.to_vec()),
            None => (404, "application/json", error_body(404)),
        },
    };
    let mut sent = body.clone();
    let first = *cuts == 0;
    match behaviour {
        Behaviour::WrongLayer if layer => {
            let middle = sent.len() / 2;
            sent[middle] ^= 1;
        }
        Behaviour::CutsLayers if layer => sent.truncate(sent.len() / 2),
        Behaviour::CutsLayersOnce if layer && first => sent.truncate(sent.len() / 2),
        _ => {}
    }
    *cuts += u32::from(layer);
    write!(
        stream,
        "HTTP/1.1 {status} Whatever\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n",
        body.len()
    )?;
    if path.contains("/manifests/") {
        write!(stream, "Docker-Content-Digest: {}\r\n", image::digest(&body))?;
    }
    if status == 206 {
        let end = from + body.len();
        write!(stream, "Content-Range: bytes {from}-{}/{end}\r\n", end.saturating_sub(1))?;
    }
    write!(stream, "\r\n")?;
    if method != "HEAD" {
        stream.write_all(&sent)?;
    }
    stream.shutdown(Shutdown::Write)
}

/// What the distribution specification says that errors look like.
fn error_body(status: u16) -> Vec<u8> {
    let (code, message) = match status {
        401 => ("UNAUTHORIZED", "authentication required"),
        404 => ("MANIFEST_UNKNOWN", "manifest unknown"),
        _ => ("UNKNOWN", "something is on fire"),
    };
    format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"{message}\"}}]}}").into_bytes()
}
