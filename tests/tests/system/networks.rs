//! Networks of people's own: made, listed, joined, left and removed.

use std::fs;

use e2e::case;
use e2e::case::Case;
use e2e::engine::Kind;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;
use e2e::program::Ran;
use serde_json::Value;

pub const CASES: &[Case] = &[
    case!(a_network_is_made_listed_inspected_and_removed),
    case!(a_network_can_not_be_made_twice),
    case!(the_three_networks_that_are_always_there_can_not_be_removed),
    case!(a_network_with_containers_on_it_can_not_be_removed_until_they_have_left),
    case!(a_network_has_the_addresses_that_were_asked_for),
    case!(what_makes_no_sense_of_a_network_is_refused_by_name),
    case!(a_network_that_would_hide_a_route_of_the_host_is_refused).needs(&[Need::Root, Need::Canoa]),
    case!(each_network_has_a_bridge_of_its_own_and_rules_that_go_with_it).needs(&[
        Need::Root,
        Need::Canoa,
        Need::Tool("nft"),
    ]),
    case!(network_ls_filters_and_formats),
    case!(network_prune_removes_what_nobody_is_on),
    case!(a_container_has_the_address_that_it_was_asked_to_have),
    case!(an_address_that_is_taken_or_foreign_is_refused),
    case!(containers_of_two_networks_do_not_reach_each_other).needs(&[Need::Tool("busybox")]),
    case!(nothing_leads_out_of_an_internal_network).needs(&[Need::Tool("busybox")]),
    case!(a_container_that_runs_is_connected_and_disconnected).needs(&[Need::Tool("busybox")]),
    case!(a_container_that_does_not_run_is_connected_and_disconnected),
    // Docker takes them in any order.
    case!(a_container_begins_on_several_networks).needs(&[Need::Canoa]),
    case!(the_way_out_is_by_the_first_network_by_name).needs(&[Need::Tool("busybox")]),
    case!(connecting_what_can_not_be_connected_is_refused),
    case!(a_container_shares_the_network_of_another).needs(&[Need::Tool("busybox")]),
    case!(network_events_are_told).needs(&[Need::Canoa]),
    case!(networks_and_addresses_survive_a_crash_of_the_engine),
];

fn network(lab: &Lab, name: &str) -> Value {
    let said = lab.canoa(&["network", "inspect", name]).ok();
    let list: Value = serde_json::from_str(&said.stdout).unwrap();
    list[0].clone()
}

/// Starts a container on these networks.
#[track_caller]
fn runs_on(lab: &Lab, name: &str, flags: &[&str]) -> String {
    let command = ["base", "sleep", "1000"];
    let arguments = [&["run", "-d", "--name", name], flags, &command].concat();
    lab.canoa(&arguments).ok().text().to_owned()
}

/// A container's address on a network.
#[track_caller]
fn address(lab: &Lab, name: &str, network: &str) -> String {
    let networks = &lab.inspect(name)["NetworkSettings"]["Networks"];
    let address = networks[network]["IPAddress"].as_str().unwrap_or_default().to_owned();
    assert!(!address.is_empty(), "{name} should have an address on {network}: {networks}");
    address
}

fn pings(lab: &Lab, from: &str, to: &str) -> bool {
    lab.canoa(&["exec", from, "busybox", "ping", "-c", "1", "-W", "1", to]).code == 0
}

fn a_network_is_made_listed_inspected_and_removed(lab: &Lab) {
    let id = lab.canoa(&["network", "create", "--label", "who=me", "sea"]).ok().text().to_owned();
    assert!(id.len() == 64 && id.bytes().all(|digit| digit.is_ascii_hexdigit()), "{id}");
    let told = network(lab, "sea");
    assert_eq!((told["Id"].as_str(), told["Driver"].as_str()), (Some(id.as_str()), Some("bridge")));
    assert_eq!(told["Labels"]["who"], "me");
    assert!(told["IPAM"]["Config"][0]["Subnet"].as_str().unwrap().contains('/'), "{told}");
    assert_eq!(network(lab, &id[..12])["Name"], "sea");
    lab.canoa(&["network", "ls"]).ok().mentions("sea");
    lab.canoa(&["network", "rm", "sea"]).ok().says("sea");
    lab.canoa(&["network", "inspect", "sea"]).exits(1).complains_about("network sea not found");
    lab.canoa(&["network", "rm", "sea"]).exits(1).complains_about("network sea not found");
}

fn a_network_can_not_be_made_twice(lab: &Lab) {
    lab.canoa(&["network", "create", "sea"]).ok();
    lab.canoa(&["network", "create", "sea"]).exits(1).complains_about("network with name sea already exists");
    lab.canoa(&["network", "create", "bridge"]).exits(1);
}

fn the_three_networks_that_are_always_there_can_not_be_removed(lab: &Lab) {
    for name in ["bridge", "host", "none"] {
        let why = format!("{name} is a pre-defined network and cannot be removed");
        lab.canoa(&["network", "rm", name]).exits(1).complains_about(&why);
    }
}

fn a_network_with_containers_on_it_can_not_be_removed_until_they_have_left(lab: &Lab) {
    let id = lab.canoa(&["network", "create", "sea"]).ok().text().to_owned();
    runs_on(lab, "web", &["--network", "sea"]);
    let refused = lab.canoa(&["network", "rm", "sea"]).exits(1);
    refused
        .complains_about("error while removing network: network sea")
        .complains_about("has active endpoints");
    assert_eq!(network(lab, "sea")["Id"], id);
    lab.canoa(&["stop", "-t", "0", "web"]).ok();
    eventually("its place is free", || lab.canoa(&["network", "rm", "sea"]).code == 0);
    // Its network is gone, and another of the same name isn't the same.
    lab.canoa(&["network", "create", "sea"]).ok();
    lab.canoa(&["start", "web"]).exits(1).complains_about(&id);
}

fn a_network_has_the_addresses_that_were_asked_for(lab: &Lab) {
    let flags = ["--subnet", "10.77.0.0/24", "--gateway", "10.77.0.254", "--ip-range", "10.77.0.128/25"];
    lab.canoa(&[&["network", "create"], &flags[..], &["sea"]].concat()).ok();
    let config = network(lab, "sea")["IPAM"]["Config"][0].clone();
    assert_eq!(config["Subnet"], "10.77.0.0/24");
    assert_eq!(config["Gateway"], "10.77.0.254");
    assert_eq!(config["IPRange"], "10.77.0.128/25");
    runs_on(lab, "web", &["--network", "sea"]);
    let last: u8 = address(lab, "web", "sea").strip_prefix("10.77.0.").unwrap().parse().unwrap();
    assert!(last >= 128, "{last}");
    lab.canoa(&["exec", "web", "ip", "route"]).ok().mentions("default via 10.77.0.254");
}

fn what_makes_no_sense_of_a_network_is_refused_by_name(lab: &Lab) {
    let refused = |flags: &[&str]| -> Ran {
        let ran = lab.canoa(&[&["network", "create"], flags, &["sea"]].concat());
        assert_ne!(ran.code, 0, "{flags:?}");
        ran
    };
    refused(&["--subnet", "10.77.0.0/33"]).complains_about("10.77.0.0/33");
    refused(&["--subnet", "10.77.0.0/24", "--gateway", "10.78.0.1"]).complains_about("10.78.0.1");
    refused(&["--driver", "overlord"]).complains_about("overlord");
    lab.canoa(&["network", "create", "--subnet", "10.77.0.0/16", "lake"]).ok();
    refused(&["--subnet", "10.77.8.0/24"])
        .complains_about("Pool overlaps with other one on this address space");
    // Nothing of it is left.
    let names = lab.canoa(&["network", "ls", "--format", "{{.Name}}"]).ok();
    assert_eq!(names.lines(), ["bridge", "host", "lake", "none"]);
}

fn a_network_that_would_hide_a_route_of_the_host_is_refused(lab: &Lab) {
    lab.host(&["ip", "link", "add", "lan0", "type", "bridge"]).ok();
    lab.host(&["ip", "addr", "add", "10.77.3.1/24", "dev", "lan0"]).ok();
    let refused = lab.canoa(&["network", "create", "--subnet", "10.77.0.0/16", "sea"]).exits(1);
    refused.complains_about("10.77.0.0/16").complains_about("route");
    lab.canoa(&["network", "create", "--subnet", "10.78.0.0/16", "sea"]).ok();
}

fn each_network_has_a_bridge_of_its_own_and_rules_that_go_with_it(lab: &Lab) {
    let id = lab.canoa(&["network", "create", "sea"]).ok().text().to_owned();
    let bridge = format!("br-{}", &id[..12]);
    let subnet = network(lab, "sea")["IPAM"]["Config"][0]["Subnet"].as_str().unwrap().to_owned();
    lab.host(&["ip", "addr", "show", &bridge]).ok();
    let rules = lab.host(&["nft", "list", "ruleset"]).ok();
    let rules = rules.mentions(&format!("elements = {{ \"{bridge}\" }}"));
    rules.mentions(&format!("ip saddr {subnet} oifname != \"{bridge}\" masquerade"));
    lab.canoa(&["network", "create", "-o", "com.docker.network.bridge.name=lake0", "lake"]).ok();
    lab.host(&["ip", "addr", "show", "lake0"]).ok();
    lab.canoa(&["network", "rm", "sea", "lake"]).ok();
    assert_ne!(lab.host(&["ip", "addr", "show", &bridge]).code, 0);
    assert_eq!(lab.host(&["nft", "list", "ruleset"]).ok().stdout, "");
}

fn network_ls_filters_and_formats(lab: &Lab) {
    let id = lab.canoa(&["network", "create", "--label", "who=me", "sea"]).ok().text().to_owned();
    let list = |filter: &str| -> Vec<String> {
        let said = lab.canoa(&["network", "ls", "-f", filter, "--format", "{{.Name}}"]).ok();
        said.lines().iter().map(|&line| line.to_owned()).collect()
    };
    assert_eq!(list("type=custom"), ["sea"]);
    assert_eq!(list("type=builtin"), ["bridge", "host", "none"]);
    assert_eq!(list("label=who"), ["sea"]);
    assert_eq!(list("label=who=you"), [""; 0]);
    assert_eq!(list("driver=null"), ["none"]);
    assert_eq!(list("dangling=true"), ["sea"]);
    lab.canoa(&["network", "ls", "-q", "-f", "name=sea"]).ok().says(&id[..12]);
    lab.canoa(&["network", "ls", "-q", "--no-trunc", "-f", "name=sea"]).ok().says(&id);
}

fn network_prune_removes_what_nobody_is_on(lab: &Lab) {
    for name in ["sea", "lake", "pond"] {
        lab.canoa(&["network", "create", name]).ok();
    }
    runs_on(lab, "web", &["--network", "lake"]);
    let pruned = lab.canoa(&["network", "prune", "-f"]).ok();
    pruned.mentions("Deleted Networks:").mentions("sea").mentions("pond");
    let names = lab.canoa(&["network", "ls", "--format", "{{.Name}}"]).ok();
    assert_eq!(names.lines(), ["bridge", "host", "lake", "none"]);
}

fn a_container_has_the_address_that_it_was_asked_to_have(lab: &Lab) {
    lab.canoa(&["network", "create", "--subnet", "10.77.0.0/24", "sea"]).ok();
    let wanted = format!("10.77.0.{}", 10 + std::process::id() % 200);
    runs_on(lab, "web", &["--network", "sea", "--ip", &wanted]);
    assert_eq!(address(lab, "web", "sea"), wanted);
    lab.canoa(&["exec", "web", "ip", "addr", "show", "eth0"]).ok().mentions(&format!("inet {wanted}/24"));
    // Also the next time.
    lab.canoa(&["restart", "-t", "0", "web"]).ok();
    assert_eq!(address(lab, "web", "sea"), wanted);
}

fn an_address_that_is_taken_or_foreign_is_refused(lab: &Lab) {
    lab.canoa(&["network", "create", "--subnet", "10.77.0.0/24", "sea"]).ok();
    lab.canoa(&["network", "create", "lake"]).ok();
    let run = |network: &str, ip: &str| {
        lab.canoa(&["run", "--rm", "--network", network, "--ip", ip, "base", "true"]).exits(125)
    };
    runs_on(lab, "web", &["--network", "sea", "--ip", "10.77.0.9"]);
    run("sea", "10.77.0.9").complains_about("Address already in use");
    run("sea", "10.78.0.9").complains_about("10.78.0.9");
    run("lake", "172.29.0.9").complains_about("user configured subnets");
    run("bridge", "172.29.0.9").complains_about("user defined networks only");
}

fn containers_of_two_networks_do_not_reach_each_other(lab: &Lab) {
    for name in ["sea", "lake"] {
        lab.canoa(&["network", "create", name]).ok();
    }
    runs_on(lab, "one", &["--network", "sea"]);
    runs_on(lab, "two", &["--network", "lake"]);
    runs_on(lab, "friend", &["--network", "sea"]);
    lab.runs("plain", &["sleep", "1000"]);
    assert!(pings(lab, "one", &address(lab, "friend", "sea")));
    assert!(!pings(lab, "one", &address(lab, "two", "lake")));
    assert!(!pings(lab, "one", &lab.address("plain")));
    assert!(!pings(lab, "plain", &address(lab, "two", "lake")));
}

fn nothing_leads_out_of_an_internal_network(lab: &Lab) {
    lab.canoa(&["network", "create", "--internal", "cave"]).ok();
    assert_eq!(network(lab, "cave")["Internal"], true);
    for name in ["one", "two"] {
        runs_on(lab, name, &["--network", "cave"]);
    }
    assert!(pings(lab, "one", &address(lab, "two", "cave")));
    let routes = lab.canoa(&["exec", "one", "ip", "route"]).ok();
    // Older dockerds leave the route, and drop what takes it.
    assert!(!Kind::of_the_engine().is_canoa() || !routes.stdout.contains("default"), "{routes}");
}

fn a_container_that_runs_is_connected_and_disconnected(lab: &Lab) {
    lab.canoa(&["network", "create", "sea"]).ok();
    lab.runs("web", &["sleep", "1000"]);
    runs_on(lab, "friend", &["--network", "sea"]);
    let there = address(lab, "friend", "sea");
    assert!(!pings(lab, "web", &there));
    lab.canoa(&["network", "connect", "--alias", "www", "sea", "web"]).ok();
    assert!(pings(lab, "web", &there));
    lab.canoa(&["exec", "web", "ip", "addr", "show", "eth1"])
        .ok()
        .mentions(&format!("inet {}/", address(lab, "web", "sea")));
    // It is known by name from now on, and knows others.
    assert!(pings(lab, "web", "friend") && pings(lab, "friend", "www"));
    lab.canoa(&["exec", "web", "cat", "/etc/hosts"]).ok().mentions(&address(lab, "web", "sea"));
    let told = network(lab, "sea");
    assert_eq!(told["Containers"].as_object().unwrap().len(), 2, "{told}");
    lab.canoa(&["network", "connect", "sea", "web"])
        .exits(1)
        .complains_about("already exists in network sea");

    lab.canoa(&["network", "disconnect", "sea", "web"]).ok();
    assert!(!pings(lab, "web", &there) && !pings(lab, "friend", "www"));
    assert_ne!(lab.canoa(&["exec", "web", "ip", "addr", "show", "eth1"]).code, 0);
    lab.canoa(&["network", "disconnect", "sea", "web"]).exits(1).complains_about("is not connected to");
    // And again.
    lab.canoa(&["network", "connect", "sea", "web"]).ok();
    assert!(pings(lab, "web", "friend"));
}

fn a_container_that_does_not_run_is_connected_and_disconnected(lab: &Lab) {
    lab.canoa(&["network", "create", "sea"]).ok();
    lab.canoa(&["create", "--name", "web", "base", "sleep", "1000"]).ok();
    lab.canoa(&["network", "connect", "sea", "web"]).ok();
    lab.canoa(&["network", "disconnect", "bridge", "web"]).ok();
    lab.canoa(&["start", "web"]).ok();
    address(lab, "web", "sea");
    let networks = lab.inspect("web")["NetworkSettings"]["Networks"].clone();
    assert_eq!(networks.as_object().unwrap().keys().collect::<Vec<_>>(), ["sea"], "{networks}");
}

fn a_container_begins_on_several_networks(lab: &Lab) {
    for name in ["sea", "lake"] {
        lab.canoa(&["network", "create", name]).ok();
    }
    lab.canoa(&["create", "--name", "web", "--network", "sea", "base", "sleep", "1000"]).ok();
    lab.canoa(&["network", "connect", "lake", "web"]).ok();
    lab.canoa(&["start", "web"]).ok();
    let shows = |interface: &str, network: &str| {
        let shown = lab.canoa(&["exec", "web", "ip", "addr", "show", interface]).ok();
        shown.mentions(&format!("inet {}/", address(lab, "web", network)));
    };
    shows("eth0", "sea");
    shows("eth1", "lake");
    // It has them again after a restart.
    lab.canoa(&["restart", "-t", "0", "web"]).ok();
    shows("eth0", "sea");
    shows("eth1", "lake");
}

fn the_way_out_is_by_the_first_network_by_name(lab: &Lab) {
    for name in ["b-sea", "a-lake"] {
        lab.canoa(&["network", "create", name]).ok();
    }
    lab.canoa(&["network", "create", "--internal", "a-cave"]).ok();
    let gateway =
        |name: &str| network(lab, name)["IPAM"]["Config"][0]["Gateway"].as_str().unwrap().to_owned();
    runs_on(lab, "web", &["--network", "b-sea"]);
    let leads_by = |name: &str| {
        let routes = lab.canoa(&["exec", "web", "ip", "route"]).ok();
        let ways: Vec<&str> = routes.lines().into_iter().filter(|line| line.starts_with("default")).collect();
        assert_eq!(ways.len(), 1, "{routes}");
        assert!(ways[0].starts_with(&format!("default via {} ", gateway(name))), "{name}: {routes}");
    };
    leads_by("b-sea");
    lab.canoa(&["network", "connect", "a-cave", "web"]).ok();
    leads_by("b-sea");
    lab.canoa(&["network", "connect", "a-lake", "web"]).ok();
    leads_by("a-lake");
    lab.canoa(&["network", "disconnect", "a-lake", "web"]).ok();
    leads_by("b-sea");
}

fn connecting_what_can_not_be_connected_is_refused(lab: &Lab) {
    lab.canoa(&["network", "create", "sea"]).ok();
    runs_on(lab, "lonely", &["--network", "none"]);
    runs_on(lab, "open", &["--network", "host"]);
    lab.runs("web", &["sleep", "1000"]);
    lab.canoa(&["network", "connect", "sea", "lonely"]).exits(1).complains_about("private (none) mode");
    lab.canoa(&["network", "connect", "sea", "open"]).exits(1).complains_about("sharing network namespace");
    lab.canoa(&["network", "connect", "host", "web"]).exits(1).complains_about("host network");
    lab.canoa(&["network", "connect", "lake", "web"]).exits(1).complains_about("network lake not found");
    lab.canoa(&["network", "connect", "sea", "nobody"]).exits(1).complains_about("No such container: nobody");
    lab.canoa(&["run", "--rm", "--network", "lake", "base", "true"])
        .exits(125)
        .complains_about("lake not found");
    lab.canoa(&["run", "--rm", "--network-alias", "x", "base", "true"]).exits(125);
}

fn a_container_shares_the_network_of_another(lab: &Lab) {
    lab.canoa(&["network", "create", "sea"]).ok();
    runs_on(lab, "web", &["--network", "sea"]);
    runs_on(lab, "guest", &["--network", "container:web"]);
    let namespace =
        |name: &str| lab.canoa(&["exec", name, "readlink", "/proc/self/ns/net"]).ok().text().to_owned();
    assert_eq!(namespace("web"), namespace("guest"));
    let there = address(lab, "web", "sea");
    lab.canoa(&["exec", "guest", "ip", "addr", "show", "eth0"]).ok().mentions(&format!("inet {there}/"));
    for file in ["/etc/hosts", "/etc/resolv.conf", "/etc/hostname"] {
        let read = |name: &str| lab.canoa(&["exec", name, "cat", file]).ok().stdout;
        assert_eq!(read("web"), read("guest"), "{file}");
    }
    // Names, too; and a network more for one is one for both.
    assert!(pings(lab, "guest", "web"));
    lab.canoa(&["network", "create", "lake"]).ok();
    lab.canoa(&["network", "connect", "lake", "web"]).ok();
    lab.canoa(&["exec", "guest", "ip", "addr", "show", "eth1"]).ok();
    lab.canoa(&["network", "connect", "lake", "guest"]).exits(1).complains_about("sharing network namespace");
    // Without the other there is nothing to share; and it may be called something else by then.
    lab.canoa(&["rm", "-f", "guest"]).ok();
    lab.canoa(&["create", "--name", "late", "--network", "container:web", "base", "true"]).ok();
    lab.canoa(&["rename", "web", "spider"]).ok();
    lab.canoa(&["stop", "-t", "0", "spider"]).ok();
    lab.canoa(&["start", "late"]).exits(1).complains_about("cannot join network of a non running container");
    lab.canoa(&["start", "spider"]).ok();
    lab.canoa(&["start", "-a", "late"]).ok();
    let nobody = ["run", "--rm", "--network", "container:nobody", "base", "true"];
    lab.canoa(&nobody).exits(125).complains_about("No such container: nobody");
}

fn network_events_are_told(lab: &Lab) {
    lab.canoa(&["network", "create", "sea"]).ok();
    lab.runs("web", &["sleep", "1000"]);
    lab.canoa(&["network", "connect", "sea", "web"]).ok();
    lab.canoa(&["network", "disconnect", "sea", "web"]).ok();
    lab.canoa(&["network", "rm", "sea"]).ok();
    let url = "http://x/v1.47/events?since=1&until=4000000000&filters=%7B%22type%22%3A%5B%22network%22%5D%7D";
    let socket = lab.socket();
    let said = lab.host(&["curl", "-s", "-m", "2", "--unix-socket", &socket.to_string_lossy(), url]);
    let about = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        let named = event["Actor"]["Attributes"]["name"] == "sea";
        named.then(|| event["Action"].as_str().unwrap().to_owned())
    };
    let actions: Vec<String> = said.lines().into_iter().filter_map(about).collect();
    assert_eq!(actions, ["create", "connect", "disconnect", "destroy"], "{said}");
}

fn networks_and_addresses_survive_a_crash_of_the_engine(lab: &Lab) {
    let id = lab.canoa(&["network", "create", "sea"]).ok().text().to_owned();
    runs_on(lab, "one", &["--network", "sea"]);
    let before = address(lab, "one", "sea");
    if Kind::of_the_engine().is_canoa() {
        // A lease whose owner is no more: as if the engine had died between taking it and the start.
        let lease = lab.data_root().join(format!("networks/{id}/leases"));
        std::os::unix::fs::symlink("f".repeat(64), lease.join(before.replace(".2", ".3"))).unwrap();
        lab.kill_daemon();
        lab.start_daemon();
        eventually("it is free", || fs::read_dir(&lease).unwrap().count() == 2);
    }
    assert_eq!(address(lab, "one", "sea"), before);
    runs_on(lab, "two", &["--network", "sea"]);
    assert_ne!(address(lab, "two", "sea"), before);
    lab.canoa(&["network", "rm", "sea"]).exits(1).complains_about("has active endpoints");
    lab.canoa(&["rm", "-f", "one", "two"]).ok();
    eventually("it can be removed", || lab.canoa(&["network", "rm", "sea"]).code == 0);
}
