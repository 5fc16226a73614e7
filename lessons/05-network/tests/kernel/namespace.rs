//! Going into a namespace, and coming back.

use std::os::fd::AsFd;

use namespaces::Error;
use network::namespace::{in_namespace, visit};
use network::netlink::Netlink;

use crate::lab::{Netns, Test};
use crate::read;

pub const TESTS: &[Test] = &[
    ("a_new_network_namespace_has_a_loopback_that_is_down_and_nothing_else", alone),
    ("lo_up_lets_a_process_reach_itself", lo_up),
    ("a_socket_speaks_of_the_namespace_in_which_it_was_opened", socket),
    ("a_visit_comes_back_also_after_an_error", visit_returns),
    ("a_thread_of_its_own_leaves_the_caller_where_it_was_also_after_a_panic", own_thread),
];

fn alone() {
    Netns::new().run(|| {
        let up: Vec<_> = read::links().into_iter().filter(|link| link.up).collect();
        assert_eq!(up, [], "no interface is up");
        assert!(read::is_cut_off([127, 0, 0, 1], 1), "there is nobody");
        assert!(read::default_gateways().is_empty());
    });
}

fn lo_up() {
    let netns = Netns::new();
    netns.lo_up().unwrap();
    netns.run(|| {
        assert!(read::link("lo").unwrap().up);
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(read::reaches([127, 0, 0, 1], port));
    });
}

fn socket() {
    let netns = Netns::new();
    netns.lo_up().unwrap();
    let request = || netlink_packet_route::RouteNetlinkMessage::GetAddress(Default::default());
    let mut inside = visit(netns.as_fd(), Netlink::open).unwrap();
    assert!(!inside.list(request()).unwrap().is_empty(), "lo has its address there, where it is up");
    assert!(Netlink::open().unwrap().list(request()).unwrap().is_empty(), "and none here, where it is down");
}

fn here() -> std::path::PathBuf {
    std::fs::read_link("/proc/thread-self/ns/net").unwrap()
}

fn visit_returns() {
    let (netns, home) = (Netns::new(), here());
    let there = visit(netns.as_fd(), || Ok(here())).unwrap();
    assert_ne!(there, home);
    assert_eq!(here(), home);
    visit(netns.as_fd(), || Err::<(), _>(Error::new("try", "", "it fails"))).unwrap_err();
    assert_eq!(here(), home);
}

fn own_thread() {
    let (netns, home) = (Netns::new(), here());
    assert_ne!(in_namespace(netns.as_fd(), || Ok(here())).unwrap(), home);
    let error =
        in_namespace(netns.as_fd(), || -> namespaces::Result<()> { panic!("on purpose") }).unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
    assert_eq!(here(), home);
}
