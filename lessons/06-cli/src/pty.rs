//! A terminal of the container's own.
//!
//! A *pseudo terminal* is a pair: the program reads and writes the *slave*, which behaves as a
//! terminal does; whoever holds the *master* is the person at the keyboard. It is made in the
//! container's own devpts, by the child, and the master is handed to the parent through a socket:
//! so `tty` says /dev/pts/0 inside, and no terminal of the host is touched.
//!
//! Source: [pty(7)](https://man7.org/linux/man-pages/man7/pty.7.html).

use std::fs::{File, OpenOptions};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use namespaces::{Error, Result, step};
use nix::errno::Errno;
use nix::pty::Winsize;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg,
    socketpair,
};
use rootfs::mount_api::{move_mount, open_tree};

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}

/// Opens a new pair in the container's devpts: master and slave. Called inside the container.
// ANCHOR: open
pub(crate) fn open() -> Result<(File, File)> {
    // ANCHOR: ex-06-5
    // 1. Opening ptmx makes a new pair, and is its master.
    let master = step("open", "/dev/ptmx", || open_terminal(Path::new("/dev/ptmx")))?;
    // 2. The slave is locked at first, so that its owner can be set before somebody opens it.
    step("unlock terminal", "", || {
        let unlocked: libc::c_int = 0;
        // SAFETY: this ioctl reads one int.
        Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked) })
    })?;
    // 3. Which one is it? The kernel says its number, and that is the slave's name in /dev/pts.
    let number = step("number terminal", "", || {
        let mut number: libc::c_uint = 0;
        // SAFETY: this ioctl writes one unsigned int.
        Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTN, &raw mut number) })?;
        Ok::<_, Errno>(number)
    })?;
    let path = PathBuf::from(format!("/dev/pts/{number}"));
    let slave = step("open", path.display(), || open_terminal(&path))?;
    Ok((master, slave))
    // ANCHOR_END: ex-06-5
}
// ANCHOR_END: open

/// Programs that look for "the console" find this terminal: the container's first process's. (Those of
/// an exec come and go, and would leave a dead one behind.)
pub(crate) fn be_console(slave: &File) -> Result<()> {
    step("mount on", "/dev/console", || {
        let console =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open("/dev/console")?;
        let copy = open_tree(Some(slave.as_fd()), Path::new(""), false)?;
        move_mount(&copy, &console.into()).map_err(std::io::Error::from)
    })
}

/// NOCTTY: to open a terminal must not make it ours by accident.
fn open_terminal(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY | libc::O_CLOEXEC).open(path)
}

/// Makes the slave the terminal of this process's session: from it come Ctrl-C and SIGWINCH.
pub(crate) fn control(slave: &File) -> Result<()> {
    step("take terminal", "", || {
        // SAFETY: the argument is a number: don't steal it from another session.
        Errno::result(unsafe { libc::ioctl(slave.as_raw_fd(), libc::TIOCSCTTY, 0) })
    })?;
    Ok(())
}

/// Tells a terminal how large its window is. The kernel sends SIGWINCH to who is in its foreground.
///
/// # Errors
/// When `terminal` is none.
pub fn resize(terminal: impl AsFd, size: Size) -> Result<()> {
    let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    step("resize terminal", "", || {
        // SAFETY: this ioctl reads one Winsize.
        Errno::result(unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), libc::TIOCSWINSZ, &raw const size) })
    })?;
    Ok(())
}

/// A pair of sockets through which a descriptor can be handed over.
pub(crate) fn handover() -> Result<(OwnedFd, OwnedFd)> {
    step("make socket pair", "", || {
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
    })
}

/// Sends a descriptor to the process at the other end of a unix socket, with `text` beside it:
/// `SCM_RIGHTS` of [unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html).
pub fn send_descriptor(socket: impl AsFd, text: &[u8], descriptor: impl AsFd) -> nix::Result<()> {
    let descriptors = [descriptor.as_fd().as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let socket = socket.as_fd().as_raw_fd();
    sendmsg::<()>(socket, &[IoSlice::new(text)], &rights, MsgFlags::MSG_NOSIGNAL, None).map(drop)
}

/// Receives one, with the text beside it.
///
/// # Errors
/// When the other end closed before it sent any.
pub fn receive_descriptor(socket: impl AsFd) -> Result<(Vec<u8>, OwnedFd)> {
    let mut text = vec![0; 256];
    let mut space = nix::cmsg_space!([std::os::fd::RawFd; 1]);
    let (length, descriptor) = step("receive descriptor", "", || {
        let mut buffer = [IoSliceMut::new(&mut text)];
        let socket = socket.as_fd().as_raw_fd();
        let message = recvmsg::<()>(socket, &mut buffer, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
        let descriptor = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmRights(descriptors) => descriptors.first().copied(),
            _ => None,
        });
        Ok::<_, Errno>((message.bytes, descriptor))
    })?;
    text.truncate(length);
    match descriptor {
        // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
        Some(descriptor) => Ok((text, unsafe { OwnedFd::from_raw_fd(descriptor) })),
        None => Err(Error::new("receive descriptor", "", "the other end sent none")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_comes_with_its_text_and_none_is_an_error() {
        let (ours, theirs) = handover().unwrap();
        send_descriptor(&theirs, b"terminal", File::open("/dev/null").unwrap()).unwrap();
        assert_eq!(receive_descriptor(&ours).unwrap().0, b"terminal");
        // A text alone; more text than anybody sends; and the end.
        nix::unistd::write(&theirs, b"terminal").unwrap();
        assert!(receive_descriptor(&ours).unwrap_err().to_string().contains("sent none"));
        send_descriptor(&theirs, &[b'x'; 5000], File::open("/dev/null").unwrap()).unwrap();
        assert_eq!(receive_descriptor(&ours).unwrap().0.len(), 256);
        drop(theirs);
        assert!(receive_descriptor(&ours).unwrap_err().to_string().contains("sent none"));
    }

    #[test]
    fn what_is_no_terminal_has_no_size_to_be_set() {
        let null = File::open("/dev/null").unwrap();
        assert_eq!(resize(&null, Size { rows: 0, columns: u16::MAX }).unwrap_err().errno, libc::ENOTTY);
    }
}
