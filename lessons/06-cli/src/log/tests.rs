//! A log that is written, rotated and read, also at the same time.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

fn log() -> (tempfile::TempDir, PathBuf) {
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
    let mut writer = LogWriter::open(&path, Bounds::default()).unwrap();
    writer.write(Stream::Stderr, "¡hola!\n".as_bytes()).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let (start, time) = text.split_once(r#""time":""#).unwrap();
    assert_eq!(start, r#"{"log":"¡hola!\n","stream":"stderr","#);
    assert_eq!(time.len(), "2026-11-24T05:00:00.123456789Z\"}\n".len());
    assert!(time.ends_with("Z\"}\n"));
}

#[test]
fn parts_of_a_line_wait_for_its_end_and_streams_do_not_mix() {
    let (_folder, path) = log();
    let mut writer = LogWriter::open(&path, Bounds::default()).unwrap();
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
    let mut writer = LogWriter::open(&path, Bounds::default()).unwrap();
    let line = format!("{}\n", "añ€😀".repeat(10_000));
    for chunk in line.as_bytes().chunks(777) {
        writer.write(Stream::Stdout, chunk).unwrap();
    }
    let pieces = read(&path, Wanted::default());
    let cut = pieces.iter().any(|piece| piece.contains('\u{fffd}'));
    assert!(!cut, "ex-06-4: it was cut through the middle of a character");
    assert!(pieces.len() > 1 && pieces.iter().all(|piece| piece.len() <= LONGEST));
    let pieces = pieces.concat();
    assert!(pieces == line, "ex-06-4: {} bytes became {}", line.len(), pieces.len());
}

#[test]
fn bytes_that_are_no_text_do_not_stop_the_log() {
    let (_folder, path) = log();
    let mut writer = LogWriter::open(&path, Bounds::default()).unwrap();
    writer.write(Stream::Stdout, &[b'\xff'; LONGEST * 2]).unwrap();
    writer.write(Stream::Stdout, b"\n").unwrap();
    writer.finish().unwrap();
    let text = read(&path, Wanted::default()).concat();
    assert_eq!(text.chars().filter(|c| *c == '\u{fffd}').count(), LONGEST * 2);
}

#[test]
fn the_tail_is_the_last_lines() {
    let (_folder, path) = log();
    let mut writer = LogWriter::open(&path, Bounds::default()).unwrap();
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
    fs::write(&path, (0..6).map(line).collect::<String>()).unwrap();
    let at = |second: u32| Some(format!("2026-11-24T05:00:0{second}Z").parse().unwrap());
    let wanted = Wanted { since: at(2), until: at(3), tail: None };
    assert_eq!(read(&path, wanted), ["2\n", "3\n"]);
}

#[test]
fn a_torn_line_hides_nothing_that_follows() {
    let (_folder, path) = log();
    fs::write(&path, "{\"log\":\"to").unwrap();
    let mut writer = LogWriter::open(&path, Bounds::default()).unwrap();
    writer.write(Stream::Stdout, b"after\n").unwrap();
    assert_eq!(read(&path, Wanted::default()), ["after\n"]);
}

/// Tells who reads along that nothing more will come; also where the test fails before: its scope waits
/// for the reader.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn who_follows_gets_what_is_written_later_and_stops_at_the_end() {
    let (_folder, path) = log();
    let mut writer = LogWriter::open(&path, Bounds::default()).unwrap();
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
        let end = End(&ended);
        std::thread::sleep(Duration::from_millis(80));
        writer.write(Stream::Stdout, b"later\n").unwrap();
        drop(end);
        reading.join().unwrap()
    });
    assert_eq!(seen, ["before\n", "later\n"]);
}

fn bounds(size: u64, files: u32) -> Bounds {
    Bounds { size: Some(size), files }
}

fn numbered(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("{number}\n")).collect()
}

#[test]
fn a_full_file_takes_the_next_number_and_the_last_one_goes() {
    let (folder, path) = log();
    let mut writer = LogWriter::open(&path, bounds(1000, 3)).unwrap();
    for line in numbered(0..200) {
        writer.write(Stream::Stdout, line.as_bytes()).unwrap();
    }
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["log.json", "log.json.1", "log.json.2"]);
    for name in &names[1..] {
        // Full, and by no more than the one piece with which it became so.
        let length = fs::metadata(folder.path().join(name)).unwrap().len();
        assert!((1000..1100).contains(&length), "{length}");
    }
    // What is there is the end of it, without a gap, and so is its tail, over several files.
    let left = read(&path, Wanted::default());
    assert!(left.len() > 20);
    assert_eq!(left, numbered(200 - left.len() as u32..200));
    let wanted = Wanted { tail: Some(left.len() - 3), ..Wanted::default() };
    assert_eq!(read(&path, wanted), left[3..]);
    assert_eq!(read(&path, Wanted { tail: Some(500), ..Wanted::default() }), left);

    // With fewer files from now on, the others go.
    let mut writer = LogWriter::open(&path, bounds(1, 1)).unwrap();
    writer.write(Stream::Stdout, b"new\n").unwrap();
    assert_eq!(read(&path, Wanted::default()), ["new\n"]);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn who_reads_on_while_the_log_is_rotated_misses_nothing() {
    let (_folder, path) = log();
    // Small files, so that one is rotated every few lines; enough of them that none goes unread.
    let mut writer = LogWriter::open(&path, bounds(300, 200)).unwrap();
    let ended = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut reader = LogReader::open(&path, Wanted::default()).unwrap();
            let mut seen = vec![];
            loop {
                let last = ended.load(Ordering::SeqCst);
                while let Some(entry) = reader.next_entry().unwrap() {
                    seen.push(entry.log);
                }
                if last {
                    return seen;
                }
            }
        });
        let end = End(&ended);
        for line in numbered(0..700) {
            writer.write(Stream::Stdout, line.as_bytes()).unwrap();
        }
        drop(end);
        reading.join().unwrap()
    });
    let wrong = numbered(0..700).into_iter().zip(&seen).find(|(wanted, seen)| wanted != *seen);
    assert!(
        wrong.is_none() && seen.len() == 700,
        "{} entries; the first that is wrong: {wrong:?}",
        seen.len()
    );
}

#[test]
fn who_reads_slower_than_files_go_misses_only_what_is_gone() {
    let (_folder, path) = log();
    let mut writer = LogWriter::open(&path, bounds(500, 3)).unwrap();
    writer.write(Stream::Stdout, b"first\n").unwrap();
    let mut reader = LogReader::open(&path, Wanted::default()).unwrap();
    assert_eq!(reader.next_entry().unwrap().unwrap().log, "first\n");
    for line in numbered(0..100) {
        writer.write(Stream::Stdout, line.as_bytes()).unwrap();
    }
    let seen: Vec<String> =
        std::iter::from_fn(|| reader.next_entry().unwrap()).map(|entry| entry.log).collect();
    // Its own file to the end, and then what is there.
    assert_eq!(seen[0], "0\n");
    assert_eq!(seen[seen.len() - 10..], numbered(90..100));
    assert!(seen.len() < 100 && seen.is_sorted_by_key(|line| line.trim().parse::<u32>().unwrap()));
}

#[test]
fn a_rotation_that_a_crash_cut_short_hides_nothing() {
    let (folder, path) = log();
    let mut writer = LogWriter::open(&path, bounds(300, 4)).unwrap();
    for line in numbered(0..15) {
        writer.write(Stream::Stdout, line.as_bytes()).unwrap();
    }
    drop(writer);
    let whole = read(&path, Wanted::default());
    let rename = |from: &str, to: &str| fs::rename(folder.path().join(from), folder.path().join(to)).unwrap();
    // All but the last step is done: there is no file 1.
    rename("log.json.2", "log.json.3");
    rename("log.json.1", "log.json.2");
    assert_eq!(read(&path, Wanted::default()), whole);
    // Also the last, but there is no new file yet.
    rename("log.json", "log.json.1");
    assert_eq!(read(&path, Wanted::default()), whole);
    let mut writer = LogWriter::open(&path, bounds(300, 4)).unwrap();
    writer.write(Stream::Stdout, b"99\n").unwrap();
    assert_eq!(read(&path, Wanted::default()).last().unwrap(), "99\n");
}

#[test]
fn a_full_disk_is_told_once_and_the_log_goes_on_when_there_is_room() {
    let (_folder, path) = log();
    let mut writer = LogWriter::open(&path, Bounds::default()).unwrap();
    writer.write(Stream::Stdout, b"before\n").unwrap();
    // Every write to this device fails with ENOSPC.
    let full = fs::File::options().append(true).open("/dev/full").unwrap();
    let file = std::mem::replace(&mut writer.file, full);
    let error = writer.write(Stream::Stdout, b"one\ntwo\n").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    writer.write(Stream::Stdout, b"three\n").expect("it has been told");
    // There is room again. (Half a line had gone to the disk before it was full.)
    fs::write(&path, [&fs::read(&path).unwrap()[..], b"{\"log\":\"on"].concat()).unwrap();
    writer.file = file;
    writer.write(Stream::Stdout, b"after\n").unwrap();
    let seen = read(&path, Wanted::default());
    assert_eq!((seen[0].as_str(), seen[2].as_str(), seen.len()), ("before\n", "after\n", 3));
    assert!(seen[1].contains("3 lines are missing here: No space left on device"), "{}", seen[1]);
}

#[test]
fn options_are_docker_s_and_wrong_ones_are_named() {
    assert_eq!(Bounds::from_options::<&str>([]).unwrap(), Bounds::default());
    assert_eq!(Bounds::from_options(["max-size=10m", "max-file=3"]).unwrap(), bounds(10 << 20, 3));
    for bad in [
        "",
        "max-size",
        "max-size=",
        "max-size=0",
        "max-size=ten",
        "max-file=0",
        "max-file=-1",
        "max-file=99999999999",
        "tag=x",
        "max-size=10m=2",
    ] {
        let error = Bounds::from_options([bad]).unwrap_err().to_string();
        assert!(error.contains("log option") && error.contains(bad), "{error}");
    }
}

#[test]
fn a_line_that_is_no_entry_is_passed_over() {
    let (_folder, path) = log();
    let entry = |log: &str| {
        format!("{{\"log\":\"{log}\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:00Z\"}}\n")
    };
    let odd = [
        "\n",
        "{}\n",
        "null\n",
        "\0\n",
        "{\"log\":7}\n",
        "{\"log\":\"\\ud800\",\"stream\":\"stdout\",\"time\":\"\"}\n",
    ];
    fs::write(&path, format!("{}{}{}", entry("one"), odd.concat(), entry("two"))).unwrap();
    assert_eq!(read(&path, Wanted::default()), ["one", "two"]);
    // A time that is none: it is shown, unless somebody asks by time.
    fs::write(&path, entry("one").replace("2026-11-24T05:00:00Z", "yesterday")).unwrap();
    assert_eq!(read(&path, Wanted::default()), ["one"]);
    let wanted = Wanted { since: Some(Timestamp::MIN), ..Wanted::default() };
    assert_eq!(read(&path, wanted), [""; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_reading_a_log_panic(
        bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'"'), Just(b'{'), any::<u8>()], 0..300),
        tail in prop::option::of(0..9_usize),
    ) {
        let (_folder, path) = log();
        fs::write(&path, &bytes).unwrap();
        let seen = read(&path, Wanted { tail, since: Some(Timestamp::MIN), until: Some(Timestamp::MAX) });
        prop_assert!(seen.len() <= tail.unwrap_or(usize::MAX));
        // And whoever goes on writing it is read again.
        let mut writer = LogWriter::open(&path, Bounds::default()).unwrap();
        writer.write(Stream::Stdout, b"after\n").unwrap();
        prop_assert_eq!(read(&path, Wanted { tail: Some(1), ..Wanted::default() }), ["after\n"]);
    }

    #[test]
    fn no_option_makes_the_bounds_panic(text in "(max-size|max-file)?=?.{0,24}") {
        if let Ok(bounds) = Bounds::from_options([&text]) {
            prop_assert!(bounds.files >= 1 && bounds.size != Some(0));
        }
    }

    #[test]
    fn what_is_said_in_any_pieces_is_what_is_read(
        pieces in prop::collection::vec((any::<bool>(), "(?s).{0,40}\\n?"), 0..30),
        size in 1..2000_u64,
    ) {
        let (_folder, path) = log();
        let mut writer = LogWriter::open(&path, bounds(size, 1000)).unwrap();
        let mut said = [String::new(), String::new()];
        for (error, text) in &pieces {
            let stream = if *error { Stream::Stderr } else { Stream::Stdout };
            writer.write(stream, text.as_bytes()).unwrap();
            said[stream as usize] += text;
        }
        writer.finish().unwrap();
        let mut reader = LogReader::open(&path, Wanted::default()).unwrap();
        let mut seen = [String::new(), String::new()];
        let mut before: Option<Timestamp> = None;
        while let Some(entry) = reader.next_entry().unwrap() {
            seen[entry.stream as usize] += &entry.log;
            // RFC 3339 with nanoseconds, in UTC: texts sort as times do.
            prop_assert_eq!(entry.time.len(), "2026-11-24T05:00:00.123456789Z".len());
            let time = entry.time.parse().unwrap();
            prop_assert!(before.is_none_or(|before| before <= time));
            before = Some(time);
        }
        prop_assert_eq!(seen, said);
    }

    #[test]
    fn no_bytes_in_its_place_make_the_reader_panic(bytes: Vec<u8>, cut in 0..200_usize, tail: Option<u8>) {
        let (_folder, path) = log();
        let line = "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:00Z\"}\n";
        let mut text = line.repeat(3).into_bytes();
        text.truncate(cut);
        text.extend(&bytes);
        fs::write(&path, &text).unwrap();
        let wanted = Wanted { tail: tail.map(usize::from), since: Some(Timestamp::UNIX_EPOCH), until: None };
        let whole = read(&path, wanted).len();
        // And the next writer's lines are not glued to it.
        let mut writer = LogWriter::open(&path, Bounds::default()).unwrap();
        writer.write(Stream::Stdout, b"after\n").unwrap();
        let seen = read(&path, Wanted { tail: None, ..wanted });
        prop_assert_eq!(seen.last().map(String::as_str), Some("after\n"));
        prop_assert!(whole <= seen.len());
    }
}
