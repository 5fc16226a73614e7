//! One health check: an exec whose output and exit code are kept.

use std::sync::Arc;
use std::time::Duration;

use bollard_stubs::models::ExecConfig;
use namespaces::Process;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use super::Plan;
use crate::bundle::Streams;
use crate::engine::Engine;
use crate::engine::attach;
use crate::engine::containers::Container;
use crate::engine::error::Result;
use crate::engine::exec::{self, Exec};

/// So many bytes of what a check says are kept.
const LONGEST: usize = 4096;

/// Runs it, and returns its exit code and what it said; -1 and the reason if it could not be run, or
/// took too long.
pub(super) async fn probe(engine: &Arc<Engine>, container: &Arc<Container>, plan: &Plan) -> (i32, String) {
    let (exec, mut output) = match begin(engine, container, plan).await {
        Ok(begun) => begun,
        Err(error) => return (-1, error.message),
    };
    let mut said = Said::default();
    let run = async {
        said.read(&mut output).await;
        exec.ended().await;
    };
    let result = match tokio::time::timeout(plan.timeout, run).await {
        Ok(()) => (exec.state().exit_code.unwrap_or(-1), said.text()),
        Err(_) => {
            end(&exec).await;
            let words = format!("Health check exceeded timeout ({})", go_time(plan.timeout));
            let text = said.text();
            (-1, if text.is_empty() { words } else { format!("{words}: {text}") })
        }
    };
    engine.execs.remove(&exec.id);
    result
}

async fn begin(
    engine: &Arc<Engine>,
    container: &Arc<Container>,
    plan: &Plan,
) -> Result<(Arc<Exec>, UnixStream)> {
    let config = ExecConfig {
        cmd: Some(plan.command.clone()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..ExecConfig::default()
    };
    let exec = engine.execs.create(container, config)?;
    engine.events.exec("exec_create", &exec);
    exec::claim(&exec)?;
    let (ours, theirs) = attach::pair()?;
    let streams = Streams { stdin: false, stdout: true, stderr: true };
    match exec::start(engine, &exec, Some((streams, theirs))).await {
        Ok(()) => Ok((exec, ours)),
        Err(error) => {
            engine.execs.remove(&exec.id);
            Err(error)
        }
    }
}

/// Ends one that takes too long.
async fn end(exec: &Exec) {
    let pid = exec.state().pid;
    // Its monitor waits for it, so as long as it hasn't told of the end the pid is its own.
    let killed =
        exec.state().running.then(|| Process::with_pid(pid).and_then(|one| one.signal(libc::SIGKILL)));
    if let Some(Err(error)) = killed {
        tracing::warn!("ending a health check: {error}");
    }
    let _ = tokio::time::timeout(Duration::from_secs(1), exec.ended()).await;
}

/// What it has said so far: the beginning.
#[derive(Debug, Default)]
struct Said {
    bytes: Vec<u8>,
    more: bool,
}

impl Said {
    /// Reads frames (a head of eight bytes, of which the last four are the length) to the end.
    async fn read(&mut self, output: &mut UnixStream) {
        let mut buffer = vec![0; LONGEST];
        while let Ok(head) = output.read_u64().await {
            let mut left = (head & 0xffff_ffff) as usize;
            while left > 0 {
                let length = left.min(buffer.len());
                match output.read(&mut buffer[..length]).await {
                    Ok(0) | Err(_) => return,
                    Ok(length) => {
                        self.add(&buffer[..length]);
                        left -= length;
                    }
                }
            }
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(LONGEST - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..kept]);
        self.more |= kept < bytes.len();
    }

    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        if self.more { text + "..." } else { text }
    }
}

/// As Go writes a time: `1m30s`, `500ms`.
fn go_time(time: Duration) -> String {
    let (seconds, rest) = (time.as_secs(), time.subsec_nanos());
    if seconds == 0 {
        return format!("{}ms", f64::from(rest) / 1e6);
    }
    let part = (seconds % 60) as f64 + f64::from(rest) / 1e9;
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{part}s"),
        (0, minutes) => format!("{minutes}m{part}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{part}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_go_does() {
        let all = [(500, "500ms"), (1000, "1s"), (1500, "1.5s"), (90_000, "1m30s"), (3_600_000, "1h0m0s")];
        for (milliseconds, text) in all {
            assert_eq!(go_time(Duration::from_millis(milliseconds)), text);
        }
    }

    #[test]
    fn a_long_output_is_cut_and_says_so() {
        let mut said = Said::default();
        said.add(&[b'x'; LONGEST]);
        assert_eq!(said.text().len(), LONGEST);
        said.add(b"y");
        assert!(said.text().ends_with("x..."));
    }
}
