//! One layer: downloaded, checked, unpacked, checked again, and only then there.
//!
//! Two digests, two checks. The manifest's is of the compressed bytes, and stops a registry that
//! sends something else before a byte of it is unpacked. The config's is of the archive inside,
//! the *diffID*: by it the layer is kept, so that two images that share it share its files.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use super::{Progress, Status};
use crate::compression::{Limited, decompress};
use crate::digest::{Hasher, HashingReader};
use crate::manifest::Descriptor;
use crate::ownership::Rights;
use crate::registry::Registry;
use crate::unpack::unpack;
use crate::{Digest, Error, Result, Store};

/// The largest layer taken, in compressed bytes.
const COMPRESSED_LIMIT: u64 = 32 << 30;
/// How often a download is begun or resumed without a byte of progress.
const TRIES: u32 = 5;
/// How often at all: each could bring one byte.
const ALL_TRIES: u32 = 50;
/// The first wait before trying again; it doubles each time.
const BACK_OFF: Duration = Duration::from_millis(250);
/// Between two reports of progress.
const REPORT: Duration = Duration::from_millis(100);

/// How many bytes a layer may unpack to. Honest ones grow to three or four times their size; one
/// full of zeros grows to a thousand times, which is how a few kilobytes fill a disk.
fn unpacked_limit(compressed: u64) -> u64 {
    compressed.saturating_mul(100).clamp(1 << 30, 128 << 30)
}

// ANCHOR: layer
pub(super) fn pull(
    store: &Store,
    registry: &Registry,
    layer: &Descriptor,
    diff_id: &Digest,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<()> {
    let tell = |status| progress(Progress { id: layer.digest.short().to_owned(), status });
    if layer.size > COMPRESSED_LIMIT {
        let what = format!("layer {} of {}", layer.digest.short(), registry.image());
        return Err(Error::TooLarge { what, limit: COMPRESSED_LIMIT });
    }
    // Another pull may be at the same layer: wait for it, and then find it here.
    let _mine = store.claim(diff_id);
    if store.layer_path(diff_id).exists() {
        tell(Status::AlreadyExists);
        return Ok(());
    }
    tell(Status::PullingFsLayer);
    if !store.blob_path(&layer.digest).exists() {
        let file = download(store, registry, layer, &tell)?;
        store.add_blob(file, &layer.digest)?;
    }
    tell(Status::DownloadComplete);
    extract(store, layer, diff_id, &tell)?;
    tell(Status::PullComplete);
    Ok(())
}
// ANCHOR_END: layer

// ANCHOR: download
/// Downloads to a file in `tmp/`. What is cut is resumed where it ended; what turns out wrong
/// after that is begun again once, since it may be the joint that is wrong.
fn download(
    store: &Store,
    registry: &Registry,
    layer: &Descriptor,
    tell: &dyn Fn(Status),
) -> Result<NamedTempFile> {
    // ANCHOR: ex-04-3
    let mut file = store.temporary_file()?;
    let (mut hasher, mut received) = (Hasher::default(), 0);
    let (mut resumed, mut fruitless) = (false, 0);
    // 1. `ALL_TRIES` times at most: `receive` goes on from `received`, writes and hashes what comes.
    for _ in 0..ALL_TRIES {
        let before = received;
        let result = receive(registry, layer, &mut file, &mut hasher, &mut received, tell);
        match result {
            // 2. All bytes are here (`VerifyingChecksum`). It is the layer if they hash to its digest. If not,
            //    it is `DigestMismatch`; but what was resumed is begun again from the first byte, once.
            Ok(()) => {
                tell(Status::VerifyingChecksum);
                let found = hasher.finish();
                if found == layer.digest {
                    return Ok(file);
                }
                if !resumed {
                    let what = format!("layer {} of {}", layer.digest.short(), registry.image());
                    return Err(Error::DigestMismatch { what, expected: layer.digest.clone(), found });
                }
                (hasher, received, resumed) = (Hasher::default(), 0, false);
            }
            // 3. Cut, unreachable, or the server is in trouble: again, unless that was `TRIES` times in a
            //    row without one more byte. Before it `Retrying`, and a wait that doubles: `BACK_OFF`.
            Err(error @ (Error::Cut { .. } | Error::Unreachable { .. } | Error::Server { .. })) => {
                fruitless = if received > before { 0 } else { fruitless + 1 };
                if fruitless >= TRIES {
                    return Err(error);
                }
                resumed |= received > 0;
                let wait = BACK_OFF * 2_u32.pow(fruitless);
                tell(Status::Retrying { seconds: wait.as_secs_f32().ceil() as u64 });
                std::thread::sleep(wait);
            }
            // 4. What another try won't mend is the answer.
            Err(error) => return Err(error),
        }
    }
    Err(registry.cut(received, layer.size, "too many times"))
    // ANCHOR_END: ex-04-3
}

/// One request: from where we are to the end.
fn receive(
    registry: &Registry,
    layer: &Descriptor,
    file: &mut NamedTempFile,
    hasher: &mut Hasher,
    received: &mut u64,
    tell: &dyn Fn(Status),
) -> Result<()> {
    if *received == layer.size && layer.size > 0 {
        return Ok(());
    }
    let (mut response, begins) = registry.blob(&layer.digest, *received)?;
    if begins != *received {
        // The server doesn't know ranges and begins at the beginning: so do we.
        (*hasher, *received) = (Hasher::default(), begins);
    }
    let path = file.path().to_owned();
    let doing = || Error::io("writing", &path);
    file.as_file().set_len(*received).map_err(doing())?;
    // Through the file itself: tempfile would add the path to errors once more.
    let file = file.as_file_mut();
    file.seek(SeekFrom::Start(*received)).map_err(doing())?;

    let mut buffer = vec![0; 64 << 10];
    let mut reported = Instant::now();
    tell(Status::Downloading { current: *received, total: layer.size });
    loop {
        let length = match response.read(&mut buffer) {
            Ok(length) => length,
            Err(error) => return Err(registry.cut(*received, layer.size, error)),
        };
        if length == 0 {
            break;
        }
        if *received + length as u64 > layer.size {
            let what = format!("layer {} of {}", layer.digest.short(), registry.image());
            return Err(Error::TooLarge { what, limit: layer.size });
        }
        hasher.update(&buffer[..length]);
        file.write_all(&buffer[..length]).map_err(doing())?;
        *received += length as u64;
        if reported.elapsed() >= REPORT {
            reported = Instant::now();
            tell(Status::Downloading { current: *received, total: layer.size });
        }
    }
    if *received < layer.size {
        return Err(registry.cut(*received, layer.size, "the connection was closed"));
    }
    tell(Status::Downloading { current: *received, total: layer.size });
    Ok(())
}
// ANCHOR_END: download

// ANCHOR: extract
/// Unpacks into a folder in `tmp/`, and keeps it only if all of it hashes to the diffID.
fn extract(store: &Store, layer: &Descriptor, diff_id: &Digest, tell: &dyn Fn(Status)) -> Result<()> {
    let path = store.blob_path(&layer.digest);
    let file = File::open(&path).map_err(Error::io("opening", &path))?;
    let folder = store.temporary_folder()?;
    let damaged = |error: std::io::Error| Error::Layer {
        layer: layer.digest.short().to_owned(),
        entry: String::new(),
        reason: error.to_string(),
    };

    let (mut current, mut reported) = (0, Instant::now());
    let compressed = Counted(file, |length| {
        current += length;
        if reported.elapsed() >= REPORT {
            reported = Instant::now();
            tell(Status::Extracting { current, total: layer.size });
        }
    });
    let plain = Limited::new(decompress(compressed).map_err(damaged)?, unpacked_limit(layer.size));
    let mut hashed = HashingReader::new(plain);
    let size = unpack(&mut hashed, folder.path(), layer.digest.short(), Rights::detect())?;
    let (found, _) = hashed.finish().map_err(damaged)?;
    if found != *diff_id {
        let what = format!("the archive in layer {}", layer.digest.short());
        return Err(Error::DigestMismatch { what, expected: diff_id.clone(), found });
    }
    tell(Status::Extracting { current: layer.size, total: layer.size });
    store.add_layer(folder, diff_id, size)
}
// ANCHOR_END: extract

/// A reader that tells how many bytes it has given.
struct Counted<R, F>(R, F);

impl<R: Read, F: FnMut(u64)> Read for Counted<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.0.read(buffer)?;
        (self.1)(length as u64);
        Ok(length)
    }
}
