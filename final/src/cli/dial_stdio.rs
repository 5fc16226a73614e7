//! `canoa system dial-stdio`: standard input and output become the engine's socket.
//!
//! It is what `ssh://` calls at the other end: `-H ssh://HOST` of canoa by this name, the stock
//! `docker` by its own, so that a link of the name `docker` to canoa lets both in.

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, split, stdin, stdout};

use super::failure::{Failure, Outcome};
use crate::client::Client;
use crate::client::transport::dial;

/// Runs the command: until the engine closes its end. Ours may be closed long before.
///
/// # Errors
/// The connection's, or those of our own streams.
pub async fn run(client: &Client) -> Outcome {
    let (mut from_engine, mut to_engine) = split(dial(client.endpoint()).await?);
    let input = async {
        let copied = copy(&mut stdin(), &mut to_engine).await;
        let _ = to_engine.shutdown().await;
        match copied {
            Ok(_) => std::future::pending().await,
            Err(error) => error,
        }
    };
    let output = async {
        let mut out = stdout();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = from_engine.read(&mut buffer).await?;
            if length == 0 {
                return Ok(());
            }
            out.write_all(&buffer[..length]).await?;
            // Not one byte waits for the next ones: somebody may be typing.
            out.flush().await?;
        }
    };
    let done: std::io::Result<()> = tokio::select! {
        done = output => done,
        error = input => Err(error),
    };
    done.map_err(|error| Failure::new(format!("between the engine and standard input and output: {error}")))?;
    Ok(0)
}
