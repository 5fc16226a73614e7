//! Which build this is: a client that was just rebuilt must not talk to a daemon of yesterday's
//! code, and a version number does not change with each build.
//!
//! The linker writes a hash of the whole program into it (`--build-id`, see `build.rs`): a note in
//! the ELF file, found through the program's own headers (elf(5), `PT_NOTE`, `NT_GNU_BUILD_ID`).

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

/// This program's build, as hexadecimal digits: read once.
pub fn build_id() -> &'static str {
    static BUILD: OnceLock<String> = OnceLock::new();
    BUILD.get_or_init(|| of_file("/proc/self/exe").unwrap_or_else(|_| "unknown".to_owned()))
}

fn of_file(path: &str) -> io::Result<String> {
    let mut file = File::open(path)?;
    // The note is near the beginning; a page or two is enough, the whole program is megabytes.
    let mut start = vec![0; 16 * 1024];
    let mut length = 0;
    while length < start.len() {
        match file.read(&mut start[length..])? {
            0 => break,
            read => length += read,
        }
    }
    if let Some(note) = gnu_build_id(&start[..length]) {
        return Ok(note.iter().map(|byte| format!("{byte:02x}")).collect());
    }
    // A linker without build ids: size and time of the file tell builds apart well enough.
    let data = file.metadata()?;
    Ok(format!("{:x}-{:x}-{:x}", data.len(), data.mtime(), data.mtime_nsec()))
}

/// The build id of a 64-bit ELF file in this machine's byte order, given its beginning.
fn gnu_build_id(file: &[u8]) -> Option<&[u8]> {
    const PT_NOTE: u32 = 4;
    const NT_GNU_BUILD_ID: u32 = 3;
    if !file.starts_with(b"\x7fELF\x02") {
        return None;
    }
    let headers = number::<8>(file, 32)?;
    let size = number::<2>(file, 54)?;
    let count = number::<2>(file, 56)?;
    for header in (0..count).filter_map(|n| file.get(headers + n * size..)) {
        if number::<4>(header, 0)? != PT_NOTE as usize {
            continue;
        }
        let (offset, length) = (number::<8>(header, 8)?, number::<8>(header, 32)?);
        let mut notes = file.get(offset..offset.checked_add(length)?)?;
        while notes.len() >= 12 {
            let (name, text, kind) = (number::<4>(notes, 0)?, number::<4>(notes, 4)?, number::<4>(notes, 8)?);
            let text_at = 12 + name.next_multiple_of(4);
            if kind == NT_GNU_BUILD_ID as usize && notes.get(12..16) == Some(b"GNU\0") {
                return notes.get(text_at..text_at + text);
            }
            notes = notes.get(text_at + text.next_multiple_of(4)..).unwrap_or_default();
        }
    }
    None
}

fn number<const BYTES: usize>(bytes: &[u8], at: usize) -> Option<usize> {
    let mut whole = [0; 8];
    let field = bytes.get(at..at.checked_add(BYTES)?)?;
    // Little-endian, as both machines are that canoa runs on.
    whole[..BYTES].copy_from_slice(field);
    usize::try_from(u64::from_le_bytes(whole)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_program_has_a_build_id_that_stays_the_same() {
        let id = of_file("/proc/self/exe").unwrap();
        assert_eq!(id, of_file("/proc/self/exe").unwrap());
        assert!(id.len() >= 16, "{id}");
    }

    #[test]
    fn a_file_without_a_note_is_told_by_size_and_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "\x7fELF\x02 but not really").unwrap();
        let id = of_file(&file.path().to_string_lossy()).unwrap();
        assert!(id.contains('-'), "{id}");
    }
}
