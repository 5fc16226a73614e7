//! Architectures: which number is which system call.
//!
//! A filter sees numbers, and each way into the kernel numbers its calls anew: 11 is `munmap` to a
//! 64-bit program on x86, and `execve` to a 32-bit one beside it. A kernel for 64 bits mostly runs
//! the programs of its 32-bit ancestor as well; so a policy by names becomes two lists of numbers.
//!
//! The tables are the kernel's own: `arch/x86/entry/syscalls/syscall_64.tbl` and its likes.

/// One way into the kernel, with its own numbers.
#[derive(Debug, PartialEq, Eq)]
pub struct Architecture {
    /// What libseccomp calls it, and Docker after it: `SCMP_ARCH_X86_64` is this one's name in capitals.
    pub name: &'static str,
    /// By which number a filter knows it (`AUDIT_ARCH_…` of linux/audit.h): the machine of its ELF
    /// files, with one bit for little-endian and one for 64 bits.
    pub audit: u32,
    /// The names in the order of their numbers, from 0 on. `-` is a number without a call, and `@403`
    /// says that it goes on there.
    names: &'static str,
}

const LITTLE_ENDIAN: u32 = 0x4000_0000;
const BITS_64: u32 = 0x8000_0000;

/// 64-bit programs on x86.
pub static X86_64: Architecture = Architecture {
    name: "x86_64",
    audit: libc::EM_X86_64 as u32 | LITTLE_ENDIAN | BITS_64,
    names: include_str!("syscalls/x86_64.txt"),
};

/// 32-bit programs on x86.
pub static X86: Architecture = Architecture {
    name: "x86",
    audit: libc::EM_386 as u32 | LITTLE_ENDIAN,
    names: include_str!("syscalls/i386.txt"),
};

/// 64-bit programs on ARM.
pub static AARCH64: Architecture = Architecture {
    name: "aarch64",
    audit: libc::EM_AARCH64 as u32 | LITTLE_ENDIAN | BITS_64,
    names: include_str!("syscalls/aarch64.txt"),
};

/// 32-bit programs on ARM.
pub static ARM: Architecture = Architecture {
    name: "arm",
    audit: libc::EM_ARM as u32 | LITTLE_ENDIAN,
    names: include_str!("syscalls/arm.txt"),
};

/// Whose programs this machine runs: its own come first.
#[cfg(target_arch = "x86_64")]
pub static HERE: [&Architecture; 2] = [&X86_64, &X86];
/// Whose programs this machine runs: its own come first.
#[cfg(target_arch = "aarch64")]
pub static HERE: [&Architecture; 2] = [&AARCH64, &ARM];

impl Architecture {
    /// The architecture of this name, on whatever machine.
    pub fn by_name(name: &str) -> Option<&'static Architecture> {
        [&X86_64, &X86, &AARCH64, &ARM].into_iter().find(|one| one.name == name)
    }

    /// All calls, in the order of their numbers.
    pub fn calls(&self) -> impl Iterator<Item = (u32, &'static str)> + use<> {
        let mut next = 0;
        self.names.split_ascii_whitespace().filter_map(move |word| {
            if let Some(number) = word.strip_prefix('@') {
                next = number.parse().unwrap_or(next);
                return None;
            }
            next += 1;
            (word != "-").then_some((next - 1, word))
        })
    }

    /// The number of a call, if there is one of this name.
    pub fn number(&self, name: &str) -> Option<u32> {
        self.calls().find(|(_, call)| *call == name).map(|(number, _)| number)
    }
}
