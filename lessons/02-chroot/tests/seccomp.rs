//! What capabilities alone don't stop, and the filter does.
//!
//! Three judges: a container of the lesson's own program, the kernel itself (a filter is one
//! thread's, so a test can put it on and try), and a machine of the tests' own that runs the
//! filter for every number there is.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::thread;

use caps::{CapSet, Capability, CapsHashSet};
use libc::{c_long, sock_filter};
use rootfs::architecture::{AARCH64, ARM, Architecture, HERE, X86, X86_64};
use rootfs::capabilities;
use rootfs::seccomp::{Answer, Compare, Condition, Policy, Rule, install};

fn lesson(words: &[&str]) -> Output {
    // Where the tests run elsewhere than they were built, as in a virtual machine, this says where it is.
    let program =
        std::env::var_os("CARGO_BIN_EXE_lesson-02").unwrap_or(env!("CARGO_BIN_EXE_lesson-02").into());
    Command::new(program).args(words).output().unwrap()
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

/// A 32-bit program for x86 of one system call, whose exit code is the errno, or 0 less what it
/// returned. It is an ELF file with one segment (elf(5)).
#[cfg(target_arch = "x86_64")]
fn program_32(number: u32, first: u32) -> Vec<u8> {
    const PLACE: u32 = 0x0804_8000;
    let word = u32::to_le_bytes;
    // mov eax, number; mov ebx, first; xor ecx, ecx; xor edx, edx; xor esi, esi; int 0x80
    let call = [&[0xb8][..], &word(number), &[0xbb], &word(first), b"\x31\xc9\x31\xd2\x31\xf6\xcd\x80"];
    // neg eax; mov ebx, eax; mov eax, 1 (exit); int 0x80
    let code = [&call.concat()[..], b"\xf7\xd8\x89\xc3\xb8\x01\0\0\0\xcd\x80"].concat();
    let size = 84 + code.len() as u32;
    let header = [
        b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0\x01\0\0\0",
        // Where it begins, where the table of segments is; no table of sections, no flags.
        &[PLACE + 84, 52, 0, 0].map(word).concat()[..],
        b"\x34\0\x20\0\x01\0\0\0\0\0\0\0",
        // To be loaded: all of the file, to be read and executed, on a page of 4096 bytes.
        &[1, 0, PLACE, PLACE, size, size, 5, 4096].map(word).concat(),
    ];
    [header.concat(), code].concat()
}

/// Runs such a program in a container.
#[cfg(target_arch = "x86_64")]
fn answer_to_32_bit(flags: &[&str], number: u32, first: u32) -> i32 {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("program");
    std::fs::write(&file, program_32(number, first)).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let volume = format!("{}:/program", file.display());
    let output = lesson(&[&["run", "--volume", &volume], flags, &["/program"]].concat());
    output.status.code().unwrap_or_else(|| panic!("{output:?}"))
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_32_bit_program_runs_and_its_calls_are_filtered_by_their_own_numbers() {
    let new_user = libc::CLONE_NEWUSER as u32;
    let cases = [
        ("getpid", 20, 0, 256 - 1),
        ("execve (munmap for a 64-bit program)", 11, 0, libc::EFAULT),
        ("socket, of a family that is allowed", 359, 1, libc::ESOCKTNOSUPPORT),
        ("socket, of AF_VSOCK", 359, 40, libc::EPERM),
        ("unshare", 310, new_user, libc::EPERM),
        ("clone", 120, new_user, libc::EPERM),
        ("keyctl", 288, 0, libc::EPERM),
        ("personality", 136, 0x4_0000, libc::EPERM),
        ("clone3", 435, 0, libc::ENOSYS),
        ("none", 9999, 0, libc::ENOSYS),
    ];
    for (name, number, first, expected) in cases {
        assert_eq!(answer_to_32_bit(&[], number, first), expected, "{name}");
    }
    // It is the filter that says so.
    assert_eq!(answer_to_32_bit(&["--seccomp", "none"], 310, new_user), 0);
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
        // The 64-bit calls with 32-bit pointers ("x32") have this bit in their numbers.
        let x32 = errno(0x4000_0000 + libc::SYS_getpid, [0; 3]);
        (errno(libc::SYS_clone3, [0; 3]), errno(9999, [0; 3]), x32, threads.unwrap())
    });
    assert_eq!(answers, (libc::ENOSYS, libc::ENOSYS, libc::ENOSYS, 7));
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
fn programs_of_an_architecture_that_the_policy_does_not_name_are_killed() {
    let filter = Policy { architectures: vec![HERE[0]], ..Policy::docker(&docker_s()) }.compile();
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

/// What the program answers.
fn run(program: &[sock_filter], call: Call) -> u32 {
    run_and_count(program, call).0
}

/// The machine: as in the kernel's documentation, and nothing that the filter doesn't use. The answer, and
/// how many instructions it has taken.
fn run_and_count(program: &[sock_filter], call: Call) -> (u32, usize) {
    let word = |offset: u32| match offset {
        0 => call.number,
        4 => call.architecture,
        16..64 if offset.is_multiple_of(8) => call.arguments[(offset as usize - 16) / 8] as u32,
        16..64 if offset % 8 == 4 => (call.arguments[(offset as usize - 16) / 8] >> 32) as u32,
        _ => panic!("load from {offset}"),
    };
    let (mut register, mut next, mut count) = (0, 0, 0);
    loop {
        let sock_filter { code, jt, jf, k } = program[next];
        next += 1;
        count += 1;
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
            0x06 => return (k, count),
            0x15 => register == k,
            0x25 => register > k,
            0x35 => register >= k,
            _ => panic!("instruction {code:#x}"),
        };
        next += usize::from(if passed { jt } else { jf });
    }
}

/// What the policy says: the first rule that names the call and whose conditions hold.
fn expected(policy: &Policy, numbers: &BTreeMap<u32, &str>, highest: u32, call: Call) -> u32 {
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
    let name = numbers.get(&call.number).copied();
    let about = |rule: &&Rule| name.is_some_and(|name| rule.calls.iter().any(|call| call == name));
    let mut rules = policy.rules.iter().filter(about).peekable();
    let heard_of = call.number <= highest || rules.peek().is_some();
    let answer = match (rules.find(|rule| rule.when.iter().all(holds)), policy.otherwise) {
        (Some(rule), _) => rule.answer,
        (None, Answer::Errno(_)) if !heard_of => Answer::Errno(38),
        (None, otherwise) => otherwise,
    };
    match answer {
        Answer::Allow => 0x7fff_0000,
        Answer::Log => 0x7ffc_0000,
        Answer::Errno(errno) => 0x0005_0000 + u32::from(errno),
        Answer::Trap => 0x0003_0000,
        Answer::KillThread => 0,
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

fn agree(policy: &Policy, numbers: &[u32], random: &mut Random) {
    let program = policy.compile();
    for architecture in &policy.architectures {
        let names: BTreeMap<u32, &str> = architecture.calls().collect();
        let named = |name: &str| policy.rules.iter().any(|rule| rule.calls.iter().any(|call| call == name));
        let known = names.iter().filter(|(number, name)| **number < 0xf_0000 && named(name));
        let highest = known.map(|(number, _)| *number).max();
        // Without any rule there is no "above".
        let highest = highest.unwrap_or(u32::MAX);
        for number in numbers {
            for first in ARGUMENTS {
                let mut arguments = [0; 6].map(|_: u64| random.one_of(&ARGUMENTS));
                arguments[0] = first;
                let call = Call { number: *number, architecture: architecture.audit, arguments };
                let expected = expected(policy, &names, highest, call);
                assert_eq!(
                    run(&program, call),
                    expected,
                    "ex-02-7: what the program answers, and what the policy says to {} {call:x?}",
                    architecture.name
                );
                for other in [architecture.audit ^ 1, 0] {
                    assert_eq!(run(&program, Call { architecture: other, ..call }), 0x8000_0000);
                }
            }
        }
    }
}

/// All of them, whatever machine this is: the machine that judges is our own.
fn everywhere() -> Vec<&'static Architecture> {
    vec![&X86_64, &ARM, &X86, &AARCH64]
}

#[test]
fn for_every_number_on_every_architecture_the_program_says_what_the_policy_says() {
    // 0x40000000 and up are x32's, 0xf0000 and up 32-bit ARM's own.
    let numbers: Vec<u32> =
        (0..600).chain(0xf_0000..0xf_0010).chain(0x4000_0000..0x4000_0020).chain([u32::MAX]).collect();
    let all: CapsHashSet = caps::all();
    let mut sets = vec![CapsHashSet::new(), docker_s(), all.clone()];
    sets.extend(all.into_iter().map(|one| CapsHashSet::from([one])));
    for (place, set) in sets.into_iter().enumerate() {
        let mut policy = Policy::docker(&set);
        assert_eq!(policy.architectures, HERE);
        // The first three on all of them; for each single capability that would take long.
        if place < 3 {
            policy.architectures = everywhere();
        }
        agree(&policy, &numbers, &mut Random(42));
    }
}

#[test]
fn so_it_does_for_policies_that_nobody_would_write() {
    let mut random = Random(2026);
    for _ in 0..100 {
        let mut rules = vec![];
        let architectures = everywhere();
        let calls: Vec<&str> = X86.calls().take(60).map(|(_, name)| name).collect();
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
            let answers = [Answer::Allow, Answer::Kill, Answer::Errno(1), Answer::Errno(2), Answer::Log];
            rules.push(Rule {
                calls: (0..1 + random.below(4)).map(|_| random.one_of(&calls).to_owned()).collect(),
                // Sixty of them: further than a conditional jump reaches.
                when: vec![condition; random.one_of(&[0, 0, 1, 2, 3, 60])],
                answer: random.one_of(&answers),
            });
        }
        let otherwise = random.one_of(&[Answer::Errno(1), Answer::Allow, Answer::KillThread, Answer::Trap]);
        let numbers: Vec<u32> = (0..70).chain([200, 500]).collect();
        agree(&Policy { architectures, rules, otherwise }, &numbers, &mut random);
    }
}

#[test]
fn a_long_list_of_values_is_no_shorter_than_it_should_be() {
    let rule = |value: u64| Rule {
        calls: vec!["fstat".to_owned()],
        when: vec![Condition { argument: 0, compare: Compare::Equal, value }],
        answer: Answer::Allow,
    };
    let rules = (0..600).step_by(2).map(rule).collect();
    let policy = Policy { architectures: vec![&X86_64], rules, otherwise: Answer::Errno(1) };
    let program = policy.compile();
    for value in 0..700 {
        let call = Call { number: 5, architecture: X86_64.audit, arguments: [value, 0, 0, 0, 0, 0] };
        let allowed = value < 600 && value % 2 == 0;
        assert_eq!(run(&program, call), if allowed { 0x7fff_0000 } else { 0x0005_0001 }, "{value}");
    }
}

#[test]
fn docker_s_policy_is_a_short_program() {
    let policy = Policy::docker(&docker_s());
    let program = policy.compile();
    assert!(program.len() < 300, "{} instructions", program.len());
    let native = Policy { architectures: vec![HERE[0]], ..policy }.compile();
    assert!(native.len() < 130, "{} instructions", native.len());
}

#[test]
fn a_call_meets_few_of_its_instructions() {
    let policy = Policy::docker(&docker_s());
    let program = policy.compile();
    let counts = (0..600).map(|number| {
        let call = Call { number, architecture: HERE[0].audit, arguments: [0; 6] };
        run_and_count(&program, call).1
    });
    let counts: Vec<usize> = counts.collect();
    let (most, average) = (counts.iter().max().unwrap(), counts.iter().sum::<usize>() / counts.len());
    assert!(
        average < 15 && *most < 60,
        "ex-02-7: on the average {average} instructions, and up to {most}: does each question leave half of the ranges?"
    );
}

#[test]
fn a_program_that_is_too_long_for_the_kernel_is_refused_in_words() {
    let filter = vec![sock_filter { code: 0x06, jt: 0, jf: 0, k: 0 }; 4097];
    let error = install(&filter).unwrap_err().to_string();
    assert!(error.contains("4097 instructions") && error.contains("4096"), "{error}");
}

#[test]
fn each_call_has_one_name_and_one_number() {
    for architecture in everywhere() {
        let mut seen = BTreeMap::new();
        let mut last = None;
        for (number, name) in architecture.calls() {
            assert!(last.is_none_or(|last| number > last), "{name}: the numbers rise");
            assert_eq!(seen.insert(name, number), None, "{name}");
            assert_eq!(architecture.number(name), Some(number));
            last = Some(number);
        }
        // From 424 on the numbers are the same for all.
        assert_eq!(architecture.number("pidfd_send_signal"), Some(424), "{}", architecture.name);
        assert_eq!(architecture.number("mseal"), Some(462), "{}", architecture.name);
        assert_eq!(Architecture::by_name(architecture.name), Some(architecture));
    }
    assert_eq!(Architecture::by_name("pdp11"), None);
}

/// Keyrings know nothing of namespaces, and io_uring's work is done where no filter sees it.
#[test]
fn what_no_container_may_call_is_in_nobody_s_list() {
    let rules = Policy::docker(&caps::all()).rules;
    for never in "add_key io_uring_enter io_uring_register io_uring_setup kexec_file_load kexec_load keyctl \
                  migrate_pages move_pages nfsservctl pivot_root request_key swapoff swapon userfaultfd"
        .split_ascii_whitespace()
    {
        assert!(HERE[0].number(never).is_some(), "{never} is a call");
        assert!(rules.iter().all(|rule| rule.calls.iter().all(|call| call != never)), "{never}");
    }
}

/// Written `SYS_read SYS_write …`, becomes the C library's names and numbers.
macro_rules! c_library {
    ($($name:ident)*) => { [$((stringify!($name).split_at(4).1, libc::$name)),*] };
}

#[test]
fn the_numbers_are_those_of_the_c_library() {
    let numbers = c_library! {
        SYS_accept SYS_accept4 SYS_acct SYS_add_key SYS_adjtimex SYS_bind SYS_bpf SYS_brk SYS_capget
        SYS_capset SYS_chdir SYS_chroot SYS_clock_adjtime SYS_clock_getres SYS_clock_gettime
        SYS_clock_nanosleep SYS_clock_settime SYS_clone SYS_clone3 SYS_close SYS_close_range
        SYS_connect SYS_copy_file_range SYS_delete_module SYS_dup SYS_dup3 SYS_epoll_create1
        SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2 SYS_eventfd2 SYS_execve SYS_execveat SYS_exit
        SYS_exit_group SYS_faccessat SYS_faccessat2 SYS_fadvise64 SYS_fallocate SYS_fanotify_init
        SYS_fanotify_mark SYS_fchdir SYS_fchmod SYS_fchmodat SYS_fchown SYS_fchownat SYS_fcntl
        SYS_fdatasync SYS_fgetxattr SYS_finit_module SYS_flistxattr SYS_flock SYS_fremovexattr
        SYS_fsconfig SYS_fsetxattr SYS_fsmount SYS_fsopen SYS_fspick SYS_fstat SYS_fstatfs SYS_fsync
        SYS_ftruncate SYS_futex SYS_futex_waitv SYS_get_mempolicy SYS_get_robust_list SYS_getcpu
        SYS_getcwd SYS_getdents64 SYS_getegid SYS_geteuid SYS_getgid SYS_getgroups SYS_getitimer
        SYS_getpeername SYS_getpgid SYS_getpid SYS_getppid SYS_getpriority SYS_getrandom
        SYS_getresgid SYS_getresuid SYS_getrlimit SYS_getrusage SYS_getsid SYS_getsockname
        SYS_getsockopt SYS_gettid SYS_gettimeofday SYS_getuid SYS_getxattr SYS_init_module
        SYS_inotify_add_watch SYS_inotify_init1 SYS_inotify_rm_watch SYS_io_cancel SYS_io_destroy
        SYS_io_getevents SYS_io_setup SYS_io_submit SYS_io_uring_enter SYS_io_uring_register
        SYS_io_uring_setup SYS_ioctl SYS_ioprio_get SYS_ioprio_set SYS_kcmp SYS_kexec_file_load
        SYS_kexec_load SYS_keyctl SYS_kill SYS_landlock_add_rule SYS_landlock_create_ruleset
        SYS_landlock_restrict_self SYS_lgetxattr SYS_linkat SYS_listen SYS_listxattr SYS_llistxattr
        SYS_lookup_dcookie SYS_lremovexattr SYS_lseek SYS_lsetxattr SYS_madvise SYS_mbind
        SYS_membarrier SYS_memfd_create SYS_memfd_secret SYS_migrate_pages SYS_mincore SYS_mkdirat
        SYS_mknodat SYS_mlock SYS_mlock2 SYS_mlockall SYS_mmap SYS_mount SYS_mount_setattr
        SYS_move_mount SYS_move_pages SYS_mprotect SYS_mq_getsetattr SYS_mq_notify SYS_mq_open
        SYS_mq_timedreceive SYS_mq_timedsend SYS_mq_unlink SYS_mremap SYS_mseal SYS_msgctl
        SYS_msgget SYS_msgrcv SYS_msgsnd SYS_msync SYS_munlock SYS_munlockall SYS_munmap
        SYS_name_to_handle_at SYS_nanosleep SYS_newfstatat SYS_nfsservctl SYS_open_by_handle_at
        SYS_open_tree SYS_openat SYS_openat2 SYS_perf_event_open SYS_personality SYS_pidfd_getfd
        SYS_pidfd_open SYS_pidfd_send_signal SYS_pipe2 SYS_pivot_root SYS_pkey_alloc SYS_pkey_free
        SYS_pkey_mprotect SYS_ppoll SYS_prctl SYS_pread64 SYS_preadv SYS_preadv2 SYS_prlimit64
        SYS_process_madvise SYS_process_mrelease SYS_process_vm_readv SYS_process_vm_writev
        SYS_pselect6 SYS_ptrace SYS_pwrite64 SYS_pwritev SYS_pwritev2 SYS_quotactl SYS_quotactl_fd
        SYS_read SYS_readahead SYS_readlinkat SYS_readv SYS_reboot SYS_recvfrom SYS_recvmmsg
        SYS_recvmsg SYS_remap_file_pages SYS_removexattr SYS_renameat SYS_renameat2 SYS_request_key
        SYS_restart_syscall SYS_rseq SYS_rt_sigaction SYS_rt_sigpending SYS_rt_sigprocmask
        SYS_rt_sigqueueinfo SYS_rt_sigreturn SYS_rt_sigsuspend SYS_rt_sigtimedwait
        SYS_rt_tgsigqueueinfo SYS_sched_get_priority_max SYS_sched_get_priority_min
        SYS_sched_getaffinity SYS_sched_getattr SYS_sched_getparam SYS_sched_getscheduler
        SYS_sched_rr_get_interval SYS_sched_setaffinity SYS_sched_setattr SYS_sched_setparam
        SYS_sched_setscheduler SYS_sched_yield SYS_seccomp SYS_semctl SYS_semget SYS_semop
        SYS_semtimedop SYS_sendfile SYS_sendmmsg SYS_sendmsg SYS_sendto SYS_set_mempolicy
        SYS_set_mempolicy_home_node SYS_set_robust_list SYS_set_tid_address SYS_setdomainname
        SYS_setfsgid SYS_setfsuid SYS_setgid SYS_setgroups SYS_sethostname SYS_setitimer SYS_setns
        SYS_setpgid SYS_setpriority SYS_setregid SYS_setresgid SYS_setresuid SYS_setreuid
        SYS_setrlimit SYS_setsid SYS_setsockopt SYS_settimeofday SYS_setuid SYS_setxattr SYS_shmat
        SYS_shmctl SYS_shmdt SYS_shmget SYS_shutdown SYS_sigaltstack SYS_signalfd4 SYS_socket
        SYS_socketpair SYS_splice SYS_statfs SYS_statx SYS_swapoff SYS_swapon SYS_symlinkat SYS_sync
        SYS_sync_file_range SYS_syncfs SYS_sysinfo SYS_syslog SYS_tee SYS_tgkill SYS_timer_create
        SYS_timer_delete SYS_timer_getoverrun SYS_timer_gettime SYS_timer_settime SYS_timerfd_create
        SYS_timerfd_gettime SYS_timerfd_settime SYS_times SYS_tkill SYS_truncate SYS_umask
        SYS_umount2 SYS_uname SYS_unlinkat SYS_unshare SYS_userfaultfd SYS_utimensat SYS_vhangup
        SYS_vmsplice SYS_wait4 SYS_waitid SYS_write SYS_writev
    };
    for (name, number) in numbers {
        assert_eq!(HERE[0].number(name), Some(number as u32), "{name}");
    }
    #[cfg(target_arch = "x86_64")]
    for (name, number) in
        c_library! { SYS_open SYS_fork SYS_stat SYS_arch_prctl SYS_time SYS_utimes SYS_access }
    {
        assert_eq!(X86_64.number(name), Some(number as u32), "{name}");
    }
}

#[test]
fn a_policy_that_makes_no_sense_is_a_program_that_is_no_danger_or_is_refused_in_words() {
    let rule = |calls: &[&str], argument: u8, answer: Answer| Rule {
        calls: calls.iter().map(|name| (*name).to_owned()).collect(),
        when: vec![Condition { argument, compare: Compare::Masked(0), value: u64::MAX }],
        answer,
    };
    let policy = |architectures, rules| Policy { architectures, rules, otherwise: Answer::Allow };
    // Names of no call are about nothing; without architectures nobody's programs may do anything.
    let nothing =
        policy(everywhere(), vec![rule(&["", "no-such-call", "read\0", "../write"], 0, Answer::Kill)]);
    assert_eq!(nothing.compile().len(), policy(everywhere(), vec![]).compile().len());
    let nobody = policy(vec![], vec![]).compile();
    let call = Call { architecture: X86.audit, number: 0, arguments: [0; 6] };
    assert_eq!(run(&nobody, call), libc::SECCOMP_RET_KILL_PROCESS);
    // There is no seventh argument: the kernel refuses to look at it, and so does nothing in between.
    for argument in [6, 31, 255] {
        let filter =
            policy(everywhere(), vec![rule(&["getpid"], argument, Answer::Errno(u16::MAX))]).compile();
        let error = refusal(filter);
        assert!(
            error.starts_with("set seccomp filter") && error.contains("Invalid argument"),
            "{argument}: {error}"
        );
    }
    let error = refusal(vec![]);
    assert!(error.starts_with("set seccomp filter 0 instructions: Invalid argument"), "{error}");
}

/// Why the kernel doesn't take a program, on a thread that may set one.
fn refusal(filter: Vec<sock_filter>) -> String {
    let thread = thread::spawn(move || {
        nix::sys::prctl::set_no_new_privs().unwrap();
        install(&filter).unwrap_err().to_string()
    });
    thread.join().unwrap()
}

#[test]
fn a_word_after_seccomp_that_is_no_policy_is_an_error_that_shows_it() {
    for word in ["", "None", "unconfined", "/etc/passwd", "\x1b[2J"] {
        let output = lesson(&["run", "--seccomp", word, "true"]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(125), "{word}: {error}");
        assert!(error.starts_with("lesson-02: choose seccomp policy") && error.contains(word), "{error}");
    }
}
