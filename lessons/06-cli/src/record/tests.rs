//! A record that comes into being, changes and goes whole, also across a crash.

use std::fs;

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
