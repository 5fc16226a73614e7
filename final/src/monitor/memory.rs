//! What a monitor holds of the machine's memory while it only waits.
//!
//! Its start has touched five megabytes of program text, and more of the C library's, of which the loop that
//! waits needs a few pages. They are the same pages for all monitors, in the page cache; but each has them in
//! its own page table, and each counts them as its own (VmRSS), as does a person who looks at a hundred of
//! them. So they are let go of, and those that are needed again come back from the cache by themselves.

use std::fs;

/// Lets go of program text: mappings of files that are only read and executed.
pub(super) fn let_go_of_text() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    for (start, end) in maps.lines().filter_map(text) {
        // SAFETY: a private mapping of a file that nobody could ever write to (it is not writable, and text
        // needs no relocations here) has nothing of its own: its pages are the file's, and are found there
        // again at the next access. That the mapping exists was told by the kernel just now, and nobody
        // unmaps it: there is one thread.
        unsafe {
            libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_DONTNEED);
        }
    }
}

/// The range of a line of `/proc/self/maps` (proc(5)), if it is the text of a file.
fn text(line: &str) -> Option<(usize, usize)> {
    let mut words = line.split_whitespace();
    let (range, flags, inode) = (words.next()?, words.next()?, words.nth(2)?);
    let (start, end) = range.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    (flags == "r-xp" && inode != "0").then_some((address(start)?, address(end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_of_files_is_let_go_of() {
        let line = "00400000-00a5e000 r-xp 00001000 fe:00 1234   /usr/bin/canoa";
        assert_eq!(text(line), Some((0x0040_0000, 0x00a5_e000)));
        for other in [
            "00a5e000-00b00000 r--p 0065f000 fe:00 1234   /usr/bin/canoa",
            "7ffd1000-7ffd3000 r-xp 00000000 00:00 0      [vdso]",
            "7f001000-7f002000 rwxp 00000000 fe:00 1234   /usr/bin/canoa",
            "",
        ] {
            assert_eq!(text(other), None, "{other}");
        }
        let_go_of_text();
        assert_eq!("still".len(), 5);
    }
}
