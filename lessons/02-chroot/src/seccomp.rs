//! seccomp: which system calls a container's programs may make at all.
//!
//! A capability is asked for deep inside a system call, behind thousands of lines which have had
//! their holes. A *filter* is asked first, before any of it: a small program that the kernel runs
//! at each call of a process and of all that it starts, and which says go on, or no.
//!
//! There is one more reason. Whoever makes a user namespace of his own has all 41 capabilities
//! there, and that needs no privilege. Capabilities can't forbid it; a filter does.
//!
//! Sources: [seccomp(2)](https://man7.org/linux/man-pages/man2/seccomp.2.html),
//! [Docker's documentation](https://docs.docker.com/engine/security/seccomp/).

use std::io;

use caps::{Capability, CapsHashSet};
use libc::{sock_filter, sock_fprog};
use namespaces::{Error, Result, step};
use nix::errno::Errno;

use crate::filter;
use crate::syscalls::{self, Call};

/// What is allowed, and what is answered to the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// In this order: for each call, the first rule whose conditions all hold has the word.
    pub rules: Vec<Rule>,
    /// Where there is none.
    pub otherwise: Answer,
}

/// What is answered to one system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The call.
    pub call: Call,
    /// What its arguments have to be, all of it; nothing for any arguments.
    pub when: Vec<Condition>,
    /// The answer.
    pub answer: Answer,
}

/// One thing that an argument has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// Which argument, from 0 to 5.
    pub argument: u8,
    /// How it relates to `value`.
    pub compare: Compare,
    /// What it is compared with: all 64 bits, without a sign.
    pub value: u64,
}

/// How an argument is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // Their names say all.
pub enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// These bits of it are equal to the value.
    Masked(u64),
}

/// What the kernel does about a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is made.
    Allow,
    /// It fails with this errno.
    Errno(u16),
    /// The process ends with SIGSYS.
    Kill,
}

/// `CLONE_NEWNS`, `NEWCGROUP`, `NEWUTS`, `NEWIPC`, `NEWUSER`, `NEWPID`, `NEWNET`: every namespace
/// that `clone` can make.
const NEW_NAMESPACES: u64 = 0x7e02_0000;

/// What `personality` may ask for: Linux (0) or its 32-bit ways (8), each also with the old
/// `uname` (0x20000); all ones only asks what it is now. Not among them is switching off the
/// randomisation of addresses.
const PERSONALITIES: [u64; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// The families of `socket` above 12 that are there. Not among them: those that nobody has used for
/// long (DECnet, Econet, IrDA …), whose code nobody looks at; the kernel's ciphers (`AF_ALG`, 38),
/// and the virtual machine's host (`AF_VSOCK`, 40), which no network namespace separates.
const FAMILIES: [u64; 25] =
    [13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44, 45];

impl Policy {
    /// Docker's default for a container with these capabilities.
    // ANCHOR: docker
    pub fn docker(capabilities: &CapsHashSet) -> Policy {
        use Compare::{Equal, Less, Masked};
        let mut rules = Vec::with_capacity(400);
        let mut allow = |calls: &[Call], when: &[Condition]| {
            let rule = |call: &Call| Rule { call: *call, when: when.to_vec(), answer: Answer::Allow };
            rules.extend(calls.iter().map(rule));
        };
        let first = |compare, value| [Condition { argument: 0, compare, value }];

        // 1. The calls that every program may make, and those that go with a capability.
        for calls in
            [syscalls::ALWAYS, syscalls::ALWAYS_NEW, syscalls::ALWAYS_HERE, syscalls::ALWAYS_HERE_TOO]
        {
            allow(calls, &[]);
        }
        for (_, calls) in syscalls::WITH.iter().filter(|(needed, _)| capabilities.contains(needed)) {
            allow(calls, &[]);
        }
        // 2. Those where it depends on the arguments.
        let socket = [("socket", libc::SYS_socket)];
        allow(&socket, &first(Less, 12));
        FAMILIES.iter().for_each(|family| allow(&socket, &first(Equal, *family)));
        let personality = [("personality", libc::SYS_personality)];
        PERSONALITIES.iter().for_each(|persona| allow(&personality, &first(Equal, *persona)));
        // 3. A new process is fine, a new namespace isn't. The flags of `clone3` are in memory,
        //    where a filter can't look: "there is no such call", so that the C library takes
        //    `clone`. (To EPERM it would give up.)
        if !capabilities.contains(&Capability::CAP_SYS_ADMIN) {
            allow(&[("clone", libc::SYS_clone)], &first(Masked(NEW_NAMESPACES), 0));
            let answer = Answer::Errno(libc::ENOSYS as u16);
            rules.push(Rule { call: ("clone3", libc::SYS_clone3), when: vec![], answer });
        }
        // 4. All else: "you may not".
        Policy { rules, otherwise: Answer::Errno(libc::EPERM as u16) }
    }
    // ANCHOR_END: docker

    /// The program for the kernel: [`filter::compile`].
    pub fn compile(&self) -> Vec<sock_filter> {
        filter::compile(self)
    }
}

/// From here on the kernel asks this program about each system call of this thread, and of all
/// that it starts. There is no way to take it off.
///
/// # Errors
/// `EACCES` without `CAP_SYS_ADMIN`, unless no_new_privs is set: else a set-uid program could be
/// brought to do harm by refusing it a call that it relies on, such as giving up its privileges.
pub fn install(filter: &[sock_filter]) -> Result<()> {
    let on = format_args!("{} instructions", filter.len());
    let len = u16::try_from(filter.len()).map_err(|_| Error::new("set seccomp filter", on, "too long"))?;
    let program = sock_fprog { len, filter: filter.as_ptr().cast_mut() };
    step("set seccomp filter", on, || {
        // SAFETY: the kernel reads `len` instructions at `filter`, which lives longer than this
        // call, and writes nothing there.
        let result =
            unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
        Errno::result(result).map(drop).map_err(io::Error::from)
    })
}
