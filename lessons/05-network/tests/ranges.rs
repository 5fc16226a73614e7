//! Ranges of ports as large as they can be, in a process that may have few descriptors.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::net::UdpSocket;

use namespaces::flags::Flags;
use network::publish::Binding;
use network::{Publish, ports};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

fn bindings(text: &str) -> Vec<Binding> {
    text.parse::<Publish>().unwrap().bindings().collect()
}

#[test]
fn the_largest_range_is_a_wish_for_each_of_its_ports() {
    let all = bindings("1-65535:1-65535/udp");
    assert_eq!(all.len(), 65535);
    for (wish, port) in all.iter().zip(1..=65535) {
        assert_eq!((wish.port, wish.host.unwrap().first, wish.host.unwrap().last), (port, port, port));
    }
    assert_eq!(bindings("1-65535:80").len(), 1);
    assert_eq!(bindings("1-65535").len(), 65535);
    assert!("65535-1:65535-1".parse::<Publish>().is_err());
}

#[test]
fn a_range_for_which_there_are_not_enough_descriptors_is_refused_by_name_and_takes_nothing() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 200, most).unwrap();
    let error = ports::reserve(&bindings("127.0.0.1:21000-61000:1-40001/udp")).unwrap_err();
    let named = error.on.starts_with("127.0.0.1:21") && error.on.ends_with("/udp");
    let hint = error.hint.contains("raise the limit");
    assert!(named && hint && error.errno == nix::errno::Errno::EMFILE as i32, "{error}");
    // Those that it had taken before that are everybody's again.
    UdpSocket::bind("127.0.0.1:21000").unwrap();
}

#[test]
fn a_flag_that_names_no_port_is_refused_with_its_value() {
    let flags = |value: &str| {
        Flags::parse(["--publish", value].map(Into::into), &["publish"], &[])
            .map(|flags| Publish::from_flags(&flags))
    };
    for wrong in ["", "80:", "99999:80", "2-1:2-1", "a.b:1:1", "80/icmp", "-1", "1:1:1:1:1"] {
        let error = flags(wrong).unwrap().unwrap_err().to_string();
        let shown = wrong.split([':', '/']).any(|part| error.contains(part));
        assert!(error.starts_with("read published port") && shown, "{wrong}: {error}");
    }
    assert_eq!(flags("8080:80").unwrap().unwrap().len(), 1);
    assert!(Publish::from_flags(&Flags::default()).unwrap().is_empty());
}
