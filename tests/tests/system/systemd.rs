//! The units that we ship, and a daemon that systemd starts: with a socket that is open already, and somebody
//! who waits to hear that it is ready.

use std::fs;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use e2e::case;
use e2e::case::Case;
use e2e::lab::Lab;
use e2e::need::Need;

pub const CASES: &[Case] = &[
    case!(the_units_are_good).needs(&[Need::Canoa, Need::Tool("systemd-analyze")]),
    case!(a_daemon_serves_on_the_socket_that_systemd_has_opened).needs(&[Need::Canoa]),
    case!(without_systemd_there_is_no_inherited_socket).needs(&[Need::Canoa]),
];

/// Kind, service, socket.
const UNITS: [(&str, &str, &str); 2] = [
    (
        "system",
        include_str!("../../../final/systemd/system/canoa.service"),
        include_str!("../../../final/systemd/system/canoa.socket"),
    ),
    (
        "user",
        include_str!("../../../final/systemd/user/canoa.service"),
        include_str!("../../../final/systemd/user/canoa.socket"),
    ),
];

fn the_units_are_good(lab: &Lab) {
    for (kind, service, socket) in UNITS {
        // Each with the program where it is in this lab: one that is missing is a mistake, too.
        let folder = lab.folder.join(kind);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in [("canoa.service", service), ("canoa.socket", socket)] {
            let program = lab.binary.to_string_lossy().into_owned();
            let text =
                text.replace("/usr/local/bin/canoa", &program).replace("%h/.cargo/bin/canoa", &program);
            fs::write(folder.join(name), text).unwrap();
        }
        let mut verify = lab.program("systemd-analyze");
        verify.arg(format!("--{kind}")).args(["verify", "--man=no"]);
        verify.args([folder.join("canoa.service"), folder.join("canoa.socket")]);
        // The lab's /run is empty, and an ordinary user has no manager: only what is said of our files counts.
        let ran = lab.finish(&mut verify);
        let about_us: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("canoa")).collect();
        assert_eq!(about_us, Vec::<&str>::new(), "{ran}");
    }
}

/// What systemd does: the socket is descriptor 3, and the environment says so to that process alone.
fn activate(lab: &Lab, socket: &UnixListener, notify: &Path) -> Child {
    let script =
        "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" daemon -H fd:// --data-root \"$1\" --exec-root \"$2\"";
    let mut daemon = lab.program("sh");
    daemon.args(["-c", script]).arg(&lab.binary).arg(lab.data_root()).arg(lab.exec_root());
    daemon.env("NOTIFY_SOCKET", notify).stderr(Stdio::piped());
    let fd = socket.as_raw_fd();
    // SAFETY: between fork and exec only dup2 or fcntl is called, which are async-signal-safe.
    unsafe {
        daemon.pre_exec(move || {
            // dup2 clears close-on-exec, but not where both are the same.
            let done = if fd == 3 { libc::fcntl(3, libc::F_SETFD, 0) } else { libc::dup2(fd, 3) };
            if done < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
        });
    }
    daemon.spawn().unwrap()
}

fn a_daemon_serves_on_the_socket_that_systemd_has_opened(lab: &Lab) {
    let socket = UnixListener::bind(lab.socket()).unwrap();
    let notify = lab.folder.join("notify");
    let ready = UnixDatagram::bind(&notify).unwrap();
    ready.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // Somebody who was there before the daemon is served by it.
    let early = UnixStream::connect(lab.socket()).unwrap();
    let mut daemon = activate(lab, &socket, &notify);
    let mut word = [0; 64];
    let length = ready.recv(&mut word).unwrap();
    assert_eq!(&word[..length], b"READY=1");
    std::io::Write::write_all(&mut &early, b"GET /_ping HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    (&early).read_to_string(&mut answer).unwrap();
    assert!(answer.contains("200 OK") && answer.ends_with("OK"), "{answer}");
    lab.canoa_alone(&["run", "--rm", "base", "echo", "hello"]).ok().says("hello");
    // It would be there again at once: what to do is said, and nothing done.
    lab.canoa_alone(&["run", "-d", "--name", "box", "base", "sleep", "1000"]).ok();
    lab.canoa_alone(&["system", "stop"]).exits(1).complains_about("systemctl disable --now canoa.socket");
    lab.canoa_alone(&["system", "reset", "-f"])
        .exits(1)
        .complains_about("systemctl disable --now canoa.socket");
    // Stopped and started again, as by an upgrade: the socket is the same, and so are the containers.
    let pid = nix::unistd::Pid::from_raw(daemon.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(daemon.wait().unwrap().success());
    assert!(lab.socket().exists(), "the socket is systemd's");
    let mut daemon = activate(lab, &socket, &notify);
    ready.recv(&mut word).unwrap();
    lab.canoa_alone(&["ps", "--format", "{{.Names}}"]).ok().says("box");
    lab.canoa_alone(&["rm", "-f", "box"]).ok();
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

fn without_systemd_there_is_no_inherited_socket(lab: &Lab) {
    let (data, exec) = (lab.data_root(), lab.exec_root());
    let (data, exec) = (data.to_string_lossy(), exec.to_string_lossy());
    let words = ["daemon", "-H", "fd://", "--data-root", &data, "--exec-root", &exec];
    lab.canoa_alone(&words).exits(1).complains_about("nobody has handed us a socket");
}
