//! An engine on another machine: TLS with certificates on both sides, and ssh.
//!
//! As root the client is in a network namespace of its own, and comes over a veth. An ordinary user has no
//! second host to offer, and comes through the loopback interface; the certificates are the same.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use e2e::case;
use e2e::case::Case;
use e2e::certificates::Authority;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;
use e2e::program::Ran;
use e2e::terminal::Terminal;

const HERE: &[Need] = &[Need::Canoa, Need::Tool("ip"), Need::Tool("nsenter")];
const DOCKER: &[Need] = &[Need::Canoa, Need::Tool("ip"), Need::Tool("nsenter"), Need::Tool("docker")];

pub const CASES: &[Case] = &[
    case!(a_client_on_another_host_drives_the_engine).needs(HERE),
    case!(a_client_on_another_host_has_a_terminal).needs(HERE),
    case!(the_stock_docker_drives_the_engine_from_another_host).needs(DOCKER),
    case!(only_those_with_the_right_certificates_meet).needs(HERE),
    case!(plain_http_on_the_port_of_tls_gets_a_clear_answer).needs(DOCKER),
    case!(without_tls_only_this_machine_is_listened_to).needs(&[Need::Canoa]),
    case!(one_of_dockers_contexts_names_the_engine).needs(DOCKER),
    case!(an_engine_is_reached_through_ssh).needs(&[Need::Canoa]),
    case!(the_stock_docker_reaches_us_through_ssh).needs(&[Need::Canoa, Need::Tool("docker")]),
];

/// An engine that listens with TLS, and a client elsewhere.
struct Far<'a> {
    lab: &'a Lab,
    address: String,
    certificates: PathBuf,
    /// Holds the client's network namespace.
    elsewhere: Option<Child>,
}

impl Far<'_> {
    fn new(lab: &Lab) -> Far<'_> {
        let (elsewhere, ip) =
            if lab.is_root() { (Some(another_host(lab)), "10.9.8.1") } else { (None, "127.0.0.1") };
        // The kernel knows which port is free. The lab as root has all of them to itself.
        let port = TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap().port();
        let address = format!("tcp://{ip}:{port}");
        let authority = Authority::new(&lab.folder.join("certificates"));
        let ours = authority.signs("engine", &[ip]);
        let file = |name: &str| ours.join(name).to_string_lossy().into_owned();
        lab.daemon_takes(&[
            "-H",
            &address,
            "--tlsverify",
            "--tlscacert",
            &file("ca.pem"),
            "--tlscert",
            &file("cert.pem"),
            "--tlskey",
            &file("key.pem"),
        ]);
        lab.with_daemon();
        Far { lab, address, certificates: authority.signs("client", &["a client"]), elsewhere }
    }

    /// A program on the other host.
    fn program(&self, program: &Path) -> Command {
        match &self.elsewhere {
            None => self.lab.program(program),
            Some(host) => {
                let mut command = self.lab.program("nsenter");
                command.args(["--net", "--target", &host.id().to_string(), "--"]).arg(program);
                command
            }
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(&self.lab.binary);
        command.args(["-H", &self.address, "--tlsverify"]).args(arguments);
        command.env("CANOA_CERT_PATH", &self.certificates);
        command
    }

    fn canoa(&self, arguments: &[&str]) -> Ran {
        self.lab.finish(&mut self.command(arguments))
    }

    fn docker(&self, arguments: &[&str]) -> Ran {
        self.lab.finish(&mut self.docker_command(arguments))
    }

    fn docker_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(Path::new("docker"));
        command.args(["-H", &self.address, "--tlsverify"]).args(arguments);
        command.env("DOCKER_CERT_PATH", &self.certificates);
        command
    }
}

impl Drop for Far<'_> {
    fn drop(&mut self) {
        if let Some(host) = &mut self.elsewhere {
            let _ = host.kill();
            let _ = host.wait();
        }
    }
}

/// A network namespace with an interface that leads here: we are 10.9.8.1, it is 10.9.8.2.
fn another_host(lab: &Lab) -> Child {
    let mut host = lab.program("unshare");
    host.args(["--net", "sh", "-c", "ip link set lo up; echo there; exec sleep 1000"]).stdout(Stdio::piped());
    let mut host = host.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(host.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "there\n");
    let pid = host.id().to_string();
    lab.host(&["ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", &pid]).ok();
    lab.host(&["ip", "addr", "add", "10.9.8.1/24", "dev", "near"]).ok();
    lab.host(&["ip", "link", "set", "near", "up"]).ok();
    let there = ["nsenter", "--net", "--target", &pid, "ip"];
    lab.host(&[&there[..], &["addr", "add", "10.9.8.2/24", "dev", "far"]].concat()).ok();
    lab.host(&[&there[..], &["link", "set", "far", "up"]].concat()).ok();
    host
}

fn a_client_on_another_host_drives_the_engine(lab: &Lab) {
    let far = Far::new(lab);
    far.canoa(&["info"]).ok().mentions(&format!("Engine at: {}", far.address));
    far.canoa(&["run", "--rm", "base", "sh", "-c", "echo out; echo err >&2; exit 42"])
        .exits(42)
        .says("out")
        .complains_about("err");
    // Standard input, its end, and what comes after it.
    fs::write(lab.folder.join("tmp/input"), "x".repeat(300_000)).unwrap();
    let mut count = far.command(&["run", "-i", "--rm", "base", "wc", "-c"]);
    count.stdin(fs::File::open(lab.folder.join("tmp/input")).unwrap());
    lab.finish(&mut count).ok().says("300000");
    // What the far client makes is here.
    far.canoa(&["run", "-d", "--name", "box", "base", "sh", "-c", "read x; echo $x; sleep 1000"]).ok();
    lab.canoa(&["ps", "--format", "{{.Names}}"]).ok().says("box");
    far.canoa(&["exec", "box", "sh", "-c", "echo in; exit 5"]).exits(5).says("in");
    // A follower hears of what happens later, and of the end.
    far.canoa(&[
        "run",
        "-d",
        "--name",
        "talker",
        "base",
        "sh",
        "-c",
        "echo one; until test -e /go; do sleep 0.05; done; echo two",
    ])
    .ok();
    let mut follower = far.command(&["logs", "-f", "talker"]);
    let mut follower = follower.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "one");
    // It may end with the container, which ends by what it does.
    far.canoa(&["exec", "talker", "touch", "/go"]);
    assert_eq!(lines.next().unwrap().unwrap(), "two");
    assert!(lines.next().is_none());
    assert!(follower.wait().unwrap().success());
    far.canoa(&["rm", "-f", "box", "talker"]).ok();
}

fn a_client_on_another_host_has_a_terminal(lab: &Lab) {
    let far = Far::new(lab);
    let mut shell = Terminal::start(far.command(&["run", "-it", "--name", "mine", "base", "sh"]));
    assert_eq!(shell.asks("echo $((6 * 7))"), "42");
    assert_eq!(shell.asks("stty size"), "24 80");
    shell.resize(30, 100);
    eventually("the window's size arrives", || shell.asks("stty size") == "30 100");
    // Leave it, and join it again.
    shell.presses(b"\x10\x11");
    assert_eq!(shell.ends(), 0);
    lab.canoa(&["ps", "-q"]).ok();
    let mut again = Terminal::start(far.command(&["attach", "mine"]));
    assert_eq!(again.asks("echo still here"), "still here");
    again.types("exit 9");
    assert_eq!(again.ends(), 9);
}

fn the_stock_docker_drives_the_engine_from_another_host(lab: &Lab) {
    let far = Far::new(lab);
    far.docker(&["version"]).ok().mentions("Server");
    far.docker(&["run", "--rm", "base", "sh", "-c", "echo hello; exit 3"]).exits(3).says("hello");
    let mut shell = Terminal::start(far.docker_command(&["run", "-it", "--rm", "base", "sh"]));
    assert_eq!(shell.asks("echo $((6 * 7))"), "42");
    shell.types("exit 3");
    assert_eq!(shell.ends(), 3);
    // A half-close reaches the program: `cat` ends, and its output has come.
    fs::write(lab.folder.join("tmp/input"), "through\n").unwrap();
    let mut cat = far.docker_command(&["run", "-i", "--rm", "base", "cat"]);
    cat.stdin(fs::File::open(lab.folder.join("tmp/input")).unwrap());
    lab.finish(&mut cat).ok().says("through");
}

fn only_those_with_the_right_certificates_meet(lab: &Lab) {
    let far = Far::new(lab);
    far.canoa(&["ps"]).ok();
    let stranger = Authority::new(&lab.folder.join("strangers"));
    let (theirs, ours) = (stranger.signs("client", &["a stranger"]), &far.certificates);
    let file = |folder: &Path, name: &str| folder.join(name).to_string_lossy().into_owned();
    let with = |ca: &Path, certificate: Option<&Path>| {
        let mut command = far.program(&lab.binary);
        command.args(["-H", &far.address, "--tlsverify", "--tlscacert", &file(ca, "ca.pem")]);
        if let Some(folder) = certificate {
            command.args(["--tlscert", &file(folder, "cert.pem"), "--tlskey", &file(folder, "key.pem")]);
        }
        command.arg("ps");
        lab.finish(&mut command)
    };
    with(ours, Some(ours)).ok();
    // The engine isn't the one that is meant.
    with(&theirs, Some(ours)).exits(1).complains_about("signed by nobody in --tlscacert");
    // The engine doesn't know us; or isn't told who we are.
    with(ours, Some(&theirs)).exits(1).complains_about("doesn't accept --tlscert");
    with(ours, None).exits(1).complains_about("give --tlscert and --tlskey");
    // Encryption alone asks nothing of the engine; the engine still does of us.
    let mut unchecked = far.program(&lab.binary);
    unchecked.args(["-H", &far.address, "--tls", "ps"]);
    lab.finish(&mut unchecked).exits(1).complains_about("give --tlscert and --tlskey");
    // A certificate that is good, and somebody else's.
    // A certificate of the right authority, made out to somebody else. (Another name of this machine is
    // needed for it, and the other host knows none.)
    if !lab.is_root() {
        let mut named = far.program(&lab.binary);
        let name = far.address.replace("127.0.0.1", "localhost");
        named.args(["-H", &name, "--tlsverify", "ps"]).env("CANOA_CERT_PATH", ours);
        lab.finish(&mut named).exits(1).complains_about("made out to another name");
    }
    let stderr = far.docker(&["--tlscacert", &file(&theirs, "ca.pem"), "ps"]).exits(1).stderr;
    assert!(stderr.contains("certificate signed by unknown authority"), "{stderr}");
    assert!(lab.daemon_said().contains("a client was not let in"), "{}", lab.daemon_said());
}

fn plain_http_on_the_port_of_tls_gets_a_clear_answer(lab: &Lab) {
    let far = Far::new(lab);
    let mut plain = far.program(&lab.binary);
    plain.args(["-H", &far.address, "ps"]);
    let words = "Client sent an HTTP request to an HTTPS server";
    lab.finish(&mut plain).exits(1).complains_about(words).complains_about("--tlsverify");
    let mut docker = far.program(Path::new("docker"));
    docker.args(["-H", &far.address, "ps"]);
    lab.finish(&mut docker).exits(1).complains_about(words);
    // And the other way round.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("tcp://127.0.0.1:{port}");
    lab.stop_daemon();
    lab.daemon_takes(&["-H", &address]);
    lab.start_daemon();
    let certificates = far.certificates.to_string_lossy().into_owned();
    let mut tls = lab.program(&lab.binary);
    tls.args(["-H", &address, "--tlsverify", "ps"]).env("CANOA_CERT_PATH", certificates);
    lab.finish(&mut tls).exits(1).complains_about("it doesn't speak TLS there");
    let mut good = lab.program(&lab.binary);
    lab.finish(good.args(["-H", &address, "ps"])).ok();
}

fn without_tls_only_this_machine_is_listened_to(lab: &Lab) {
    let socket = format!("unix://{}", lab.socket().display());
    let far = ["daemon", "-H", &socket, "-H", "tcp://0.0.0.0:1"];
    let ran = lab.canoa_alone(&far).exits(1);
    ran.complains_about("API is accessible on tcp://0.0.0.0:1 without encryption")
        .complains_about("equivalent to root access on the host")
        .complains_about("--tlsverify");
    assert!(!lab.socket().exists(), "nothing was begun");
    // Encrypted, and open to anybody, is no better.
    let certificate = Authority::new(&lab.folder.join("certificates")).signs("engine", &["localhost"]);
    let file = |name: &str| certificate.join(name).to_string_lossy().into_owned();
    let (cert, key) = (file("cert.pem"), file("key.pem"));
    let with = |more: &[&str]| lab.canoa_alone(&[&far[..], &["--tlscert", &cert], more].concat()).exits(1);
    with(&["--tls", "--tlskey", &key]).complains_about("without TLS client verification");
    with(&["--tlsverify", "--tlskey", &key]).complains_about("--tlscacert FILE");
    with(&["--tlsverify", "--tlscacert", &file("ca.pem")]).complains_about("--tlskey FILE");
    with(&["--tlskey", &key]).complains_about("add it");
    let ca = file("ca.pem");
    with(&["--tlsverify", "--tlscacert", &ca, "--tlskey", "/none"])
        .complains_about("TLS key /none: No such file or directory (os error 2)");
    with(&["--tlsverify", "--tlscacert", &key, "--tlskey", &key]).complains_about("no certificate is in it");
}

fn one_of_dockers_contexts_names_the_engine(lab: &Lab) {
    let far = Far::new(lab);
    let file = |name: &str| far.certificates.join(name).to_string_lossy().into_owned();
    let endpoint = format!(
        "host={},ca={},cert={},key={}",
        far.address,
        file("ca.pem"),
        file("cert.pem"),
        file("key.pem")
    );
    lab.host(&["docker", "context", "create", "far", "--docker", &endpoint]).ok();
    let context = |name: &str, arguments: &[&str]| {
        let mut command = far.program(&lab.binary);
        command.args(["--context", name]).args(arguments);
        lab.finish(&mut command)
    };
    context("far", &["run", "--rm", "base", "echo", "hello"]).ok().says("hello");
    context("far", &["info"]).ok().mentions(&far.address);
    context("near", &["ps"]).exits(1).complains_about("there is no such context");
    // It names an engine; so does -H: Docker refuses both at once, and so do we.
    context("far", &["-H", "unix:///x", "ps"]).exits(1).complains_about("conflicting options");
}

/// A folder with an `ssh` that runs here what it should run there, as a shell would over there.
fn ssh(lab: &Lab) -> String {
    let folder = lab.folder.join("bin");
    fs::create_dir_all(&folder).unwrap();
    let script = format!(
        "#!/bin/sh\necho \"$*\" >>{log}\nwhile [ \"$1\" != -- ]; do shift; done\nshift 2\nexec sh -c \"$*\"\n",
        log = lab.folder.join("ssh.log").display()
    );
    fs::write(folder.join("ssh"), script).unwrap();
    fs::set_permissions(folder.join("ssh"), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink(&lab.binary, folder.join("canoa")).unwrap();
    format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", folder.display())
}

fn an_engine_is_reached_through_ssh(lab: &Lab) {
    lab.with_daemon();
    let path = ssh(lab);
    let address = format!("ssh://me@there:2222{}", lab.socket().display());
    let command = |arguments: &[&str]| {
        let mut command = lab.program(&lab.binary);
        command.env("PATH", &path).env("CANOA_HOST", &address).args(arguments);
        command
    };
    lab.finish(&mut command(&["run", "--rm", "base", "sh", "-c", "echo hello; exit 3"]))
        .exits(3)
        .says("hello");
    lab.finish(&mut command(&["info"])).ok().mentions(&address);
    fs::write(lab.folder.join("tmp/input"), "through\n").unwrap();
    let mut cat = command(&["run", "-i", "--rm", "base", "cat"]);
    cat.stdin(fs::File::open(lab.folder.join("tmp/input")).unwrap());
    lab.finish(&mut cat).ok().says("through");
    let mut shell = Terminal::start(command(&["run", "-it", "--rm", "base", "sh"]));
    assert_eq!(shell.asks("echo $((6 * 7))"), "42");
    // For the program, not for ssh: Ctrl-C ends what runs in the container, and the shell goes on.
    shell.types("sh -c 'echo rea''dy; exec sleep 1000'");
    shell.sees("ready");
    shell.presses(b"\x03");
    assert_eq!(shell.asks("echo alive"), "alive");
    shell.types("exit 4");
    assert_eq!(shell.ends(), 4);
    let asked = fs::read_to_string(lab.folder.join("ssh.log")).unwrap();
    let expected = format!(
        "-o ConnectTimeout=30 -T -l me -p 2222 -- there canoa --host unix://{} system dial-stdio",
        lab.socket().display()
    );
    assert_eq!(asked.lines().next(), Some(&*expected));
    let mut broken = command(&["ps"]);
    broken.env("CANOA_HOST", "ssh://-oProxyCommand=x");
    lab.finish(&mut broken).exits(1).complains_about("ssh:// wants a host");
}

fn the_stock_docker_reaches_us_through_ssh(lab: &Lab) {
    lab.with_daemon();
    let path = ssh(lab);
    // Over there `docker` is a link to canoa, first in the path; here it is the stock client.
    let stock =
        ["/usr/local/bin/docker", "/usr/bin/docker"].into_iter().find(|file| Path::new(file).exists());
    std::os::unix::fs::symlink(&lab.binary, lab.folder.join("bin/docker")).unwrap();
    let mut docker = lab.program(stock.unwrap());
    docker.env("PATH", &path).env("CANOA_HOST", format!("unix://{}", lab.socket().display()));
    docker.args(["-H", "ssh://there", "run", "--rm", "base", "sh", "-c", "echo hello; exit 3"]);
    lab.finish(&mut docker).exits(3).says("hello");
    let asked = fs::read_to_string(lab.folder.join("ssh.log")).unwrap();
    assert!(asked.contains("docker system dial-stdio"), "{asked}");
}
