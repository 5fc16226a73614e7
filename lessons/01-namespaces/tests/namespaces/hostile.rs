//! What comes from outside and is not what it should be: an error that names it, never a panic.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use namespaces::{Command, IdMap, IdMaps, Namespaces, Process, exec};
use nix::unistd::Pid;

use crate::alone::alone;
use crate::child::told;
use crate::program::run;

#[test]
fn what_is_no_pid_is_named() {
    let texts = ["", "0", "-1", "1.5", "٣", " 1", "1 ", "1\n", "self", "../1", "99999999999999999999", "0x1"];
    for text in texts.map(OsStr::new).into_iter().chain([OsStr::from_bytes(b"\xff1")]) {
        let error = Process::parse(text).unwrap_err();
        assert_eq!((error.step.as_str(), error.on), ("look up process", text.display().to_string()));
        assert_eq!(error.hint, "a pid is a number from 1 on");
    }
}

#[test]
fn a_process_that_cannot_be_is_an_error_and_never_somebody_else() {
    for pid in [0, -1, i32::MIN, i32::MAX] {
        let error = Process::with_pid(pid).unwrap_err().to_string();
        assert!(error.contains(&pid.to_string()), "{error}");
        let process = Process { pid, start_time: 0 };
        assert!(!process.is_alive());
        let error = process.parent().unwrap_err().to_string();
        assert!(error.contains(&pid.to_string()), "{error}");
        // 0 and -1 would be a whole group and everybody to kill(2).
        match process.signal(0) {
            Ok(sent) => assert!(!sent, "{pid}"),
            Err(error) => assert!(error.to_string().contains(&pid.to_string()), "{error}"),
        }
        let error = Namespaces::of(process).unwrap_err().to_string();
        assert!(error.contains(&pid.to_string()), "{error}");
    }
    let myself = Process::with_pid(std::process::id() as i32).unwrap();
    for signal in [-1, 65, i32::MAX] {
        assert_eq!(myself.signal(signal).unwrap_err().errno, libc::EINVAL, "{signal}");
    }
}

#[test]
fn a_map_that_the_kernel_does_not_take_is_named() {
    let everybody = IdMap { inside: 7, outside: 7, count: u32::MAX };
    for pid in [0, -1, i32::MAX] {
        let error = IdMaps::only_me().write(Pid::from_raw(pid)).unwrap_err().to_string();
        assert!(error.contains(&format!("/proc/{pid}/")), "{error}");
    }
    for map in [
        IdMap { inside: 0, outside: 0, count: 0 },
        everybody,
        IdMap { inside: u32::MAX, outside: u32::MAX, count: u32::MAX },
    ] {
        let process = crate::idmap::Unmapped::new();
        let error = IdMaps { users: vec![map], groups: vec![map] }.write(process.pid()).unwrap_err();
        let line = format!("{} {} {}", map.inside, map.outside, map.count);
        assert!(error.errno == libc::EINVAL && error.to_string().contains(&line), "{error}");
    }
    let process = crate::idmap::Unmapped::new();
    let error = IdMaps { users: vec![], groups: vec![] }.write(process.pid()).unwrap_err().to_string();
    assert!(error.contains("newuidmap"), "{error}");
}

#[test]
fn a_program_that_nobody_can_run_is_named() {
    let nul = OsString::from(OsStr::from_bytes(b"a\0b"));
    let long = OsString::from("x".repeat(200_000));
    let cases: [(Command, &str, &str); 6] = [
        (Command::new([nul.clone()]), "exec", "NUL"),
        (Command { env: vec![nul.clone()], ..Command::new(["true"]) }, "exec", "NUL"),
        (Command::new(Vec::<OsString>::new()), "exec", "No such file"),
        (Command::new([""]), "exec", "No such file"),
        (Command::new([OsString::from("true"), long]), "exec", "too long"),
        (
            Command { directory: PathBuf::from("/no/such/folder"), ..Command::new(["true"]) },
            "change directory to /no/such/folder",
            "No such file",
        ),
    ];
    for (command, step, reason) in cases {
        let said = alone(|| told(|| exec(&command)));
        assert!(said.starts_with(step) && said.contains(reason), "{said}");
    }
    // A variable without a value is none; the program runs all the same.
    let command = Command { env: vec!["PATH".into(), "=".into(), "".into()], ..Command::new(["true"]) };
    assert_eq!(alone(|| told(|| exec(&command))), "it ran: Ok(Exited(0))");
}

#[test]
fn a_host_name_that_is_too_long_is_named() {
    let name = "b".repeat(65);
    let ran = run(&["run", "--hostname", &name, "true"]);
    assert_eq!(ran.code, Some(125), "{ran}");
    assert!(ran.err.contains(&name), "{ran}");
}
