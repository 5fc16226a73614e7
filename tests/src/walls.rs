//! The walls of a lab: namespaces around everything that a case does as root.
//!
//! There is no user namespace among them: what is tested is what root can do.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::unistd::Pid;

use crate::cgroup::{self, Hierarchy};

/// The namespaces that a lab as root has to itself; the cgroup namespace comes later, after it has
/// entered its cgroup.
const NAMESPACES: libc::c_int =
    libc::CLONE_NEWNS | libc::CLONE_NEWNET | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;

/// Clones this process as `fork` does, into the lab's namespaces if `walls` is true. Returns the
/// child's pid in the parent and `None` in the child, which is PID 1 of the lab then.
///
/// Must be called while the process has a single thread, and says so if it hasn't.
pub fn fork_into(walls: bool) -> Result<Option<Pid>> {
    let threads = fs::read_dir("/proc/self/task").context("counting threads")?.count();
    if threads != 1 {
        bail!("forking: this process has {threads} threads, and a fork takes along only one");
    }
    let flags = libc::SIGCHLD | if walls { NAMESPACES } else { 0 };
    // SAFETY: without CLONE_VM and without a stack this is fork(2): the child has a copy of the whole
    // address space, and as there is no other thread no lock in it is held by somebody who isn't there.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::c_long::from(flags), 0, 0, 0, 0) };
    match pid {
        0 => Ok(None),
        pid if pid > 0 => Ok(Some(Pid::from_raw(pid as i32))),
        _ => Err(std::io::Error::last_os_error()).context("cloning into the namespaces of a lab"),
    }
}

/// Furnishes the namespaces from inside, as PID 1 of the lab: mounts of its own, the cgroup `group` as
/// root of all cgroups, `folder/run` and `folder/lib` in the place of `/run` and `/var/lib`, a loopback
/// interface that is up.
pub fn furnish(group: &str, folder: &Path) -> Result<()> {
    // Before anything is mounted: nothing may travel to the host.
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .context("making all mounts private")?;
    let hierarchies = cgroup::hierarchies()?;
    cgroup::enter(group)?;
    unshare(CloneFlags::CLONE_NEWCGROUP).context("unsharing the cgroup namespace")?;
    mount_new("proc", "/proc", "")?;
    mount_sys(&hierarchies)?;
    cgroup::make_room()?;
    for (inside, outside) in [("run", "/run"), ("lib", "/var/lib")] {
        let inside = folder.join(inside);
        fs::create_dir_all(&inside).with_context(|| format!("creating {}", inside.display()))?;
        mount(Some(&inside), outside, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .with_context(|| format!("binding {} to {outside}", inside.display()))?;
    }
    nix::unistd::sethostname("lab").context("setting the host name")?;
    loopback_up()
}

/// A sysfs shows the interfaces of the network namespace in which it was mounted, and a cgroup file
/// system the groups from the root of the cgroup namespace in which it was mounted: both are made anew.
fn mount_sys(hierarchies: &[Hierarchy]) -> Result<()> {
    umount2("/sys", MntFlags::MNT_DETACH).context("detaching /sys")?;
    mount_new("sysfs", "/sys", "")?;
    if hierarchies.iter().any(|hierarchy| hierarchy.kind == "cgroup") {
        mount_new("tmpfs", "/sys/fs/cgroup", "mode=755")?;
    }
    for Hierarchy { mount, kind, options } in hierarchies {
        fs::create_dir_all(mount).with_context(|| format!("creating {}", mount.display()))?;
        mount_new(kind, &mount.to_string_lossy(), options)?;
    }
    Ok(())
}

fn mount_new(kind: &str, target: &str, options: &str) -> Result<()> {
    mount(Some(kind), target, Some(kind), MsFlags::empty(), Some(options))
        .with_context(|| format!("mounting {kind} on {target}"))
}

/// A new network namespace has a loopback interface, but it is down.
fn loopback_up() -> Result<()> {
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
        .context("opening a socket")?;
    // SAFETY: an ifreq is plain data, of which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads an ifreq (netdevice(7)), and this one lives until the call returns.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &request) };
    if result < 0 {
        return Err(std::io::Error::last_os_error()).context("setting lo up");
    }
    Ok(())
}
