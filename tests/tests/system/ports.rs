//! Published ports: who reaches a container by its host, and who can't have a port.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use e2e::case;
use e2e::case::Case;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;
use e2e::program::Ran;
use nix::sched::{CloneFlags, setns};

const BUSYBOX: &[Need] = &[Need::Tool("busybox")];
const OUTSIDE: &[Need] = &[Need::Root, Need::Tool("busybox"), Need::Tool("perl"), Need::Tool("ip")];
const CANOA: &[Need] = &[Need::Canoa, Need::Tool("busybox")];
const RULES: &[Need] = &[Need::Root, Need::Canoa, Need::Tool("busybox"), Need::Tool("nft")];

pub const CASES: &[Case] = &[
    case!(a_published_port_is_reached_by_every_address_of_the_host).needs(BUSYBOX),
    case!(a_published_udp_port_is_reached_by_every_address_of_the_host).needs(&[Need::Tool("perl")]),
    case!(a_published_port_is_reached_from_another_host).needs(OUTSIDE),
    case!(a_published_port_is_reached_from_another_host_whose_firewall_forwards_nothing).needs(&[
        Need::Root,
        Need::Canoa,
        Need::Tool("busybox"),
        Need::Tool("ip"),
        Need::Tool("nft"),
    ]),
    case!(containers_reach_a_published_port_by_the_host_and_so_does_its_own).needs(BUSYBOX),
    case!(a_container_of_another_network_reaches_a_published_port).needs(BUSYBOX),
    case!(a_port_of_one_address_is_not_at_another).needs(BUSYBOX),
    case!(a_port_that_another_container_has_is_an_error_and_nothing_was_set_up).needs(BUSYBOX),
    case!(a_port_that_another_program_has_is_an_error),
    case!(a_port_asked_for_twice_is_an_error),
    case!(a_port_is_free_when_its_container_has_ended).needs(BUSYBOX),
    case!(a_port_is_free_when_its_monitor_was_killed).needs(CANOA),
    case!(a_published_port_lives_on_without_the_daemon).needs(CANOA),
    case!(a_port_is_free_when_its_container_has_ended_without_a_daemon).needs(CANOA),
    case!(ps_port_and_inspect_tell_which_ports_are_published),
    case!(the_docker_command_publishes_and_shows_ports).needs(&[Need::Tool("docker"), Need::Tool("busybox")]),
    case!(exposed_ports_are_published_at_free_ports),
    case!(ranges_of_ports_are_published_in_their_order),
    case!(ports_that_make_no_sense_are_refused_by_name).needs(&[Need::Canoa]),
    case!(ports_are_published_again_at_the_next_start).needs(BUSYBOX),
    case!(the_last_container_and_system_stop_leave_no_rule_of_ports).needs(RULES),
];

/// Ports that are free just now, in a row. As an ordinary user the host's own are what is used.
fn free(count: u16) -> u16 {
    loop {
        let first = TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
        // Below the range from which the kernel chooses by itself, where nobody takes one meanwhile.
        let first = first % 20_000 + 10_000;
        let all_free = (first..first + count).all(|port| {
            TcpListener::bind(("0.0.0.0", port)).is_ok() && UdpSocket::bind(("0.0.0.0", port)).is_ok()
        });
        if all_free {
            return first;
        }
    }
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    bytes
}

/// A container that answers each connection to its port 80 with what was said.
fn echoes(lab: &Lab, name: &str, publish: &[&str]) {
    let mut arguments = vec!["run", "-d", "--name", name];
    for one in publish {
        arguments.extend(["-p", one]);
    }
    arguments.extend(["base", "busybox", "nc", "-ll", "-p", "80", "-e", "cat"]);
    lab.canoa(&arguments).ok();
}

/// A container that answers each packet to its port 53 with what it says. (busybox has no UDP: the host's
/// own perl is lent.)
fn echoes_by_udp(lab: &Lab, name: &str, publish: &[&str]) {
    let program = "socket(S, PF_INET, SOCK_DGRAM, 17) or die; bind(S, sockaddr_in(53, INADDR_ANY)) or die; \
                   while (my $sender = recv(S, my $text, 65536, 0)) { send(S, $text, 0, $sender) }";
    let mut arguments = vec!["run", "-d", "--name", name];
    let mut lent_paths = Vec::new();
    for lent in
        ["/usr/bin/perl", "/usr/lib", "/lib", "/lib64"].iter().filter(|path| fs::exists(path).unwrap())
    {
        lent_paths.push(format!("{lent}:{lent}:ro"));
    }
    for lent in &lent_paths {
        arguments.extend(["-v", lent]);
    }
    for one in publish {
        arguments.extend(["-p", one]);
    }
    arguments.extend(["base", "/usr/bin/perl", "-MSocket", "-e", program]);
    lab.canoa(&arguments).ok();
}

/// Whether what is said there by TCP comes back.
fn answers(address: impl Into<IpAddr>, port: u16) -> bool {
    let text = random(3000);
    let answer = || -> std::io::Result<Vec<u8>> {
        let place = SocketAddr::new(address.into(), port);
        let mut stream = TcpStream::connect_timeout(&place, Duration::from_secs(2))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(&text)?;
        stream.shutdown(Shutdown::Write)?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    answer().is_ok_and(|answer| answer == text)
}

/// The same by UDP.
fn answers_by_udp(address: impl Into<IpAddr>, port: u16) -> bool {
    let place = SocketAddr::new(address.into(), port);
    let text = random(500);
    let answer = || -> std::io::Result<Vec<u8>> {
        let any: IpAddr =
            if place.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(place)?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        socket.send(&text)?;
        let mut packet = vec![0; 2000];
        let length = socket.recv(&mut packet)?;
        packet.truncate(length);
        Ok(packet)
    };
    answer().is_ok_and(|answer| answer == text)
}

/// The host's own addresses, the loopback's among them.
fn own_addresses(lab: &Lab) -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    if lab.is_root() {
        let gateway = lab.inspect("web")["NetworkSettings"]["Networks"]["bridge"]["Gateway"].clone();
        all.push(gateway.as_str().unwrap().parse().unwrap());
    }
    all
}

fn a_published_port_is_reached_by_every_address_of_the_host(lab: &Lab) {
    let port = free(1);
    echoes(lab, "web", &[&format!("{port}:80")]);
    eventually("it answers", || answers(Ipv4Addr::LOCALHOST, port));
    for address in own_addresses(lab) {
        assert!(answers(address, port), "{address}");
    }
}

fn a_published_udp_port_is_reached_by_every_address_of_the_host(lab: &Lab) {
    let port = free(1);
    echoes_by_udp(lab, "web", &[&format!("{port}:53/udp")]);
    eventually("it answers", || answers_by_udp(Ipv4Addr::LOCALHOST, port));
    for address in own_addresses(lab) {
        assert!(answers_by_udp(address, port), "{address}");
    }
    assert!(!answers(Ipv4Addr::LOCALHOST, port), "TCP was not published");
}

/// One more network namespace, on a network of its own with the lab as 192.0.2.1.
fn plug_in_another_host(lab: &Lab) {
    lab.host(&["ip", "netns", "add", "outside"]).ok();
    lab.host(&["ip", "link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", "outside"]).ok();
    lab.host(&["ip", "addr", "add", "192.0.2.1/24", "dev", "lan0"]).ok();
    lab.host(&["ip", "link", "set", "lan0", "up"]).ok();
    lab.host(&["ip", "-n", "outside", "addr", "add", "192.0.2.2/24", "dev", "eth0"]).ok();
    lab.host(&["ip", "-n", "outside", "link", "set", "eth0", "up"]).ok();
}

/// Does something there: a thread of its own goes in, and ends with it.
fn from_outside<T: Send>(action: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let there = || {
            let netns = fs::File::open("/run/netns/outside").unwrap();
            setns(netns, CloneFlags::CLONE_NEWNET).unwrap();
            action()
        };
        scope.spawn(there).join().unwrap()
    })
}

const HOST: [u8; 4] = [192, 0, 2, 1];

fn a_published_port_is_reached_from_another_host(lab: &Lab) {
    plug_in_another_host(lab);
    echoes(lab, "web", &["8080:80", "127.0.0.1:9090:80"]);
    echoes_by_udp(lab, "names", &["192.0.2.1:5353:53/udp", "127.0.0.1:5454:53/udp"]);
    eventually("TCP is answered", || from_outside(|| answers(HOST, 8080)));
    eventually("UDP is answered", || from_outside(|| answers_by_udp(HOST, 5353)));
    // What is published at 127.0.0.1 isn't there for others.
    eventually("it is there", || answers(Ipv4Addr::LOCALHOST, 9090));
    eventually("it is there", || answers_by_udp(Ipv4Addr::LOCALHOST, 5454));
    assert!(!from_outside(|| answers(HOST, 9090)));
    assert!(!from_outside(|| answers_by_udp(HOST, 5454)));
}

fn a_published_port_is_reached_from_another_host_whose_firewall_forwards_nothing(lab: &Lab) {
    plug_in_another_host(lab);
    let firewall = "add table ip filter; \
                    add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }";
    lab.host(&["nft", firewall]).ok();
    let rules = lab.host(&["nft", "list", "table", "ip", "filter"]).ok().stdout;
    echoes(lab, "web", &["8080:80"]);
    eventually("it answers", || from_outside(|| answers(HOST, 8080)));
    assert!(lab.daemon_said().contains("FORWARD"), "the log says why it is slower");
    assert_eq!(lab.host(&["nft", "list", "table", "ip", "filter"]).ok().stdout, rules);
}

fn containers_reach_a_published_port_by_the_host_and_so_does_its_own(lab: &Lab) {
    let port = free(1);
    echoes(lab, "web", &[&format!("{port}:80")]);
    lab.runs("client", &["sleep", "1000"]);
    let gateway = lab.inspect("web")["NetworkSettings"]["Networks"]["bridge"]["Gateway"].clone();
    let gateway = gateway.as_str().unwrap();
    for name in ["client", "web"] {
        let ask = format!("(echo {name}; sleep 0.3) | busybox nc -w 2 {gateway} {port}");
        eventually(&format!("{name} gets an answer"), || {
            lab.canoa(&["exec", name, "sh", "-c", &ask]).stdout == format!("{name}\n")
        });
    }
}

fn a_port_of_one_address_is_not_at_another(lab: &Lab) {
    let port = free(1);
    echoes(lab, "one", &[&format!("127.0.0.2:{port}:80")]);
    echoes(lab, "two", &[&format!("127.0.0.3:{port}:80"), &format!("[::1]:{port}:80")]);
    eventually("both answer", || answers([127, 0, 0, 2], port) && answers([127, 0, 0, 3], port));
    assert!(answers(Ipv6Addr::LOCALHOST, port));
    assert!(!answers(Ipv4Addr::LOCALHOST, port));
    lab.canoa(&["rm", "-f", "two"]).ok();
    assert!(answers([127, 0, 0, 2], port) && !answers([127, 0, 0, 3], port));
}

fn a_port_that_another_container_has_is_an_error_and_nothing_was_set_up(lab: &Lab) {
    let port = free(1);
    let publish = format!("{port}:80");
    echoes(lab, "first", &[&publish]);
    let failed = lab.canoa(&["run", "--name", "second", "-p", &publish, "base", "echo", "I run"]).exits(125);
    failed.complains_about(&format!("Bind for 0.0.0.0:{port} failed: port is already allocated"));
    lab.canoa(&["ps", "-a", "--format", "{{.Names}} {{.State}}"]).ok().mentions("second created");
    let second = lab.inspect("second");
    assert_eq!(second["State"]["Status"], "created");
    assert_eq!(second["State"]["Pid"], 0);
    assert_eq!(second["NetworkSettings"]["Networks"]["bridge"]["IPAddress"], "", "no address was taken");
    lab.canoa(&["start", "second"]).exits(1);
    eventually("the first still answers", || answers(Ipv4Addr::LOCALHOST, port));
    lab.canoa(&["rm", "-f", "first"]).ok();
    lab.canoa(&["start", "-a", "second"]).ok().says("I run");
}

fn a_port_that_another_program_has_is_an_error(lab: &Lab) {
    let port = free(1);
    let other = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let failed = lab.canoa(&["run", "--name", "box", "-p", &format!("{port}:80"), "base", "true"]).exits(125);
    failed.complains_about("address already in use");
    lab.canoa(&["run", "--rm", "-p", &format!("{port}:80/udp"), "base", "true"]).ok();
    drop(other);
    lab.canoa(&["start", "-a", "box"]).ok();
    // An address that isn't this host's.
    let failed = lab.canoa(&["run", "--rm", "-p", "192.0.2.77:80:80", "base", "true"]).exits(125);
    failed.complains_about("192.0.2.77:80").complains_about("cannot assign requested address");
}

fn a_port_asked_for_twice_is_an_error(lab: &Lab) {
    let port = free(1);
    let (one, two) = (format!("{port}:80"), format!("{port}:81"));
    let failed = lab.canoa(&["run", "--rm", "-p", &one, "-p", &two, "base", "true"]).exits(125);
    failed.complains_about("port is already allocated");
    lab.canoa(&["run", "--rm", "-p", &one, "base", "true"]).ok();
}

fn a_port_is_free_when_its_container_has_ended(lab: &Lab) {
    let port = free(1);
    let publish = format!("{port}:80");
    echoes(lab, "first", &[&publish]);
    eventually("it answers", || answers(Ipv4Addr::LOCALHOST, port));
    lab.canoa(&["stop", "-t", "0", "first"]).ok();
    drop(TcpListener::bind(("0.0.0.0", port)).unwrap());
    // One after the other, without a pause.
    for round in 0..5 {
        let name = format!("round-{round}");
        echoes(lab, &name, &[&publish]);
        eventually("it answers", || answers(Ipv4Addr::LOCALHOST, port));
        lab.canoa(&["kill", &name]).ok();
    }
    for _ in 0..5 {
        lab.canoa(&["run", "--rm", "-p", &publish, "base", "true"]).ok();
    }
    lab.canoa(&["start", "first"]).ok();
    eventually("the first one answers again", || answers(Ipv4Addr::LOCALHOST, port));
}

/// The monitor of a container: its first process's parent.
fn monitor(lab: &Lab, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{}/status", lab.pid(name))).unwrap();
    status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().to_owned()
}

/// Nothing in the kernel leads to a container any more: where there are rules to look at.
fn no_rule_leads_anywhere(lab: &Lab) -> bool {
    !lab.is_root() || !lab.host(&["nft", "list", "maps"]).stdout.contains("elements")
}

fn a_port_is_free_when_its_monitor_was_killed(lab: &Lab) {
    let port = free(1);
    let publish = format!("{port}:80");
    echoes(lab, "first", &[&publish]);
    eventually("it answers", || answers(Ipv4Addr::LOCALHOST, port));
    lab.host(&["kill", "-9", &monitor(lab, "first")]).ok();
    lab.canoa(&["wait", "first"]).ok().says("137");
    echoes(lab, "second", &[&publish]);
    eventually("the second answers", || answers(Ipv4Addr::LOCALHOST, port));
    if lab.is_root() {
        assert!(!no_rule_leads_anywhere(lab), "this is where its rule would be seen");
    }
    lab.host(&["kill", "-9", &monitor(lab, "second")]).ok();
    eventually("no rule is left", || no_rule_leads_anywhere(lab));
    eventually("its port is free", || TcpListener::bind(("0.0.0.0", port)).is_ok());
}

fn a_published_port_lives_on_without_the_daemon(lab: &Lab) {
    let port = free(1);
    echoes(lab, "web", &[&format!("{port}:80")]);
    eventually("it answers", || answers(Ipv4Addr::LOCALHOST, port));
    let shown = lab.canoa(&["port", "web"]).ok().stdout;
    lab.kill_daemon();
    assert!(answers(Ipv4Addr::LOCALHOST, port), "without a daemon");
    TcpListener::bind(("0.0.0.0", port)).unwrap_err();
    lab.start_daemon();
    assert!(answers(Ipv4Addr::LOCALHOST, port), "with the next one");
    assert_eq!(lab.canoa(&["port", "web"]).ok().stdout, shown);
    let failed = lab.canoa(&["run", "--rm", "-p", &format!("{port}:80"), "base", "true"]).exits(125);
    failed.complains_about("port is already allocated");
    lab.canoa(&["rm", "-f", "web"]).ok();
    drop(TcpListener::bind(("0.0.0.0", port)).unwrap());
}

fn a_port_is_free_when_its_container_has_ended_without_a_daemon(lab: &Lab) {
    let port = free(1);
    echoes(lab, "one", &[&format!("{port}:80")]);
    echoes(lab, "two", &[&format!("127.0.0.1:{}:80", free(1))]);
    eventually("it answers", || answers(Ipv4Addr::LOCALHOST, port));
    let (one, two) = (lab.pid("one"), monitor(lab, "two"));
    lab.kill_daemon();
    lab.host(&["kill", "-9", &one.to_string()]).ok();
    eventually("its port is free", || TcpListener::bind(("0.0.0.0", port)).is_ok());
    eventually("its rule is gone", || no_rule_leads_anywhere(lab));
    lab.host(&["kill", "-9", &two]).ok();
    lab.start_daemon();
    eventually("the next daemon knows", || lab.canoa(&["ps", "-q"]).ok().text().is_empty());
    assert!(no_rule_leads_anywhere(lab));
    assert_eq!(lab.canoa(&["port", "one"]).ok().stdout, "");
}

fn ps_port_and_inspect_tell_which_ports_are_published(lab: &Lab) {
    let (port, udp) = (free(1), free(1));
    let (publish, local) = (format!("{port}:80"), format!("127.0.0.1:{udp}:53/udp"));
    let create = ["create", "--name", "web", "-p", &publish, "-p", &local, "--expose", "443"];
    lab.canoa(&[&create[..], &["base", "sleep", "1000"]].concat()).ok();
    let ports = || lab.canoa(&["ps", "-a", "--format", "{{.Ports}}"]).ok().text().to_owned();
    assert_eq!(ports(), "", "it doesn't run yet");
    assert_eq!(lab.inspect("web")["NetworkSettings"]["Ports"], serde_json::json!({}));
    lab.canoa(&["start", "web"]).ok();

    let text = ports();
    for part in [format!("0.0.0.0:{port}->80/tcp"), format!("127.0.0.1:{udp}->53/udp"), "443/tcp".to_owned()]
    {
        assert!(text.contains(&part), "{part} in {text}");
    }
    let told = lab.inspect("web");
    let shown = &told["NetworkSettings"]["Ports"];
    assert_eq!(shown["80/tcp"][0], serde_json::json!({"HostIp": "0.0.0.0", "HostPort": port.to_string()}));
    assert_eq!(shown["53/udp"], serde_json::json!([{"HostIp": "127.0.0.1", "HostPort": udp.to_string()}]));
    assert_eq!(shown["443/tcp"], serde_json::Value::Null);
    let asked = &told["HostConfig"]["PortBindings"];
    assert_eq!(asked["80/tcp"], serde_json::json!([{"HostIp": "", "HostPort": port.to_string()}]));
    assert_eq!(asked["53/udp"][0]["HostIp"], "127.0.0.1");
    assert!(told["Config"]["ExposedPorts"]["443/tcp"].is_object(), "{told}");

    let all = lab.canoa(&["port", "web"]).ok();
    assert!(all.lines().contains(&format!("80/tcp -> 0.0.0.0:{port}").as_str()), "{all}");
    assert!(all.lines().contains(&format!("53/udp -> 127.0.0.1:{udp}").as_str()), "{all}");
    lab.canoa(&["port", "web", "53/udp"]).ok().says(&format!("127.0.0.1:{udp}"));
    lab.canoa(&["port", "web", "80"]).ok().mentions(&format!("0.0.0.0:{port}\n"));
    lab.canoa(&["port", "web", "443"]).exits(1).complains_about("No public port '443' published for web");
    lab.canoa(&["port", "nobody"]).exits(1).complains_about("No such container");
    lab.canoa(&["rm", "-f", "web"]).ok();
}

fn docker(lab: &Lab, arguments: &[&str]) -> Ran {
    lab.with_daemon();
    let mut command = lab.program("docker");
    command.env("DOCKER_HOST", format!("unix://{}", lab.socket().display())).args(arguments);
    lab.finish(&mut command)
}

fn the_docker_command_publishes_and_shows_ports(lab: &Lab) {
    let port = free(1);
    let publish = format!("127.0.0.1:{port}:80");
    let echo = ["base", "busybox", "nc", "-ll", "-p", "80", "-e", "cat"];
    docker(lab, &[&["run", "-d", "--name", "web", "-p", &publish, "-p", "81"], &echo[..]].concat()).ok();
    eventually("it answers", || answers(Ipv4Addr::LOCALHOST, port));
    docker(lab, &["port", "web", "80/tcp"]).ok().says(&format!("127.0.0.1:{port}"));
    docker(lab, &["port", "web"]).ok().mentions("81/tcp -> 0.0.0.0:");
    docker(lab, &["ps"]).ok().mentions(&format!("127.0.0.1:{port}->80/tcp"));
    let failed = docker(lab, &["run", "--name", "second", "-p", &publish, "base", "true"]).exits(125);
    failed.complains_about(&format!("Bind for 127.0.0.1:{port} failed: port is already allocated"));
    docker(lab, &["ps", "-a", "--format", "{{.Names}} {{.State}}"]).ok().mentions("second created");
    docker(lab, &["rm", "-f", "web"]).ok();
    docker(lab, &["start", "-a", "second"]).ok();
    docker(lab, &["run", "-d", "--name", "all", "-P", "--expose", "7000-7001", "base", "sleep", "1000"]).ok();
    docker(lab, &["port", "all"]).ok().mentions("7000/tcp -> 0.0.0.0:").mentions("7001/tcp -> 0.0.0.0:");
}

fn exposed_ports_are_published_at_free_ports(lab: &Lab) {
    let chosen = free(1);
    let publish = format!("127.0.0.1:{chosen}:9000");
    let expose = ["--expose", "80", "--expose", "53/udp", "--expose", "9000-9001"];
    lab.canoa(
        &[&["run", "-d", "--name", "all", "-P", "-p", &publish], &expose[..], &["base", "sleep", "1000"]]
            .concat(),
    )
    .ok();
    let ports = lab.inspect("all")["NetworkSettings"]["Ports"].clone();
    let mut seen = Vec::new();
    for port in ["80/tcp", "53/udp", "9001/tcp"] {
        assert_eq!(ports[port][0]["HostIp"], "0.0.0.0", "{ports}");
        let host: u16 = ports[port][0]["HostPort"].as_str().unwrap().parse().unwrap();
        assert!(host >= 1024, "{ports}");
        seen.push(host);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3, "{ports}");
    // Where a wish was said, that is all.
    assert_eq!(
        ports["9000/tcp"],
        serde_json::json!([{"HostIp": "127.0.0.1", "HostPort": chosen.to_string()}])
    );
}

fn ranges_of_ports_are_published_in_their_order(lab: &Lab) {
    let first = free(6);
    let (range, last) = (format!("{first}-{}:9000-9002", first + 2), first + 5);
    let some = format!("127.0.0.1:{}-{last}:80", first + 3);
    let taken = TcpListener::bind(("127.0.0.1", first + 3)).unwrap();
    lab.canoa(&["run", "-d", "--name", "box", "-p", &range, "-p", &some, "base", "sleep", "1000"]).ok();
    for place in 0..3 {
        let shown = lab.canoa(&["port", "box", &(9000 + place).to_string()]).ok();
        shown.mentions(&format!("0.0.0.0:{}\n", first + place));
    }
    lab.canoa(&["port", "box", "80"]).ok().says(&format!("127.0.0.1:{}", first + 4));
    drop(taken);
}

fn ports_that_make_no_sense_are_refused_by_name(lab: &Lab) {
    for (wrong, words) in [
        ("80a:80", "invalid hostPort"),
        ("8080:", "no port specified"),
        ("8080:0", "invalid containerPort"),
        ("80:80/sctp", "invalid proto"),
        ("nowhere:80:80", "invalid IP address"),
        ("8000-8005:80-81", "invalid ranges specified"),
    ] {
        let failed = lab.canoa(&["run", "--rm", "-p", wrong, "base", "true"]).exits(125);
        failed.complains_about(words);
    }
    lab.canoa(&["run", "--rm", "--expose", "8080:80", "base", "true"]).exits(125).complains_about("8080:80");
    lab.canoa(&["ps", "-aq"]).ok().says("");
}

fn ports_are_published_again_at_the_next_start(lab: &Lab) {
    let port = free(1);
    echoes(lab, "web", &[&format!("{port}:80"), "81"]);
    for _ in 0..3 {
        eventually("it answers", || answers(Ipv4Addr::LOCALHOST, port));
        lab.canoa(&["restart", "-t", "0", "web"]).ok();
    }
    lab.canoa(&["stop", "-t", "0", "web"]).ok();
    assert!(!answers(Ipv4Addr::LOCALHOST, port));
    assert_eq!(lab.canoa(&["port", "web"]).ok().stdout, "");
    lab.canoa(&["start", "web"]).ok();
    eventually("it answers", || answers(Ipv4Addr::LOCALHOST, port));
    lab.canoa(&["port", "web", "81"]).ok().mentions("0.0.0.0:");
}

fn the_last_container_and_system_stop_leave_no_rule_of_ports(lab: &Lab) {
    let switches = || {
        let all = fs::read_dir("/proc/sys/net/ipv4/conf").unwrap().flatten();
        let mut all: Vec<_> = all
            .map(|entry| {
                (entry.file_name(), fs::read_to_string(entry.path().join("route_localnet")).unwrap())
            })
            .collect();
        all.sort();
        all
    };
    let before = switches();
    echoes(lab, "web", &["8080:80", "127.0.0.1:9090:80"]);
    let rules = || lab.host(&["nft", "list", "ruleset"]).ok().stdout;
    let told = rules();
    // (By its number, where no /etc/protocols has the name.)
    let shown = ["tcp . 8080 :", "6 . 8080 :"].iter().any(|key| told.contains(key));
    assert!(shown && !told.contains("9090"), "{told}");
    lab.canoa(&["rm", "-f", "web"]).ok();
    eventually("its element is gone", || no_rule_leads_anywhere(lab));
    lab.canoa(&["system", "stop"]).ok();
    eventually("everything is as it was", || rules().is_empty() && switches() == before);
}

fn a_container_of_another_network_reaches_a_published_port(lab: &Lab) {
    let port = free(1);
    lab.canoa(&["network", "create", "sea"]).ok();
    echoes(lab, "web", &[&format!("{port}:80")]);
    lab.canoa(&["run", "-d", "--name", "far", "--network", "sea", "base", "sleep", "1000"]).ok();
    let gateway = lab.inspect("far")["NetworkSettings"]["Networks"]["sea"]["Gateway"].clone();
    let ask = format!("(echo across; sleep 0.3) | busybox nc -w 2 {} {port}", gateway.as_str().unwrap());
    eventually("it answers", || lab.canoa(&["exec", "far", "sh", "-c", &ask]).stdout == "across\n");
    // Not by its own address: there is a wall between the two networks.
    let direct = format!("busybox nc -w 1 {} 80 < /dev/null", lab.address("web"));
    assert_ne!(lab.canoa(&["exec", "far", "sh", "-c", &direct]).code, 0);
}
