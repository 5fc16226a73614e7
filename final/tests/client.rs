//! The client against an engine that is played by the test: what it asks, in which order, what it
//! makes of the answers, and with which status it ends.

// clippy.toml allows it in tests, but does not take their helpers for tests.
#![allow(clippy::unwrap_used)]

mod fake_engine;

use std::fs::File;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use fake_engine::{FakeEngine, Reply, frame};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use serde_json::Value;

/// What a container's life needs: create, attach, wait, start. `attached` plays the program.
fn container(attached: fn(std::os::unix::net::UnixStream), status: u8) -> FakeEngine {
    FakeEngine::start(move |path, _| match path.split('?').next().unwrap() {
        "POST /containers/create" => Reply::Json(201, r#"{"Id":"abc","Warnings":null}"#.to_owned()),
        "POST /containers/abc/attach" => Reply::Upgrade(Box::new(attached)),
        "POST /containers/abc/wait" => Reply::ok(&format!(r#"{{"StatusCode":{status}}}"#)),
        _ => Reply::Json(204, String::new()),
    })
}

fn output(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Waits with a limit: a client that hangs fails the test instead of stopping it.
fn ends(child: &mut Child) -> std::process::ExitStatus {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(10) {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    panic!("the client does not end");
}

#[test]
fn run_tells_output_from_errors_and_ends_with_the_programs_status() {
    let engine = container(
        |mut stream| {
            let wire = [frame(1, "out"), frame(2, "err"), frame(1, "put\n")].concat();
            for byte in wire {
                stream.write_all(&[byte]).unwrap();
            }
        },
        7,
    );
    let ended = output(engine.canoa(&["run", "--rm", "base", "true"]));
    assert_eq!((text(&ended.stdout), text(&ended.stderr)), ("output\n", "err"));
    assert_eq!(ended.status.code(), Some(7));
}

#[test]
fn run_attaches_and_waits_before_it_starts() {
    let engine = container(|_| {}, 0);
    assert!(output(engine.canoa(&["run", "--rm", "base"])).status.success());
    let lines: Vec<String> = engine.asked().into_iter().map(|request| request.line).collect();
    let wanted = [
        "POST /v1.47/containers/create",
        "POST /v1.47/containers/abc/attach?stream=1&stdout=1&stderr=1",
        "POST /v1.47/containers/abc/wait?condition=removed",
        "POST /v1.47/containers/abc/start",
    ];
    assert_eq!(lines, wanted);
    let attach = &engine.asked()[1];
    assert_eq!(
        (attach.headers["connection"].as_str(), attach.headers["upgrade"].as_str()),
        ("Upgrade", "tcp")
    );
}

#[test]
fn input_from_a_pipe_is_passed_on_and_its_end_leaves_the_output_open() {
    let engine = container(
        |mut stream| {
            let mut all = String::new();
            // Returns only when the client has closed its half.
            stream.read_to_string(&mut all).unwrap();
            stream.write_all(&frame(1, &format!("{} bytes", all.len()))).unwrap();
        },
        0,
    );
    let mut command = engine.canoa(&["run", "-i", "base", "wc"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&vec![b'x'; 300_000]).unwrap();
    assert!(ends(&mut child).success());
    let mut said = String::new();
    child.stdout.unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "300000 bytes");
}

#[test]
fn what_follows_the_image_belongs_to_the_program() {
    let engine = container(|_| {}, 0);
    let arguments = [
        "run",
        "-m",
        "512m",
        "--cpus=1.5",
        "-e",
        "A=1",
        "-v",
        "data:/d:ro",
        "base",
        "sh",
        "-c",
        "ls",
        "-e",
        "--rm",
    ];
    assert!(output(engine.canoa(&arguments)).status.success());
    let body: Value = serde_json::from_str(&engine.asked()[0].body).unwrap();
    assert_eq!(body["Image"], "base");
    assert_eq!(body["Cmd"], serde_json::json!(["sh", "-c", "ls", "-e", "--rm"]));
    assert_eq!(body["Env"], serde_json::json!(["A=1"]));
    let host = &body["HostConfig"];
    assert_eq!((&host["Memory"], &host["NanoCpus"]), (&536_870_912.into(), &1_500_000_000.into()));
    assert_eq!((&host["Binds"][0], &host["AutoRemove"]), (&"data:/d:ro".into(), &false.into()));
}

#[test]
fn a_missing_image_is_pulled_and_then_created_from() {
    let pulled = std::sync::atomic::AtomicBool::new(false);
    let engine = FakeEngine::start(move |path, _| match path.split('?').next().unwrap() {
        "POST /images/create" => {
            pulled.store(true, std::sync::atomic::Ordering::SeqCst);
            let pieces: [&[u8]; 2] = [
                b"{\"status\":\"Pulling from library/x\",\"id\":\"12\"}\n{\"status\":\"Sta",
                b"tus: done\"}\n",
            ];
            Reply::Pieces(pieces.map(<[u8]>::to_vec).to_vec())
        }
        "POST /containers/create" if !pulled.load(std::sync::atomic::Ordering::SeqCst) => {
            Reply::error(404, "No such image: x:12")
        }
        "POST /containers/create" => Reply::Json(201, r#"{"Id":"abc","Warnings":[]}"#.to_owned()),
        _ => Reply::Json(204, String::new()),
    });
    let ended = output(engine.canoa(&["run", "-d", "x:12"]));
    assert_eq!(text(&ended.stdout), "abc\n");
    let wanted = "Unable to find image 'x:12' locally\n12: Pulling from library/x\nStatus: done\n";
    assert_eq!(text(&ended.stderr), wanted);
    engine.wait_for("POST /v1.47/images/create?fromImage=x&tag=12");
}

#[test]
fn an_error_in_the_middle_of_a_pull_ends_it() {
    let engine = FakeEngine::start(|_, _| Reply::Pieces(vec![b"{\"error\":\"disk is full\"}\n".to_vec()]));
    let ended = output(engine.canoa(&["pull", "x"]));
    assert_eq!((text(&ended.stderr), ended.status.code()), ("canoa: disk is full\n", Some(1)));
}

#[test]
fn a_program_that_never_ran_is_127_126_or_125() {
    let cases = [
        (400, "exec: \"nope\": executable file not found in $PATH", 127),
        (400, "exec /etc/passwd: permission denied", 126),
        (500, "mounting /x: no such file or directory", 125),
    ];
    for (status, message, code) in cases {
        let engine = FakeEngine::start(move |path, _| match path.split('?').next().unwrap() {
            "POST /containers/create" => Reply::Json(201, r#"{"Id":"abc"}"#.to_owned()),
            "POST /containers/abc/attach" => Reply::Upgrade(Box::new(|mut stream| {
                let _ = stream.read(&mut [0]);
            })),
            "POST /containers/abc/start" => Reply::error(status, message),
            _ => Reply::ok(r#"{"StatusCode":0}"#),
        });
        for arguments in [vec!["run", "base"], vec!["run", "-d", "base"], vec!["run", "--rm", "base"]] {
            let ended = output(engine.canoa(&arguments));
            assert_eq!(text(&ended.stderr), format!("Error response from daemon: {message}\n"));
            assert_eq!(ended.status.code(), Some(code), "{arguments:?}");
        }
    }
}

#[test]
fn the_engines_words_are_one_line_and_the_status_is_dockers() {
    let engine = FakeEngine::start(|_, _| Reply::error(404, "No such container: web"));
    for (arguments, code) in [(vec!["rm", "web"], 1), (vec!["logs", "web"], 1), (vec!["run", "web"], 125)] {
        let ended = output(engine.canoa(&arguments));
        assert_eq!(text(&ended.stderr), "Error response from daemon: No such container: web\n");
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn one_missing_thing_does_not_keep_the_others_from_their_turn() {
    let engine = FakeEngine::start(|path, _| match path {
        "DELETE /containers/b" => Reply::error(404, "No such container: b"),
        _ => Reply::Json(204, String::new()),
    });
    let ended = output(engine.canoa(&["rm", "a", "b", "c"]));
    assert_eq!(
        (text(&ended.stdout), text(&ended.stderr)),
        ("a\nc\n", "Error response from daemon: No such container: b\n")
    );
    assert_eq!(ended.status.code(), Some(1));
}

#[test]
fn a_wrong_command_line_asks_the_engine_nothing() {
    let engine = container(|_| {}, 0);
    let cases = [
        (vec!["run", "-m", "64x", "base"], 125, "--memory"),
        (vec!["run", "--bogus", "base"], 125, "--bogus"),
        (vec!["run"], 1, "IMAGE"),
        (vec!["create", "-v", "/a:b", "base"], 125, "--volume"),
        (vec!["ps", "--bogus"], 125, "--bogus"),
        (vec!["rm"], 1, "CONTAINER"),
        (vec!["rm", ""], 1, "must not be empty"),
        (vec!["imags"], 1, "'images'"),
        (vec!["run", "-it", "base"], 1, "the input device is not a TTY"),
        (vec!["ps", "-f", "x"], 125, "--filter"),
    ];
    for (arguments, code, word) in cases {
        let ended = output(engine.canoa(&arguments));
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {}", text(&ended.stderr));
        assert!(text(&ended.stderr).starts_with("canoa: "), "{arguments:?}: {}", text(&ended.stderr));
        assert!(text(&ended.stderr).contains(word), "{arguments:?}: {}", text(&ended.stderr));
    }
    assert!(engine.asked().is_empty());
}

#[test]
fn the_version_in_the_path_is_the_older_of_the_two() {
    let cases =
        [(Some("1.41"), "/v1.41/"), (Some("1.9"), "/v1.9/"), (Some("1.99"), "/v1.47/"), (None, "/v1.24/")];
    for (version, start) in cases {
        let engine = FakeEngine::of_version(version, |_, _| Reply::ok("[]"));
        assert!(output(engine.canoa(&["ps"])).status.success());
        assert!(engine.asked()[0].line.starts_with(&format!("GET {start}")), "{:?}", engine.asked()[0].line);
    }
}

#[test]
fn where_nobody_listens_it_says_so_and_what_to_do() {
    for (arguments, code) in [(vec!["ps"], 1), (vec!["run", "base"], 125)] {
        let mut command = Command::new(fake_engine::client());
        command.args(["-H", "unix:///nowhere/sock"]).args(arguments);
        let ended = output(command);
        let wanted = "canoa: connecting to the engine at unix:///nowhere/sock: No such file or directory \
                      (os error 2): is an engine running there?\n";
        assert_eq!((text(&ended.stderr), ended.status.code()), (wanted, Some(code)));
    }
}

#[test]
fn stopping_an_engine_that_is_not_there_starts_none() {
    let mut command = Command::new(fake_engine::client());
    command.args(["-H", "unix:///nowhere/sock", "system", "stop"]);
    let ended = output(command);
    assert!(ended.status.success());
    assert_eq!(text(&ended.stderr), "no daemon is running at unix:///nowhere/sock\n");
}

#[test]
fn an_engine_that_talks_nonsense_is_an_error_and_no_panic() {
    let nonsense: [&'static [u8]; 5] = [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 500 X\r\nContent-Length: 2\r\n\r\n{}",
    ];
    for bytes in nonsense {
        let engine = FakeEngine::start(move |_, _| Reply::Raw(bytes));
        for arguments in [["ps", "-a"], ["logs", "x"], ["attach", "x"], ["inspect", "x"], ["pull", "x"]] {
            let ended = output(engine.canoa(&arguments));
            let said = text(&ended.stderr);
            let told =
                |line: &&str| line.starts_with("canoa: ") || line.starts_with("Error response from daemon: ");
            assert_eq!(said.lines().filter(told).count(), 1, "{said}");
            assert_eq!(ended.status.code(), Some(1), "{arguments:?} {said}");
        }
    }
}

#[test]
fn inspect_keeps_the_engines_order_and_follows_a_path() {
    let engine = FakeEngine::start(|path, _| match path {
        "GET /images/x/json" => Reply::ok(r#"{"Id":"z","Config":{"User":"","Env":[]},"A":1}"#),
        _ => Reply::error(404, "no such thing"),
    });
    let ended = output(engine.canoa(&["inspect", "x"]));
    let wanted = "[\n    {\n        \"Id\": \"z\",\n        \"Config\": {\n            \"User\": \"\",\n            \
                  \"Env\": []\n        },\n        \"A\": 1\n    }\n]\n";
    assert_eq!(text(&ended.stdout), wanted);
    let ended = output(engine.canoa(&["inspect", "-f", "{{.Id}}{{json .Config.Env}}", "x"]));
    assert_eq!(text(&ended.stdout), "z[]\n");
    let ended = output(engine.canoa(&["inspect", "--type", "container", "x", "y"]));
    assert_eq!((text(&ended.stdout), ended.status.code()), ("[]\n", Some(1)));
}

#[test]
fn exec_ends_with_the_programs_status() {
    let engine = FakeEngine::start(|path, _| match path {
        "POST /containers/web/exec" => Reply::Json(201, r#"{"Id":"e1"}"#.to_owned()),
        "POST /exec/e1/start" => Reply::Upgrade(Box::new(|mut stream| {
            stream.write_all(&frame(2, "not found\n")).unwrap();
        })),
        "GET /exec/e1/json" => Reply::ok(r#"{"Running":false,"ExitCode":127}"#),
        other => Reply::error(404, other),
    });
    let ended = output(engine.canoa(&["exec", "-e", "A=1", "web", "nope", "-x"]));
    assert_eq!((text(&ended.stderr), ended.status.code()), ("not found\n", Some(127)));
    let body: Value = serde_json::from_str(&engine.asked()[0].body).unwrap();
    assert_eq!(
        (&body["Cmd"], &body["Env"]),
        (&serde_json::json!(["nope", "-x"]), &serde_json::json!(["A=1"]))
    );
}

#[test]
fn a_reader_that_has_seen_enough_ends_us_quietly() {
    let engine = FakeEngine::start(|path, _| match path {
        "GET /containers/x/json" => Reply::ok(r#"{"Config":{"Tty":false}}"#),
        _ => Reply::Pieces(vec![frame(1, "line\n"); 100_000]),
    });
    let mut command = engine.canoa(&["logs", "x"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0; 5]).unwrap();
    assert_eq!(ends(&mut child).signal(), Some(libc::SIGPIPE));
    let mut said = String::new();
    child.stderr.unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}

#[test]
fn signals_are_passed_on_to_the_program() {
    let engine = container(
        |mut stream| {
            let _ = stream.read(&mut [0]);
        },
        0,
    );
    let mut child = engine.canoa(&["run", "base"]).stdin(Stdio::null()).spawn().unwrap();
    engine.wait_for("POST /v1.47/containers/abc/start");
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    engine.wait_for("POST /v1.47/containers/abc/kill?signal=TERM");
    assert_eq!(child.try_wait().unwrap(), None);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The client on a terminal of 33 lines and 101 columns.
fn on_a_terminal(mut command: Command) -> (Child, File, OwnedFd) {
    let size = Winsize { ws_row: 33, ws_col: 101, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(Some(&size), None).unwrap();
    let slave = || Stdio::from(pty.slave.try_clone().unwrap());
    let child = command.stdin(slave()).stdout(slave()).stderr(slave()).spawn().unwrap();
    (child, File::from(pty.master), pty.slave)
}

fn cooked(terminal: impl AsFd) -> bool {
    tcgetattr(terminal).unwrap().local_flags.contains(LocalFlags::ICANON | LocalFlags::ECHO)
}

/// A program that echoes what it is sent, in capitals, until its terminal is closed.
fn shouting() -> FakeEngine {
    container(
        |mut stream| {
            let mut buffer = [0; 64];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                if buffer[..length].contains(&b'\x04') {
                    break;
                }
                stream.write_all(&buffer[..length].to_ascii_uppercase()).unwrap();
            }
            let _ = stream.shutdown(Shutdown::Both);
        },
        5,
    )
}

fn read_until(master: &mut File, wanted: &str) {
    let (mut seen, mut byte) = (String::new(), [0]);
    while !seen.contains(wanted) {
        master.read_exact(&mut byte).unwrap();
        seen.push(char::from(byte[0]));
    }
}

#[test]
fn a_terminal_is_raw_while_the_program_runs_and_as_before_afterwards() {
    let engine = shouting();
    let (mut child, mut master, slave) = on_a_terminal(engine.canoa(&["run", "-it", "base"]));
    engine.wait_for("POST /v1.47/containers/abc/resize?h=33&w=101");
    assert!(!cooked(&slave));
    master.write_all(b"\x03hola").unwrap();
    read_until(&mut master, "\x03HOLA");
    master.write_all(b"\x04").unwrap();
    assert_eq!(ends(&mut child).code(), Some(5));
    assert!(cooked(&slave));
}

#[test]
fn ctrl_p_ctrl_q_leaves_the_program_running() {
    let engine = shouting();
    let (mut child, mut master, slave) = on_a_terminal(engine.canoa(&["run", "-it", "base"]));
    engine.wait_for("POST /v1.47/containers/abc/resize");
    master.write_all(b"a\x10").unwrap();
    read_until(&mut master, "A");
    master.write_all(b"\x11").unwrap();
    assert_eq!(ends(&mut child).code(), Some(0));
    assert!(cooked(&slave));
}

#[test]
fn a_signal_that_ends_the_client_leaves_the_terminal_as_it_was() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let engine = shouting();
        let (mut child, _master, slave) =
            on_a_terminal(engine.canoa(&["run", "--sig-proxy=false", "-it", "base"]));
        engine.wait_for("POST /v1.47/containers/abc/resize");
        assert!(!cooked(&slave));
        kill(Pid::from_raw(child.id() as i32), signal).unwrap();
        assert_eq!(ends(&mut child).signal(), Some(signal as i32));
        assert!(cooked(&slave));
    }
}

#[test]
fn who_thinks_at_a_prompt_until_the_engine_has_hung_up_is_served_all_the_same() {
    let engine = FakeEngine::hanging_up_after(Duration::from_millis(50), |_, _| {
        Reply::ok(r#"{"NetworksDeleted":["sea"]}"#)
    });
    let mut prune = engine.canoa(&["network", "prune"]);
    let mut prune = prune.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = prune.stdout.take().unwrap();
    // It has connected and asks.
    let mut first = [0; 7];
    output.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"WARNING");
    std::thread::sleep(Duration::from_millis(300));
    prune.stdin.take().unwrap().write_all(b"y\n").unwrap();
    let status = ends(&mut prune);
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    assert!(status.success() && said.contains("Deleted Networks:\nsea"), "{status}: {said}");
}
