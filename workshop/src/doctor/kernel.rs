//! What is asked of the kernel for lessons 1, 2 and 5.

use std::fs::{self, OpenOptions};
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use nix::unistd::{chdir, getegid, geteuid, getpid, pivot_root, sethostname};

use super::child::{Outcome, Refusal, in_child};

/// A user namespace of one id.
pub fn user_namespace() -> Outcome {
    in_child(|| enter_user_namespace().map(|()| String::new()))
}

/// Enters a new user namespace in which this user is root. Ubuntu 24.04 lets the first step pass and
/// refuses the second one, so that only both together tell.
pub fn enter_user_namespace() -> Result<(), Refusal> {
    let (uid, gid) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|e| Refusal::new("unshare", "CLONE_NEWUSER", e))?;
    // Without privileges the kernel takes a gid_map only after this (user_namespaces(7)).
    write("/proc/self/setgroups", "deny")?;
    write("/proc/self/uid_map", &format!("0 {uid} 1"))?;
    write("/proc/self/gid_map", &format!("0 {gid} 1"))
}

/// An ordinary user gets the privileges for everything else from a user namespace, as canoa does.
pub fn become_privileged() -> Result<(), Refusal> {
    if geteuid().is_root() { Ok(()) } else { enter_user_namespace() }
}

/// Writes an existing file in one `write`, as id maps and cgroup files want it.
pub fn write(path: impl AsRef<Path>, text: &str) -> Result<(), Refusal> {
    use std::io::Write;
    let path = path.as_ref();
    OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|e| Refusal::new("write", path.display(), e))
}

/// A range of ids: what `newuidmap` would need. It is looked up, not run: it would map another process.
pub fn id_range() -> Outcome {
    let missing = |what: &str| Err(Refusal::new("look for", what, nix::Error::ENOENT));
    let path = std::env::var_os("PATH").unwrap_or_default();
    for program in ["newuidmap", "newgidmap"] {
        if !std::env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
            return missing(program);
        }
    }
    let uid = geteuid();
    let name = nix::unistd::User::from_uid(uid).ok().flatten().map(|user| user.name);
    for file in ["/etc/subuid", "/etc/subgid"] {
        let text = fs::read_to_string(file).unwrap_or_default();
        let owners = text.lines().filter_map(|line| line.split(':').next());
        if !owners.into_iter().any(|owner| Some(owner) == name.as_deref() || owner == uid.to_string()) {
            return missing(&format!("{} in {file}", name.unwrap_or_else(|| uid.to_string())));
        }
    }
    Ok(String::new())
}

/// Lesson 1's namespaces, without the network's.
pub fn namespaces() -> Outcome {
    in_child(|| {
        become_privileged()?;
        let kinds = CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWPID;
        unshare(kinds).map_err(|e| Refusal::new("unshare", "mount, UTS, IPC, PID", e))?;
        sethostname("doctor").map_err(|e| Refusal::new("sethostname", "doctor", e))?;
        // Only a child is born into the new PID namespace (pid_namespaces(7)).
        in_child(|| match getpid().as_raw() {
            1 => Ok(String::new()),
            other => Err(Refusal {
                step: format!("the first process got pid {other}"),
                on: String::new(),
                errno: 0,
            }),
        })
    })
}

/// Lesson 2's mounts, and the change of the root.
pub fn root() -> Outcome {
    in_child(|| {
        become_privileged()?;
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID)
            .map_err(|e| Refusal::new("unshare", "mount, PID", e))?;
        // proc shows the PID namespace of whoever mounts it: a child of the new one has to.
        in_child(|| {
            make_mounts_private()?;
            // The mount hides what is in the folder, for this child alone.
            let place = std::env::temp_dir();
            mount_new("tmpfs", &place, "mode=755")?;
            for folder in ["proc", "pts"] {
                let path = place.join(folder);
                fs::create_dir(&path).map_err(|e| Refusal::new("mkdir", path.display(), e))?;
            }
            mount_new("proc", &place.join("proc"), "")?;
            mount_new("devpts", &place.join("pts"), "newinstance,ptmxmode=0666,mode=0620")?;
            chdir(&place).map_err(|e| Refusal::new("chdir", place.display(), e))?;
            pivot_root(".", ".").map_err(|e| Refusal::new("pivot_root", place.display(), e))?;
            umount2(".", MntFlags::MNT_DETACH).map_err(|e| Refusal::new("umount", "the old root", e))?;
            Ok(String::new())
        })
    })
}

/// What is mounted from here on stays in this mount namespace.
pub fn make_mounts_private() -> Result<(), Refusal> {
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(|e| Refusal::new("make private", "/", e))
}

fn mount_new(kind: &str, place: &Path, options: &str) -> Result<(), Refusal> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount(Some(kind), place, Some(kind), flags, Some(options))
        .map_err(|e| Refusal::new(&format!("mount {kind} on"), place.display(), e))
}

/// Lesson 5's namespace, and the socket through which one asks for interfaces.
pub fn network() -> Outcome {
    in_child(|| {
        become_privileged()?;
        unshare(CloneFlags::CLONE_NEWNET).map_err(|e| Refusal::new("unshare", "CLONE_NEWNET", e))?;
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)
            .map_err(|e| Refusal::new("socket", "NETLINK_ROUTE", e))?;
        Ok(String::new())
    })
}

/// The device from which pasta and slirp4netns make a container's way out.
pub fn tun() -> Outcome {
    in_child(|| {
        let path = "/dev/net/tun";
        OpenOptions::new().read(true).write(true).open(path).map_err(|e| Refusal::new("open", path, e))?;
        Ok(String::new())
    })
}
