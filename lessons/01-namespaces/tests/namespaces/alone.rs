//! A process with one thread, which may spawn.

use std::any::Any;
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, alarm, fork};

/// Runs `act` in a child of the test program: of a process with several threads the child of a fork
/// has only the one that forked. What it returns comes back as text, and so does its panic.
pub fn alone(act: impl FnOnce() -> String) -> String {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    // SAFETY: glibc and musl see to it that their allocator is usable in such a child, and it takes no
    // other lock that a test may hold.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            // What waits for ever is ended by this.
            alarm::set(20);
            drop(reader);
            let text = catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| words(&*panic));
            let _ = writer.write_all(text.as_bytes());
            // SAFETY: always allowed; buffers and exit handlers belong to the test program.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            drop(writer);
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            match waitpid(child, None).unwrap() {
                WaitStatus::Exited(..) => text,
                other => format!("it was still waiting after 20 s: {other:?} {text}"),
            }
        }
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
