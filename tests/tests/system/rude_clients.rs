//! Clients that lie, hang up in the middle, never read, never write, or come by the thousand: the engine
//! goes on, and when they are gone nothing is left of them.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use e2e::case;
use e2e::case::Case;
use e2e::footprint::Footprint;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;
use e2e::wire::{ask, connect, exchange, request, status_of};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

pub const CASES: &[Case] = &[
    case!(what_is_no_http_is_refused_or_hung_up_on).needs(&[Need::Canoa]),
    case!(a_body_that_is_not_as_long_as_it_says_is_refused).needs(&[Need::Canoa]),
    case!(an_endless_body_is_cut_off).needs(&[Need::Canoa]),
    case!(a_connection_may_break_off_anywhere).needs(&[Need::Canoa]),
    case!(half_a_request_for_ever_holds_nobody_up).needs(&[Need::Canoa]),
    case!(a_reader_who_does_not_read_costs_no_memory).needs(&[Need::Canoa]),
    case!(an_attached_client_who_does_not_read_costs_no_memory).needs(&[Need::Canoa]),
    case!(a_thousand_clients_at_once_are_served).needs(&[Need::Canoa]),
    case!(attached_clients_may_vanish).needs(&[Need::Canoa]),
];

/// A container that runs, and an engine as large as it is after the first requests.
fn furnish(lab: &Lab) -> Footprint {
    lab.runs("box", &["sleep", "1000"]);
    lab.canoa(&["exec", "box", "true"]).ok();
    lab.canoa(&["create", "--name", "still", "base", "true"]).ok();
    for _ in 0..20 {
        ask(&lab.socket(), "GET", "/containers/json", b"");
    }
    Footprint::of(lab.daemon_pid())
}

#[track_caller]
fn goes_on(lab: &Lab, before: Footprint) {
    before.again(lab.daemon_pid(), 8 << 10);
    lab.canoa(&["exec", "box", "echo", "hello"]).ok().says("hello");
    assert!(!lab.daemon_said().contains("panicked"), "the engine panicked");
}

fn what_is_no_http_is_refused_or_hung_up_on(lab: &Lab) {
    let before = furnish(lab);
    let long = "x".repeat(2 << 20);
    let many: String = (0..5000).map(|number| format!("x-{number}: y\r\n")).collect();
    let requests: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"\r\n\r\n".to_vec(),
        b"\0\0\0\0\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET /info\r\n\r\n".to_vec(),
        b"GET /info HTTP/9.9\r\n\r\n".to_vec(),
        b"GET /containers/a b/json HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"GET /info HTTP/1.1\r\nno colon\r\n\r\n".to_vec(),
        b"GET /info HTTP/1.1\r\nHost: x\r\nx: \x01\x02\r\n\r\n".to_vec(),
        b"GET /info HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n".to_vec(),
        b"GET /info HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n".to_vec(),
        b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n{} "
            .to_vec(),
        b"POST /containers/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n{}".to_vec(),
        format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes(),
        format!("GET /info HTTP/1.1\r\nHost: x\r\nx: {long}\r\n\r\n").into_bytes(),
        format!("GET /info HTTP/1.1\r\nHost: x\r\n{many}\r\n").into_bytes(),
        long.clone().into_bytes(),
    ];
    for bytes in requests {
        let answer = exchange(&lab.socket(), &bytes);
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        assert!(matches!(answer.status, 0 | 400..500), "{} to {start:?}", answer.status);
    }
    goes_on(lab, before);
}

fn a_body_that_is_not_as_long_as_it_says_is_refused(lab: &Lab) {
    let before = furnish(lab);
    let head = "POST /containers/create HTTP/1.1\r\nHost: x\r\n";
    let body = r#"{"Image":"base"}"#;
    for text in [
        // More is promised than comes, or less, and then it isn't JSON.
        format!("{head}Content-Length: 1000\r\n\r\n{body}"),
        format!("{head}Content-Length: 5\r\n\r\n{body}"),
        format!("{head}Content-Length: 0\r\n\r\n{body}"),
        format!("{head}\r\n{body}"),
        // Chunks that are none.
        format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{body}\r\n0\r\n\r\n"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n-1\r\n{body}\r\n0\r\n\r\n"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{body}\r\n0\r\n\r\n"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n4\r\n{body}\r\n0\r\n\r\n"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\nff\r\n{body}"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n10;{}\r\n{body}\r\n0\r\n\r\n", "x".repeat(100_000)),
    ] {
        let answer = exchange(&lab.socket(), text.as_bytes());
        let start = &text[head.len()..text.len().min(head.len() + 80)];
        assert!(matches!(answer.status, 0 | 400), "{} to {start:?}", answer.status);
        assert!(answer.status == 0 || !answer.message().is_empty(), "no words to {start:?}: {answer:?}");
    }
    // Both lengths at once: the chunks count (RFC 9112, 6.3), or it is refused.
    let both =
        format!("{head}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{body}\r\n0\r\n\r\n");
    let status = exchange(&lab.socket(), both.as_bytes()).status;
    assert!(matches!(status, 0 | 201 | 400), "{status}");
    // Nothing of all that was made but, perhaps, this last one.
    let made = lab.canoa(&["ps", "-aq"]).ok().lines().len();
    assert_eq!(made, 2 + usize::from(status == 201));
    goes_on(lab, before);
}

fn an_endless_body_is_cut_off(lab: &Lab) {
    let before = furnish(lab);
    for framing in ["Content-Length: 9999999999999", "Transfer-Encoding: chunked"] {
        let mut stream = connect(&lab.socket());
        write!(stream, "POST /containers/create HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n").unwrap();
        let piece = vec![b' '; 64 << 10];
        let mut sent = 0;
        // Whoever goes on for ever is hung up on at some time, long before this.
        while sent < 256 << 20 {
            let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat();
            if stream.write_all(if framing.starts_with('T') { &chunk } else { &piece }).is_err() {
                break;
            }
            sent += piece.len();
        }
        assert!(sent < 64 << 20, "{framing}: {sent} bytes were taken");
        let grown = Footprint::of(lab.daemon_pid()).memory.saturating_sub(before.memory);
        assert!(grown < 16 << 10, "{framing}: {grown} KiB more");
    }
    goes_on(lab, before);
}

fn a_connection_may_break_off_anywhere(lab: &Lab) {
    let before = furnish(lab);
    let body =
        br#"{"Image":"base","Cmd":["true"],"Labels":{"half":"made"},"HostConfig":{"AutoRemove":true}}"#;
    let create = request("POST", "/v1.47/containers/create?name=half", body);
    for length in 0..create.len() {
        let mut stream = connect(&lab.socket());
        stream.write_all(&create[..length]).unwrap();
        if length % 2 == 0 {
            stream.shutdown(Shutdown::Write).unwrap();
        }
    }
    // In the middle of an answer, and of those that come for a while.
    let image = lab.canoa(&["images", "-q", "base"]).ok().text().to_owned();
    assert!(!image.is_empty());
    for path in
        ["/containers/still/export", "/containers/json?all=1", "/events", "/containers/box/stats", "/info"]
    {
        for length in [0, 1, 20, 300, 5000] {
            let mut stream = connect(&lab.socket());
            stream.write_all(&request("GET", path, b"")).unwrap();
            let mut some = vec![0; length];
            let _ = stream.set_read_timeout(Some(Duration::from_millis(300)));
            let _ = stream.read_exact(&mut some);
        }
    }
    for path in
        ["/containers/box/attach?stream=1&stdout=1&stdin=1", "/containers/still/wait?condition=next-exit"]
    {
        for _ in 0..10 {
            let mut stream = connect(&lab.socket());
            stream.write_all(&request("POST", path, b"")).unwrap();
        }
    }
    // Nothing was made of half a request.
    lab.canoa(&["ps", "-a", "--filter", "label=half", "-q"]).ok().says("");
    // An export that nobody reads any more has let go of the files.
    lab.canoa(&["start", "still"]).ok();
    goes_on(lab, before);
}

fn half_a_request_for_ever_holds_nobody_up(lab: &Lab) {
    let before = furnish(lab);
    let create = request("POST", "/containers/create", br#"{"Image":"base"}"#);
    let archive =
        b"PUT /containers/box/archive?path=/tmp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let open: Vec<UnixStream> = (0..600)
        .map(|number| {
            let mut stream = connect(&lab.socket());
            let bytes = match number % 6 {
                0 => &create[..10],
                1 => &create[..create.len() - 3],
                2 => &b""[..],
                // Most of all of the kind that costs a thread each.
                _ => &archive[..],
            };
            stream.write_all(bytes).unwrap();
            stream
        })
        .collect();
    let start = Instant::now();
    lab.canoa(&["ps"]).ok().mentions("box");
    lab.canoa(&["exec", "box", "echo", "in time"]).ok().says("in time");
    lab.canoa(&["run", "--rm", "base", "echo", "too"]).ok().says("too");
    assert!(start.elapsed() < Duration::from_secs(10), "it took {:?}", start.elapsed());
    drop(open);
    goes_on(lab, before);
}

fn a_reader_who_does_not_read_costs_no_memory(lab: &Lab) {
    let talker =
        lab.runs("talker", &["sh", "-c", "yes abcdefghijklmnopqrstuvwxyz | head -c 30000000; sleep 1000"]);
    let before = furnish(lab);
    let log = lab.data_root().join("containers").join(&talker).join("log.json");
    eventually("all is written", || std::fs::metadata(&log).is_ok_and(|data| data.len() > 60_000_000));
    let paths = [
        "/containers/talker/logs?stdout=1&follow=1",
        "/containers/talker/logs?stdout=1",
        "/containers/talker/logs?stdout=1&tail=100000",
        "/events",
        "/containers/still/export",
    ];
    let open: Vec<UnixStream> = (0..50)
        .map(|number| {
            let mut stream = connect(&lab.socket());
            stream.write_all(&request("GET", paths[number % paths.len()], b"")).unwrap();
            stream
        })
        .collect();
    // Attaching with all that was said before is the same question.
    let mut past = connect(&lab.socket());
    past.write_all(&request("POST", "/containers/talker/attach?logs=1&stdout=1", b"")).unwrap();
    // More events than are kept for somebody.
    for _ in 0..1500 {
        let told = ask(&lab.socket(), "POST", "/containers/box/kill?signal=WINCH", b"");
        assert_eq!(told.status, 204, "{}", told.message());
    }
    let grown = Footprint::of(lab.daemon_pid()).memory.saturating_sub(before.memory);
    // What is on its way to each of them, and not the 60 MB that each has asked for.
    assert!(grown < 50 << 10, "{grown} KiB for 50 who don't read");
    drop((open, past));
    goes_on(lab, before);
}

fn an_attached_client_who_does_not_read_costs_no_memory(lab: &Lab) {
    lab.runs(
        "talker",
        &["sh", "-c", "until [ -e /go ]; do sleep 0.1; done; yes | head -c 50000000; sleep 1000"],
    );
    let before = furnish(lab);
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", lab.pid("talker"))).unwrap();
    let monitor: i32 = stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap();
    let small = Footprint::of(monitor);
    let open: Vec<UnixStream> = (0..10)
        .map(|_| {
            let mut stream = connect(&lab.socket());
            let attach = b"POST /containers/talker/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n";
            stream.write_all(attach).unwrap();
            assert_eq!(status_of(&mut stream), 101);
            stream
        })
        .collect();
    lab.canoa(&["exec", "talker", "touch", "/go"]).ok();
    std::thread::sleep(Duration::from_millis(500));
    for (process, before) in [(lab.daemon_pid(), before), (monitor, small)] {
        let grown = Footprint::of(process).memory.saturating_sub(before.memory);
        assert!(grown < 12 << 10, "{grown} KiB more for 10 who don't read");
    }
    drop(open);
    small.again(monitor, 10 << 10);
    goes_on(lab, before);
}

fn a_thousand_clients_at_once_are_served(lab: &Lab) {
    // As a login starts it: with few descriptors, and more to be had.
    descriptors(Some(1024));
    let before = furnish(lab);
    lab.canoa(&["exec", "box", "sh", "-c", "ulimit -Sn"]).ok().says("1024");
    // This process has a connection for each client.
    descriptors(None);
    let paths = [
        ("GET", "/containers/json"),
        ("GET", "/containers/box/json"),
        ("GET", "/events"),
        // Each of these is two descriptors to the daemon.
        ("POST", "/containers/box/attach?stream=1&stdout=1&stdin=1"),
        ("POST", "/containers/box/attach?stream=1&stdout=1"),
        ("POST", "/containers/box/attach?stream=1&stderr=1"),
    ];
    let start = Instant::now();
    let mut open: Vec<UnixStream> = (0..1000)
        .map(|number| {
            let (method, path) = paths[number % paths.len()];
            let mut stream = connect(&lab.socket());
            stream.write_all(&request(method, path, b"")).unwrap();
            stream
        })
        .collect();
    for (number, stream) in open.iter_mut().enumerate() {
        let status = status_of(stream);
        assert_eq!(status, 200, "number {number}: {:?}", paths[number % paths.len()]);
    }
    assert!(start.elapsed() < Duration::from_secs(20), "it took {:?}", start.elapsed());
    lab.canoa(&["exec", "box", "echo", "one more"]).ok().says("one more");
    drop(open);
    goes_on(lab, before);
}

/// Sets this process's limit, and that of whom it starts from now on; none: as many as may be.
fn descriptors(limit: Option<u64>) {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, limit.unwrap_or(hard), hard).unwrap();
}

fn attached_clients_may_vanish(lab: &Lab) {
    let before = furnish(lab);
    lab.runs("talker", &["sh", "-c", "while true; do echo hello; sleep 0.01; done"]);
    let before = Footprint { children: before.children + 1, ..before };
    let upgrade = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nUpgrade: tcp\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\n{{}}").into_bytes()
    };
    for number in 0..40 {
        for path in [
            "/containers/talker/attach?stream=1&stdout=1&stdin=1",
            "/containers/still/attach?stream=1&stdout=1",
        ] {
            let mut stream = connect(&lab.socket());
            stream.write_all(&upgrade(path)).unwrap();
            if number % 2 == 0 {
                assert_eq!(status_of(&mut stream), 101);
            }
        }
        let exec = ask(
            &lab.socket(),
            "POST",
            "/containers/box/exec",
            br#"{"Cmd":["echo","x"],"AttachStdout":true}"#,
        );
        let id = exec.json()["Id"].as_str().unwrap().to_owned();
        let mut stream = connect(&lab.socket());
        stream.write_all(&upgrade(&format!("/exec/{id}/start"))).unwrap();
        if number % 2 == 0 {
            assert_eq!(status_of(&mut stream), 101);
        }
        drop(stream);
        let mut stream = connect(&lab.socket());
        stream.write_all(&request("GET", "/containers/talker/logs?follow=1&stdout=1", b"")).unwrap();
    }
    // Who vanished is no input either: the container that waits for its start is started by itself.
    lab.canoa(&["start", "still"]).ok();
    lab.canoa(&["wait", "still"]).ok().says("0");
    // No exec is left that nobody will ever start or ask for.
    eventually("execs have ended", || {
        lab.inspect("box")["ExecIDs"].as_array().is_none_or(|ids| ids.is_empty())
    });
    goes_on(lab, before);
}
