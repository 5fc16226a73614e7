//! Names: containers of a network find each other, whatever happens to them.

use std::net::UdpSocket;

use e2e::case;
use e2e::case::Case;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;

use crate::docker_client::docker;

const BUSYBOX: &[Need] = &[Need::Tool("busybox")];

pub const CASES: &[Case] = &[
    case!(containers_of_a_network_know_each_other_by_name_alias_id_and_hostname).needs(BUSYBOX),
    case!(an_address_has_its_containers_name).needs(BUSYBOX),
    case!(a_shared_alias_has_all_addresses).needs(BUSYBOX),
    case!(a_link_is_a_name_that_one_container_alone_knows).needs(BUSYBOX).in_both_forms(),
    case!(docker_links_containers_of_a_network).needs(&[Need::Tool("busybox"), Need::Tool("docker")]),
    case!(who_comes_goes_and_is_renamed_is_seen_at_once).needs(BUSYBOX),
    case!(on_the_network_bridge_nobody_has_a_name).needs(BUSYBOX),
    case!(a_container_knows_the_names_of_its_own_networks_only).needs(BUSYBOX),
    case!(names_are_answered_while_the_engine_is_dead).needs(&[Need::Canoa, Need::Tool("busybox")]),
    // Docker asks it from inside, canoa from the host's network.
    case!(other_names_are_asked_of_the_server_that_was_given).needs(&[Need::Canoa, Need::Tool("busybox")]),
    case!(resolv_conf_names_the_server_inside),
    case!(a_read_only_container_resolves_names).needs(BUSYBOX),
    case!(a_flood_of_questions_does_not_end_the_container).needs(BUSYBOX),
];

#[track_caller]
fn runs(lab: &Lab, name: &str, flags: &[&str]) -> String {
    let command = ["base", "sleep", "1000"];
    lab.canoa(&[&["run", "-d", "--name", name], flags, &command].concat()).ok().text().to_owned()
}

fn address(lab: &Lab, name: &str, network: &str) -> String {
    lab.inspect(name)["NetworkSettings"]["Networks"][network]["IPAddress"].as_str().unwrap().to_owned()
}

/// The addresses (or, of an address, the names) that a container is told.
fn asks(lab: &Lab, who: &str, name: &str) -> Vec<String> {
    let said = lab.canoa(&["exec", who, "busybox", "nslookup", name, "127.0.0.11"]);
    let mut found: Vec<String> = Vec::new();
    for line in said.stdout.lines().skip(2) {
        let answer = line.strip_prefix("Address: ").or_else(|| Some(line.split_once("name = ")?.1));
        found.extend(answer.map(|text| text.trim().to_owned()));
    }
    found.sort();
    found
}

fn network(lab: &Lab, name: &str) {
    lab.canoa(&["network", "create", name]).ok();
}

fn containers_of_a_network_know_each_other_by_name_alias_id_and_hostname(lab: &Lab) {
    network(lab, "sea");
    runs(lab, "one", &["--network", "sea"]);
    let flags = ["--network", "sea", "--network-alias", "www", "--network-alias", "api", "-h", "host-of-two"];
    let id = runs(lab, "two", &flags);
    let there = address(lab, "two", "sea");
    for name in ["two", "www", "api", &id[..12], "host-of-two", "TWO", "two.sea"] {
        assert_eq!(asks(lab, "one", name), [there.as_str()], "{name}");
        assert_eq!(asks(lab, "two", name), [there.as_str()], "{name}");
    }
    lab.canoa(&["exec", "one", "busybox", "ping", "-c", "1", "-W", "2", "www"]).ok();
}

fn an_address_has_its_containers_name(lab: &Lab) {
    network(lab, "sea");
    runs(lab, "one", &["--network", "sea", "--network-alias", "www"]);
    assert_eq!(asks(lab, "one", &address(lab, "one", "sea")), ["one.sea"]);
}

fn a_shared_alias_has_all_addresses(lab: &Lab) {
    network(lab, "sea");
    let mut all = Vec::new();
    for name in ["one", "two", "three"] {
        runs(lab, name, &["--network", "sea", "--network-alias", "all"]);
        all.push(address(lab, name, "sea"));
    }
    all.sort();
    assert_eq!(asks(lab, "one", "all"), all);
}

fn a_link_is_a_name_that_one_container_alone_knows(lab: &Lab) {
    network(lab, "sea");
    runs(lab, "db", &["--network", "sea"]);
    runs(lab, "web", &["--network", "sea", "--link", "db:database", "--link", "later:cache"]);
    runs(lab, "other", &["--network", "sea"]);
    assert_eq!(asks(lab, "web", "database"), [address(lab, "db", "sea")]);
    assert_eq!(asks(lab, "other", "database"), [""; 0]);
    // The other one may come later, and come again.
    assert_eq!(asks(lab, "web", "cache"), [""; 0]);
    runs(lab, "later", &["--network", "sea"]);
    assert_eq!(asks(lab, "web", "cache"), [address(lab, "later", "sea")]);
    lab.canoa(&["rm", "-f", "db"]).ok();
    assert_eq!(asks(lab, "web", "database"), [""; 0]);
    runs(lab, "filler", &["--network", "sea"]);
    runs(lab, "db", &["--network", "sea"]);
    assert_eq!(asks(lab, "web", "database"), [address(lab, "db", "sea")]);
    let links = &lab.inspect("web")["NetworkSettings"]["Networks"]["sea"]["Links"];
    assert_eq!(*links, serde_json::json!(["db:database", "later:cache"]));
    // And so when it is connected while it runs, or after a start of its own.
    lab.canoa(&["network", "connect", "--link", "db:store", "sea", "other"]).exits(1);
    lab.canoa(&["network", "disconnect", "sea", "other"]).ok();
    lab.canoa(&["network", "connect", "--link", "db:store", "sea", "other"]).ok();
    assert_eq!(asks(lab, "other", "store"), [address(lab, "db", "sea")]);
    lab.canoa(&["restart", "-t", "0", "other"]).ok();
    assert_eq!(asks(lab, "other", "store"), [address(lab, "db", "sea")]);
}

fn docker_links_containers_of_a_network(lab: &Lab) {
    network(lab, "sea");
    runs(lab, "db", &["--network", "sea"]);
    let look = ["base", "busybox", "nslookup", "database", "127.0.0.11"];
    let linked = ["run", "--rm", "--network", "sea", "--link", "db:database"];
    docker(lab, &[&linked[..], &look].concat()).ok().mentions(&address(lab, "db", "sea"));
}

fn who_comes_goes_and_is_renamed_is_seen_at_once(lab: &Lab) {
    network(lab, "sea");
    runs(lab, "one", &["--network", "sea"]);
    assert_eq!(asks(lab, "one", "two"), [""; 0]);
    runs(lab, "two", &["--network", "sea"]);
    assert_eq!(asks(lab, "one", "two"), [address(lab, "two", "sea")]);
    lab.canoa(&["rename", "two", "second"]).ok();
    assert_eq!(asks(lab, "one", "second"), [address(lab, "second", "sea")]);
    assert_eq!(asks(lab, "one", "two"), [""; 0]);
    lab.runs("three", &["sleep", "1000"]);
    lab.canoa(&["network", "connect", "--alias", "third", "sea", "three"]).ok();
    assert_eq!(asks(lab, "one", "third"), [address(lab, "three", "sea")]);
    assert_eq!(asks(lab, "three", "one"), [address(lab, "one", "sea")]);
    lab.canoa(&["network", "disconnect", "sea", "three"]).ok();
    assert_eq!(asks(lab, "one", "third"), [""; 0]);
    lab.canoa(&["rm", "-f", "second"]).ok();
    assert_eq!(asks(lab, "one", "second"), [""; 0]);
}

fn on_the_network_bridge_nobody_has_a_name(lab: &Lab) {
    lab.runs("one", &["sleep", "1000"]);
    lab.runs("two", &["sleep", "1000"]);
    assert_ne!(lab.canoa(&["exec", "one", "busybox", "ping", "-c", "1", "-W", "1", "two"]).code, 0);
    let resolv = lab.canoa(&["exec", "one", "cat", "/etc/resolv.conf"]).ok();
    assert!(!resolv.stdout.contains("127.0.0.11"), "{resolv}");
}

fn a_container_knows_the_names_of_its_own_networks_only(lab: &Lab) {
    network(lab, "sea");
    network(lab, "lake");
    runs(lab, "one", &["--network", "sea"]);
    runs(lab, "two", &["--network", "lake"]);
    runs(lab, "both", &["--network", "sea"]);
    lab.canoa(&["network", "connect", "lake", "both"]).ok();
    assert_eq!(asks(lab, "one", "two"), [""; 0]);
    assert_eq!(asks(lab, "both", "one"), [address(lab, "one", "sea")]);
    assert_eq!(asks(lab, "both", "two"), [address(lab, "two", "lake")]);
    assert_eq!(asks(lab, "two", "both"), [address(lab, "both", "lake")]);
}

fn names_are_answered_while_the_engine_is_dead(lab: &Lab) {
    network(lab, "sea");
    let said = "until busybox nslookup two; do sleep 0.1; done; sleep 2; busybox nslookup two; echo end";
    lab.canoa(&["run", "-d", "--name", "one", "--network", "sea", "base", "sh", "-c", said]).ok();
    runs(lab, "two", &["--network", "sea"]);
    lab.kill_daemon();
    std::thread::sleep(std::time::Duration::from_secs(4));
    lab.start_daemon();
    let there = address(lab, "two", "sea");
    eventually("it has asked again", || lab.canoa(&["logs", "one"]).stdout.contains("end"));
    let logs = lab.canoa(&["logs", "one"]).ok();
    let last = logs.stdout.rsplit_once("Server:").unwrap().1;
    assert!(last.contains(&format!("Address: {there}")), "{logs}");
}

fn other_names_are_asked_of_the_server_that_was_given(lab: &Lab) {
    network(lab, "sea");
    // A server of the lab's, at an address of its loopback interface: seen from the host only.
    let Ok(server) = UdpSocket::bind("127.0.0.99:53") else {
        // An ordinary user may not have port 53. Then at least a failure is told at once.
        runs(lab, "one", &["--network", "sea", "--dns", "127.0.0.99"]);
        assert_eq!(asks(lab, "one", "host.example"), [""; 0]);
        return;
    };
    std::thread::spawn(move || {
        let mut bytes = [0; 512];
        while let Ok((length, from)) = server.recv_from(&mut bytes) {
            let mut answer = bytes[..length].to_vec();
            answer[2] |= 0x80;
            // One answer to the question at byte 12: A, IN, a minute, 192.0.2.7; nothing for AAAA.
            if bytes[length - 3] == 1 {
                answer[7] = 1;
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
            }
            let _ = server.send_to(&answer, from);
        }
    });
    runs(lab, "one", &["--network", "sea", "--dns", "127.0.0.99"]);
    assert_eq!(asks(lab, "one", "host.example"), ["192.0.2.7"]);
    assert_eq!(asks(lab, "one", "one"), [address(lab, "one", "sea")]);
    // Nothing leaves an internal network.
    lab.canoa(&["network", "create", "--internal", "cave"]).ok();
    runs(lab, "two", &["--network", "cave", "--dns", "127.0.0.99"]);
    assert_eq!(asks(lab, "two", "host.example"), [""; 0]);
    assert_eq!(asks(lab, "two", "two"), [address(lab, "two", "cave")]);
}

fn resolv_conf_names_the_server_inside(lab: &Lab) {
    network(lab, "sea");
    let said = lab.canoa(&["run", "--rm", "--network", "sea", "base", "cat", "/etc/resolv.conf"]).ok();
    let servers: Vec<&str> = said.lines().into_iter().filter(|line| line.starts_with("nameserver")).collect();
    assert_eq!(servers, ["nameserver 127.0.0.11"], "{said}");
    said.mentions("ndots:0");
}

fn a_read_only_container_resolves_names(lab: &Lab) {
    network(lab, "sea");
    runs(lab, "one", &["--network", "sea"]);
    let flags = ["run", "--rm", "--network", "sea", "--read-only", "base"];
    lab.canoa(&[&flags[..], &["busybox", "nslookup", "one"]].concat())
        .ok()
        .mentions(&address(lab, "one", "sea"));
}

fn a_flood_of_questions_does_not_end_the_container(lab: &Lab) {
    network(lab, "sea");
    runs(lab, "one", &["--network", "sea"]);
    let flood = "head -c 200000 /dev/urandom > /tmp/noise; for i in 1 2 3; do \
                 busybox nc -u -w 1 127.0.0.11 53 < /tmp/noise > /dev/null; \
                 busybox nc -w 1 127.0.0.11 53 < /tmp/noise > /dev/null; done; true";
    lab.canoa(&["exec", "one", "sh", "-c", flood]).ok();
    assert_eq!(asks(lab, "one", "one"), [address(lab, "one", "sea")]);
}
