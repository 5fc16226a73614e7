//! The network `bridge`, and what is left of it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use e2e::case;
use e2e::case::Case;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;

pub const CASES: &[Case] = &[
    case!(two_containers_reach_each_other).needs(&[Need::Tool("busybox")]),
    case!(a_container_reaches_the_host_by_the_bridges_address).needs(&[Need::Root, Need::Tool("busybox")]),
    case!(the_host_reaches_a_container_by_its_address).needs(&[Need::Root]),
    case!(every_container_has_an_address_of_its_own),
    case!(an_address_is_used_again_after_rm),
    case!(nothing_of_a_containers_network_is_left_after_rm).needs(&[Need::Root]),
    case!(nothing_of_a_containers_network_is_left_after_it_is_killed).needs(&[Need::Root]),
    case!(network_ls_lists_bridge_host_and_none),
    case!(network_inspect_tells_the_subnet_and_who_is_in_it),
    case!(stopping_the_system_takes_the_bridge_and_the_rules_along).needs(&[
        Need::Root,
        Need::Canoa,
        Need::Tool("nft"),
    ]),
    case!(a_containers_way_out_is_translated).needs(&[Need::Root, Need::Canoa, Need::Tool("nft")]),
];

fn two_containers_reach_each_other(lab: &Lab) {
    lab.runs("server", &["sh", "-c", "echo hello > /page; exec busybox httpd -f -p 80 -h /"]);
    lab.runs("client", &["sleep", "1000"]);
    let address = lab.address("server");
    eventually("the server answers", || {
        lab.canoa(&["exec", "client", "busybox", "wget", "-qO-", &format!("http://{address}/page")]).stdout
            == "hello\n"
    });
    lab.canoa(&["exec", "client", "busybox", "ping", "-c", "1", "-W", "2", &address]).ok();
}

fn a_container_reaches_the_host_by_the_bridges_address(lab: &Lab) {
    lab.runs("client", &["sleep", "1000"]);
    let gateway = gateway(lab, "client");
    let listener = TcpListener::bind((gateway.as_str(), 0)).expect("the bridge's address is the host's");
    let port = listener.local_addr().unwrap().port().to_string();
    let server = thread::spawn(move || {
        let (mut stream, from) = listener.accept().unwrap();
        stream.write_all(b"from the host\n").unwrap();
        from.ip().to_string()
    });
    lab.canoa(&["exec", "client", "busybox", "nc", &gateway, &port]).ok().says("from the host");
    // Its own address is what is seen: nothing translates inside the bridge.
    assert_eq!(server.join().unwrap(), lab.address("client"));
}

fn the_host_reaches_a_container_by_its_address(lab: &Lab) {
    lab.runs("server", &["sh", "-c", "while true; do echo hello | busybox nc -l -p 80; done"]);
    let address = lab.address("server");
    let mut said = String::new();
    eventually("the server answers", || {
        let stream = std::net::TcpStream::connect((address.as_str(), 80));
        said.clear();
        stream.is_ok_and(|mut stream| stream.read_to_string(&mut said).is_ok())
    });
    assert_eq!(said, "hello\n");
}

fn gateway(lab: &Lab, name: &str) -> String {
    lab.inspect(name)["NetworkSettings"]["Networks"]["bridge"]["Gateway"].as_str().unwrap().to_owned()
}

fn every_container_has_an_address_of_its_own(lab: &Lab) {
    let mut addresses = Vec::new();
    for name in ["one", "two", "three"] {
        lab.runs(name, &["sleep", "1000"]);
        addresses.push(lab.address(name));
        // Inspect and the kernel agree.
        let shown = lab.canoa(&["exec", name, "ip", "addr", "show", "eth0"]).ok();
        shown.mentions(&format!("inet {}/", lab.address(name)));
    }
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 3);
    let route = lab.canoa(&["exec", "one", "ip", "route"]).ok();
    route.mentions(&format!("default via {}", gateway(lab, "one")));
}

fn an_address_is_used_again_after_rm(lab: &Lab) {
    // More containers than fit if none of their addresses came back is too many for a test: what an
    // ended container had must come back soon, though, whether in the next one or a few later.
    let mut addresses = Vec::new();
    for round in 0..4 {
        let name = format!("round-{round}");
        lab.runs(&name, &["sleep", "1000"]);
        addresses.push(lab.address(&name));
        lab.canoa(&["rm", "-f", &name]).ok();
    }
    addresses.sort();
    addresses.dedup();
    assert!(addresses.len() < 4, "each had another: {addresses:?}");
}

fn interfaces() -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir("/sys/class/net")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn nothing_of_a_containers_network_is_left_after_rm(lab: &Lab) {
    lab.canoa(&["run", "--rm", "base", "true"]).ok();
    eventually("only the bridge is left", || interfaces().len() == 2);
    let before = interfaces();
    lab.runs("one", &["sleep", "1000"]);
    lab.runs("two", &["sleep", "1000"]);
    assert_eq!(interfaces().len(), before.len() + 2, "{:?}", interfaces());
    lab.canoa(&["rm", "-f", "one", "two"]).ok();
    eventually("their interfaces are gone", || interfaces() == before);
}

fn nothing_of_a_containers_network_is_left_after_it_is_killed(lab: &Lab) {
    lab.runs("one", &["sleep", "1000"]);
    let with = interfaces();
    lab.host(&["kill", "-9", &lab.pid("one").to_string()]).ok();
    lab.canoa(&["wait", "one"]).ok().says("137");
    eventually("its interface is gone", || interfaces().len() == with.len() - 1);
}

fn network_ls_lists_bridge_host_and_none(lab: &Lab) {
    let table = lab.canoa(&["network", "ls"]).ok();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(table.lines()[0], "NETWORK ID     NAME      DRIVER    SCOPE", "{table}");
    let mut rows: Vec<_> = table.lines()[1..].iter().map(|line| words(line)[1..].join(" ")).collect();
    rows.sort();
    assert_eq!(rows, ["bridge bridge local", "host host local", "none null local"], "{table}");
}

fn network_inspect_tells_the_subnet_and_who_is_in_it(lab: &Lab) {
    let id = lab.runs("one", &["sleep", "1000"]);
    let told = lab.canoa(&["network", "inspect", "bridge"]).ok();
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert!(told[0]["IPAM"]["Config"][0]["Subnet"].as_str().unwrap().contains('/'), "{told}");
    let here = &told[0]["Containers"][&id];
    assert_eq!(here["Name"], "one", "{told}");
    assert!(here["IPv4Address"].as_str().unwrap().starts_with(&lab.address("one")), "{told}");
}

fn rules(lab: &Lab) -> String {
    lab.host(&["nft", "list", "ruleset"]).ok().stdout
}

fn stopping_the_system_takes_the_bridge_and_the_rules_along(lab: &Lab) {
    assert_eq!((interfaces(), rules(lab).as_str()), (vec!["lo".to_owned()], ""));
    lab.runs("one", &["sleep", "1000"]);
    assert_eq!(interfaces().len(), 3);
    assert_ne!(rules(lab), "");
    lab.canoa(&["rm", "-f", "one"]).ok();
    lab.canoa(&["system", "stop"]).ok();
    eventually("everything is as it was", || interfaces() == ["lo"] && rules(lab).is_empty());
}

fn a_containers_way_out_is_translated(lab: &Lab) {
    lab.runs("one", &["sleep", "1000"]);
    let rules = rules(lab);
    assert!(rules.contains("masquerade"), "{rules}");
    assert_eq!(fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap(), "1\n");
}
