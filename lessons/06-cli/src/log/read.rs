//! Reading a log, also while somebody writes it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::Entry;
use super::files::Files;

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
    files: Files,
    file: BufReader<File>,
    wanted: Wanted,
    /// A line of which the end isn't there yet.
    line: Vec<u8>,
    past_until: bool,
}

impl LogReader {
    /// Opens the log at `path`, from its oldest file on.
    ///
    /// # Errors
    /// The file system's, also when there is no log yet ([`io::ErrorKind::NotFound`]).
    pub fn open(path: &Path, wanted: Wanted) -> io::Result<LogReader> {
        let files = Files::of(path);
        let mut file = files.oldest()?;
        if let Some(lines) = wanted.tail {
            file = at_tail(&files, file, lines)?;
        }
        let file = BufReader::with_capacity(64 * 1024, file);
        Ok(LogReader { files, file, wanted, line: Vec::new(), past_until: false })
    }

    /// The next entry, or none at the end. More may come later: then ask again.
    pub fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        while !self.past_until {
            if !self.whole_line()? {
                return Ok(None);
            }
            let entry = self.entry_of_line();
            self.line.clear();
            // A torn line (the machine died in the middle) must not hide what was said after it.
            let Some(entry) = entry else { continue };
            if self.wanted.since.is_none() && self.wanted.until.is_none() {
                return Ok(Some(entry));
            }
            let Ok(time) = entry.time.parse::<Timestamp>() else { continue };
            if self.wanted.until.is_some_and(|until| time > until) {
                self.past_until = true;
            } else if self.wanted.since.is_none_or(|since| time >= since) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    fn entry_of_line(&self) -> Option<Entry> {
        serde_json::from_slice(&self.line).ok()
    }

    /// Whether what was said since is later than what is wanted: nothing more will come.
    pub fn is_past_until(&self) -> bool {
        self.past_until || self.wanted.until.is_some_and(|until| Timestamp::now() > until)
    }

    /// Reads on to the end of a line, in this file or the one after it; `false` if it isn't there yet.
    fn whole_line(&mut self) -> io::Result<bool> {
        loop {
            if self.file.read_until(b'\n', &mut self.line)? > 0 && self.line.ends_with(b"\n") {
                return Ok(true);
            }
            // The end: for the moment, or has another file been begun?
            let Some(next) = self.files.after(self.file.get_ref())? else { return Ok(false) };
            // Between our last look and that, this one may have got its last lines.
            if self.file.read_until(b'\n', &mut self.line)? > 0 && self.line.ends_with(b"\n") {
                return Ok(true);
            }
            self.line.clear();
            self.file = BufReader::with_capacity(64 * 1024, next);
        }
    }
}

/// Reads on while the log grows, until `ended` says that nothing more will be written (the
/// container has ended) and all has been read. It looks again every 50 ms: simple, and nobody who
/// reads along sees the difference.
pub fn follow(
    reader: &mut LogReader,
    mut ended: impl FnMut() -> bool,
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

/// The file in which the last `lines` lines begin, at their place: looked for backwards, from the end of
/// the last file, so that the tail of a large log costs no more than that of a small one.
fn at_tail(files: &Files, oldest: File, lines: usize) -> io::Result<File> {
    let mut all = VecDeque::from([oldest]);
    while let Some(last) = all.back()
        && let Some(next) = files.after(last)?
    {
        all.push_back(next);
    }
    let mut left = lines;
    loop {
        let Some(mut file) = all.pop_back() else { return Err(io::ErrorKind::NotFound.into()) };
        let (start, found) = start_of_tail(&mut file, left)?;
        left -= found;
        if left == 0 || all.is_empty() {
            file.seek(SeekFrom::Start(start))?;
            return Ok(file);
        }
    }
}

/// Where the last `lines` lines of a file begin, and how many they are: fewer, if there are no more.
fn start_of_tail(file: &mut File, lines: usize) -> io::Result<(u64, usize)> {
    let end = file.metadata()?.len();
    if lines == 0 {
        return Ok((end, 0));
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
                    return Ok((here + 1, lines));
                }
            }
        }
    }
    // The first line has no newline before it.
    Ok((0, if end == 0 { 0 } else { newlines + 1 }))
}
