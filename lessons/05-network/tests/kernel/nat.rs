//! The way out. The "outside" is one more namespace, on a network of its own.

use std::net::{IpAddr, TcpListener};

use netlink_bindings::nftables::{Chained, Nfgenmsg};
use network::{Bridge, forwarding, nat};

use crate::lab::{Netns, Test, bridge_of, canoa0};
use crate::read;

pub const TESTS: &[Test] = &[
    ("outside_sees_the_hosts_address_instead_of_the_containers", masqueraded),
    ("containers_see_each_others_own_address", not_among_containers),
    ("ensuring_the_rule_again_leaves_one_rule", one_rule),
    ("a_rule_for_the_bridges_former_subnet_is_replaced", other_subnet),
    ("each_network_has_its_rule_and_the_last_takes_the_table_along", last_one),
    ("tables_of_others_are_left_alone", others),
    ("two_engines_live_side_by_side", two_engines),
    ("a_firewall_that_drops_forwarded_packets_is_noticed", blocked),
];

/// What a server outside sees as the sender of a container's connection.
fn seen_outside(container: &Netns, outside: &Netns) -> IpAddr {
    let server = read::serve(outside.run(|| TcpListener::bind("0.0.0.0:80").unwrap()));
    assert!(container.run(|| read::reaches([192, 0, 2, 2], 80)), "outside can't be reached");
    server.join().unwrap()
}

/// A container on the bridge, and somebody outside, whom it reaches by way of the host.
fn container_and_outside(bridge: &Bridge) -> (Netns, Netns) {
    let lan = bridge_of("lan0", "192.0.2.1/24");
    lan.ensure().unwrap();
    forwarding::enable().unwrap();
    (Netns::on(bridge, [172, 29, 0, 2]), Netns::on(&lan, [192, 0, 2, 2]))
}

fn masqueraded() {
    let bridge = canoa0();
    let (container, outside) = container_and_outside(&bridge);
    let own: IpAddr = [172, 29, 0, 2].into();
    assert_eq!(seen_outside(&container, &outside), own, "without a rule: its own");
    nat::ensure("canoa", &bridge).unwrap();
    assert_eq!(seen_outside(&container, &outside), IpAddr::from([192, 0, 2, 1]));
    nat::remove("canoa", &bridge).unwrap();
    assert_eq!(seen_outside(&container, &outside), own, "and without it again");
}

fn not_among_containers() {
    let bridge = canoa0();
    nat::ensure("canoa", &bridge).unwrap();
    let (one, two) = (Netns::on(&bridge, [172, 29, 0, 2]), Netns::on(&bridge, [172, 29, 0, 3]));
    let server = read::serve(two.run(|| TcpListener::bind("0.0.0.0:80").unwrap()));
    assert!(one.run(|| read::reaches([172, 29, 0, 3], 80)));
    assert_eq!(server.join().unwrap(), IpAddr::from([172, 29, 0, 2]));
    // Nor from the host, whose own address is the gateway's.
    let server = read::serve(two.run(|| TcpListener::bind("0.0.0.0:80").unwrap()));
    assert!(read::reaches([172, 29, 0, 3], 80));
    assert_eq!(server.join().unwrap(), IpAddr::from([172, 29, 0, 1]));
}

fn one_rule() {
    let bridge = canoa0();
    for _ in 0..3 {
        nat::ensure("canoa", &bridge).unwrap();
        assert_eq!(read::rules(), ["canoa/masquerade-canoa0"]);
    }
}

fn other_subnet() {
    // As when an engine died before it could remove a network, and the name is used again.
    nat::ensure("canoa", &bridge_of("canoa0", "10.29.0.1/16")).unwrap();
    let bridge = canoa0();
    nat::ensure("canoa", &bridge).unwrap();
    assert_eq!(
        read::rules(),
        ["canoa/masquerade-canoa0"],
        "ex-05-4: the rule for the former subnet is still there"
    );
    let (container, outside) = container_and_outside(&bridge);
    assert_eq!(seen_outside(&container, &outside), IpAddr::from([192, 0, 2, 1]));
}

fn networks() -> (Bridge, Bridge) {
    (bridge_of("canoa0", "172.29.0.1/16"), bridge_of("br-2f01c3", "172.28.0.1/16"))
}

fn last_one() {
    let (one, two) = networks();
    nat::ensure("canoa", &one).unwrap();
    nat::ensure("canoa", &two).unwrap();
    assert_eq!(read::rules(), ["canoa/masquerade-br-2f01c3", "canoa/masquerade-canoa0"]);
    nat::remove("canoa", &one).unwrap();
    assert_eq!(read::rules(), ["canoa/masquerade-br-2f01c3"]);
    nat::remove("canoa", &one).unwrap();
    assert_eq!(read::rules(), ["canoa/masquerade-br-2f01c3"]);
    nat::remove("canoa", &two).unwrap();
    assert_eq!(read::rules(), [""; 0], "no table either");
    nat::remove("canoa", &two).unwrap();
}

fn two_engines() {
    let (one, two) = networks();
    nat::ensure("canoa", &one).unwrap();
    nat::ensure("canoa-test", &two).unwrap();
    nat::remove("canoa", &two).unwrap();
    nat::remove("canoa", &one).unwrap();
    assert_eq!(read::rules(), ["canoa-test/masquerade-br-2f01c3"]);
}

/// Somebody's firewall: a table with one base chain, without rules.
fn firewall(policy: u32) {
    let header = Nfgenmsg { nfgen_family: nix::libc::AF_INET as u8, ..Nfgenmsg::new() };
    let mut mark = Nfgenmsg::new();
    mark.set_res_id(10);
    let mut batch = Chained::new(1);
    batch.request().op_batch_begin_do(&mark);
    batch.request().set_create().op_newtable_do(&header).encode().push_name(c"filter");
    batch
        .request()
        .set_create()
        .op_newchain_do(&header)
        .encode()
        .push_table(c"filter")
        .push_name(c"FORWARD")
        .push_type(c"filter")
        .push_policy(policy)
        .nested_hook()
        .push_num(2)
        .push_priority(0)
        .end_nested();
    batch.request().op_batch_end_do(&mark);
    let mut socket = netlink_socket2::NetlinkSocket::new();
    socket.request_chained(&batch.finalize()).unwrap().recv_all().unwrap();
}

fn others() {
    let bridge = canoa0();
    firewall(1);
    nat::ensure("canoa", &bridge).unwrap();
    assert_eq!(read::rules(), ["canoa/masquerade-canoa0", "filter"]);
    nat::remove("canoa", &bridge).unwrap();
    assert_eq!(read::rules(), ["filter"]);
}

fn blocked() {
    assert_eq!(nat::forward_is_blocked().unwrap(), None);
    firewall(1);
    assert_eq!(nat::forward_is_blocked().unwrap(), None, "it accepts");
    firewall(0);
    let words = nat::forward_is_blocked().unwrap().expect("it drops");
    assert!(words.contains("FORWARD") && words.contains("ip filter"), "{words}");
}
