//! The name server at 127.0.0.11, asked by a client of the test's own inside the namespace.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::panic;
use std::path::Path;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use network::dns::upstream::Upstream;
use network::dns::{self, Server, Zone, zone};
use nix::poll::{PollFd, PollFlags, poll};
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE};
use tempfile::TempDir;

use crate::lab::{Netns, Test};
use crate::read;

pub const TESTS: &[Test] = &[
    ("a_name_is_answered_with_its_address_and_an_address_with_its_name", both_ways),
    ("a_container_that_comes_and_goes_is_seen_at_once", at_once),
    ("an_alias_that_several_share_gives_all_of_them_each_first_in_turn", shared),
    ("a_known_name_has_no_other_kind_of_record_and_is_asked_of_nobody_else", other_kinds),
    ("what_is_not_ours_is_asked_of_the_hosts_servers_also_at_the_hosts_loopback", forwarded),
    ("a_server_that_is_silent_or_gives_up_leaves_the_question_to_the_next", next_server),
    ("with_nobody_to_ask_the_answer_is_servfail", nobody),
    ("no_question_leaves_when_no_way_leads_out", internal),
    ("an_answer_with_another_id_or_another_question_is_dropped", spoofed),
    ("an_answer_too_long_for_a_datagram_is_given_by_tcp", long),
    ("a_question_by_tcp_is_asked_by_tcp", forwarded_by_tcp),
    ("noise_is_survived_and_the_server_still_answers", noise),
    ("more_questions_than_it_keeps_fail_at_once_and_take_no_more_descriptors", flood),
    ("connections_that_say_nothing_do_not_keep_others_out", idle_connections),
    ("a_server_whose_place_is_taken_is_an_error_that_says_where", taken),
];

/// A container's namespace with its name server, which a thread of ours serves.
struct Asked {
    inside: Netns,
    zone: Zone,
    dir: TempDir,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Asked {
    fn new(entries: &str, servers: &[SocketAddr]) -> Asked {
        Asked::on(entries, servers, true)
    }

    fn on(entries: &str, servers: &[SocketAddr], leads_out: bool) -> Asked {
        network::lo_up().unwrap();
        let (dir, inside) = (tempfile::tempdir().unwrap(), Netns::new());
        inside.lo_up().unwrap();
        let zone = Zone { name: "sea".into(), file: dir.path().join("names"), leads_out };
        fs::write(&zone.file, entries).unwrap();
        let upstream = Upstream::open(servers).unwrap();
        let mut server = Server::open(inside.as_fd(), vec![zone.clone()], upstream).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let ended = over.clone();
        let thread = thread::spawn(move || {
            let serve = panic::AssertUnwindSafe(|| {
                while !ended.load(Ordering::Relaxed) {
                    poll(&mut [PollFd::new(server.as_fd(), PollFlags::POLLIN)], 50u8).unwrap();
                    server.turn();
                }
            });
            // It has said why. Nobody has to wait for an answer that doesn't come.
            panic::catch_unwind(serve).unwrap_or_else(|_| exit(1));
        });
        Asked { inside, zone, dir, over, thread: Some(thread) }
    }

    fn change(&self, entries: &[(Ipv4Addr, &[&str])]) {
        let names = |names: &&[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let entries: Vec<zone::Entry> = entries.iter().map(|(at, list)| (*at, names(list))).collect();
        zone::write(&self.zone.file, &entries).unwrap();
    }

    /// A socket inside, which speaks with the server.
    fn client(&self) -> UdpSocket {
        let socket = self.inside.run(|| UdpSocket::bind("127.0.0.1:0").unwrap());
        socket.connect((dns::ADDRESS, 53)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket
    }

    /// Asks as resolvers do: a question by UDP may be lost, and is asked again.
    fn ask(&self, name: &str, kind: TYPE) -> Said {
        let client = self.client();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut bytes = [0; 4096];
        for _ in 0..6 {
            client.send(&question(77, name, kind)).unwrap();
            if let Ok(length) = client.recv(&mut bytes) {
                return Said::read(&bytes[..length]);
            }
        }
        panic!("no answer about {name} in 30 s");
    }

    fn ask_by_tcp(&self, name: &str, kind: TYPE) -> Said {
        let mut stream = self.connect();
        say(&mut stream, &question(77, name, kind));
        Said::read(&hear(&mut stream))
    }

    fn connect(&self) -> TcpStream {
        let stream = self.inside.run(|| TcpStream::connect((dns::ADDRESS, 53)).unwrap());
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    id: u16,
    code: RCODE,
    cut: bool,
    records: Vec<String>,
}

impl Said {
    fn read(bytes: &[u8]) -> Said {
        let packet = Packet::parse(bytes).unwrap();
        let record = |record: &ResourceRecord| match &record.rdata {
            RData::A(a) => Ipv4Addr::from(a.address).to_string(),
            RData::PTR(name) => name.0.to_string(),
            other => format!("{other:?}"),
        };
        let records = packet.answers.iter().map(record).collect();
        let cut = packet.has_flags(simple_dns::PacketFlag::TRUNCATION);
        Said { id: packet.id(), code: packet.rcode(), cut, records }
    }

    fn is(self, records: &[&str]) {
        let records = records.iter().map(|&text| text.to_owned()).collect();
        assert_eq!(self, Said { id: 77, code: RCODE::NoError, cut: false, records });
    }

    fn failed(self) {
        assert_eq!(self, Said { id: 77, code: RCODE::ServerFailure, cut: false, records: vec![] });
    }
}

fn question(id: u16, name: &str, kind: TYPE) -> Vec<u8> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(simple_dns::PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name).unwrap();
    packet.questions.push(Question::new(name, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().unwrap()
}

fn say(stream: &mut TcpStream, message: &[u8]) {
    stream.write_all(&[&(message.len() as u16).to_be_bytes()[..], message].concat()).unwrap();
}

fn hear(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message).unwrap();
    message
}

/// A server of the host's, which answers each question with what this makes of it.
fn host_server(at: &str, answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    network::lo_up().unwrap();
    let socket = UdpSocket::bind(at).unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut bytes) {
            for answer in answer(&bytes[..length]) {
                socket.send_to(&answer, from).unwrap();
            }
        }
    });
    address
}

/// The answer to a question: this address.
fn with_address(question: &[u8], address: [u8; 4]) -> Vec<u8> {
    let asked = Packet::parse(question).unwrap();
    let mut answer = Packet::new_reply(asked.id());
    answer.questions = asked.questions.clone();
    let data = RData::A(simple_dns::rdata::A { address: u32::from_be_bytes(address) });
    answer.answers.push(ResourceRecord::new(asked.questions[0].qname.clone(), CLASS::IN, 60, data));
    answer.build_bytes_vec().unwrap()
}

fn both_ways() {
    let last = 2 + (std::process::id() % 250) as u8;
    let asked = Asked::new(&format!("172.29.0.{last} web www 3f1c90b2a7de\n172.29.1.9 db.one\n"), &[]);
    let address = format!("172.29.0.{last}");
    for name in ["web", "WeB", "www", "3f1c90b2a7de", "web.sea", "www.SEA"] {
        asked.ask(name, TYPE::A).is(&[&address]);
        asked.ask_by_tcp(name, TYPE::A).is(&[&address]);
    }
    asked.ask("db.one", TYPE::A).is(&["172.29.1.9"]);
    asked.ask(&format!("{last}.0.29.172.in-addr.arpa"), TYPE::PTR).is(&["web.sea"]);
    // Not called so; and one that is no address.
    asked.ask("one", TYPE::A).failed();
    asked.ask("2.0.29.in-addr.arpa", TYPE::PTR).failed();
}

fn at_once() {
    let asked = Asked::new("", &[]);
    asked.ask("web", TYPE::A).failed();
    for last in 2..30 {
        asked.change(&[([172, 29, 0, last].into(), &["web"])]);
        asked.ask("web", TYPE::A).is(&[&format!("172.29.0.{last}")]);
    }
    fs::remove_file(&asked.zone.file).unwrap();
    asked.ask("web", TYPE::A).failed();
    assert_eq!(fs::read_dir(asked.dir.path()).unwrap().count(), 0, "a draft stayed behind");
}

fn shared() {
    let asked = Asked::new("172.29.0.2 a api\n172.29.0.3 b api\n172.29.0.4 c api\n", &[]);
    let mut firsts = std::collections::BTreeSet::new();
    for id in 0..6 {
        let client = asked.client();
        client.send(&question(id, "api", TYPE::A)).unwrap();
        let mut bytes = [0; 512];
        let length = client.recv(&mut bytes).unwrap();
        let mut records = Said::read(&bytes[..length]).records;
        firsts.insert(records[0].clone());
        records.sort();
        assert_eq!(records, ["172.29.0.2", "172.29.0.3", "172.29.0.4"]);
    }
    assert_eq!(firsts.len(), 3);
}

fn other_kinds() {
    let server = host_server("127.0.0.1:0", |_| {
        panic!("ex-05-6: a server of the host's was asked about a name of ours, which it doesn't know")
    });
    let asked = Asked::new("172.29.0.2 web\n", &[server]);
    for kind in [TYPE::AAAA, TYPE::MX, TYPE::TXT, TYPE::SRV] {
        asked.ask("web", kind).is(&[]);
    }
}

fn forwarded() {
    let server = host_server("127.0.0.53:53", |question| vec![with_address(question, [192, 0, 2, 7])]);
    let asked = Asked::new("172.29.0.2 web\n", &[server]);
    asked.ask("example.org", TYPE::A).is(&["192.0.2.7"]);
    // Also who has an address that is none of ours.
    asked.ask("9.9.9.9.in-addr.arpa", TYPE::PTR).is(&["192.0.2.7"]);
    // Many at the same time: each gets its own answer.
    let client = asked.client();
    for id in 0..20 {
        client.send(&question(id, &format!("host{id}.example"), TYPE::A)).unwrap();
    }
    let mut ids: Vec<u16> = (0..20)
        .map(|_| {
            let mut bytes = [0; 512];
            let length = client.recv(&mut bytes).unwrap();
            let packet = Packet::parse(&bytes[..length]).unwrap();
            assert_eq!(packet.questions[0].qname.to_string(), format!("host{}.example", packet.id()));
            packet.id()
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..20).collect::<Vec<_>>());
}

fn next_server() {
    let silent = host_server("127.0.0.1:0", |_| vec![]);
    let failing = host_server("127.0.0.1:0", |question| vec![dns::message::failure(question)]);
    let good = host_server("127.0.0.1:0", |question| vec![with_address(question, [192, 0, 2, 7])]);
    let closed = SocketAddr::from(([127, 0, 0, 1], 9));
    Asked::new("", &[closed, failing, good]).ask("example.org", TYPE::A).is(&["192.0.2.7"]);
    let start = Instant::now();
    Asked::new("", &[silent, good]).ask("example.org", TYPE::A).is(&["192.0.2.7"]);
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

fn nobody() {
    let closed = SocketAddr::from(([127, 0, 0, 1], 9));
    let unreachable = SocketAddr::from(([192, 0, 2, 1], 53));
    for servers in [vec![], vec![closed], vec![unreachable], vec![closed, unreachable]] {
        let asked = Asked::new("", &servers);
        asked.ask("example.org", TYPE::A).failed();
        asked.ask_by_tcp("example.org", TYPE::A).failed();
    }
}

fn internal() {
    network::lo_up().unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind(udp.local_addr().unwrap()).unwrap();
    udp.set_nonblocking(true).unwrap();
    tcp.set_nonblocking(true).unwrap();
    let asked = Asked::on("172.29.0.2 web\n", &[udp.local_addr().unwrap()], false);
    asked.ask("secret.example.org", TYPE::A).failed();
    asked.ask_by_tcp("secret.example.org", TYPE::A).failed();
    asked.ask("web", TYPE::A).is(&["172.29.0.2"]);
    assert!(udp.recv(&mut [0; 512]).is_err(), "a question has left by UDP");
    assert!(tcp.accept().is_err(), "a question has left by TCP");
}

fn spoofed() {
    let server = host_server("127.0.0.1:0", |question| {
        let wrong = with_address(question, [6, 6, 6, 6]);
        let mut other_id = wrong.clone();
        other_id[0] ^= 0x55;
        let other_question = {
            let mut asked = self::question(0, "other.example", TYPE::A);
            asked[..2].copy_from_slice(&question[..2]);
            with_address(&asked, [6, 6, 6, 6])
        };
        let no_answer = question.to_vec();
        let right = with_address(question, [192, 0, 2, 7]);
        vec![other_id, other_question, no_answer, vec![], vec![0; 11], right]
    });
    Asked::new("", &[server]).ask("example.org", TYPE::A).is(&["192.0.2.7"]);
}

fn long() {
    let many: String = (2..100).map(|last| format!("172.29.0.{last} c{last} api\n")).collect();
    let asked = Asked::new(&many, &[]);
    let cut = asked.ask("api", TYPE::A);
    assert!(cut.cut && cut.records.is_empty() && cut.code == RCODE::NoError, "{cut:?}");
    let whole = asked.ask_by_tcp("api", TYPE::A);
    assert!(!whole.cut && whole.records.len() == 98, "{whole:?}");
}

fn forwarded_by_tcp() {
    network::lo_up().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let question = hear(&mut stream);
            say(&mut stream, &with_address(&question, [192, 0, 2, 7]));
        }
    });
    let asked = Asked::new("172.29.0.2 web\n", &[([127, 0, 0, 1], 9).into(), server]);
    // More often than there are sockets: they are used again.
    for _ in 0..3 {
        asked.ask_by_tcp("example.org", TYPE::A).is(&["192.0.2.7"]);
    }
    // Several in one connection, sent at once.
    let mut stream = asked.connect();
    for name in ["example.org", "web", "example.org", "example.net"] {
        say(&mut stream, &question(77, name, TYPE::A));
    }
    for address in ["192.0.2.7", "172.29.0.2", "192.0.2.7", "192.0.2.7"] {
        Said::read(&hear(&mut stream)).is(&[address]);
    }
}

/// Bytes that look like chance, the same in each run.
fn noise_of(seed: u64) -> impl FnMut() -> u8 {
    let mut state = seed | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    }
}

fn noise() {
    let asked = Asked::new("172.29.0.2 web\n", &[([127, 0, 0, 1], 9).into()]);
    let client = asked.client();
    client.set_nonblocking(true).unwrap();
    let mut random = noise_of(7);
    for round in 0..4000 {
        let mut bytes = question(1, "web.example", TYPE::A);
        if round % 2 == 0 {
            bytes = (0..random()).map(|_| random()).collect();
        }
        for _ in 0..round % 5 {
            let place = usize::from(random()) % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(place) {
                *byte = random();
            }
        }
        let _ = client.send(&bytes);
        while client.recv(&mut [0; 4096]).is_ok() {}
    }
    // The largest there is, and by TCP: nonsense, half a message and good-bye.
    let _ = client.send(&vec![0xff; 60000]);
    for length in [0, 1, 2, 3, 70, 5000] {
        let mut stream = asked.connect();
        let bytes: Vec<u8> = (0..length).map(|_| random()).collect();
        let _ = stream.write_all(&bytes);
    }
    asked.ask("web", TYPE::A).is(&["172.29.0.2"]);
    asked.ask_by_tcp("web", TYPE::A).is(&["172.29.0.2"]);
}

fn descriptors() -> usize {
    fs::read_dir(Path::new("/proc/self/fd")).unwrap().count()
}

fn flood() {
    let silent = host_server("127.0.0.1:0", |_| vec![]);
    let asked = Asked::new("172.29.0.2 web\n", &[silent]);
    let client = asked.client();
    let before = descriptors();
    let start = Instant::now();
    for id in 0..100 {
        client.send(&question(id, "example.org", TYPE::A)).unwrap();
    }
    // The first 32 wait; all the others hear at once that it can't be.
    for _ in 0..68 {
        let mut bytes = [0; 512];
        let length = client.recv(&mut bytes).unwrap();
        assert_eq!(Said::read(&bytes[..length]).code, RCODE::ServerFailure);
    }
    assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
    assert_eq!(descriptors(), before);
    asked.ask("web", TYPE::A).is(&["172.29.0.2"]);
    // And those that waited hear it in the end.
    for _ in 0..32 {
        client.recv(&mut [0; 512]).unwrap();
    }
}

fn idle_connections() {
    let asked = Asked::new("172.29.0.2 web\n", &[]);
    let silent: Vec<TcpStream> = (0..50).map(|_| asked.connect()).collect();
    asked.ask_by_tcp("web", TYPE::A).is(&["172.29.0.2"]);
    // Of ours and of theirs, each has an end in this process: 50 are ours.
    read::soon("most are closed", || descriptors() < 50 + 40);
    drop(silent);
}

fn taken() {
    let inside = Netns::new();
    inside.lo_up().unwrap();
    let _taken = inside.run(|| UdpSocket::bind((IpAddr::from(dns::ADDRESS), 53)).unwrap());
    let error = Server::open(inside.as_fd(), vec![], Upstream::open(&[]).unwrap()).unwrap_err();
    assert_eq!(error.errno, nix::libc::EADDRINUSE, "{error}");
    assert!(error.to_string().contains("127.0.0.11:53"), "{error}");
}
