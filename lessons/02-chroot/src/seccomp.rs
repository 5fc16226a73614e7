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

use crate::architecture::{self, Architecture};
use crate::{filter, syscalls};

/// What is allowed, and what is answered to the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whose programs it is about. Those of other architectures are killed at their first call, since
    /// nobody has said what their numbers mean.
    pub architectures: Vec<&'static Architecture>,
    /// In this order: for each call, the first rule whose conditions all hold has the word.
    pub rules: Vec<Rule>,
    /// Where there is none.
    pub otherwise: Answer,
}

/// What is answered to some system calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Their names. One that an architecture doesn't have means nothing there.
    pub calls: Vec<String>,
    /// What their arguments have to be, all of it; nothing for any arguments.
    pub when: Vec<Condition>,
    /// The answer.
    pub answer: Answer,
}

impl Rule {
    /// A rule for these calls, with spaces between.
    fn new(calls: &str, when: &[Condition], answer: Answer) -> Rule {
        let calls = calls.split_ascii_whitespace().map(str::to_owned).collect();
        Rule { calls, when: when.to_vec(), answer }
    }
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
    /// It is made, and the kernel's log says so.
    Log,
    /// It fails with this errno.
    Errno(u16),
    /// The thread gets SIGSYS, which it may catch.
    Trap,
    /// The thread ends.
    KillThread,
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
        let mut rules = vec![];
        let mut allow = |calls: &str, when: &[Condition]| rules.push(Rule::new(calls, when, Answer::Allow));
        let first = |compare, value| [Condition { argument: 0, compare, value }];

        // 1. The calls that every program may make, and those that go with a capability.
        allow(syscalls::ALWAYS, &[]);
        allow(syscalls::ALWAYS_HERE, &[]);
        for (_, calls) in syscalls::WITH.iter().filter(|(needed, _)| capabilities.contains(needed)) {
            allow(calls, &[]);
        }
        // 2. Those where it depends on the arguments.
        allow("socket", &first(Less, 12));
        FAMILIES.iter().for_each(|family| allow("socket", &first(Equal, *family)));
        PERSONALITIES.iter().for_each(|persona| allow("personality", &first(Equal, *persona)));
        // 3. A new process is fine, a new namespace isn't. The flags of `clone3` are in memory,
        //    where a filter can't look: "there is no such call", so that the C library takes
        //    `clone`. (To EPERM it would give up.)
        if !capabilities.contains(&Capability::CAP_SYS_ADMIN) {
            allow("clone", &first(Masked(NEW_NAMESPACES), 0));
            rules.push(Rule::new("clone3", &[], Answer::Errno(libc::ENOSYS as u16)));
        }
        // 4. All else: "you may not".
        let otherwise = Answer::Errno(libc::EPERM as u16);
        Policy { architectures: architecture::HERE.to_vec(), rules, otherwise }
    }
    // ANCHOR_END: docker

    /// The program for the kernel: [`filter::compile`].
    pub fn compile(&self) -> Vec<sock_filter> {
        filter::compile(self)
    }
}

/// The most instructions that a program may have (`BPF_MAXINSNS`).
const LONGEST: usize = 4096;

/// From here on the kernel asks this program about each system call of this thread, and of all
/// that it starts. There is no way to take it off.
///
/// # Errors
/// `EACCES` without `CAP_SYS_ADMIN`, unless no_new_privs is set: else a set-uid program could be
/// brought to do harm by refusing it a call that it relies on, such as giving up its privileges.
pub fn install(filter: &[sock_filter]) -> Result<()> {
    let on = format_args!("{} instructions", filter.len());
    let len = match u16::try_from(filter.len()) {
        Ok(len) if usize::from(len) <= LONGEST => len,
        _ => return Err(Error::new("set seccomp filter", on, format!("the kernel takes {LONGEST}"))),
    };
    let program = sock_fprog { len, filter: filter.as_ptr().cast_mut() };
    step("set seccomp filter", on, || {
        // SAFETY: the kernel reads `len` instructions at `filter`, which lives longer than this
        // call, and writes nothing there.
        let result =
            unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
        Errno::result(result).map(drop).map_err(io::Error::from)
    })
}
