//! A record that comes into being, changes and goes whole, also across a crash.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

fn record(id: &str, name: &str) -> Record<String> {
    Record {
        version: VERSION,
        id: id.to_owned(),
        name: name.to_owned(),
        created_at: now(),
        config: "sh".to_owned(),
        state: State::default(),
    }
}

fn records() -> (tempfile::TempDir, Records<String>) {
    let folder = tempfile::tempdir().unwrap();
    let records = Records::open(folder.path().join("containers")).unwrap();
    (folder, records)
}

#[test]
fn a_record_comes_back_as_it_was_written() {
    let (_folder, records) = records();
    let mut record = record("ab12", "boat");
    records.create(&record).unwrap();
    record.state.status = Status::Running;
    record.state.process = Process::with_pid(std::process::id() as i32).ok();
    records.save(&record).unwrap();
    assert_eq!(records.load("ab12").unwrap(), record);
}

#[test]
fn who_reads_meanwhile_sees_the_old_text_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record");
    let texts = [vec![b'a'; 300_000], vec![b'b'; 200_000]];
    replace(&path, &texts[0], true).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let seen = fs::read(&path).unwrap_or_default();
                assert!(texts.contains(&seen), "ex-06-1: somebody has read a half: {} bytes", seen.len());
            }
        });
        for turn in 0..200 {
            replace(&path, &texts[turn % 2], turn % 50 == 0).unwrap();
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "ex-06-1: a temporary file stayed behind");
}

#[test]
fn a_text_that_can_not_be_written_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    // Something that a file can't replace.
    let path = folder.path().join("record");
    fs::create_dir(&path).unwrap();
    let error = replace(&path, b"new", false).unwrap_err();
    assert!(error.to_string().contains("record"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "ex-06-1: a temporary file stayed behind");
}

#[test]
fn of_many_who_want_a_name_at_once_one_gets_it() {
    let (_folder, records) = records();
    let won: usize = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..16)
            .map(|n| {
                let records = &records;
                scope.spawn(move || records.create(&record(&format!("{n:04x}"), "boat")).is_ok())
            })
            .collect();
        tries.into_iter().map(|won| usize::from(won.join().unwrap())).sum()
    });
    assert_eq!(won, 1);
    assert_eq!(records.list().unwrap().len(), 1);
}

#[test]
fn a_taken_name_leaves_nothing_half_made() {
    let (_folder, records) = records();
    records.create(&record("ab12", "boat")).unwrap();
    let error = records.create(&record("cd34", "boat")).unwrap_err();
    assert!(matches!(error, Error::NameTaken { id, .. } if id == "ab12"));
    assert!(!records.folder("cd34").exists());
    assert!(matches!(records.rename(&mut { record("ef56", "other") }, "boat"), Err(Error::NameTaken { .. })));
}

#[test]
fn a_container_is_found_by_name_id_and_the_beginning_of_its_id() {
    let (_folder, records) = records();
    for (id, name) in [("ab12", "boat"), ("ab34", "ab"), ("cd56", "ab12")] {
        records.create(&record(id, name)).unwrap();
    }
    assert_eq!(records.find("boat").unwrap().id, "ab12");
    assert_eq!(records.find("/boat").unwrap().id, "ab12");
    assert_eq!(records.find("cd").unwrap().id, "cd56");
    assert_eq!(records.find("ab").unwrap().id, "ab34", "a name goes before a beginning");
    assert_eq!(records.find("ab12").unwrap().id, "ab12", "an id goes before a name");
    assert!(matches!(records.find("a"), Err(Error::Ambiguous(_))));
    assert!(matches!(records.find("zz"), Err(Error::NotFound(_))));
    assert!(matches!(records.find(""), Err(Error::NotFound(_))));
}

#[test]
fn removing_twice_is_no_error() {
    let (_folder, records) = records();
    records.create(&record("ab12", "boat")).unwrap();
    records.remove("ab12").unwrap();
    records.remove("ab12").unwrap();
    assert!(records.list().unwrap().is_empty());
}

#[test]
fn what_a_crash_left_is_swept_and_the_rest_stays() {
    let (_folder, records) = records();
    records.create(&record("ab12", "boat")).unwrap();
    let half = records.folder(".tmp-cd34");
    fs::create_dir(&half).unwrap();
    fs::write(half.join("container.json"), "{").unwrap();
    records.sweep().unwrap();
    assert!(!half.exists());
    assert_eq!(records.list().unwrap().len(), 1);
}

#[test]
fn a_record_of_a_newer_format_is_refused_and_kept() {
    let (_folder, records) = records();
    records.create(&record("ab12", "boat")).unwrap();
    let path = records.folder("ab12").join("container.json");
    fs::write(&path, r#"{"version":99,"id":7}"#).unwrap();
    let error = records.load("ab12").unwrap_err().to_string();
    assert!(error.contains("newer canoa (format 99"), "{error}");
    assert!(records.list().unwrap().is_empty());
    assert_eq!(records.unreadable().unwrap().len(), 1);
    records.sweep().unwrap();
    assert!(path.exists());
}

#[test]
fn a_record_that_is_none_is_refused_and_hides_no_other() {
    let (_folder, records) = records();
    records.create(&record("ab12", "boat")).unwrap();
    records.create(&record("cd34", "canoe")).unwrap();
    let path = records.folder("cd34").join("container.json");
    let whole = fs::read_to_string(&path).unwrap();
    let moved = whole.replace("cd34", "../ab12");
    let huge = whole.replace("\"exit_code\": 0", "\"exit_code\": 99999999999999999999");
    let unknown = whole.replace("created", "sunk");
    for text in ["", "{", "null", "[]", "{\"version\":1}", "{\"version\":-1}", "\0", &moved, &huge, &unknown]
    {
        assert_ne!(text, whole);
        fs::write(&path, text).unwrap();
        let error = records.load("cd34").unwrap_err();
        assert!(matches!(error, Error::Unreadable { .. }), "{text}: {error}");
        assert!(error.to_string().contains("cd34/container.json"), "{error}");
        assert_eq!(records.list().unwrap().len(), 1, "{text}");
        assert_eq!(records.find("boat").unwrap().id, "ab12");
    }
    fs::write(&path, b"\xff\xfe").unwrap();
    assert!(matches!(records.load("cd34"), Err(Error::Unreadable { .. })));
    // No file, but something else of its name.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(records.load("cd34"), Err(Error::Step(_))));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_reading_a_record_panic(text in ".{0,80}", at in 0..300usize) {
        let (_folder, records) = records();
        records.create(&record("ab12", "boat")).unwrap();
        let path = records.folder("ab12").join("container.json");
        let mut whole = fs::read_to_string(&path).unwrap();
        whole.insert_str(at.min(whole.len()), &text);
        fs::write(&path, &whole).unwrap();
        let _ = records.load("ab12");
        fs::write(&path, &text).unwrap();
        let _ = (records.load("ab12"), records.find(&text), is_name(&text));
    }

    #[test]
    fn what_is_a_name_is_one_folder_and_no_flag(text in "[a-z./_ -]{0,6}") {
        if is_name(&text) {
            let parts: Vec<_> = std::path::Path::new(&text).components().collect();
            proptest::prop_assert!(matches!(parts[..], [std::path::Component::Normal(_)]));
            proptest::prop_assert!(!text.starts_with('-'));
        }
    }
}

#[test]
fn names_that_could_lead_somewhere_else_are_refused() {
    for name in ["", "a", "-x", ".x", "..", "a/b", "../x", "a b", "ñandú", "a\n"] {
        assert!(!is_name(name), "{name}");
    }
    assert!(is_name("web-1.example_2"));
}

#[test]
fn an_id_has_64_hexadecimal_digits_and_no_number_for_a_hostname() {
    let id = new_id().unwrap();
    assert_eq!(id.len(), 64);
    assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert!(!id[..12].bytes().all(|byte| byte.is_ascii_digit()));
}

#[test]
fn what_somebody_is_making_is_not_swept_and_nobody_waits_for_their_disk() {
    let (_folder, records) = records();
    let temporary = records.temporary("cd34");
    fs::create_dir(&temporary).unwrap();
    let maker = File::open(&temporary).unwrap();
    maker.lock().unwrap();
    records.sweep().unwrap();
    records.create(&record("ab12", "boat")).unwrap();
    assert!(temporary.exists());
    // Its maker has died: the lock went with it.
    drop(maker);
    records.sweep().unwrap();
    assert!(!temporary.exists());
}
