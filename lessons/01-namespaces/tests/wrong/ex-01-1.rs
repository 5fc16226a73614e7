//! The tests say: among the flags, where clone(2) has it, it is an invalid argument
    let mut pidfd: libc::c_int = -1;
    // SAFETY: clone_args is plain numbers.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = namespaces.bits() as u64 | libc::CLONE_PIDFD as u64 | libc::SIGCHLD as u64;
    args.pidfd = &raw mut pidfd as u64;
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: a fork of a single-threaded process.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of_val(&args)) };
    match nix::errno::Errno::result(pid)? {
        0 => Ok(Cloned::Child),
        pid => {
            // SAFETY: a new descriptor.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Cloned::Parent { pid: Pid::from_raw(pid as i32), pidfd })
        }
    }
