//! The child between its clone and its program.

use std::convert::Infallible;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

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
        // Whoever isn't dumpable belongs to root in /proc, and so do the files of the maps.
        if let Ok(paused) = &paused {
            let owner = fs::metadata(format!("/proc/{}/uid_map", paused.pid())).map(|file| file.uid());
            if !owner.as_ref().is_ok_and(|uid| *uid == nix::unistd::geteuid().as_raw()) {
                return format!("hidden before its release: its uid_map belongs to {owner:?}");
            }
        }
        let ended = paused.and_then(|paused| paused.release()).and_then(|child| child.wait());
        format!("released: {ended:?}, {:?}", reader.read(&mut [0]))
    });
    assert_eq!(
        seen, "released: Ok(Exited(7)), Ok(1)",
        "ex-01-3: the child waits for Message::Go, and then hides and runs"
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

/// The group of the second version in which a process is, by its path in that hierarchy.
fn group_of(pid: i32) -> String {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    groups.lines().find_map(|line| line.strip_prefix("0::")).expect("a kernel with cgroup v2").to_owned()
}

#[test]
fn a_child_is_born_in_the_cgroup_that_it_was_given() {
    // Alone on most machines; beside the first version's on others.
    let trees = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(Path::new);
    let tree =
        trees.into_iter().find(|tree| tree.join("cgroup.procs").exists()).expect("cgroup v2 is mounted");
    let (own, name) = (group_of(std::process::id() as i32), format!("canoa-lesson-01-{}", random()));
    let inside = |path: &str| tree.join(path.trim_start_matches('/'));
    // Whoever was handed no group can make none, and begin a child in no other than their own; not even there.
    let wanted = format!("{}/{name}", own.trim_end_matches('/'));
    let made = fs::create_dir(inside(&wanted)).is_ok();
    let wanted = if made { wanted } else { own };
    let folder = fs::File::open(inside(&wanted)).unwrap();
    let seen =
        alone(|| match Isolation::none().born_in(Some(folder.as_fd())).spawn(|| fail("not released")) {
            Ok(paused) => group_of(paused.pid().as_raw()),
            Err(error) => format!("{}: errno {}", error.step, error.errno),
        });
    if made {
        // For a moment after the child's end the kernel still counts it in.
        let gone = (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            fs::remove_dir(inside(&wanted)).is_ok()
        });
        assert!(gone, "{wanted} can't be removed");
    }
    let refused = format!("clone: errno {}", libc::EACCES);
    let may = made || nix::unistd::geteuid().is_root();
    assert_eq!(
        seen,
        if may { wanted } else { refused },
        "ex-01-1: the group in which the kernel shows the child, or its refusal where you may begin none in that \
         group. Step 2 sets two fields: `cgroup`, and a flag, without which the kernel doesn't look at the other"
    );
}

#[test]
fn a_folder_that_is_no_cgroup_is_refused_and_nobody_is_born() {
    let folder = fs::File::open("/proc").unwrap();
    let seen =
        alone(|| match Isolation::none().born_in(Some(folder.as_fd())).spawn(|| fail("not released")) {
            Ok(_) => "born".to_owned(),
            Err(error) => format!("{}: errno {}", error.step, error.errno),
        });
    assert_eq!(
        seen,
        format!("clone: errno {}", libc::EBADF),
        "ex-01-1: the kernel's answer to such a descriptor"
    );
}
