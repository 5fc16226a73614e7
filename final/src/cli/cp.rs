//! `canoa cp`: files into a container and out of it, as archives.

use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{self, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args as ClapArgs;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::HeaderMap;
use images::ownership::{Ownership, Rights};
use images::unpack::copy::Copy;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::failure::{Failure, Outcome};
use super::{output, units};
use crate::client::{Client, Path, Stream};

/// Copy files between a container and here
///
/// A folder is copied with all that is in it; FOLDER/. means what is in it. A - in place of a path here is a tar archive on standard input or output.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa cp web:/etc/nginx/nginx.conf .")]
pub struct Args {
    /// Into a container: everything is to belong to the container's user
    #[arg(short, long)]
    archive: bool,
    /// Copy what a symbolic link leads to
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Say nothing of what was copied
    #[arg(short, long)]
    quiet: bool,
    /// CONTAINER:PATH, or a path here, or -
    #[arg(value_name = "SOURCE", allow_hyphen_values = true)]
    source: String,
    /// A path here, or -, or CONTAINER:PATH
    #[arg(value_name = "DESTINATION", allow_hyphen_values = true)]
    destination: String,
}

/// Runs the command.
///
/// # Errors
/// There is no such file, or something is in the way.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let (source, destination) = (Side::parse(&args.source), Side::parse(&args.destination));
    match (source, destination) {
        (Side::Container(name, path), Side::Here(here)) => out(client, &args, &name, &path, &here).await,
        (Side::Here(here), Side::Container(name, path)) => into(client, &args, &here, &name, &path).await,
        (Side::Container(..), Side::Container(..)) => {
            Err(Failure::new("copying between containers is not supported: copy to a folder here first"))
        }
        (Side::Here(_), Side::Here(_)) => {
            Err(Failure::new("must specify at least one container source: CONTAINER:PATH"))
        }
    }
}

/// One end of a copy.
#[derive(Debug, PartialEq, Eq)]
enum Side {
    Container(String, String),
    Here(String),
}

impl Side {
    /// What begins with a slash or a point, or has no colon, is a path here.
    fn parse(text: &str) -> Side {
        match text.split_once(':') {
            Some((name, path)) if !name.is_empty() && !text.starts_with(['/', '.']) && !path.is_empty() => {
                Side::Container(name.to_owned(), path.to_owned())
            }
            _ => Side::Here(text.to_owned()),
        }
    }
}

/// What the engine says of a path.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stat {
    name: String,
    mode: u32,
    link_target: String,
}

impl Stat {
    fn of(headers: &HeaderMap) -> Result<Stat, Failure> {
        let header = headers.get("x-docker-container-path-stat");
        let bytes = header.and_then(|text| STANDARD.decode(text.as_bytes()).ok());
        let stat = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        stat.ok_or_else(|| Failure::new("the engine does not say what it copies"))
    }

    /// Go's bit for it.
    fn is_folder(&self) -> bool {
        self.mode & (1 << 31) != 0
    }
}

fn archive_path(name: &str, path: &str) -> Path {
    Path::new("/containers").name(name).end("/archive").query("path", path)
}

/// What is at a path in a container, and where that is, links followed; `None`: nothing.
async fn stat(client: &Client, name: &str, path: &str) -> Result<(String, Option<Stat>), Failure> {
    let mut path = path.to_owned();
    // As many links as the kernel follows.
    for _ in 0..40 {
        let stat = match client.head(archive_path(name, &path)).await {
            Ok(headers) => Stat::of(&headers)?,
            Err(error) if error.is_not_found() => return Ok((path, None)),
            Err(error) => return Err(error.into()),
        };
        if stat.link_target.is_empty() {
            return Ok((path, Some(stat)));
        }
        path = stat.link_target;
    }
    Err(Failure::new(format!("{path}: too many symbolic links")))
}

/// Whether the text says that it is a folder.
fn asserts_folder(path: &str) -> bool {
    path.ends_with('/') || is_content(path)
}

/// Whether it means what is in the folder.
fn is_content(path: &str) -> bool {
    path == "." || path.ends_with("/.")
}

/// The folder, and the name in it, that a path means.
fn split(path: &str) -> (String, String) {
    let path = path.trim_end_matches('/');
    match path.rsplit_once('/') {
        Some((folder, name)) => (if folder.is_empty() { "/" } else { folder }.to_owned(), name.to_owned()),
        None => (".".to_owned(), path.to_owned()),
    }
}

async fn into(client: &Client, args: &Args, here: &str, name: &str, path: &str) -> Outcome {
    let (target, found) = stat(client, name, path).await?;
    let (folder, packing) = if here == "-" {
        match found {
            Some(stat) if stat.is_folder() => (target, None),
            _ => return Err(Failure::new(format!("destination \"{name}:{path}\" must be a directory"))),
        }
    } else {
        let local = Local::open(here, args.follow_link)?;
        let (folder, new) = match found {
            Some(stat) if stat.is_folder() => (target, local.name.clone()),
            Some(_) if local.is_folder => return Err(Failure::new("cannot copy directory")),
            None if asserts_folder(path) && !local.is_folder => {
                return Err(Failure::new(format!("no such directory: {name}:{path}")));
            }
            _ => split(&target),
        };
        (folder, Some((local, new)))
    };
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(4);
    let packing = tokio::task::spawn_blocking(move || {
        let mut pieces = Pieces { sender, sent: 0 };
        let packed = match packing {
            None => io::copy(&mut io::stdin().lock(), &mut pieces).map(drop).map_err(Failure::from),
            Some((local, new)) => local.pack(&new, &mut pieces),
        };
        if let Err(Failure::Said { message, .. }) = &packed {
            let _ = pieces.sender.blocking_send(Err(io::Error::other(message.clone())));
        }
        packed.map(|()| pieces.sent)
    });
    let request = archive_path(name, &folder)
        .query("noOverwriteDirNonDir", true)
        .maybe("copyUIDGID", args.archive.then_some(true));
    match client.put(request, receiver).await {
        // The engine has said why; that our end of the pipe broke is what came of it.
        Err(error @ crate::client::Error::Engine { .. }) => return Err(error.into()),
        put => {
            let packed = packing.await.map_err(|error| Failure::new(format!("packing {here}: {error}")))?;
            let sent = match (packed, put) {
                (Err(failure), _) => return Err(failure),
                (Ok(_), Err(error)) => return Err(error.into()),
                (Ok(sent), Ok(())) => sent,
            };
            if here != "-" && !args.quiet && io::stderr().is_terminal() {
                output::note(&format!("Successfully copied {} to {name}:{path}", units::size(sent)));
            }
        }
    }
    Ok(0)
}

/// Something here that is to be copied.
struct Local {
    folder: OwnedFd,
    /// Its name in that folder.
    at: PathBuf,
    /// What it is called at the other end: `.` is what is in it.
    name: String,
    is_folder: bool,
}

impl Local {
    fn open(text: &str, follow: bool) -> Result<Local, Failure> {
        let failed = |error: io::Error| Failure::new(format!("{text}: {error}"));
        let given = path::Path::new(text);
        let link = given.symlink_metadata().map_err(failed)?;
        let real = match follow || asserts_folder(text) || !link.is_symlink() {
            true => given.canonicalize().map_err(failed)?,
            // The link itself, in its own folder.
            false => {
                let (folder, name) = split(text);
                path::Path::new(&folder).canonicalize().map_err(failed)?.join(name)
            }
        };
        let data = real.symlink_metadata().map_err(failed)?;
        if asserts_folder(text) && !data.is_dir() {
            return Err(Failure::new(format!("{text}: not a directory")));
        }
        let at = PathBuf::from(real.file_name().unwrap_or(".".as_ref()));
        let folder = open_folder(real.parent().unwrap_or(path::Path::new("/"))).map_err(failed)?;
        // What it was called here, and not what a link to it is called.
        let named = given.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = if is_content(text) { ".".to_owned() } else { named.unwrap_or_else(|| ".".to_owned()) };
        Ok(Local { folder, at, name, is_folder: data.is_dir() })
    }

    fn pack(&self, name: &str, to: &mut Pieces) -> Result<(), Failure> {
        // Here everything that is mounted belongs to the tree.
        images::pack::pack_one(self.folder.as_fd(), self.at.as_os_str(), name, &|_| true, to)
            .map_err(Failure::new)
    }
}

fn open_folder(path: &path::Path) -> io::Result<OwnedFd> {
    Ok(openat(AT_FDCWD, path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?)
}

async fn out(client: &Client, args: &Args, name: &str, path: &str, here: &str) -> Outcome {
    if here == "-" && io::stdout().is_terminal() {
        return Err(Failure::new("cp: an archive is not for a terminal: redirect it"));
    }
    let mut path = path.to_owned();
    if args.follow_link {
        path = stat(client, name, &path).await?.0;
    }
    let request = archive_path(name, &path);
    let (headers, mut stream) = client.stream_with_head(Method::GET, request, HeaderMap::new()).await?;
    let stat = Stat::of(&headers)?;
    if here == "-" {
        let mut to = io::stdout().lock();
        while let Some(bytes) = stream.next().await? {
            to.write_all(&bytes)?;
        }
        to.flush()?;
        return Ok(0);
    }
    let (folder, new) = match path::Path::new(here).metadata() {
        Ok(data) if data.is_dir() => {
            let base = if is_content(&path) || stat.name == "/" { "." } else { stat.name.as_str() };
            (here.to_owned(), base.to_owned())
        }
        Ok(_) if stat.is_folder() => return Err(Failure::new("cannot copy directory")),
        Ok(_) if asserts_folder(here) => return Err(Failure::new(format!("{here}: not a directory"))),
        Err(_) if asserts_folder(here) && !stat.is_folder() => {
            return Err(Failure::new(format!("no such directory: {here}")));
        }
        _ => split(here),
    };
    let opened = open_folder(path::Path::new(&folder))
        .map_err(|error| Failure::new(format!("invalid output path: {folder}: {error}")))?;
    let rights = Rights { ownership: Ownership::Ours, devices: false, ..Rights::detect() };
    // An engine may be hostile, too: nothing of what it sends leads out of that folder.
    // The first part of each name is the source's own; there is none where its content is meant.
    let strip = !is_content(&path) && stat.name != "/";
    let copy = Copy { into: new.into(), strip, same_kind: true, owner: None, rights };
    let unpack = move |reader: &mut Coming| copy.copy(reader, opened.as_fd()).map_err(Failure::new);
    let received = receive(stream, unpack).await?;
    if !args.quiet && io::stderr().is_terminal() {
        output::note(&format!("Successfully copied {} to {here}", units::size(received)));
    }
    Ok(0)
}

/// Has what comes read on a thread that may wait. Returns how many bytes there were.
async fn receive(
    mut stream: Stream,
    work: impl FnOnce(&mut Coming) -> Result<(), Failure> + Send + 'static,
) -> Result<u64, Failure> {
    let (sender, receiver) = mpsc::channel(4);
    let working = tokio::task::spawn_blocking(move || {
        let mut coming = Coming { receiver, piece: Bytes::new(), count: 0 };
        work(&mut coming)?;
        // What is behind the archive's end.
        io::copy(&mut coming, &mut io::sink())?;
        Ok::<_, Failure>(coming.count)
    });
    let mut broken = None;
    loop {
        match stream.next().await {
            Ok(Some(bytes)) => {
                if sender.send(Ok(bytes)).await.is_err() {
                    break;
                }
            }
            Ok(None) => break,
            Err(error) => {
                let _ = sender.send(Err(io::Error::other(error.to_string()))).await;
                broken = Some(error);
                break;
            }
        }
    }
    drop(sender);
    let worked = working.await.map_err(|error| Failure::new(format!("unpacking: {error}")))?;
    broken.map_or(worked, |error| Err(error.into()))
}

/// An archive on its way here.
struct Coming {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
    count: u64,
}

impl Read for Coming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.piece = piece?,
            }
        }
        let length = buffer.len().min(self.piece.len());
        buffer[..length].copy_from_slice(&self.piece.split_to(length));
        self.count += length as u64;
        Ok(length)
    }
}

/// An archive on its way to the engine.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    sent: u64,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the engine reads no further");
        self.sender.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(gone)?;
        self.sent += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_what_stands_before_a_colon() {
        assert_eq!(Side::parse("web:/etc"), Side::Container("web".into(), "/etc".into()));
        assert_eq!(Side::parse("web:etc"), Side::Container("web".into(), "etc".into()));
        for here in ["/a:b", "./a:b", "../a:b", "a", "-", ":a", "web:"] {
            assert_eq!(Side::parse(here), Side::Here(here.into()));
        }
    }

    #[test]
    fn a_path_is_a_folder_and_a_name() {
        for (path, folder, name) in
            [("/a/b/", "/a", "b"), ("/a", "/", "a"), ("a", ".", "a"), ("./a/b", "./a", "b")]
        {
            assert_eq!(split(path), (folder.to_owned(), name.to_owned()), "{path}");
        }
    }
}
