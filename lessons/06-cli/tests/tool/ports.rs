//! Ports of the host's that lead to a container, asked from outside of it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use crate::lab::{BOTH, STAGE, Test, Tool, soon};

pub const TESTS: &[Test] = &[
    ("a_published_port_leads_to_the_container_until_it_ends", BOTH, published),
    ("a_port_that_is_taken_is_said_before_anything_is_made", BOTH, taken),
    ("a_port_that_nobody_chose_is_said", BOTH, chosen),
    ("what_is_no_port_is_named", BOTH, no_port),
];

/// What the stage of this name does, in a container: it answers each connection to port 80 with the
/// container's own name.
pub fn serve() {
    let listener = TcpListener::bind("0.0.0.0:80").unwrap();
    for connection in listener.incoming() {
        let name = std::fs::read("/etc/hostname").unwrap();
        let _ = connection.unwrap().write_all(&name);
    }
}

/// Starts a container with such a server, which publishes its port 80 so, and gives its id and what is
/// said of it.
fn server(tool: &Tool, name: &str, publish: &str) -> (String, String) {
    let mut words: Vec<String> = ["run", "-d", "--name", name, "-p", publish].map(str::to_owned).to_vec();
    // This very program, with the libraries that it was linked with.
    let program = tool.this_program();
    let program = program.get_program().to_str().unwrap();
    words.extend(["-e".to_owned(), format!("{STAGE}=server"), "-v".into(), format!("{program}:/server:ro")]);
    for folder in ["/usr/lib", "/lib", "/lib64"].iter().filter(|path| std::fs::exists(path).unwrap()) {
        words.extend(["-v".to_owned(), format!("{folder}:{folder}:ro")]);
    }
    words.extend(["base", "/server"].map(str::to_owned));
    let output = tool.output(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(output.status.success(), "{output:?}");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
    (text(output.stdout), text(output.stderr))
}

/// What is said at this port; nothing, if nobody is there.
fn asked(port: u16) -> String {
    let mut said = String::new();
    if let Ok(mut connection) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
        let _ = connection.read_to_string(&mut said);
    }
    said.trim().to_owned()
}

/// A port that is free just now.
fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn published(tool: &Tool) {
    let port = free();
    let (id, _) = server(tool, "boat", &format!("{port}:80"));
    soon("the server answers", || asked(port) == id[..12]);
    // Also after another start.
    tool.says(&["stop", "-t", "0", "boat"]);
    assert_eq!(asked(port), "", "the container has ended");
    tool.says(&["start", "boat"]);
    soon("the server answers again", || asked(port) == id[..12]);
    tool.says(&["rm", "-f", "boat"]);
    drop(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).expect("the port is free again"));
}

fn taken(tool: &Tool) {
    let port = free();
    let publish = format!("{port}:80");
    let _somebody = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let words = ["run", "--name", "boat", "-p", &publish, "base", "true"];
    tool.fails(&words, 125, "Address already in use");
    assert!(tool.listed("boat").contains("Exited (125)"), "{}", tool.listed("boat"));
    let (_, record) = tool.record();
    assert!(record["state"]["started_at"].is_null(), "{record}");
}

fn chosen(tool: &Tool) {
    let (id, said) = server(tool, "boat", "127.0.0.1::80");
    let line = said.lines().next().unwrap_or_default();
    let port = line.strip_prefix("lesson-06: 127.0.0.1:").and_then(|rest| rest.strip_suffix("->80/tcp"));
    let port: u16 = port.unwrap_or_else(|| panic!("{said:?}")).parse().unwrap();
    soon("the server answers", || asked(port) == id[..12]);
}

fn no_port(tool: &Tool) {
    for text in ["abc", "8080:0", "1.2.3:80:80", "80/sctp", "1-2:3-5"] {
        let output = tool.output(&["create", "-p", text, "base"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(125), "{said}");
        assert!(said.contains("invalid") && said.contains(text), "{text}: {said}");
    }
    assert_eq!(tool.says(&["ps", "-a"]).lines().count(), 1);
}
