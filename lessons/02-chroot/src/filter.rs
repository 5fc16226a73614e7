//! From a policy to the program that the kernel runs: classic BPF, a machine with one register.
//!
//! The simple way asks "is it this one?" for each of 350 allowed calls in turn: 1,600
//! instructions, and the kernel runs them at every call of the container. But allowed numbers
//! mostly stand side by side. So they become *ranges*, and to find a number's range takes a few
//! questions of the kind "is it 147 or more?": some 200 instructions, of which a call meets ten.
//!
//! The machine can load 32 bits of what it is asked about ([`Field`]), compare and jump forward,
//! and return an answer. The kernel checks all that, and turns it into machine code.
//!
//! Source: [the kernel's documentation](https://docs.kernel.org/userspace-api/seccomp_filter.html).

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W,
    sock_filter,
};

use crate::seccomp::{Answer, Compare, Condition, Policy, Rule};

/// `AUDIT_ARCH_X86_64` of linux/audit.h: the ELF machine, and that it is 64-bit and little-endian.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = libc::EM_X86_64 as u32 | 0xc000_0000;
/// `AUDIT_ARCH_AARCH64` of linux/audit.h.
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = libc::EM_AARCH64 as u32 | 0xc000_0000;

/// Where things are in the kernel's `struct seccomp_data`, in bytes.
struct Field;

impl Field {
    const NUMBER: u32 = 0;
    const ARCHITECTURE: u32 = 4;

    /// The lower half of an argument; the upper one is 4 bytes further.
    fn argument(index: u8) -> u32 {
        16 + 8 * u32::from(index)
    }
}

/// The numbers from here to the next range, and what is answered to them.
struct Range<'a> {
    from: u32,
    /// The first whose conditions hold has the word.
    rules: &'a [&'a Rule],
    /// Where none has.
    otherwise: Answer,
}

/// The program for a policy.
// ANCHOR: compile
pub fn compile(policy: &Policy) -> Vec<sock_filter> {
    // 1. The rules in the order of their numbers, those of one call together and as they were.
    let mut rules: Vec<&Rule> = policy.rules.iter().collect();
    rules.sort_by_key(|rule| rule.call.1);
    // 2. The ranges: each call's, and those of the numbers between, for which there is no rule.
    let mut ranges = vec![];
    let mut next = 0;
    for rules in rules.chunk_by(|one, other| one.call.1 == other.call.1) {
        let number = rules[0].call.1 as u32;
        if number > next {
            add(&mut ranges, Range { from: next, rules: &[], otherwise: policy.otherwise });
        }
        add(&mut ranges, Range { from: number, rules, otherwise: policy.otherwise });
        next = number + 1;
    }
    add(&mut ranges, Range { from: next, rules: &[], otherwise: unheard_of(policy) });

    // 3. Another architecture's calls have other numbers: 11 is `execve` to a 32-bit program.
    let mut program = vec![load(Field::ARCHITECTURE)];
    program.extend(jump(BPF_JEQ, ARCHITECTURE, 1, 0));
    program.push(answer(Answer::Kill));
    // 4. The question: which range?
    program.push(load(Field::NUMBER));
    program.extend(tree(&ranges));
    program
}
// ANCHOR_END: compile

/// What is answered to a number above all that the policy knows: not "you may not" but "there is no
/// such call", as an older kernel would. A C library that tries the newest first then takes the one
/// before. (It holds for x32 as well, whose numbers begin at 0x40000000, and which kernels of
/// today answer in the same way.)
fn unheard_of(policy: &Policy) -> Answer {
    match policy.otherwise {
        Answer::Errno(_) => Answer::Errno(libc::ENOSYS as u16),
        other => other,
    }
}

/// One more range, unless the one before only goes on.
fn add<'a>(ranges: &mut Vec<Range<'a>>, range: Range<'a>) {
    if !ranges.last().is_some_and(|last| last.answers().eq(range.answers())) {
        ranges.push(range);
    }
}

impl<'a> Range<'a> {
    /// Answers and their conditions, in their order. The last one has none: what would come after
    /// it is never reached.
    fn answers(&self) -> impl Iterator<Item = (&'a [Condition], Answer)> {
        let end = self.rules.iter().position(|rule| rule.when.is_empty());
        let otherwise = end.is_none().then_some((&[][..], self.otherwise));
        let rules = &self.rules[..end.map_or(self.rules.len(), |end| end + 1)];
        rules.iter().map(|rule| (&rule.when[..], rule.answer)).chain(otherwise)
    }
}

/// Which half of the ranges, again and again, until one is left.
// ANCHOR: tree
fn tree(ranges: &[Range]) -> Vec<sock_filter> {
    let (left, right) = match ranges {
        [] => return vec![],
        [range] => return decide(range),
        _ => ranges.split_at(ranges.len() / 2),
    };
    let (border, left, right) = (right[0].from, tree(left), tree(right));
    [jump(BPF_JGE, border, left.len(), 0), left, right].concat()
}
// ANCHOR_END: tree

/// The number is known; what is left are the arguments.
fn decide(range: &Range) -> Vec<sock_filter> {
    let answers: Vec<_> = range.answers().collect();
    let mut program = vec![];
    // Rules which differ in one value alone are one list: `socket` has 25 of them.
    for alike in answers.chunk_by(|one, other| value(one).is_some() && value(one) == value(other)) {
        let (when, then) = alike[0];
        let mut part = vec![answer(then)];
        match when {
            [condition] if alike.len() > 1 => {
                let values: Vec<u32> = alike.iter().map(|(when, _)| when[0].value as u32).collect();
                part = [one_of(condition, &values, part.len()), part].concat();
            }
            _ => {
                for condition in when.iter().rev() {
                    part = [check(condition, part.len()), part].concat();
                }
            }
        }
        program.extend(part);
    }
    program
}

/// What rules of one list have in common: all but the lower half of the value that their only
/// condition asks for.
fn value((when, then): &(&[Condition], Answer)) -> Option<(u8, u32, Answer)> {
    match when {
        [Condition { argument, compare: Compare::Equal, value }] => {
            Some((*argument, halves(*value).0, *then))
        }
        _ => None,
    }
}

/// Goes on with the next instruction if the argument is one of these values, else `otherwise`
/// instructions further.
fn one_of(condition: &Condition, values: &[u32], otherwise: usize) -> Vec<sock_filter> {
    let field = Field::argument(condition.argument);
    // From the last to the first, as each jumps over those that follow it.
    let mut list = vec![];
    for value in values.iter().rev() {
        let no = if list.is_empty() { otherwise } else { 0 };
        list = [jump(BPF_JEQ, *value, list.len(), no), list].concat();
    }
    list.insert(0, load(field));
    let unequal = jump(BPF_JEQ, halves(condition.value).0, 0, list.len() + otherwise);
    [vec![load(field + 4)], unequal, list].concat()
}

/// Goes on with the next instruction if the condition holds, else `otherwise` instructions further.
///
/// An argument has 64 bits and the register 32: the upper half comes first. It counts although the
/// kernel may look at the lower one only: else `socket(40)` would pass as `socket(40 + 2^32)`.
fn check(condition: &Condition, otherwise: usize) -> Vec<sock_filter> {
    let (test, mask, negated) = match condition.compare {
        Compare::Equal => (BPF_JEQ, u64::MAX, false),
        Compare::NotEqual => (BPF_JEQ, u64::MAX, true),
        Compare::Masked(mask) => (BPF_JEQ, mask, false),
        Compare::Greater => (BPF_JGT, u64::MAX, false),
        Compare::LessOrEqual => (BPF_JGT, u64::MAX, true),
        Compare::GreaterOrEqual => (BPF_JGE, u64::MAX, false),
        Compare::Less => (BPF_JGE, u64::MAX, true),
    };
    let (yes, no) = if negated { (otherwise, 0) } else { (0, otherwise) };
    let (mask, value) = (halves(mask), halves(condition.value));
    let field = Field::argument(condition.argument);

    let mut low = vec![load(field)];
    low.extend(masked(mask.1));
    low.extend(jump(test, value.1, yes, no));

    let mut program = vec![load(field + 4)];
    program.extend(masked(mask.0));
    // A different upper half decides; with the same, the lower one does.
    let unequal = jump(BPF_JEQ, value.0, 0, low.len() + no);
    if test != BPF_JEQ {
        program.extend(jump(BPF_JGT, value.0, unequal.len() + low.len() + yes, 0));
    }
    [program, unequal, low].concat()
}

fn halves(number: u64) -> (u32, u32) {
    ((number >> 32) as u32, number as u32)
}

fn load(offset: u32) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, offset)
}

fn masked(mask: u32) -> Option<sock_filter> {
    (mask != u32::MAX).then(|| instruction(BPF_ALU | BPF_AND | BPF_K, mask))
}

fn answer(answer: Answer) -> sock_filter {
    let value = match answer {
        Answer::Allow => libc::SECCOMP_RET_ALLOW,
        Answer::Errno(errno) => libc::SECCOMP_RET_ERRNO | u32::from(errno),
        Answer::Kill => libc::SECCOMP_RET_KILL_PROCESS,
    };
    instruction(BPF_RET | BPF_K, value)
}

/// Leaves out so many instructions, by whether the register passes the test. A conditional jump
/// has one byte for each way: further ones take a second jump, whose distance has no such limit.
fn jump(test: u32, value: u32, yes: usize, no: usize) -> Vec<sock_filter> {
    let code = BPF_JMP | test | BPF_K;
    match (u8::try_from(yes), u8::try_from(no)) {
        (Ok(jt), Ok(jf)) => vec![sock_filter { jt, jf, ..instruction(code, value) }],
        _ => vec![
            sock_filter { jf: 1, ..instruction(code, value) },
            instruction(BPF_JMP | BPF_JA, yes as u32 + 1),
            instruction(BPF_JMP | BPF_JA, no as u32),
        ],
    }
}

fn instruction(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}
