//! The device rules of the second version: a program of ours that the kernel runs whenever
//! somebody in the group opens or makes a device.
//!
//! It is *eBPF*: eleven registers, a handful of instructions, and the kernel proves that it ends
//! before it takes it. Ours compares what is asked for with one rule after the other, the last
//! rule first. Whoever opens a device for reading *and* writing asks for two things, and each has to
//! be allowed: so a rule that allows strikes out what it covers, and when nothing is left to ask
//! for, the answer is yes; a rule that denies something which is still asked for makes it no.
//!
//! Source: [bpf(2)](https://man7.org/linux/man-pages/man2/bpf.2.html), `BPF_PROG_TYPE_CGROUP_DEVICE`,
//! and the kernel's [instruction set](https://docs.kernel.org/bpf/standardization/instruction-set.html).

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use crate::device_rule::DeviceRule;

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

// An instruction's code is its class, what it does, and whether its second operand is the value in it
// (K) or a register (X). Those that the older, classic BPF has as well are in `libc`.
const LOAD_WORD: u8 = (libc::BPF_LDX | libc::BPF_MEM | libc::BPF_W) as u8;
const AND: u8 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u8;
const SHIFT_RIGHT: u8 = (libc::BPF_ALU | libc::BPF_RSH | libc::BPF_K) as u8;
const COPY: u8 = (libc::BPF_ALU | BPF_MOV | libc::BPF_X) as u8;
const SET: u8 = (libc::BPF_ALU | BPF_MOV | libc::BPF_K) as u8;
const JUMP_IF_EQUAL: u8 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u8;
const JUMP_UNLESS_EQUAL: u8 = (libc::BPF_JMP | BPF_JNE | libc::BPF_K) as u8;
const EXIT: u8 = (libc::BPF_JMP | BPF_EXIT) as u8;
/// These three are eBPF's own (`linux/bpf.h`).
const BPF_MOV: u32 = 0xb0;
const BPF_JNE: u32 = 0x50;
const BPF_EXIT: u32 = 0x90;

/// The register with the answer: 1 is yes.
const ANSWER: u8 = 0;
/// At the beginning it points to what the kernel hands over (`struct bpf_cgroup_dev_ctx`): three
/// 32-bit numbers, the first of which holds what is wanted in its upper half and the kind of device in
/// its lower. Then it is free.
const CONTEXT: u8 = 1;
const SCRATCH: u8 = 1;
const KIND: u8 = 2;
/// What is asked for, and not yet allowed.
const WANTED: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

/// `BPF_DEVCG_DEV_…` and `BPF_DEVCG_ACC_…`.
const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;
const ACCESSES: [(char, i32); 3] = [('m', 1), ('r', 2), ('w', 4)];
const EVERYTHING: i32 = 7;

fn load(register: u8, offset: i16) -> Instruction {
    Instruction { code: LOAD_WORD, registers: CONTEXT << 4 | register, offset, value: 0 }
}

fn copy(to: u8, from: u8) -> Instruction {
    Instruction { code: COPY, registers: from << 4 | to, offset: 0, value: 0 }
}

/// An instruction for a register and a value. (Where it jumps to is filled in later.)
fn with_value(code: u8, register: u8, value: i32) -> Instruction {
    Instruction { code, registers: register, offset: 0, value }
}

fn answer(yes: bool) -> [Instruction; 2] {
    [with_value(SET, ANSWER, i32::from(yes)), with_value(EXIT, 0, 0)]
}

/// The program for these rules.
// ANCHOR: compile
fn compile(rules: &[DeviceRule]) -> Vec<Instruction> {
    let mut program = vec![
        load(KIND, 0),
        with_value(AND, KIND, 0xffff),
        load(WANTED, 0),
        with_value(SHIFT_RIGHT, WANTED, 16),
        load(MAJOR, 4),
        load(MINOR, 8),
    ];
    for rule in rules.iter().rev() {
        let access =
            ACCESSES.iter().filter(|(letter, _)| rule.access.contains(*letter)).map(|(_, bit)| bit).sum();
        let mut block = vec![];
        match rule.kind {
            'b' => block.push(with_value(JUMP_UNLESS_EQUAL, KIND, BLOCK)),
            'c' => block.push(with_value(JUMP_UNLESS_EQUAL, KIND, CHARACTER)),
            _ => {}
        }
        for (register, number) in [(MAJOR, rule.major), (MINOR, rule.minor)] {
            // The kernel compares all 64 bits, and takes the value as a signed one: no device has a
            // number that large (major 12 bits, minor 20).
            block.extend(number.map(|number| with_value(JUMP_UNLESS_EQUAL, register, number as i32)));
        }
        match (rule.allow, access) {
            (_, EVERYTHING) => {}
            (true, access) => {
                block.push(with_value(AND, WANTED, !access));
                block.push(with_value(JUMP_UNLESS_EQUAL, WANTED, 0));
            }
            (false, access) => {
                block.push(copy(SCRATCH, WANTED));
                block.push(with_value(AND, SCRATCH, access));
                block.push(with_value(JUMP_IF_EQUAL, SCRATCH, 0));
            }
        }
        block.extend(answer(rule.allow));
        // Every jump leads behind this rule's last instruction, to the next rule.
        let length = block.len();
        let mut jumps = false;
        for (index, instruction) in block.iter_mut().enumerate() {
            if matches!(instruction.code, JUMP_IF_EQUAL | JUMP_UNLESS_EQUAL) {
                instruction.offset = (length - index - 1) as i16;
                jumps = true;
            }
        }
        program.extend(block);
        // A rule for everything is the last that is looked at, and the kernel takes no program with
        // instructions that can't be reached.
        if !jumps {
            return program;
        }
    }
    // Whatever no rule speaks of is denied.
    program.extend(answer(false));
    program
}
// ANCHOR_END: compile

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
mod tests;
