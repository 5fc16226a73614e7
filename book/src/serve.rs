//! Serves the built site on the loopback interface: static files over HTTP/1.0, nothing else.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

/// A browser's request line is far shorter; what is longer is not for us.
const LONGEST_LINE: u64 = 8 * 1024;

/// Serves `site` on 127.0.0.1 until the process is ended. Port 0: any free one.
pub fn serve(site: &Path, port: u16) -> Result<()> {
    // Loopback only: a book on a laptop is nobody else's business.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("listening on 127.0.0.1:{port} (try another port: -- serve 8080)"))?;
    println!("http://{}/  (Ctrl-C ends it)", listener.local_addr()?);
    answer_all(&listener, site);
    Ok(())
}

/// Serves `site` at any free port of 127.0.0.1, as long as this program lives: its address.
///
/// # Errors
/// If it can't listen.
pub fn in_background(site: &Path) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening on 127.0.0.1")?;
    let address = listener.local_addr()?;
    let site = site.to_owned();
    std::thread::spawn(move || answer_all(&listener, &site));
    Ok(address)
}

fn answer_all(listener: &TcpListener, site: &Path) {
    for stream in listener.incoming() {
        let site = site.to_owned();
        // A thread for each connection: browsers open some and leave them idle.
        std::thread::spawn(move || {
            match stream.and_then(|stream| answer(stream, &site)) {
                // The reader has gone on to another page meanwhile.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                Err(error) => eprintln!("a request failed: {error}"),
                Ok(()) => {}
            }
        });
    }
}

fn answer(mut stream: TcpStream, site: &Path) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut line = String::new();
    BufReader::new(&stream).take(LONGEST_LINE).read_line(&mut line)?;

    let mut words = line.split_ascii_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, kind, body) = match (method, file_of(site, target)) {
        ("GET" | "HEAD", Some(file)) => match fs::read(&file) {
            Ok(body) => ("200 OK", media_type(&file), body),
            Err(_) => ("404 Not Found", TEXT, b"not found\n".to_vec()),
        },
        ("GET" | "HEAD", None) => ("404 Not Found", TEXT, b"not found\n".to_vec()),
        _ => ("405 Method Not Allowed", TEXT, b"only GET and HEAD\n".to_vec()),
    };
    let length = body.len();
    write!(stream, "HTTP/1.0 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n")?;
    if method != "HEAD" {
        stream.write_all(&body)?;
    }
    Ok(())
}

/// The file that a request's target names, or none where it would lie outside of the site.
fn file_of(site: &Path, target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next()?.strip_prefix('/')?;
    // The site's own names need no percent-encoding, so none is decoded: `%2e%2e` is just a name.
    if Path::new(path).components().any(|part| !matches!(part, Component::Normal(_))) {
        return None;
    }
    let file = site.join(path);
    Some(if file.is_dir() { file.join("index.html") } else { file })
}

const TEXT: &str = "text/plain; charset=utf-8";

fn media_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("txt" | "md") => TEXT,
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_request_leads_outside_the_site() {
        let site = Path::new("/site");
        for hostile in ["/../etc/passwd", "/en/../../etc/passwd", "//etc/passwd", "etc/passwd", "", "/./x"] {
            let file = file_of(site, hostile);
            assert!(
                file.is_none_or(|file| file.starts_with("/site") && !file.ends_with("passwd")),
                "{hostile}"
            );
        }
        assert_eq!(file_of(site, "/en/glossary.html?x=1"), Some("/site/en/glossary.html".into()));
    }

    #[test]
    fn a_served_page_arrives_with_its_type() {
        let site = std::env::temp_dir().join(format!("canoa-serve-{}", std::process::id()));
        fs::create_dir_all(&site).unwrap();
        fs::write(site.join("index.html"), "<p>¡hola!</p>").unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let root = site.clone();
        let server = std::thread::spawn(move || answer(listener.accept().unwrap().0, &root).unwrap());

        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET / HTTP/1.1\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        server.join().unwrap();
        fs::remove_dir_all(site).unwrap();
        assert!(text.starts_with("HTTP/1.0 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"), "{text}");
        assert!(text.ends_with("<p>¡hola!</p>"), "{text}");
    }
}
