//! A shell that one types into, a line at a time.
//!
//! Its input is a pipe, and so is its output, which holds standard output and standard error. How does one
//! know that a command has printed all that it prints? By typing another one behind it, which prints a
//! mark. Whoever reads the next line prints it: the bash after the command's end, or the shell in a
//! container that the command has started. The exit status stays what it was, for an `echo $?`.

use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// A shell that swallows a mark (dash reads as much as there is, and then may be told to exit) gets it
/// again after this time without a word.
const PATIENCE: Duration = Duration::from_millis(400);

/// A shell.
pub struct Terminal {
    shell: Child,
    output: Receiver<Vec<u8>>,
    /// What has come and isn't told yet.
    read: Vec<u8>,
    /// How many lines were typed.
    count: usize,
}

/// What came of a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The lines that it printed.
    Printed(Vec<String>),
    /// Nobody read the next line in time; this was printed so far.
    Hangs(Vec<String>),
}

impl Terminal {
    /// Starts `shell`, which reads commands from its standard input.
    pub fn start(mut shell: Command) -> Result<Terminal> {
        let (mut reader, writer) = io::pipe().context("making a pipe")?;
        let shell = shell
            .stdin(Stdio::piped())
            .stdout(writer.try_clone().context("copying the pipe's end")?)
            .stderr(writer)
            .spawn()
            .context("starting a shell")?;
        let (sender, output) = channel();
        // Ends with the last process that could still write.
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(size @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..size].to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Terminal { shell, output, read: Vec::new(), count: 0 })
    }

    /// Types a command, and waits until the next one would be read, but no longer than `limit`.
    ///
    /// # Errors
    /// If the shell has ended.
    pub fn type_line(&mut self, command: &str, limit: Duration) -> Result<Answer> {
        self.count += 1;
        let mark = format!("::canoa-{}::", self.count);
        // `$?` is put in before anything is run, and no process is started: pids are counted on. The quotes
        // keep a shell that complains of this line, and shows it, from showing the mark.
        let ask =
            format!("eval \"canoa_mark() {{ echo ::canoa-'{}'::; return $?; }}; canoa_mark\"\n", self.count);
        self.say(&format!("{command}\n"))?;
        self.say(&ask)?;
        let end = Instant::now() + limit;
        let mut asked = Instant::now();
        let mut patience = PATIENCE;
        loop {
            if let Some(lines) = self.before(&mark) {
                return Ok(Answer::Printed(lines));
            }
            match self.output.recv_timeout(patience.min(end.saturating_duration_since(Instant::now()))) {
                Ok(bytes) => self.read.extend(bytes),
                Err(RecvTimeoutError::Disconnected) => bail!("the shell has ended: {}", self.text()),
                Err(RecvTimeoutError::Timeout) if Instant::now() >= end => {
                    let text = self.text();
                    return Ok(Answer::Hangs(text.lines().map(str::to_owned).collect()));
                }
                Err(RecvTimeoutError::Timeout) if asked.elapsed() >= patience => {
                    self.say(&ask)?;
                    asked = Instant::now();
                    patience *= 2;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn say(&mut self, text: &str) -> Result<()> {
        let ended = self.shell.try_wait().context("looking after the shell")?;
        ensure!(ended.is_none(), "the shell has ended: {}", self.text());
        let input = self.shell.stdin.as_mut().context("the shell has no input")?;
        input.write_all(text.as_bytes()).context("typing")
    }

    /// The lines before the mark, if it has come. Marks of lines before were asked for again, and are late.
    fn before(&mut self, mark: &str) -> Option<Vec<String>> {
        let text = self.text();
        let (before, after) = text.split_once(&format!("{mark}\n"))?;
        let (before, after) = (before.to_owned(), after.to_owned());
        self.read = after.into_bytes();
        Some(before.lines().map(str::to_owned).collect())
    }

    /// What has come so far, without marks of lines before.
    fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.read).into_owned();
        for number in 1..self.count {
            text = text.replace(&format!("::canoa-{number}::\n"), "");
        }
        text
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
