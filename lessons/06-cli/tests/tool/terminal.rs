//! A person at a terminal, and what a container has of it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use lifecycle::pty::{Size, resize};
use lifecycle::terminal::RawMode;
use namespaces::Process;
use nix::errno::Errno;
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{SigHandler, Signal};
use nix::sys::termios::{LocalFlags, tcgetattr};

use crate::lab::{self, BOTH, Test, Tool, soon};

pub const TESTS: &[Test] = &[
    ("on_a_terminal_the_program_has_one_of_the_same_size", BOTH, size),
    ("another_size_of_the_window_is_one_inside", BOTH, resized),
    ("ctrl_c_is_for_the_program_and_not_for_the_tool", BOTH, interrupted),
    ("the_terminal_is_as_it_was_when_the_program_has_ended_or_the_tool_failed", BOTH, restored),
    ("the_terminal_is_as_it_was_when_a_signal_ends_who_made_it_raw", BOTH, restored_by_signal),
];

/// A terminal with a program on it.
struct Terminal {
    program: Child,
    keyboard: File,
    /// Ours of the program's end, to look at its modes.
    slave: File,
    screen: Option<JoinHandle<String>>,
}

impl Terminal {
    fn run(mut command: Command) -> Terminal {
        let size = Winsize { ws_row: 33, ws_col: 99, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None).unwrap();
        let slave = File::from(pair.slave);
        let end = || slave.try_clone().unwrap();
        command.stdin(end()).stdout(end()).stderr(end());
        // SAFETY: between fork and exec only setsid and ioctl, which signal-safety(7) allows.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                // SAFETY: 0 is the terminal, and TIOCSCTTY takes a number.
                Errno::result(libc::ioctl(0, libc::TIOCSCTTY, 0))?;
                Ok(())
            });
        }
        let program = command.spawn().unwrap();
        drop(command);
        let keyboard = File::from(pair.master);
        let mut master = keyboard.try_clone().unwrap();
        let screen = spawn(move || {
            // At the end of its last program, reading from a terminal fails with EIO.
            let (mut screen, mut buffer) = (Vec::new(), [0; 4096]);
            while let Ok(length @ 1..) = master.read(&mut buffer) {
                screen.extend_from_slice(&buffer[..length]);
            }
            String::from_utf8_lossy(&screen).into_owned()
        });
        Terminal { program, keyboard, slave, screen: Some(screen) }
    }

    fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until the program in the container has made the file /ready.
    fn is_ready(&mut self, tool: &Tool) {
        soon("it listens", || {
            assert!(self.program.try_wait().unwrap().is_none(), "the tool has ended");
            tool.output(&["exec", "boat", "test", "-e", "/ready"]).status.success()
        });
    }

    fn is_raw(&self) -> bool {
        let cooked = LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG;
        !tcgetattr(&self.slave).unwrap().local_flags.contains(cooked)
    }

    /// The exit code, whether the terminal is as it was, and what was seen on it.
    fn end(mut self) -> (Option<i32>, bool, String) {
        let code = self.program.wait().unwrap().code();
        let restored = !self.is_raw();
        drop(self.slave);
        (code, restored, self.screen.take().unwrap().join().unwrap())
    }
}

fn size(tool: &Tool) {
    let script = "stty size; tty; read x; echo got $x";
    let mut terminal = Terminal::run(tool.command(&["run", "--rm", "-it", "base", "sh", "-c", script]));
    terminal.types("word\r");
    let (code, _, screen) = terminal.end();
    assert!(!screen.contains("/dev/pts/0: Input/output error"), "ex-06-5: the slave is locked: {screen}");
    assert_eq!(code, Some(0), "{screen}");
    for seen in ["33 99", "/dev/pts/0", "got word"] {
        assert!(screen.contains(seen), "{screen}");
    }
}

fn resized(tool: &Tool) {
    let script = "trap 'stty size; exit 0' WINCH; echo ready > /ready; while :; do sleep 0.05; done";
    let mut terminal =
        Terminal::run(tool.command(&["run", "--name", "boat", "-it", "base", "sh", "-c", script]));
    terminal.is_ready(tool);
    resize(terminal.keyboard.as_fd(), Size { rows: 11, columns: 44 }).unwrap();
    let (code, _, screen) = terminal.end();
    assert!(code == Some(0) && screen.contains("11 44"), "{code:?} {screen}");
}

fn interrupted(tool: &Tool) {
    let script = "trap 'echo interrupted; exit 3' INT; echo ready > /ready; while :; do sleep 0.05; done";
    let mut terminal =
        Terminal::run(tool.command(&["run", "--name", "boat", "-it", "base", "sh", "-c", script]));
    terminal.is_ready(tool);
    assert!(terminal.is_raw());
    terminal.types("\x03");
    let (code, restored, screen) = terminal.end();
    assert!(code == Some(3) && restored && screen.contains("interrupted"), "{code:?} {screen}");
}

fn restored(tool: &Tool) {
    for (program, expected) in [("true", 0), ("no-such-program", 127)] {
        let (code, restored, screen) =
            Terminal::run(tool.command(&["run", "--rm", "-it", "base", program])).end();
        assert!(code == Some(expected) && restored, "{code:?} {restored} {screen}");
    }
}

/// What the stage of this name does: it makes its terminal raw, says so, and waits for a signal.
pub fn raw() {
    // Whoever started the tests may ignore some (nohup, a shell's background), and we would, too.
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM] {
        // SAFETY: no handler of ours is involved.
        unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) }.unwrap();
    }
    let _raw = RawMode::enter(std::io::stdin().as_fd()).unwrap();
    println!("raw");
    std::thread::sleep(Duration::from_secs(60));
}

fn restored_by_signal(_: &Tool) {
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
        let terminal = Terminal::run(lab::again("raw"));
        soon("it is raw", || terminal.is_raw());
        Process::with_pid(terminal.program.id() as i32).unwrap().signal(signal).unwrap();
        let (code, restored, screen) = terminal.end();
        assert!(code.is_none() && restored, "{signal}: {code:?} {restored} {screen}");
    }
}
