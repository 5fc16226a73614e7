//! The device rules of the second version: a program of ours that the kernel runs whenever
//! somebody in the group opens or makes a device.
//!
//! It is *eBPF*: eleven registers, a handful of instructions, and the kernel proves that it ends
//! before it takes it. Ours compares what is asked for with one rule after the other, the last
//! rule first, and the first that fits decides.
//!
//! Source: [bpf(2)](https://man7.org/linux/man-pages/man2/bpf.2.html), `BPF_PROG_TYPE_CGROUP_DEVICE`.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use crate::limits::DeviceRule;

/// One instruction, as the kernel has it (`struct bpf_insn`).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Instruction {
    code: u8,
    /// Destination in the lower half, source in the upper.
    registers: u8,
    offset: i16,
    value: i32,
}

// What the kernel hands over (`struct bpf_cgroup_dev_ctx`) is at register 1: three 32-bit numbers,
// the first of which holds what is wanted in its upper half and the kind of device in its lower.
const KIND: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

fn load(register: u8, offset: i16) -> Instruction {
    Instruction { code: 0x61, registers: 1 << 4 | register, offset, value: 0 }
}
fn and(register: u8, value: i32) -> Instruction {
    Instruction { code: 0x54, registers: register, offset: 0, value }
}
fn shift_right(register: u8, value: i32) -> Instruction {
    Instruction { code: 0x74, registers: register, offset: 0, value }
}
fn copy(to: u8, from: u8) -> Instruction {
    Instruction { code: 0xbc, registers: from << 4 | to, offset: 0, value: 0 }
}
fn set(register: u8, value: i32) -> Instruction {
    Instruction { code: 0xb4, registers: register, offset: 0, value }
}
fn jump_unless_equal(register: u8, value: i32) -> Instruction {
    Instruction { code: 0x55, registers: register, offset: 0, value }
}
fn jump_unless_same(a: u8, b: u8) -> Instruction {
    Instruction { code: 0x5d, registers: b << 4 | a, offset: 0, value: 0 }
}
fn exit() -> Instruction {
    Instruction { code: 0x95, registers: 0, offset: 0, value: 0 }
}

/// The program for these rules.
fn compile(rules: &[DeviceRule]) -> Vec<Instruction> {
    let mut program = vec![
        load(KIND, 0),
        and(KIND, 0xffff),
        load(ACCESS, 0),
        shift_right(ACCESS, 16),
        load(MAJOR, 4),
        load(MINOR, 8),
    ];
    for rule in rules.iter().rev() {
        let mut block = vec![];
        match rule.kind {
            'b' => block.push(jump_unless_equal(KIND, 1)),
            'c' => block.push(jump_unless_equal(KIND, 2)),
            _ => {}
        }
        // mknod 1, read 2, write 4. All that is wanted has to be in the rule.
        let bit = |letter, bit| if rule.access.contains(letter) { bit } else { 0 };
        let access = bit('m', 1) | bit('r', 2) | bit('w', 4);
        if access != 7 {
            block.extend([copy(1, ACCESS), and(1, access), jump_unless_same(1, ACCESS)]);
        }
        if let Some(major) = rule.major {
            block.push(jump_unless_equal(MAJOR, major as i32));
        }
        if let Some(minor) = rule.minor {
            block.push(jump_unless_equal(MINOR, minor as i32));
        }
        block.extend([set(0, i32::from(rule.allow)), exit()]);
        // A rule for everything is the last that is looked at, and the kernel takes no program with
        // instructions that can't be reached.
        let for_everything = !block.iter().any(|one| matches!(one.code, 0x55 | 0x5d));
        // Every jump leads behind this rule's last instruction, to the next rule.
        let length = block.len();
        for (index, instruction) in block.iter_mut().enumerate() {
            if matches!(instruction.code, 0x55 | 0x5d) {
                instruction.offset = (length - index - 1) as i16;
            }
        }
        program.extend(block);
        if for_everything {
            return program;
        }
    }
    // Whatever no rule speaks of is denied.
    program.extend([set(0, 0), exit()]);
    program
}

/// Loads the program for these rules, and attaches it to the group.
pub(crate) fn attach(group: &File, rules: &[DeviceRule]) -> nix::Result<()> {
    const BPF_PROG_LOAD: libc::c_int = 5;
    const BPF_PROG_ATTACH: libc::c_int = 8;
    const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
    const BPF_CGROUP_DEVICE: u32 = 6;
    const BPF_F_ALLOW_MULTI: u32 = 2;

    /// The first fields of `union bpf_attr` for loading; the kernel takes the rest as zero.
    #[repr(C)]
    struct Load {
        kind: u32,
        instruction_count: u32,
        instructions: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log_buffer: u64,
        kernel_version: u32,
        flags: u32,
    }
    #[repr(C)]
    struct Attach {
        target: u32,
        program: u32,
        attach_type: u32,
        flags: u32,
    }

    let program = compile(rules);
    let load = Load {
        kind: BPF_PROG_TYPE_CGROUP_DEVICE,
        instruction_count: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buffer: 0,
        kernel_version: 0,
        flags: 0,
    };
    // SAFETY: the structure and what it points to live until the call is over; its size is given.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const load, size_of_val(&load)) };
    let fd = Errno::result(fd)? as i32;
    // SAFETY: a new descriptor, which nobody else owns. The group keeps the program.
    let loaded = unsafe { OwnedFd::from_raw_fd(fd) };
    let attach = Attach {
        target: group.as_raw_fd() as u32,
        program: loaded.as_raw_fd() as u32,
        attach_type: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI,
    };
    // SAFETY: as above.
    let attached =
        unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_ATTACH, &raw const attach, size_of_val(&attach)) };
    Errno::result(attached).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_is_eight_bytes_and_every_jump_lands_on_the_next_rule() {
        assert_eq!(size_of::<Instruction>(), 8);
        let program = compile(&DeviceRule::docker());
        assert_eq!(program.last(), Some(&exit()));
        for (index, instruction) in program.iter().enumerate() {
            if matches!(instruction.code, 0x55 | 0x5d) {
                let target = index + 1 + instruction.offset as usize;
                assert_eq!(program[target - 1], exit(), "jump at {index}");
            }
        }
    }
}
