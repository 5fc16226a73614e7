//! Questions that somebody hostile sends: whatever the bytes, there is an answer or none, and no
//! panic.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use network::dns::message::{Reply, failure, question_section, reply};
use network::dns::zone::{self, Zone, Zones};
use proptest::prelude::*;
use simple_dns::{CLASS, Name, Packet, QCLASS, QTYPE, Question, TYPE};

fn zones() -> (tempfile::TempDir, Zones) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("names");
    fs::write(&file, "172.29.0.2 web www\n172.29.0.3 db\n").unwrap();
    (dir, Zones::new(vec![Zone { name: "sea".into(), file, leads_out: true }]))
}

fn question(id: u16, name: &str, kind: TYPE) -> Vec<u8> {
    let mut packet = Packet::new_query(id);
    let name = Name::new(name).unwrap();
    packet.questions.push(Question::new(name, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().unwrap()
}

/// What must be so of every reply, whatever was asked.
fn check(bytes: &[u8], limit: usize) {
    let (_dir, mut zones) = zones();
    match reply(bytes, &mut zones, limit) {
        Reply::Answer(answer) => {
            assert!(answer.len() <= limit.max(bytes.len()), "{} bytes", answer.len());
            assert_eq!(answer[..2], bytes[..2], "the id");
            assert!(answer[2] & 0x80 != 0, "the mark of an answer");
            // An answer to an answer would never end.
            assert_eq!(reply(&answer, &mut zones, limit), Reply::Nothing);
        }
        // What is passed on has one whole question.
        Reply::Ask => assert!(question_section(bytes).is_some()),
        Reply::Nothing => {}
    }
    let failed = failure(bytes);
    assert!(failed.len() <= bytes.len());
}

#[test]
fn a_question_of_a_kind_or_class_that_nobody_knows_is_passed_on() {
    let (_dir, mut zones) = zones();
    let mut bytes = question(1, "example.org", TYPE::A);
    let end = bytes.len();
    // HTTPS (65) came after most libraries; 0xfff0 is nobody's.
    for kind in [65u16, 0xfff0] {
        bytes[end - 4..end - 2].copy_from_slice(&kind.to_be_bytes());
        assert_eq!(reply(&bytes, &mut zones, 512), Reply::Ask, "{kind}");
    }
}

#[test]
fn a_question_with_options_after_it_is_answered() {
    let (_dir, mut zones) = zones();
    let mut bytes = question(1, "web", TYPE::A);
    // EDNS (RFC 6891): one additional record, of type OPT; and one that is cut.
    bytes[11] = 1;
    for options in [&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0][..], &[0, 0, 41]] {
        let bytes = [&bytes, options].concat();
        let Reply::Answer(answer) = reply(&bytes, &mut zones, 512) else { panic!("no answer") };
        assert_eq!(Packet::parse(&answer).unwrap().answers.len(), 1);
    }
}

#[test]
fn names_that_would_break_the_file_are_none() {
    for name in ["web", "db-1.example_2", "3f1c90b2a7de"] {
        assert!(zone::is_name(name), "{name}");
    }
    for name in ["", ".", "a..b", "a b", "a\nb", "ñ", "-\0", &"a".repeat(64), &"a.".repeat(101)] {
        assert!(!zone::is_name(name), "{name:?}");
    }
}

#[test]
fn a_file_of_names_is_read_back_as_it_was_written_and_noise_in_it_is_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("names");
    let entries = vec![([172, 29, 0, 2].into(), vec!["web".to_owned(), "www".to_owned()])];
    zone::write(&file, &entries).unwrap();
    assert_eq!(zone::parse(&fs::read_to_string(&file).unwrap()), entries);
    assert_eq!(zone::parse("\n# x\n172.29.0 web\nweb 172.29.0.2\n\0\n172.29.0.2\n").len(), 1);
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        check(&bytes, 512);
    }

    #[test]
    fn a_question_with_some_bytes_changed_is_survived(
        name in "[a-zA-Z0-9.-]{0,20}(web|www|db|sea|\\.2\\.0\\.29\\.172\\.in-addr\\.arpa)?",
        kind in prop_oneof![Just(TYPE::A), Just(TYPE::PTR), Just(TYPE::AAAA)],
        changes in prop::collection::vec((0..80usize, any::<u8>()), 0..6),
        cut in 0..100usize,
    ) {
        let mut bytes = question(7, &name, kind);
        let length = bytes.len();
        for (place, byte) in changes {
            bytes[place % length] = byte;
        }
        bytes.truncate(cut.max(length / 2));
        check(&bytes, 512);
        check(&bytes, 40);
    }
}
