//! The namespaces which a container doesn't get for itself.
//!
//! A child is born in those in which its parent is: so the monitor goes there first (lesson 1's `setns`),
//! and the child makes none of that kind. Pid namespaces are different: by `setns` a process itself stays
//! where it is, and its children are born in the other.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use cgroups::Cgroup;
use namespaces::{Result, step};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use oci_spec::runtime::{LinuxNamespaceType, Spec};
use rootfs::inside;
use rootfs::mount_api::{move_mount, open_tree};

/// The way back from another's pid namespace.
#[derive(Debug)]
pub(super) struct Back(Option<File>);

/// Goes into the namespaces that `spec` names by path.
pub(super) fn join(spec: &Spec) -> Result<Back> {
    let mut back = Back(None);
    let namespaces = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_ref());
    for namespace in namespaces.into_iter().flatten() {
        let (Some(path), Some((flag, own))) = (namespace.path(), kind(namespace.typ())) else { continue };
        // To join what is ours already may be forbidden.
        let is_ours =
            |path: &Path| -> io::Result<bool> { Ok(fs::metadata(path)?.ino() == fs::metadata(own)?.ino()) };
        if step("read namespace", path.display(), || is_ours(path))? {
            continue;
        }
        let file = step("open namespace", path.display(), || File::open(path))?;
        if flag == CloneFlags::CLONE_NEWPID {
            back = Back(Some(step("open namespace", own, || File::open(own))?));
        }
        step("join namespace", path.display(), || setns(file, flag))?;
    }
    Ok(back)
}

fn kind(kind: LinuxNamespaceType) -> Option<(CloneFlags, &'static str)> {
    match kind {
        LinuxNamespaceType::Network => Some((CloneFlags::CLONE_NEWNET, "/proc/self/ns/net")),
        LinuxNamespaceType::Ipc => Some((CloneFlags::CLONE_NEWIPC, "/proc/self/ns/ipc")),
        LinuxNamespaceType::Pid => Some((CloneFlags::CLONE_NEWPID, "/proc/self/ns/pid")),
        _ => None,
    }
}

impl Back {
    /// The next child is born where we are. (Else we could have no threads: clone(2), `EINVAL`.) Without
    /// root there is no way back, and nobody needs it.
    pub(super) fn go(self) {
        if let Some(own) = self.0 {
            let _ = setns(own, CloneFlags::CLONE_NEWPID);
        }
    }
}

/// Makes another container's /dev/shm appear at `place`, for us and our children only: what is shared in
/// memory goes by files there, too.
///
/// A mount can only be copied by who is in its mount namespace; detached, the copy may come along.
pub(super) fn borrow_shm(pid: i32, place: &Path) -> Result<()> {
    let namespace = |pid: &str| {
        let path = format!("/proc/{pid}/ns/mnt");
        step("open namespace", &path, || File::open(&path))
    };
    let (own, theirs) = (namespace("self")?, namespace(&pid.to_string())?);
    step("join mount namespace of", pid, || setns(&theirs, CloneFlags::CLONE_NEWNS))?;
    let copied = step("copy mount of", "/dev/shm", || {
        let root = File::open("/").map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
        // Without symbolic links: what lies there is the other container's to say.
        let shm = inside::open_plain(&root, Path::new("/dev/shm"))?;
        open_tree(Some(std::os::fd::AsFd::as_fd(&shm)), Path::new(""), false)
    });
    step("come back to mount namespace", "", || setns(&own, CloneFlags::CLONE_NEWNS))?;
    let copied = copied?;
    step("make mount namespace", "", || unshare(CloneFlags::CLONE_NEWNS))?;
    step("make slave", "/", || {
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_SLAVE | MsFlags::MS_REC, None::<&str>)
    })?;
    let target = step("open", place.display(), || {
        fs::create_dir_all(place)?;
        File::open(place)
    })?;
    step("mount /dev/shm on", place.display(), || move_mount(&copied, &target.into()))
}

/// Gives the next child this domain name: in a UTS namespace of its own, which the monitor makes and is
/// in itself.
pub(super) fn own_names(hostname: &str, domain: &str) -> Result<()> {
    step("make UTS namespace", "", || unshare(CloneFlags::CLONE_NEWUTS))?;
    namespaces::set_hostname(hostname)?;
    step("set domain name", domain, || {
        // SAFETY: the kernel reads as many bytes as it is told, and they are there.
        Errno::result(unsafe { libc::setdomainname(domain.as_ptr().cast(), domain.len()) })
    })?;
    Ok(())
}

/// From now on orphans among our descendants become our children (prctl(2), PR_SET_CHILD_SUBREAPER): as
/// those in a pid namespace of their own become its PID 1's.
pub(super) fn adopt_orphans() -> Result<()> {
    step("adopt orphans", "", || nix::sys::prctl::set_child_subreaper(true))
}

/// Ends what a container has left running that has no pid namespace of its own, and reaps it.
pub(super) fn end_the_rest(cgroup: &Cgroup) -> Result<()> {
    cgroup.kill()?;
    // Where there is no group, those that have become our children; then theirs.
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => {
                for child in children() {
                    let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(_) => {}
            Err(_nobody) => return Ok(()),
        }
    }
}

/// proc_tid_children(5), of all our threads.
fn children() -> Vec<i32> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}
