//! The archive inside a layer: a tar file, entry by entry.
//!
//! A tar file is a row of 512-byte blocks: a header, then the file's bytes rounded up, then the
//! next header. What didn't fit in 1979's header (long names, extended attributes, large numbers)
//! comes in entries of its own before the one that it describes, by GNU's way or by POSIX'
//! ("PAX"). The `tar` crate reads the headers; the row is read here, because a layer is hostile:
//! that crate takes such an entry into memory whatever its size, and splits the lines of a PAX
//! entry at line breaks, which a binary attribute such as `security.capability` may contain.
//! [tar(5)](https://man.freebsd.org/cgi/man.cgi?query=tar&sektion=5)

mod extensions;

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use tar::{EntryType, Header};

use self::extensions::Extensions;

const BLOCK: u64 = 512;

/// The most that a long name or the attributes of one file may take, in bytes.
const EXTENSION_LIMIT: u64 = 1 << 20;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file with content.
    File,
    /// One more name of an entry that came before.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A character device.
    Character,
    /// A block device.
    Block,
    /// A folder.
    Directory,
    /// A named pipe.
    Fifo,
}

/// An entry's header, with all that came before it in its own entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As it is in the archive: not to be trusted.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// The target of a link: not to be trusted.
    pub link: PathBuf,
    /// Permissions, with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last change: seconds since 1970, and nanoseconds.
    pub mtime: (i64, i64),
    /// Bytes of content.
    pub size: u64,
    /// Major and minor number of a device.
    pub device: (u32, u32),
    /// Extended attributes.
    pub xattrs: Vec<(OsString, Vec<u8>)>,
}

/// Reads an archive: [`Archive::entry`] for the next header, then [`Read`] for its content.
pub struct Archive<R> {
    reader: R,
    /// Bytes of content that weren't read.
    content: u64,
    /// Bytes after it, up to the next header.
    padding: u64,
}

impl<R: Read> Archive<R> {
    /// Of an uncompressed stream.
    pub fn new(reader: R) -> Self {
        Archive { reader, content: 0, padding: 0 }
    }

    /// The next entry, or `None` at the end.
    ///
    /// # Errors
    /// The reader's, or what is wrong with the archive.
    pub fn entry(&mut self) -> io::Result<Option<Entry>> {
        let mut known = Extensions::default();
        loop {
            let Some(header) = self.header()? else { return Ok(None) };
            let kind = header.entry_type();
            let size = match known.size {
                Some(size) if !is_extension(kind) => size,
                _ => header.entry_size()?,
            };
            // Links, folders and devices have no content, though some writers set a size.
            let size = if has_content(kind) { size } else { 0 };
            self.content = size;
            self.padding = (BLOCK - size % BLOCK) % BLOCK;
            match kind {
                EntryType::GNULongName => known.path = Some(self.long_name()?),
                EntryType::GNULongLink => known.link = Some(self.long_name()?),
                EntryType::XHeader => known.read_pax(&self.extension()?)?,
                // Of the whole archive: a comment, as git writes it.
                EntryType::XGlobalHeader => {}
                _ => return known.entry(&header, size).map(Some),
            }
        }
    }

    /// The header after what is left of the last entry; `None` at the end of the archive.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let skip = self.content + self.padding;
        if io::copy(&mut (&mut self.reader).take(skip), &mut io::sink())? < skip {
            return Err(invalid("the archive ends within an entry"));
        }
        (self.content, self.padding) = (0, 0);

        let mut block = Vec::with_capacity(BLOCK as usize);
        match (&mut self.reader).take(BLOCK).read_to_end(&mut block)? {
            0 => return Ok(None),
            512 => {}
            _ => return Err(invalid("the archive ends within a header")),
        }
        if block.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        let header = Header::from_byte_slice(&block).clone();
        // The checksum is of the header with the checksum's own eight bytes as spaces.
        let sum = block.iter().enumerate().map(|(i, &byte)| match i {
            148..156 => u32::from(b' '),
            _ => u32::from(byte),
        });
        if header.cksum()? != sum.sum::<u32>() {
            return Err(invalid("a header's checksum is wrong"));
        }
        Ok(Some(header))
    }

    fn extension(&mut self) -> io::Result<Vec<u8>> {
        if self.content > EXTENSION_LIMIT {
            return Err(invalid("a name or the attributes of an entry are longer than 1 MiB"));
        }
        let expected = self.content;
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < expected {
            return Err(invalid("the archive ends within an entry"));
        }
        Ok(bytes)
    }

    fn long_name(&mut self) -> io::Result<Vec<u8>> {
        let mut name = self.extension()?;
        name.truncate(name.iter().position(|&byte| byte == 0).unwrap_or(name.len()));
        Ok(name)
    }
}

impl<R: Read> Read for Archive<R> {
    /// The content of the entry that was returned last.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = (&mut self.reader).take(self.content).read(buffer)?;
        self.content -= length as u64;
        Ok(length)
    }
}

impl Extensions {
    /// The entry that they were said of, with its own header.
    fn entry(self, header: &Header, size: u64) -> io::Result<Entry> {
        let path = self.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let kind = match header.entry_type() {
            // Before folders had a type of their own they were files whose name ends in a slash.
            EntryType::Regular if path.ends_with(b"/") => Kind::Directory,
            EntryType::Regular | EntryType::Continuous => Kind::File,
            EntryType::Link => Kind::HardLink,
            EntryType::Symlink => Kind::Symlink,
            EntryType::Char => Kind::Character,
            EntryType::Block => Kind::Block,
            EntryType::Directory => Kind::Directory,
            EntryType::Fifo => Kind::Fifo,
            EntryType::GNUSparse => return Err(invalid("sparse files are not supported in layers")),
            other => return Err(invalid(&format!("unknown kind of entry {:#04x}", other.as_byte()))),
        };
        let link = match self.link {
            Some(link) => link,
            None => header.link_name_bytes().map(|link| link.into_owned()).unwrap_or_default(),
        };
        let fields = header.as_old();
        let id = |pax: Option<u64>, field: &[u8], parsed: io::Result<u64>| -> io::Result<u32> {
            let id = pax.map_or_else(|| or_zero(field, parsed), Ok)?;
            u32::try_from(id).map_err(|_| invalid("an owner's number is larger than 32 bits"))
        };
        let device = match kind {
            Kind::Character | Kind::Block => (
                header.device_major()?.ok_or_else(|| invalid("a device without numbers"))?,
                header.device_minor()?.ok_or_else(|| invalid("a device without numbers"))?,
            ),
            _ => (0, 0),
        };
        Ok(Entry {
            path: PathBuf::from(OsString::from_vec(path)),
            kind,
            link: PathBuf::from(OsString::from_vec(link)),
            mode: header.mode()? & 0o7777,
            uid: id(self.uid, &fields.uid, header.uid())?,
            gid: id(self.gid, &fields.gid, header.gid())?,
            mtime: match self.mtime {
                Some(mtime) => mtime,
                None => {
                    let seconds = or_zero(&fields.mtime, header.mtime())?;
                    (i64::try_from(seconds).unwrap_or_default(), 0)
                }
            },
            size,
            device,
            xattrs: self.xattrs,
        })
    }
}

fn is_extension(kind: EntryType) -> bool {
    matches!(
        kind,
        EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader
    )
}

fn has_content(kind: EntryType) -> bool {
    !matches!(
        kind,
        EntryType::Link
            | EntryType::Symlink
            | EntryType::Char
            | EntryType::Block
            | EntryType::Directory
            | EntryType::Fifo
    )
}

/// Some writers leave a field empty where it is 0.
fn or_zero(field: &[u8], parsed: io::Result<u64>) -> io::Result<u64> {
    if field.iter().all(|byte| matches!(byte, 0 | b' ')) { Ok(0) } else { parsed }
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(build: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> io::Result<Option<Entry>> {
        let mut builder = tar::Builder::new(Vec::new());
        build(&mut builder);
        Archive::new(&builder.into_inner().unwrap()[..]).entry()
    }

    fn header(kind: EntryType, size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        header
    }

    #[test]
    fn a_name_of_any_length_is_read_whole() {
        let long = "d/".repeat(300) + "f";
        let entry = first(|tar| {
            tar.append_data(&mut header(EntryType::Regular, 3), &long, &b"abc"[..]).unwrap();
        });
        assert_eq!(entry.unwrap().unwrap().path.to_str(), Some(long.as_str()));
    }

    #[test]
    fn an_attribute_may_hold_line_breaks_and_zero_bytes() {
        let value = b"\x01\n\x00=\n12 path=evil\n";
        let entry = first(|tar| {
            tar.append_pax_extensions([("SCHILY.xattr.user.x", &value[..]), ("mtime", b"-1.25")]).unwrap();
            tar.append_data(&mut header(EntryType::Regular, 0), "good", &b""[..]).unwrap();
        });
        let entry = entry.unwrap().unwrap();
        assert_eq!(entry.path.to_str(), Some("good"));
        assert_eq!(entry.xattrs, [("user.x".into(), value.to_vec())]);
        assert_eq!(entry.mtime, (-2, 750_000_000));
    }

    #[test]
    fn an_archive_that_would_fill_the_memory_or_is_cut_is_an_error() {
        let huge = first(|tar| {
            let mut header = header(EntryType::GNULongName, EXTENSION_LIMIT + 1);
            header.set_path("././@LongLink").unwrap();
            header.set_cksum();
            tar.append(&header, io::repeat(b'a').take(EXTENSION_LIMIT + 1)).unwrap();
        });
        assert!(huge.is_err());
        let mut builder = tar::Builder::new(Vec::new());
        builder.append_data(&mut header(EntryType::Regular, 600), "f", &[7; 600][..]).unwrap();
        let whole = builder.into_inner().unwrap();
        for cut in [100, 600, 1200] {
            let mut archive = Archive::new(&whole[..cut]);
            let end = archive.entry().and_then(|_| archive.entry());
            assert!(end.is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        proptest::proptest!(|(bytes: Vec<u8>, pax: Vec<u8>)| {
            let _ = Archive::new(&bytes[..]).entry();
            let _ = Extensions::default().read_pax(&pax);
            // Behind a header that is right, too.
            let mut header = header(EntryType::XHeader, pax.len() as u64);
            header.set_cksum();
            let mut archive = header.as_bytes().to_vec();
            archive.extend(&pax);
            archive.resize(archive.len().next_multiple_of(512), 0);
            archive.extend(&bytes);
            let mut archive = Archive::new(&archive[..]);
            while let Ok(Some(_)) = archive.entry() {}
        });
    }
}
