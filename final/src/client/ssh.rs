//! An engine on another machine, through `ssh HOST canoa system dial-stdio`.
//!
//! ssh knows the keys, the hosts and the jumps; what it carries is the engine's socket at the other
//! end. Docker does the same, and calls `docker` there: that is what its contexts mean.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// `ssh://[USER@]HOST[:PORT][/SOCKET]`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    user: Option<String>,
    host: String,
    port: Option<u16>,
    /// The engine's socket there, where it isn't the usual one.
    socket: Option<String>,
    /// What is called there: `canoa`, or `docker` for one of Docker's contexts.
    pub program: &'static str,
}

impl Destination {
    /// Reads what follows `ssh://`.
    ///
    /// # Errors
    /// Why it makes no sense.
    pub fn parse(text: &str) -> Result<Destination, &'static str> {
        let (place, path) = match text.find('/') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let (user, place) = match place.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, place),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err("a password does not belong there: use a key");
        }
        // An IPv6 address stands in brackets, for it has colons of its own.
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let port = match port.map(str::parse) {
            None => None,
            Some(Ok(port)) => Some(port),
            Some(Err(_)) => return Err("after the colon there must be a port"),
        };
        // ssh would take it for an option.
        if host.is_empty() || host.starts_with('-') || user.is_some_and(|user| user.starts_with('-')) {
            return Err("ssh:// wants a host: ssh://user@host");
        }
        Ok(Destination {
            user: user.filter(|user| !user.is_empty()).map(str::to_owned),
            host: host.to_owned(),
            port,
            socket: Some(path).filter(|path| path.len() > 1).map(str::to_owned),
            program: "canoa",
        })
    }

    fn arguments(&self) -> Vec<String> {
        let mut words = vec!["-o".to_owned(), "ConnectTimeout=30".to_owned(), "-T".to_owned()];
        if let Some(user) = &self.user {
            words.extend(["-l".to_owned(), user.clone()]);
        }
        if let Some(port) = self.port {
            words.extend(["-p".to_owned(), port.to_string()]);
        }
        words.extend(["--".to_owned(), self.host.clone(), self.program.to_owned()]);
        if let Some(socket) = &self.socket {
            // The words are put together again, for a shell at the other end.
            words.extend(["--host".to_owned(), quoted(&format!("unix://{socket}"))]);
        }
        words.extend(["system".to_owned(), "dial-stdio".to_owned()]);
        words
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.socket.as_deref().unwrap_or_default())
    }
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/:._-".contains(c);
    match text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// Both ends of an `ssh` that runs, as one stream. It is killed with it.
#[derive(Debug)]
pub struct Ssh {
    /// Held for its `kill_on_drop`.
    _child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
}

/// Starts `ssh`. What it has to say goes to our standard error.
///
/// # Errors
/// There is none.
pub fn dial(destination: &Destination) -> io::Result<Ssh> {
    let mut command = Command::new("ssh");
    command.args(destination.arguments()).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    // SAFETY: between fork and exec only setsid is called, which is in signal-safety(7).
    unsafe {
        command.pre_exec(|| {
            // Ctrl-C is for the program in the container: in a session of its own ssh doesn't get it.
            nix::unistd::setsid()?;
            Ok(())
        });
    }
    let mut child = command.spawn()?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("its standard input and output are missing"));
    };
    Ok(Ssh { _child: child, stdin: Some(stdin), stdout })
}

impl AsyncRead for Ssh {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdout).poll_read(context, buffer)
    }
}

impl AsyncWrite for Ssh {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_write(context, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_flush(context),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The pipe's end is what the other side sees.
        self.stdin = None;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_becomes_sshs_own_words() {
        let words = |text: &str| Destination::parse(text).unwrap().arguments()[3..].join(" ");
        assert_eq!(words("host"), "-- host canoa system dial-stdio");
        assert_eq!(words("me@host:2222"), "-l me -p 2222 -- host canoa system dial-stdio");
        assert_eq!(words("[::1]:22"), "-p 22 -- ::1 canoa system dial-stdio");
        assert_eq!(
            words("host/run/canoa/my sock"),
            "-- host canoa --host 'unix:///run/canoa/my sock' system dial-stdio"
        );
    }

    #[test]
    fn a_destination_that_ssh_would_misunderstand_is_refused() {
        for wrong in ["", "me@", "-oProxyCommand=x", "host:port", "me:secret@host", "-l@host"] {
            Destination::parse(wrong).unwrap_err();
        }
        assert_eq!(Destination::parse("me@[::1]:22/x").unwrap().to_string(), "ssh://me@[::1]:22/x");
    }
}
