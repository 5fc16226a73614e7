//! The child between its clone and its program.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::os::fd::AsFd;

use namespaces::{Error, Isolation, Result};
use nix::poll::{PollFd, PollFlags, poll};

use crate::alone::alone;
use crate::program::random;

/// Ends with these words, which its parent hears as an error.
fn fail(words: impl ToString) -> Result<Infallible> {
    Err(Error::new("fail", "", words.to_string()))
}

/// What a released child's failure says.
pub fn told(run: impl FnOnce() -> Result<Infallible>) -> String {
    match Isolation::none().spawn(run).and_then(|paused| paused.release()) {
        Ok(child) => format!("it ran: {:?}", child.wait()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_child_waits_until_it_is_released() {
    let seen = alone(|| {
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        let paused = Isolation::none().spawn(|| {
            writer.write_all(b"x").unwrap();
            // SAFETY: always allowed; buffers and exit handlers belong to the parent.
            unsafe { libc::_exit(7) }
        });
        drop(writer);
        let mut pipe = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
        let early = poll(&mut pipe, 200_u8).unwrap() > 0 && reader.read(&mut [0]).unwrap() > 0;
        if early {
            return "it ran before its release".to_owned();
        }
        let ended = paused.and_then(|paused| paused.release()).and_then(|child| child.wait());
        format!("released: {ended:?}, {:?}", reader.read(&mut [0]))
    });
    assert_eq!(
        seen, "released: Ok(Exited(7)), Ok(1)",
        "ex-01-3: the child waits for Message::Go, and then runs"
    );
}

#[test]
fn what_fails_in_the_child_is_told_to_the_parent() {
    let words = format!("the mast broke {}", random());
    let heard = alone(|| told(|| fail(&words)));
    assert_eq!(heard, format!("fail: {words}"), "ex-01-3: what the parent hears of the child's error");
}

#[test]
fn a_released_child_is_hidden_from_others() {
    let heard = alone(|| told(|| fail(format!("dumpable: {:?}", nix::sys::prctl::get_dumpable()))));
    assert_eq!(
        heard, "fail: dumpable: Ok(false)",
        "ex-01-3: a child that enters a container isn't dumpable, or root in there could reach our descriptors"
    );
}
