//! `canoa run`: create, attach, wait, start; and pull first, if need be.

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Args as ClapArgs;
use hyper::Method;
use hyper::header::HeaderMap;
use serde::Deserialize;

use super::create;
use super::detach::Keys;
use super::failure::{Failure, Outcome};
use super::options::{Options, StreamName};
use super::output;
use super::session::{End, Joined, Session};
use super::signals::Signals;
use crate::client::{self, Client, Path, Stream};

/// Run a program in a new container
#[derive(Debug, ClapArgs)]
#[command(override_usage = "canoa run [OPTIONS] IMAGE [COMMAND] [ARG]...")]
#[command(after_help = "Example: canoa run -it --rm base sh")]
pub struct Args {
    /// Leave it running in the background and print its id
    #[arg(short, long)]
    detach: bool,
    /// Keys that leave it running and end the client
    #[arg(long, value_name = "KEYS", value_parser = Keys::parse)]
    detach_keys: Option<Keys>,
    /// Pass signals on to the program
    #[arg(long, default_value_t = true, num_args = 0..=1, default_missing_value = "true",
          require_equals = true, action = clap::ArgAction::Set)]
    sig_proxy: bool,
    #[command(flatten)]
    options: Options,
}

/// What `POST /containers/ID/wait` answers at the end.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Waited {
    status_code: i64,
    error: Option<WaitError>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WaitError {
    message: String,
}

/// Runs the command.
///
/// # Errors
/// The exit status is 125, 126 or 127 when the program never ran.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let options = &args.options;
    if args.detach && !options.attach.is_empty() {
        return Err(Failure::new("-a and -d: a container in the background has nobody attached").code(125));
    }
    let input = !args.detach && options.attached(StreamName::Stdin);
    check_terminal(input, options.tty)?;
    let id = create::create(client, options, args.detach).await.map_err(|error| error.code(125))?;
    let container = Path::new("/containers").name(&id);
    if args.detach {
        client.act(container.end("/start")).await.map_err(start_failure)?;
        output::line(&id)?;
        return Ok(0);
    }
    let signals = args.sig_proxy.then(Signals::catch).transpose()?;
    let attach = container
        .clone()
        .end("/attach")
        .query("stream", 1)
        .flag("stdin", input)
        .flag("stdout", options.attached(StreamName::Stdout))
        .flag("stderr", options.attached(StreamName::Stderr));
    let upgraded = client.upgrade(attach, None).await?;
    let condition = if options.rm { "removed" } else { "next-exit" };
    let wait = wait(client, &id, condition).await?;
    let joined = Joined {
        tty: options.tty,
        input,
        keys: args.detach_keys.unwrap_or_default(),
        target: container.as_str().to_owned(),
    };
    let session = Session::open(upgraded, joined)?;
    if let Err(error) = client.act(container.end("/start")).await {
        drop(session);
        if options.rm {
            // The engine removes what did not start; whoever looks after us finds nothing.
            let _ = tokio::time::timeout(Duration::from_secs(10), exit_status(wait)).await;
        }
        return Err(start_failure(error));
    }
    match session.run(client, signals).await? {
        End::Detached => Ok(0),
        End::Closed => exit_status(wait).await,
    }
}

/// `-i -t` from a pipe cannot work: there is no terminal whose keys could be passed on.
///
/// # Errors
/// In Docker's own words, which scripts look for.
pub fn check_terminal(input: bool, tty: bool) -> Result<(), Failure> {
    if input && tty && !io::stdin().is_terminal() {
        return Err(Failure::new("the input device is not a TTY: leave -t out, or type on a terminal"));
    }
    Ok(())
}

/// Begins to wait: the engine has the request when this returns, so that a program which ends at
/// once is not missed.
///
/// # Errors
/// The engine's.
pub async fn wait(client: &Client, id: &str, condition: &str) -> client::Result<Stream> {
    let path = Path::new("/containers").name(id).end("/wait").query("condition", condition);
    client.stream(Method::POST, path, HeaderMap::new()).await
}

/// The program's exit status, when it comes.
///
/// # Errors
/// The connection to the engine broke, or the engine lost the container: 125.
pub async fn exit_status(wait: Stream) -> Outcome {
    let waited: Waited = wait.json("wait").await.map_err(|error| {
        let message = format!("{error}; if the container goes on, \"canoa attach\" joins it again");
        Failure::new(message).code(125)
    })?;
    match waited.error {
        Some(error) if !error.message.is_empty() => Err(Failure::new(error.message).code(125)),
        _ => Ok(u8::try_from(waited.status_code).unwrap_or(125)),
    }
}

/// 127 where there is no such program, 126 where it cannot be executed, else 125. The API has no
/// field for it: Docker's own client reads the message, too.
pub fn start_failure(error: client::Error) -> Failure {
    let text = error.to_string().to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let code = match &error {
        client::Error::Engine { status: 400, .. } if has(&["executable file not found", "no such file"]) => {
            127
        }
        client::Error::Engine { status: 400, .. }
            if has(&["permission denied", "is a directory", "exec format error"]) =>
        {
            126
        }
        _ => 125,
    };
    Failure::from(error).code(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_start_is_told_apart_by_its_message() {
        let code = |status, message: &str| {
            let failure = start_failure(client::Error::Engine { status, message: message.to_owned() });
            let Failure::Said { code, .. } = failure else { panic!() };
            code
        };
        assert_eq!(code(400, "exec nope: No such file or directory (os error 2)"), 127);
        assert_eq!(code(400, "exec: \"x\": executable file not found in $PATH: unknown"), 127);
        assert_eq!(code(400, "exec /etc/passwd: Permission denied (os error 13)"), 126);
        assert_eq!(code(500, "mount /x: No such file or directory"), 125);
    }
}
