//! A person at a terminal: a program on a pty, what is typed, and what is then seen.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};

/// A program on a terminal of its own.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    master: File,
    screen: Arc<Mutex<Vec<u8>>>,
    /// Up to where [`Terminal::sees`] has looked.
    seen: usize,
}

impl Terminal {
    /// Starts a command on a new terminal of 24 lines and 80 characters, as its session's leader.
    ///
    /// # Panics
    /// If the machine has no terminals.
    pub fn start(mut command: Command) -> Terminal {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None).expect("a pty");
        let slave = File::from(pair.slave);
        let stdio = || Stdio::from(slave.try_clone().expect("a descriptor"));
        command.stdin(stdio()).stdout(stdio()).stderr(stdio());
        // SAFETY: between fork and exec only setsid and ioctl are called, which are async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                // SAFETY: 0 is the terminal, and TIOCSCTTY takes a number.
                match libc::ioctl(0, libc::TIOCSCTTY, 0) {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                }
            });
        }
        let child = command.spawn().expect("the program starts");
        // The command holds the slave, and while anybody does the terminal never ends.
        drop((command, slave));
        let master = File::from(pair.master);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, writer) = (master.try_clone().expect("a descriptor"), screen.clone());
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // At the end of its last program, reading from a terminal fails with EIO.
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if let Ok(mut screen) = writer.lock() {
                    screen.extend_from_slice(&buffer[..length]);
                }
            }
        });
        Terminal { child, master, screen, seen: 0 }
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) {
        self.presses(format!("{line}\r").as_bytes());
    }

    /// Presses keys: `\x04` is Ctrl-D.
    pub fn presses(&mut self, keys: &[u8]) {
        self.master.write_all(keys).expect("the terminal takes keys");
    }

    /// Changes the window's size.
    pub fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: TIOCSWINSZ reads a winsize (ioctl_tty(2)), and this one lives until the call returns.
        let result = unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TIOCSWINSZ, &size) };
        assert!(result == 0, "resizing: {}", io::Error::last_os_error());
    }

    /// Waits until `what` comes up on the screen, after what was last waited for. Returns what came
    /// before it.
    #[track_caller]
    pub fn sees(&mut self, what: &str) -> String {
        let mut end = Instant::now() + Duration::from_secs(60);
        let mut ended = false;
        loop {
            let screen = self.screen();
            if let Some(at) = screen.get(self.seen..).and_then(|new| new.find(what)) {
                let before = screen[self.seen..self.seen + at].to_owned();
                self.seen += at + what.len();
                return before;
            }
            assert!(Instant::now() < end, "{what:?} should have come up; the screen:\n{screen}");
            // After the program's end only what is still on its way can come.
            if !ended && self.child.try_wait().is_ok_and(|status| status.is_some()) {
                (ended, end) = (true, Instant::now() + Duration::from_millis(500));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks the shell on the terminal something, and returns its answer.
    ///
    /// The answer stands between two marks that the shell puts together, so that the echo of what was
    /// typed is not taken for it.
    #[track_caller]
    pub fn asks(&mut self, command: &str) -> String {
        self.types(&format!("echo '<''<'; {command}; echo '>''>'"));
        self.sees("<<\r\n");
        self.sees(">>\r\n").replace("\r\n", "\n").trim().to_owned()
    }

    /// Everything that has come so far.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().expect("no reader has panicked")).into_owned()
    }

    /// Waits for the program's end, and returns its exit code.
    #[track_caller]
    pub fn ends(&mut self) -> i32 {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < end, "should have ended; the screen:\n{}", self.screen());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
