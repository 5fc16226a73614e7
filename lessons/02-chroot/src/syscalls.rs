//! System calls by name, in the groups in which Docker's policy lets a container have them.
//!
//! A filter sees numbers, and they differ from one architecture to the next: 59 is `execve` on
//! x86-64 and `pipe2` on aarch64. So the numbers are the C library's, and a call that an
//! architecture never had isn't in its list. Those that `libc` doesn't name yet stand here with
//! their number: from 403 on it is the same one everywhere.
//!
//! Which calls: [Docker's default profile](https://github.com/moby/profiles/blob/main/seccomp/default.json).

use caps::Capability;
use libc::*;

/// A system call: its name, and its number on this architecture.
pub type Call = (&'static str, c_long);

/// Written `SYS_read SYS_write …`, becomes a list of [`Call`]s.
macro_rules! calls {
    ($($name:ident)*) => {
        // The name is what follows "SYS_".
        &[$((stringify!($name).split_at(4).1, $name)),*]
    };
}

/// What every program may call.
pub const ALWAYS: &[Call] = calls! {
    SYS_accept SYS_accept4 SYS_adjtimex SYS_bind SYS_brk SYS_capget SYS_capset SYS_chdir SYS_clock_adjtime
    SYS_clock_getres SYS_clock_gettime SYS_clock_nanosleep SYS_close SYS_close_range SYS_connect
    SYS_copy_file_range SYS_dup SYS_dup3 SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2
    SYS_eventfd2 SYS_execve SYS_execveat SYS_exit SYS_exit_group SYS_faccessat SYS_faccessat2
    SYS_fadvise64 SYS_fallocate SYS_fanotify_mark SYS_fchdir SYS_fchmod SYS_fchmodat SYS_fchown
    SYS_fchownat SYS_fcntl SYS_fdatasync SYS_fgetxattr SYS_flistxattr SYS_flock SYS_fremovexattr
    SYS_fsetxattr SYS_fstat SYS_fstatfs SYS_fsync SYS_ftruncate SYS_futex SYS_futex_waitv
    SYS_get_robust_list SYS_getcpu SYS_getcwd SYS_getdents64 SYS_getegid SYS_geteuid SYS_getgid
    SYS_getgroups SYS_getitimer SYS_getpeername SYS_getpgid SYS_getpid SYS_getppid SYS_getpriority
    SYS_getrandom SYS_getresgid SYS_getresuid SYS_getrlimit SYS_getrusage SYS_getsid SYS_getsockname
    SYS_getsockopt SYS_gettid SYS_gettimeofday SYS_getuid SYS_getxattr SYS_inotify_add_watch
    SYS_inotify_init1 SYS_inotify_rm_watch SYS_io_cancel SYS_io_destroy SYS_io_getevents SYS_io_setup
    SYS_io_submit SYS_ioctl SYS_ioprio_get SYS_ioprio_set SYS_kill SYS_landlock_add_rule
    SYS_landlock_create_ruleset SYS_landlock_restrict_self SYS_lgetxattr SYS_linkat SYS_listen
    SYS_listxattr SYS_llistxattr SYS_lremovexattr SYS_lseek SYS_lsetxattr SYS_madvise SYS_membarrier
    SYS_memfd_create SYS_memfd_secret SYS_mincore SYS_mkdirat SYS_mknodat SYS_mlock SYS_mlock2
    SYS_mlockall SYS_mmap SYS_mprotect SYS_mq_getsetattr SYS_mq_notify SYS_mq_open SYS_mq_timedreceive
    SYS_mq_timedsend SYS_mq_unlink SYS_mremap SYS_mseal SYS_msgctl SYS_msgget SYS_msgrcv SYS_msgsnd
    SYS_msync SYS_munlock SYS_munlockall SYS_munmap SYS_name_to_handle_at SYS_nanosleep SYS_newfstatat
    SYS_openat SYS_openat2 SYS_pidfd_open SYS_pidfd_send_signal SYS_pipe2 SYS_pkey_alloc SYS_pkey_free
    SYS_pkey_mprotect SYS_ppoll SYS_prctl SYS_pread64 SYS_preadv SYS_preadv2 SYS_prlimit64
    SYS_process_mrelease SYS_process_vm_readv SYS_process_vm_writev SYS_pselect6 SYS_ptrace SYS_pwrite64
    SYS_pwritev SYS_pwritev2 SYS_read SYS_readahead SYS_readlinkat SYS_readv SYS_recvfrom SYS_recvmmsg
    SYS_recvmsg SYS_remap_file_pages SYS_removexattr SYS_renameat SYS_renameat2 SYS_restart_syscall
    SYS_rseq SYS_rt_sigaction SYS_rt_sigpending SYS_rt_sigprocmask SYS_rt_sigqueueinfo SYS_rt_sigreturn
    SYS_rt_sigsuspend SYS_rt_sigtimedwait SYS_rt_tgsigqueueinfo SYS_sched_get_priority_max
    SYS_sched_get_priority_min SYS_sched_getaffinity SYS_sched_getattr SYS_sched_getparam
    SYS_sched_getscheduler SYS_sched_rr_get_interval SYS_sched_setaffinity SYS_sched_setattr
    SYS_sched_setparam SYS_sched_setscheduler SYS_sched_yield SYS_seccomp SYS_semctl SYS_semget SYS_semop
    SYS_semtimedop SYS_sendfile SYS_sendmmsg SYS_sendmsg SYS_sendto SYS_set_robust_list
    SYS_set_tid_address SYS_setfsgid SYS_setfsuid SYS_setgid SYS_setgroups SYS_setitimer SYS_setpgid
    SYS_setpriority SYS_setregid SYS_setresgid SYS_setresuid SYS_setreuid SYS_setrlimit SYS_setsid
    SYS_setsockopt SYS_setuid SYS_setxattr SYS_shmat SYS_shmctl SYS_shmdt SYS_shmget SYS_shutdown
    SYS_sigaltstack SYS_signalfd4 SYS_socketpair SYS_splice SYS_statfs SYS_statx SYS_symlinkat SYS_sync
    SYS_sync_file_range SYS_syncfs SYS_sysinfo SYS_tee SYS_tgkill SYS_timer_create SYS_timer_delete
    SYS_timer_getoverrun SYS_timer_gettime SYS_timer_settime SYS_timerfd_create SYS_timerfd_gettime
    SYS_timerfd_settime SYS_times SYS_tkill SYS_truncate SYS_umask SYS_uname SYS_unlinkat SYS_utimensat
    SYS_vmsplice SYS_wait4 SYS_waitid SYS_write SYS_writev
};

/// What every program may call, too: younger than `libc`'s list.
pub const ALWAYS_NEW: &[Call] = &[
    ("cachestat", 451),
    ("fchmodat2", 452),
    ("map_shadow_stack", 453),
    ("futex_wake", 454),
    ("futex_wait", 455),
    ("futex_requeue", 456),
    ("statmount", 457),
    ("listmount", 458),
    ("setxattrat", 463),
    ("getxattrat", 464),
    ("listxattrat", 465),
    ("removexattrat", 466),
];

/// What only this architecture has, and every program may call. On x86-64 these are the calls of
/// old; the younger architectures have their successors alone (`openat` for `open`).
#[cfg(target_arch = "x86_64")]
pub const ALWAYS_HERE: &[Call] = calls! {
    SYS_access SYS_alarm SYS_arch_prctl SYS_chmod SYS_chown SYS_creat SYS_dup2 SYS_epoll_create
    SYS_epoll_ctl_old SYS_epoll_wait SYS_epoll_wait_old SYS_eventfd SYS_fork SYS_futimesat
    SYS_get_thread_area SYS_getdents SYS_getpgrp SYS_inotify_init SYS_lchown SYS_link SYS_lstat SYS_mkdir
    SYS_mknod SYS_modify_ldt SYS_open SYS_pause SYS_pipe SYS_poll SYS_readlink SYS_rename SYS_rmdir
    SYS_select SYS_set_thread_area SYS_signalfd SYS_stat SYS_symlink SYS_time SYS_unlink SYS_utime
    SYS_utimes SYS_vfork
};

/// What only this architecture has, and every program may call.
#[cfg(not(target_arch = "x86_64"))]
pub const ALWAYS_HERE: &[Call] = &[];

/// Two that only some of `libc`'s lists have.
#[cfg(target_arch = "x86_64")]
pub const ALWAYS_HERE_TOO: &[Call] = &[("io_pgetevents", 333), ("uretprobe", 335)];

/// One that only some of `libc`'s lists have.
#[cfg(target_arch = "aarch64")]
pub const ALWAYS_HERE_TOO: &[Call] = &[("io_pgetevents", 292)];

/// What a program may call if it has this capability. The kernel asks for the capability as well,
/// but it asks deep inside the call, behind code that has had its holes; and a user namespace of
/// the program's own would give it any capability there is.
pub const WITH: &[(Capability, &[Call])] = &[
    (Capability::CAP_BPF, calls! { SYS_bpf }),
    (Capability::CAP_DAC_READ_SEARCH, calls! { SYS_open_by_handle_at }),
    (Capability::CAP_PERFMON, calls! { SYS_perf_event_open }),
    (
        Capability::CAP_SYS_ADMIN,
        calls! {
            SYS_bpf SYS_clone SYS_clone3 SYS_fanotify_init SYS_fsconfig SYS_fsmount SYS_fsopen SYS_fspick
            SYS_lookup_dcookie SYS_mount SYS_mount_setattr SYS_move_mount SYS_open_tree
            SYS_perf_event_open SYS_quotactl SYS_quotactl_fd SYS_setdomainname SYS_sethostname SYS_setns
            SYS_syslog SYS_umount2 SYS_unshare
        },
    ),
    (
        Capability::CAP_SYS_ADMIN,
        &[("lsm_get_self_attr", 459), ("lsm_set_self_attr", 460), ("lsm_list_modules", 461)],
    ),
    (Capability::CAP_SYS_BOOT, calls! { SYS_reboot }),
    (Capability::CAP_SYS_CHROOT, calls! { SYS_chroot }),
    (Capability::CAP_SYS_MODULE, calls! { SYS_delete_module SYS_finit_module SYS_init_module }),
    (
        Capability::CAP_SYS_NICE,
        calls! { SYS_get_mempolicy SYS_mbind SYS_set_mempolicy SYS_set_mempolicy_home_node },
    ),
    (Capability::CAP_SYS_PACCT, calls! { SYS_acct }),
    (Capability::CAP_SYS_PTRACE, calls! { SYS_kcmp SYS_pidfd_getfd SYS_process_madvise }),
    #[cfg(target_arch = "x86_64")]
    (Capability::CAP_SYS_RAWIO, calls! { SYS_ioperm SYS_iopl }),
    (Capability::CAP_SYS_TIME, calls! { SYS_clock_settime SYS_settimeofday }),
    (Capability::CAP_SYS_TTY_CONFIG, calls! { SYS_vhangup }),
    (Capability::CAP_SYSLOG, calls! { SYS_syslog }),
];

/// What a program may call with some arguments and not with others.
pub const SOMETIMES: &[Call] = calls! { SYS_clone SYS_clone3 SYS_personality SYS_socket };

/// What no container may call, whatever its capabilities: keyrings know nothing of namespaces, and
/// io_uring's work is done where no filter sees it. Listed so that other policies can name them.
pub const NEVER: &[Call] = calls! {
    SYS_add_key SYS_io_uring_enter SYS_io_uring_register SYS_io_uring_setup SYS_kexec_file_load
    SYS_kexec_load SYS_keyctl SYS_migrate_pages SYS_move_pages SYS_nfsservctl SYS_pivot_root
    SYS_request_key SYS_swapoff SYS_swapon SYS_userfaultfd
};

/// Every call that has a name here.
pub fn all() -> impl Iterator<Item = Call> {
    let groups = [ALWAYS, ALWAYS_NEW, ALWAYS_HERE, ALWAYS_HERE_TOO, SOMETIMES, NEVER];
    groups.into_iter().chain(WITH.iter().map(|(_, calls)| *calls)).flatten().copied()
}
