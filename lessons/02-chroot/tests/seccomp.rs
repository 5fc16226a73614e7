//! What capabilities alone don't stop, and the filter does.
//!
//! Three judges: a container of the lesson's own program, the kernel itself (a filter is one
//! thread's, so a test can put it on and try), and a machine of the tests' own that runs the
//! filter for every number there is.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::{Command, Output};
use std::thread;

use caps::{CapSet, Capability, CapsHashSet};
use libc::{c_long, sock_filter};
use rootfs::seccomp::{Answer, Compare, Condition, Policy, Rule, install};
use rootfs::{capabilities, syscalls};

fn lesson(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lesson-02")).args(words).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn docker_s() -> CapsHashSet {
    capabilities::by_name(&capabilities::DEFAULT).unwrap()
}

// ---- In a container ----

const REGAIN: [&str; 6] = [
    "unshare",
    "--user",
    "--map-root-user",
    "sh",
    "-c",
    "grep CapEff /proc/self/status && unshare --mount sh -c 'mount -t tmpfs none /tmp && echo mounted'",
];

#[test]
fn the_attack_in_a_user_namespace_of_its_own_a_program_has_all_capabilities_again() {
    let all = caps::runtime::procfs_all_supported(None).unwrap();
    let mask = all.iter().fold(0, |mask, capability| mask | 1_u64 << capability.index());
    let seen = text(&lesson(&[&["run", "--seccomp", "none"], &REGAIN[..]].concat()));
    assert_eq!(seen, format!("CapEff:\t{mask:016x}\nmounted"));
}

#[test]
fn the_attack_defeated_it_is_not_permitted_to_make_one() {
    let output = lesson(&[&["run"], &REGAIN[..]].concat());
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("Operation not permitted"), "{output:?}");
}

#[test]
fn a_container_has_a_filter_and_may_still_gain_privileges_by_setuid() {
    let status = text(&lesson(&["run", "grep", "-E", "^(Seccomp|NoNewPrivs):", "/proc/self/status"]));
    assert_eq!(status, "NoNewPrivs:\t0\nSeccomp:\t2");
    let status = text(&lesson(&["run", "--seccomp", "none", "grep", "^Seccomp:", "/proc/self/status"]));
    assert_eq!(status, "Seccomp:\t0");
}

#[test]
fn ordinary_programs_notice_nothing() {
    // Processes, pipes, files, owners, a root of its own (CAP_SYS_CHROOT), an open socket.
    let script = "mkdir -p /a/b && touch /a/b/c && chmod 600 /a/b/c && mv /a/b/c /a/c && \
        ls / | sort | tail -n 1 >/dev/null && chroot / id -u && (sleep 0 & wait)";
    assert_eq!(text(&lesson(&["run", "sh", "-c", script])), "0");
}

// ---- The kernel ----

/// Runs `attempt` in a thread that has the filter on, as an ordinary program would.
fn under<T: Send + 'static>(filter: Vec<sock_filter>, attempt: fn() -> T) -> T {
    let thread = thread::spawn(move || {
        nix::sys::prctl::set_no_new_privs().unwrap();
        install(&filter).unwrap();
        attempt()
    });
    thread.join().unwrap()
}

/// The errno of a system call, 0 if it went well.
fn errno(number: c_long, arguments: [u64; 3]) -> i32 {
    let [first, second, third] = arguments;
    // SAFETY: the tests ask only for calls that the filter refuses, or that change nothing: no
    // pointer among the arguments but null.
    match unsafe { libc::syscall(number, first, second, third) } {
        -1 => std::io::Error::last_os_error().raw_os_error().unwrap(),
        _ => 0,
    }
}

#[test]
fn the_kernel_refuses_what_no_ordinary_program_needs() {
    let answers = under(Policy::docker(&docker_s()).compile(), || {
        [
            libc::SYS_keyctl,
            libc::SYS_bpf,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_mount,
            libc::SYS_fsopen,
            libc::SYS_pivot_root,
            libc::SYS_kexec_load,
            libc::SYS_init_module,
            libc::SYS_perf_event_open,
            libc::SYS_userfaultfd,
            libc::SYS_io_uring_setup,
            libc::SYS_open_by_handle_at,
        ]
        .map(|number| errno(number, [0; 3]))
    });
    assert_eq!(answers, [libc::EPERM; 13]);
}

#[test]
fn the_kernel_looks_at_the_arguments_too() {
    const ABOVE: u64 = 1 << 32;
    let answers = under(Policy::docker(&docker_s()).compile(), || {
        let mut answers = vec![];
        for family in [libc::AF_VSOCK, libc::AF_ALG, 12].map(|family| family as u64) {
            answers.push(errno(libc::SYS_socket, [family, libc::SOCK_STREAM as u64, 0]));
            answers.push(errno(libc::SYS_socket, [family + ABOVE, libc::SOCK_STREAM as u64, 0]));
        }
        answers.push(errno(libc::SYS_personality, [libc::ADDR_NO_RANDOMIZE as u64, 0, 0]));
        answers.push(errno(libc::SYS_clone, [libc::CLONE_NEWUSER as u64, 0, 0]));
        answers
    });
    assert_eq!(answers, [libc::EPERM; 8]);
    let answers = under(Policy::docker(&docker_s()).compile(), || {
        [
            errno(libc::SYS_socket, [libc::AF_UNIX as u64, libc::SOCK_STREAM as u64, 0]),
            errno(libc::SYS_personality, [0xffff_ffff, 0, 0]),
        ]
    });
    assert_eq!(answers, [0; 2]);
}

#[test]
fn of_calls_whose_arguments_it_cannot_see_or_never_heard_of_it_says_there_are_none() {
    // ENOSYS, upon which a C library takes the older call; to EPERM it would give up.
    let answers = under(Policy::docker(&docker_s()).compile(), || {
        let threads = thread::spawn(|| 7).join();
        (errno(libc::SYS_clone3, [0; 3]), errno(9999, [0; 3]), threads.unwrap())
    });
    assert_eq!(answers, (libc::ENOSYS, libc::ENOSYS, 7));
}

#[test]
fn without_no_new_privs_it_takes_cap_sys_admin_to_put_one_on() {
    let filter = Policy::docker(&docker_s()).compile();
    let outcome = thread::spawn(move || {
        // Capabilities are one thread's as well.
        caps::drop(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).unwrap();
        install(&filter)
    });
    let error = outcome.join().unwrap().unwrap_err();
    assert_eq!((error.step.as_str(), error.errno), ("set seccomp filter", libc::EACCES));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_32_bit_door_is_closed() {
    let filter = Policy::docker(&docker_s()).compile();
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the child makes system calls alone, and ends with the last of them.
    let status = unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program);
            // `getpid` by the 32-bit way in, whose numbers are others: 20.
            std::arch::asm!("int 0x80", inout("eax") 20 => _);
            libc::_exit(0);
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &mut status, 0), child);
        status
    };
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGSYS, "{status:#x}");
}

// ---- Every number ----

/// What a filter is asked about (`struct seccomp_data`, without the instruction pointer).
#[derive(Debug, Clone, Copy)]
struct Call {
    number: u32,
    architecture: u32,
    arguments: [u64; 6],
}

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// The machine: as in the kernel's documentation, and nothing that the filter doesn't use.
fn run(program: &[sock_filter], call: Call) -> u32 {
    let word = |offset: u32| match offset {
        0 => call.number,
        4 => call.architecture,
        16..64 if offset.is_multiple_of(8) => call.arguments[(offset as usize - 16) / 8] as u32,
        16..64 if offset % 8 == 4 => (call.arguments[(offset as usize - 16) / 8] >> 32) as u32,
        _ => panic!("load from {offset}"),
    };
    let (mut register, mut next) = (0, 0);
    loop {
        let sock_filter { code, jt, jf, k } = program[next];
        next += 1;
        let passed = match code {
            0x20 => {
                register = word(k);
                continue;
            }
            0x54 => {
                register &= k;
                continue;
            }
            0x05 => {
                next += k as usize;
                continue;
            }
            0x06 => return k,
            0x15 => register == k,
            0x25 => register > k,
            0x35 => register >= k,
            _ => panic!("instruction {code:#x}"),
        };
        next += usize::from(if passed { jt } else { jf });
    }
}

/// What the policy says, by its rules for this number.
fn expected(policy: &Policy, rules: &[&Rule], call: Call) -> u32 {
    let holds = |condition: &Condition| {
        let (argument, value) = (call.arguments[usize::from(condition.argument)], condition.value);
        match condition.compare {
            Compare::Equal => argument == value,
            Compare::NotEqual => argument != value,
            Compare::Less => argument < value,
            Compare::LessOrEqual => argument <= value,
            Compare::Greater => argument > value,
            Compare::GreaterOrEqual => argument >= value,
            Compare::Masked(mask) => argument & mask == value,
        }
    };
    let highest = || policy.rules.iter().map(|rule| rule.call.1).max().unwrap_or(-1);
    let rule = rules.iter().find(|rule| rule.when.iter().all(holds));
    let answer = match (rule, policy.otherwise) {
        (Some(rule), _) => rule.answer,
        (None, Answer::Errno(_)) if c_long::from(call.number) > highest() => Answer::Errno(38),
        (None, otherwise) => otherwise,
    };
    match answer {
        Answer::Allow => 0x7fff_0000,
        Answer::Errno(errno) => 0x0005_0000 + u32::from(errno),
        Answer::Kill => 0x8000_0000,
    }
}

/// Numbers without a pattern, the same in each run (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }
}

/// Arguments at which mistakes show: near the borders of both halves.
const ARGUMENTS: [u64; 18] = [
    0,
    1,
    7,
    8,
    11,
    12,
    13,
    38,
    40,
    45,
    46,
    0x2_0008,
    0x1000_0000,
    0x7e02_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_0000_0028,
    u64::MAX,
];

fn agree(policy: &Policy, numbers: impl Iterator<Item = u32>, random: &mut Random) {
    let program = policy.compile();
    for number in numbers {
        let rules: Vec<&Rule> =
            policy.rules.iter().filter(|rule| rule.call.1 == c_long::from(number)).collect();
        for first in ARGUMENTS {
            let mut arguments = [0; 6].map(|_: u64| random.one_of(&ARGUMENTS));
            arguments[0] = first;
            let call = Call { number, architecture: ARCHITECTURE, arguments };
            assert_eq!(run(&program, call), expected(policy, &rules, call), "{call:x?}");
            for architecture in [0x4000_0003, 0x4000_0028, ARCHITECTURE ^ 1, 0] {
                assert_eq!(run(&program, Call { architecture, ..call }), 0x8000_0000, "{call:x?}");
            }
        }
    }
}

#[test]
fn for_every_number_the_program_says_what_the_policy_says() {
    let all: CapsHashSet = caps::all();
    let mut sets = vec![CapsHashSet::new(), docker_s(), all.clone()];
    sets.extend(all.into_iter().map(|one| CapsHashSet::from([one])));
    for set in sets {
        // 0x40000000 and up are x32's.
        let numbers = (0..600).chain(0x4000_0000..0x4000_0100).chain([u32::MAX]);
        agree(&Policy::docker(&set), numbers, &mut Random(42));
    }
}

#[test]
fn so_it_does_for_policies_that_nobody_would_write() {
    let mut random = Random(2026);
    for _ in 0..300 {
        let mut rules = vec![];
        for _ in 0..random.below(80) {
            let compare = match random.below(7) {
                0 => Compare::Equal,
                1 => Compare::NotEqual,
                2 => Compare::Less,
                3 => Compare::LessOrEqual,
                4 => Compare::Greater,
                5 => Compare::GreaterOrEqual,
                _ => Compare::Masked(random.one_of(&ARGUMENTS)),
            };
            let argument = random.below(6) as u8;
            let condition = Condition { argument, compare, value: random.one_of(&ARGUMENTS) };
            rules.push(Rule {
                call: ("", random.below(60) as c_long),
                // Sixty of them: further than a conditional jump reaches.
                when: vec![condition; random.one_of(&[0, 0, 1, 2, 3, 60])],
                answer: random.one_of(&[Answer::Allow, Answer::Kill, Answer::Errno(1), Answer::Errno(2)]),
            });
        }
        let otherwise = random.one_of(&[Answer::Errno(1), Answer::Allow, Answer::Kill]);
        agree(&Policy { rules, otherwise }, 0..70, &mut random);
    }
}

#[test]
fn a_long_list_of_values_is_no_shorter_than_it_should_be() {
    let rule = |value: u64| Rule {
        call: ("", 5),
        when: vec![Condition { argument: 0, compare: Compare::Equal, value }],
        answer: Answer::Allow,
    };
    let policy = Policy { rules: (0..600).step_by(2).map(rule).collect(), otherwise: Answer::Errno(1) };
    let program = policy.compile();
    for value in 0..700 {
        let call = Call { number: 5, architecture: ARCHITECTURE, arguments: [value, 0, 0, 0, 0, 0] };
        let allowed = value < 600 && value % 2 == 0;
        assert_eq!(run(&program, call), if allowed { 0x7fff_0000 } else { 0x0005_0001 }, "{value}");
    }
}

#[test]
fn docker_s_policy_is_a_short_program_and_a_call_meets_little_of_it() {
    let program = Policy::docker(&docker_s()).compile();
    assert!(program.len() < 200, "{} instructions", program.len());
    let named = syscalls::ALWAYS.len() + syscalls::ALWAYS_HERE.len();
    assert!(named > 240, "{named}");
}

#[test]
fn each_call_has_one_name_and_one_number() {
    let mut seen = std::collections::BTreeMap::new();
    for (name, number) in syscalls::all() {
        assert!(number >= 0 && !name.starts_with("SYS"), "{name}");
        assert_eq!(*seen.entry(number).or_insert(name), name);
    }
    for never in syscalls::NEVER {
        let rules = Policy::docker(&caps::all()).rules;
        assert!(rules.iter().all(|rule| rule.call.1 != never.1), "{never:?}");
    }
}
