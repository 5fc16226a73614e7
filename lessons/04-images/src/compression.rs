//! Compression: told by a layer's first bytes, not by what the manifest says of it.
//!
//! Layers come as gzip (nearly all), as zstd, or plain, and media types are not always right.
//! [gzip](https://www.rfc-editor.org/rfc/rfc1952#page-5),
//! [zstd](https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1)

use std::io::{self, BufRead, BufReader, Read};

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Reads the uncompressed bytes of whatever `reader` is.
///
/// # Errors
/// The reader's; what is damaged shows itself later, while reading.
pub fn decompress<'a>(reader: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    // The buffer's first filling is at least four bytes unless the reader gives less at a time:
    // files don't.
    let mut reader = BufReader::with_capacity(128 << 10, reader);
    let start = reader.fill_buf()?;
    Ok(if start.starts_with(&GZIP) {
        // "Multi", since a gzip file may be several, one after the other (pigz makes such).
        Box::new(flate2::bufread::MultiGzDecoder::new(reader))
    } else if start.starts_with(&ZSTD) {
        Box::new(zstd::stream::read::Decoder::with_buffer(reader)?)
    } else {
        Box::new(reader)
    })
}

/// A reader that fails once more than `limit` bytes came: a few kilobytes can unpack to all the
/// disk there is.
pub struct Limited<R> {
    inner: R,
    left: u64,
    limit: u64,
}

impl<R: Read> Limited<R> {
    /// Lets `limit` bytes through.
    pub fn new(inner: R, limit: u64) -> Self {
        Limited { inner, left: limit, limit }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(length as u64).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("it unpacks to more than {} bytes", self.limit),
            )
        })?;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        decompress(bytes)?.read_to_end(&mut out)?;
        Ok(out)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_zstd_and_plain_are_told_by_their_first_bytes() {
        assert_eq!(read(&gzip(b"hello")).unwrap(), b"hello");
        assert_eq!(read(&[gzip(b"hel"), gzip(b"lo")].concat()).unwrap(), b"hello");
        assert_eq!(read(&zstd::encode_all(&b"hello"[..], 1).unwrap()).unwrap(), b"hello");
        assert_eq!(read(b"hello").unwrap(), b"hello");
        assert_eq!(read(b"").unwrap(), b"");
    }

    #[test]
    fn a_cut_archive_is_an_error_and_not_a_shorter_one() {
        let whole = gzip(&[7; 10_000]);
        assert!(read(&whole[..whole.len() - 9]).is_err());
        let whole = zstd::encode_all(&[7; 10_000][..], 1).unwrap();
        assert!(read(&whole[..whole.len() - 2]).is_err());
    }

    #[test]
    fn more_than_the_limit_is_an_error() {
        let mut out = Vec::new();
        assert!(Limited::new(&[0; 11][..], 10).read_to_end(&mut out).is_err());
        assert_eq!(Limited::new(&[0; 10][..], 10).read_to_end(&mut Vec::new()).unwrap(), 10);
    }
}
