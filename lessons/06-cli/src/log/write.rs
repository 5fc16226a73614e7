//! Writing a log.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::files::{Bounds, Files};
use super::{LONGEST, Stream};
use crate::record::now;

/// Writes a log.
#[derive(Debug)]
pub struct LogWriter {
    files: Files,
    bounds: Bounds,
    pub(super) file: File,
    /// Bytes of the file so far.
    length: u64,
    /// The unfinished line of each stream.
    partial: [Vec<u8>; 2],
    trouble: Option<Trouble>,
}

/// Why something is missing in the log.
#[derive(Debug)]
struct Trouble {
    reason: io::Error,
    /// So many entries.
    lost: u64,
}

impl LogWriter {
    /// Opens the log at `path` to write at its end; makes it if needed.
    pub fn open(path: &Path, bounds: Bounds) -> io::Result<LogWriter> {
        let files = Files::of(path);
        let mut file = open(&files)?;
        end_torn_line(&mut file)?;
        let length = file.metadata()?.len();
        Ok(LogWriter { files, bounds, file, length, partial: [Vec::new(), Vec::new()], trouble: None })
    }

    /// Takes in what a stream has said: any bytes, any number of lines or parts of them. Only
    /// whole lines go to the file, all of them in one write.
    ///
    /// A full disk must not stop the program, and one that has room again should be used: what can't be
    /// written is counted, the next text is tried again, and then the log itself tells what is missing.
    ///
    /// # Errors
    /// The first time that something can't be written, and not again until something could be.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        let pending = &mut self.partial[stream as usize];
        pending.extend_from_slice(bytes);
        let mut text = Text::new(pending.len());
        let mut start = 0;
        while let Some(length) = next_piece(&pending[start..]) {
            text.add(stream, &pending[start..start + length])?;
            start += length;
        }
        pending.drain(..start);
        self.put(text)
    }

    /// Writes what is left of unfinished lines: nothing more will come.
    ///
    /// # Errors
    /// As [`LogWriter::write`].
    pub fn finish(&mut self) -> io::Result<()> {
        let mut text = Text::new(0);
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = std::mem::take(&mut self.partial[stream as usize]);
            if !rest.is_empty() {
                text.add(stream, &rest)?;
            }
        }
        self.put(text)
    }

    fn put(&mut self, text: Text) -> io::Result<()> {
        if text.bytes.is_empty() && self.trouble.is_none() {
            return Ok(());
        }
        let outcome = self.tell_trouble().and_then(|()| self.append(&text.bytes));
        match (&mut self.trouble, outcome) {
            (_, Ok(())) => Ok(()),
            (Some(trouble), Err(_)) => {
                trouble.lost += text.entries;
                Ok(())
            }
            (none, Err(reason)) => {
                let told = io::Error::new(reason.kind(), reason.to_string());
                *none = Some(Trouble { reason, lost: text.entries });
                Err(told)
            }
        }
    }

    /// Says in the log what is missing there, if anything is.
    fn tell_trouble(&mut self) -> io::Result<()> {
        let Some(Trouble { reason, lost }) = &self.trouble else { return Ok(()) };
        let mut text = Text::new(0);
        text.add(Stream::Stderr, format!("[canoa: {lost} lines are missing here: {reason}]\n").as_bytes())?;
        // Half a line may have been written before the disk was full.
        text.bytes.insert(0, b'\n');
        self.append(&text.bytes)?;
        self.trouble = None;
        Ok(())
    }

    fn append(&mut self, text: &[u8]) -> io::Result<()> {
        let full = self.bounds.size.is_some_and(|size| self.length >= size);
        if full && !text.is_empty() {
            self.files.rotate(self.bounds)?;
            self.file = open(&self.files)?;
            self.length = 0;
        }
        self.file.write_all(text)?;
        self.length += text.len() as u64;
        Ok(())
    }
}

fn open(files: &Files) -> io::Result<File> {
    File::options().read(true).append(true).create(true).open(files.path(0))
}

/// Entries on their way to the file.
struct Text {
    bytes: Vec<u8>,
    entries: u64,
    /// What was read together was said together, as far as anybody can know.
    time: String,
}

impl Text {
    /// With room for the entries of so many bytes, if they aren't very short.
    fn new(room: usize) -> Text {
        Text { bytes: Vec::with_capacity(room.saturating_mul(2)), entries: 0, time: now() }
    }

    /// One entry, in the form of [`super::Entry`], member by member: this runs for each line of each
    /// container.
    // ANCHOR: add
    fn add(&mut self, stream: Stream, said: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(b"{\"log\":");
        // JSON is Unicode: what isn't becomes U+FFFD, as in Docker's log. Attached clients get the
        // bytes themselves, not from here.
        serde_json::to_writer(&mut self.bytes, &*String::from_utf8_lossy(said))?;
        for part in [",\"stream\":\"", stream.name(), "\",\"time\":\"", &self.time, "\"}\n"] {
            self.bytes.extend_from_slice(part.as_bytes());
        }
        self.entries += 1;
        Ok(())
    }
    // ANCHOR_END: add
}

/// The length of the first piece that can be written already: up to a newline, or the longest that
/// an entry may be.
// ANCHOR: next_piece
fn next_piece(bytes: &[u8]) -> Option<usize> {
    // ANCHOR: ex-06-4
    // 1. Look no further than an entry may be long: a newline in there ends the piece, and belongs to it.
    let window = &bytes[..bytes.len().min(LONGEST)];
    if let Some(newline) = window.iter().position(|byte| *byte == b'\n') {
        return Some(newline + 1);
    }
    // 2. Fewer bytes than that: the rest of the line is still to come.
    if bytes.len() < LONGEST {
        return None;
    }
    // 3. Else it is cut, but never through the middle of a character. All of a character's bytes but the
    //    first look like 10xxxxxx, and it has four at most: where does the window's last one begin?
    let back = window.iter().rev().take(4).position(|byte| byte & 0b1100_0000 != 0b1000_0000);
    // 4. If it isn't whole, the piece ends before it. (Bytes that are no text at all are cut anywhere.)
    match back {
        Some(back) if std::str::from_utf8(&window[LONGEST - 1 - back..]).is_err() => Some(LONGEST - 1 - back),
        _ => Some(LONGEST),
    }
    // ANCHOR_END: ex-06-4
}
// ANCHOR_END: next_piece

/// A monitor that was killed, or a full disk, may have left half a line. What is written next must
/// not be glued to it.
fn end_torn_line(file: &mut File) -> io::Result<()> {
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut last = [0u8];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last != [b'\n'] { file.write_all(b"\n") } else { Ok(()) }
}
