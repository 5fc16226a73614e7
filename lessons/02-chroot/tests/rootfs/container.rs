//! A container of the tests' own: just that part of the lesson which a test is about, and a shell.

use std::io::{Read, Write};
use std::os::fd::AsFd;

use namespaces::{Command, Isolation, Result, exec};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, alarm, dup2_stderr, dup2_stdout, fork};

/// Runs a script in new namespaces, after `prepare`. What it prints is the answer, and whatever went wrong.
///
/// The test program has several threads; the child of a fork has one, and may spawn.
pub fn inside(prepare: impl FnOnce() -> Result<()>, script: &str) -> String {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    // SAFETY: glibc and musl see to it that their allocator is usable in such a child, and it takes no
    // other lock that a test may hold.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            // What waits for ever is ended by this.
            alarm::set(20);
            let outcome = Isolation::container().spawn(|| {
                dup2_stdout(writer.as_fd()).and_then(|()| dup2_stderr(writer.as_fd())).expect("pipe");
                prepare()?;
                exec(&Command::new(["sh", "-c", script]))
            });
            let outcome = outcome.and_then(|paused| paused.release()).and_then(|child| child.wait());
            let _ = match outcome {
                Ok(status) if status.code() == 0 => Ok(()),
                Ok(status) => writeln!(writer, "(it ended with {status})"),
                Err(error) => writeln!(writer, "{error}"),
            };
            // SAFETY: always allowed; buffers and exit handlers belong to the test program.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            drop(writer);
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            waitpid(child, None).unwrap();
            text.trim().to_owned()
        }
    }
}
