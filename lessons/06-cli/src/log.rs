//! The log: what a container has said, one JSON object a line.
//!
//! The format is Docker's json-file: `{"log":"hola\n","stream":"stdout","time":"…"}`. The monitor
//! writes it; whoever asks for logs reads the file, also while it grows, also when the container
//! is long gone. Writer and readers share nothing but the file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::record::now;

/// The longest text of one entry, in bytes. A longer line becomes several entries, of which only
/// the last ends in a newline: that is how a reader knows that a line is only a part (Docker's
/// number, too).
pub const LONGEST: usize = 16 * 1024;

/// Where a text came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output, and everything from a terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What was said, with its newline; without one it is only part of a line.
    pub log: String,
    /// Where.
    pub stream: Stream,
    /// When: RFC 3339, UTC, nanoseconds.
    pub time: String,
}

/// Writes a log.
#[derive(Debug)]
pub struct LogWriter {
    file: File,
    /// The unfinished line of each stream.
    partial: [Vec<u8>; 2],
}

impl LogWriter {
    /// Opens the log at `path` to write at its end; makes it if needed.
    pub fn open(path: &Path) -> io::Result<LogWriter> {
        let mut file = File::options().read(true).append(true).create(true).open(path)?;
        end_torn_line(&mut file)?;
        Ok(LogWriter { file, partial: [Vec::new(), Vec::new()] })
    }

    /// Takes in what a stream has said: any bytes, any number of lines or parts of them. Only
    /// whole lines go to the file, all of them in one write.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        let pending = &mut self.partial[stream as usize];
        pending.extend_from_slice(bytes);
        let mut text = Vec::new();
        let mut start = 0;
        let time = now();
        while let Some(length) = next_piece(&pending[start..]) {
            add(&mut text, stream, &pending[start..start + length], &time)?;
            start += length;
        }
        pending.drain(..start);
        self.file.write_all(&text)
    }

    /// Writes what is left of unfinished lines: nothing more will come.
    pub fn finish(&mut self) -> io::Result<()> {
        let mut text = Vec::new();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = std::mem::take(&mut self.partial[stream as usize]);
            if !rest.is_empty() {
                add(&mut text, stream, &rest, &now())?;
            }
        }
        self.file.write_all(&text)
    }
}

/// The length of the first piece that can be written already: up to a newline, or the longest that
/// an entry may be.
fn next_piece(bytes: &[u8]) -> Option<usize> {
    let window = &bytes[..bytes.len().min(LONGEST)];
    if let Some(newline) = window.iter().position(|byte| *byte == b'\n') {
        return Some(newline + 1);
    }
    if bytes.len() < LONGEST {
        return None;
    }
    // Never through the middle of a character: its bytes but the first look like 10xxxxxx.
    let back = window.iter().rev().take(4).position(|byte| byte & 0b1100_0000 != 0b1000_0000);
    match back {
        Some(back) if std::str::from_utf8(&window[LONGEST - 1 - back..]).is_err() => Some(LONGEST - 1 - back),
        _ => Some(LONGEST),
    }
}

fn add(text: &mut Vec<u8>, stream: Stream, bytes: &[u8], time: &str) -> io::Result<()> {
    // JSON is Unicode: what isn't becomes U+FFFD, as in Docker's log. Attached clients get the
    // bytes themselves, not from here.
    let log = String::from_utf8_lossy(bytes).into_owned();
    serde_json::to_writer(&mut *text, &Entry { log, stream, time: time.to_owned() })?;
    text.push(b'\n');
    Ok(())
}

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

/// What to read of a log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Only the last so many entries of those that are there already.
    pub tail: Option<usize>,
    /// Only what was said at this moment or later.
    pub since: Option<Timestamp>,
    /// Only what was said before or at this moment.
    pub until: Option<Timestamp>,
}

/// Reads a log from its beginning, or from its tail, to whatever is its end at the moment.
#[derive(Debug)]
pub struct LogReader {
    file: BufReader<File>,
    wanted: Wanted,
    /// A line of which the end isn't there yet.
    line: Vec<u8>,
    past_until: bool,
}

impl LogReader {
    /// Opens the log at `path`.
    ///
    /// # Errors
    /// The file system's, also when there is no log yet ([`io::ErrorKind::NotFound`]).
    pub fn open(path: &Path, wanted: Wanted) -> io::Result<LogReader> {
        let mut file = File::open(path)?;
        let start = match wanted.tail {
            Some(lines) => start_of_tail(&mut file, lines)?,
            None => 0,
        };
        file.seek(SeekFrom::Start(start))?;
        let file = BufReader::new(file);
        Ok(LogReader { file, wanted, line: Vec::new(), past_until: false })
    }

    /// The next entry, or none at the end. More may come later: then ask again.
    pub fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        while !self.past_until {
            if self.file.read_until(b'\n', &mut self.line)? == 0 || self.line.last() != Some(&b'\n') {
                return Ok(None);
            }
            let line = std::mem::take(&mut self.line);
            // A torn line (the machine died in the middle) must not hide what was said after it.
            let Ok(entry) = serde_json::from_slice::<Entry>(&line) else { continue };
            let Ok(time) = entry.time.parse::<Timestamp>() else { continue };
            if self.wanted.until.is_some_and(|until| time > until) {
                self.past_until = true;
            } else if self.wanted.since.is_none_or(|since| time >= since) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Whether what was said since is later than what is wanted: nothing more will come.
    pub fn is_past_until(&self) -> bool {
        self.past_until || self.wanted.until.is_some_and(|until| Timestamp::now() > until)
    }
}

/// Reads on while the log grows, until `ended` says that nothing more will be written (the
/// container has ended) and all has been read. It looks again every 50 ms: simple, and nobody who
/// reads along sees the difference.
pub fn follow(
    reader: &mut LogReader,
    ended: impl Fn() -> bool,
    mut each: impl FnMut(Entry) -> io::Result<()>,
) -> io::Result<()> {
    loop {
        // Asked first, read after: what was written before the end isn't missed.
        let last = ended() || reader.is_past_until();
        while let Some(entry) = reader.next_entry()? {
            each(entry)?;
        }
        if last {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Where the last `lines` lines begin: read backwards from the end, so that the tail of a large log
/// costs no more than that of a small one.
fn start_of_tail(file: &mut File, lines: usize) -> io::Result<u64> {
    let end = file.metadata()?.len();
    if lines == 0 {
        return Ok(end);
    }
    let mut block = vec![0u8; 64 * 1024];
    let mut position = end;
    let mut newlines = 0;
    while position > 0 {
        let length = position.min(block.len() as u64) as usize;
        position -= length as u64;
        file.seek(SeekFrom::Start(position))?;
        file.read_exact(&mut block[..length])?;
        for (offset, byte) in block[..length].iter().enumerate().rev() {
            let here = position + offset as u64;
            // The newline at the very end closes the last line and begins none.
            if *byte == b'\n' && here + 1 != end {
                newlines += 1;
                if newlines == lines {
                    return Ok(here + 1);
                }
            }
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn log() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.json");
        (folder, path)
    }

    fn read(path: &Path, wanted: Wanted) -> Vec<String> {
        let mut reader = LogReader::open(path, wanted).unwrap();
        std::iter::from_fn(|| reader.next_entry().unwrap()).map(|entry| entry.log).collect()
    }

    #[test]
    fn a_line_is_one_json_object_with_stream_and_time() {
        let (_folder, path) = log();
        let mut writer = LogWriter::open(&path).unwrap();
        writer.write(Stream::Stderr, "¡hola!\n".as_bytes()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let (start, time) = text.split_once(r#""time":""#).unwrap();
        assert_eq!(start, r#"{"log":"¡hola!\n","stream":"stderr","#);
        assert_eq!(time.len(), "2026-11-24T05:00:00.123456789Z\"}\n".len());
        assert!(time.ends_with("Z\"}\n"));
    }

    #[test]
    fn parts_of_a_line_wait_for_its_end_and_streams_do_not_mix() {
        let (_folder, path) = log();
        let mut writer = LogWriter::open(&path).unwrap();
        writer.write(Stream::Stdout, b"ca").unwrap();
        writer.write(Stream::Stderr, b"error\n").unwrap();
        writer.write(Stream::Stdout, b"noa\nrest").unwrap();
        assert_eq!(read(&path, Wanted::default()), ["error\n", "canoa\n"]);
        writer.finish().unwrap();
        assert_eq!(read(&path, Wanted::default()), ["error\n", "canoa\n", "rest"]);
    }

    #[test]
    fn a_long_line_is_cut_between_characters_and_nothing_is_lost() {
        let (_folder, path) = log();
        let mut writer = LogWriter::open(&path).unwrap();
        let line = format!("{}\n", "añ€😀".repeat(10_000));
        for chunk in line.as_bytes().chunks(777) {
            writer.write(Stream::Stdout, chunk).unwrap();
        }
        let pieces = read(&path, Wanted::default());
        assert!(pieces.len() > 1 && pieces.iter().all(|piece| piece.len() <= LONGEST));
        assert_eq!(pieces.concat(), line);
    }

    #[test]
    fn bytes_that_are_no_text_do_not_stop_the_log() {
        let (_folder, path) = log();
        let mut writer = LogWriter::open(&path).unwrap();
        writer.write(Stream::Stdout, &[b'\xff'; LONGEST * 2]).unwrap();
        writer.write(Stream::Stdout, b"\n").unwrap();
        writer.finish().unwrap();
        let text = read(&path, Wanted::default()).concat();
        assert_eq!(text.chars().filter(|c| *c == '\u{fffd}').count(), LONGEST * 2);
    }

    #[test]
    fn the_tail_is_the_last_lines() {
        let (_folder, path) = log();
        let mut writer = LogWriter::open(&path).unwrap();
        for n in 0..5000 {
            writer.write(Stream::Stdout, format!("{n}\n").as_bytes()).unwrap();
        }
        let tail = |tail| read(&path, Wanted { tail: Some(tail), ..Wanted::default() });
        assert_eq!(tail(2), ["4998\n", "4999\n"]);
        assert_eq!(tail(0), [""; 0]);
        assert_eq!(tail(4000).len(), 4000, "over several blocks");
        assert_eq!(tail(9999).len(), 5000);
    }

    #[test]
    fn since_and_until_choose_by_time() {
        let (_folder, path) = log();
        let line = |second: u32| {
            format!(
                "{{\"log\":\"{second}\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:0{second}Z\"}}\n"
            )
        };
        std::fs::write(&path, (0..6).map(line).collect::<String>()).unwrap();
        let at = |second: u32| Some(format!("2026-11-24T05:00:0{second}Z").parse().unwrap());
        let wanted = Wanted { since: at(2), until: at(3), tail: None };
        assert_eq!(read(&path, wanted), ["2\n", "3\n"]);
    }

    #[test]
    fn a_torn_line_hides_nothing_that_follows() {
        let (_folder, path) = log();
        std::fs::write(&path, "{\"log\":\"to").unwrap();
        let mut writer = LogWriter::open(&path).unwrap();
        writer.write(Stream::Stdout, b"after\n").unwrap();
        assert_eq!(read(&path, Wanted::default()), ["after\n"]);
    }

    #[test]
    fn who_follows_gets_what_is_written_later_and_stops_at_the_end() {
        let (_folder, path) = log();
        let mut writer = LogWriter::open(&path).unwrap();
        writer.write(Stream::Stdout, b"before\n").unwrap();
        let ended = AtomicBool::new(false);
        let seen = std::thread::scope(|scope| {
            let reading = scope.spawn(|| {
                let mut seen = Vec::new();
                let mut reader = LogReader::open(&path, Wanted::default()).unwrap();
                follow(
                    &mut reader,
                    || ended.load(Ordering::SeqCst),
                    |entry| {
                        seen.push(entry.log);
                        Ok(())
                    },
                )
                .unwrap();
                seen
            });
            std::thread::sleep(Duration::from_millis(80));
            writer.write(Stream::Stdout, b"later\n").unwrap();
            ended.store(true, Ordering::SeqCst);
            reading.join().unwrap()
        });
        assert_eq!(seen, ["before\n", "later\n"]);
    }
}
