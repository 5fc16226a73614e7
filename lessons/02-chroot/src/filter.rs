//! From a policy to the program that the kernel runs: classic BPF, a machine with one register.
//!
//! The simple way asks "is it this one?" for each of 350 allowed calls in turn: 1,600
//! instructions, and the kernel runs them at every call of the container. But allowed numbers
//! mostly stand side by side. So they become *ranges*, and to find a number's range takes a few
//! questions of the kind "is it 147 or more?": some 100 instructions for each architecture, of which
//! a call meets ten.
//!
//! The machine can load 32 bits of what it is asked about ([`Field`]), compare and jump forward,
//! and return an answer. The kernel checks all that, and turns it into machine code.
//!
//! Source: [the kernel's documentation](https://docs.kernel.org/userspace-api/seccomp_filter.html).

use std::collections::HashMap;

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W,
    sock_filter,
};

use crate::architecture::Architecture;
use crate::seccomp::{Answer, Compare, Condition, Policy, Rule};

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

/// The rules about each call, by its name.
type ByName<'a> = HashMap<&'a str, Vec<&'a Rule>>;

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
    let mut rules = ByName::new();
    for rule in &policy.rules {
        rule.calls.iter().for_each(|call| rules.entry(call).or_default().push(rule));
    }
    // From the end to the beginning. Nobody has said what another architecture's numbers mean.
    let mut program = Program::default();
    let mut next = program.answer(Answer::Kill);
    for architecture in policy.architectures.iter().rev() {
        // 2. The second question: in which range is the number?
        let tree = program.tree(&ranges(policy, &rules, architecture));
        program.go_on(tree);
        let number = program.add(load(Field::NUMBER));
        // 1. The first: whose program is it? 11 is `execve` to a 32-bit one on x86.
        next = program.jump(BPF_JEQ, architecture.audit, number, next);
    }
    program.add(load(Field::ARCHITECTURE));
    program.reversed.reverse();
    program.reversed
}
// ANCHOR_END: compile

/// The ranges of an architecture's numbers: each call's that has rules, and those between.
fn ranges<'a>(policy: &Policy, rules: &'a ByName, architecture: &Architecture) -> Vec<Range<'a>> {
    let calls: Vec<_> =
        architecture.calls().filter_map(|(number, name)| Some((number, rules.get(name)?))).collect();
    let highest = calls.iter().map(|(number, _)| *number).filter(|number| *number < PRIVATE).max();
    let between = |from| {
        let otherwise =
            if highest.is_some_and(|highest| from > highest) { unheard_of(policy) } else { policy.otherwise };
        Range { from, rules: &[], otherwise }
    };
    let mut ranges = vec![];
    let mut next = 0;
    for (number, rules) in calls {
        if number > next {
            add(&mut ranges, between(next));
        }
        add(&mut ranges, Range { from: number, rules, otherwise: policy.otherwise });
        next = number + 1;
    }
    add(&mut ranges, between(next));
    ranges
}

/// From here on are the calls of 32-bit ARM that no other architecture has, such as `set_tls`.
const PRIVATE: u32 = 0xf_0000;

/// What is answered to a number above all that the policy knows: not "you may not" but "there is no
/// such call", as an older kernel would. A C library that tries the newest first then takes the one
/// before. (It holds for x32 as well, the 64-bit calls with 32-bit pointers, whose numbers begin at
/// 0x40000000: hardly a kernel of today has them, and one that hasn't gives the same answer.)
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

    /// The answer where no condition holds.
    fn last(&self) -> Answer {
        self.rules.iter().find(|rule| rule.when.is_empty()).map_or(self.otherwise, |rule| rule.answer)
    }
}

/// A program in the making. It is written from its end, as all jumps lead forward: whoever jumps
/// must know where to.
#[derive(Default)]
struct Program {
    reversed: Vec<sock_filter>,
    answers: Vec<(Answer, Place)>,
}

/// Where an instruction is, counted from the end of the program: the last one's is 1.
type Place = usize;

/// How far a conditional jump leads: its distance has one byte.
const FAR: usize = 255;

impl Program {
    /// Which half of the ranges, again and again, until one is left.
    // ANCHOR: tree
    fn tree(&mut self, ranges: &[Range]) -> Place {
        // ANCHOR: ex-02-7
        // 1. One range: the number is found, and what is left to do is to decide.
        if let [range] = ranges {
            return self.decide(range);
        }
        // 2. More: two halves. The border between them is where the right one begins.
        let (left, right) = ranges.split_at(ranges.len() / 2);
        let border = right[0].from;
        // 3. A tree for each. (Which of them is written first makes no difference to the answers.)
        let (right, left) = (self.tree(right), self.tree(left));
        // 4. And, as the program is written from its end, the question after both: "is it the border or
        //    more?" (BPF_JGE)
        self.jump(BPF_JGE, border, right, left)
        // ANCHOR_END: ex-02-7
    }
    // ANCHOR_END: tree

    /// The number is known; what is left are the arguments.
    fn decide(&mut self, range: &Range) -> Place {
        let answers: Vec<_> = range.answers().collect();
        // The last one has no condition; each of those before leads to it if it doesn't hold.
        let mut next = self.answer(range.last());
        // Rules which differ in one value alone are one list: `socket` has 25 of them.
        let lists = answers.chunk_by(|one, other| value(one).is_some() && value(one) == value(other));
        for alike in lists.rev().skip(1) {
            let (when, then) = alike[0];
            let mut place = self.answer(then);
            match when {
                [condition] if alike.len() > 1 => {
                    let values: Vec<u32> = alike.iter().map(|(when, _)| when[0].value as u32).collect();
                    place = self.one_of(condition, &values, place, next);
                }
                _ => when.iter().rev().for_each(|condition| place = self.check(condition, place, next)),
            }
            next = place;
        }
        next
    }

    /// Whether the argument is one of these values.
    fn one_of(&mut self, condition: &Condition, values: &[u32], yes: Place, no: Place) -> Place {
        let field = Field::argument(condition.argument);
        let list = values.iter().rev().fold(no, |next, value| self.jump(BPF_JEQ, *value, yes, next));
        self.go_on(list);
        let low = self.add(load(field));
        self.jump(BPF_JEQ, halves(condition.value).0, low, no);
        self.add(load(field + 4))
    }

    /// Whether the condition holds.
    ///
    /// An argument has 64 bits and the register 32: the upper half comes first. It counts although
    /// the kernel may look at the lower one only: else `socket(40)` would pass as `socket(40 + 2^32)`.
    fn check(&mut self, condition: &Condition, yes: Place, no: Place) -> Place {
        let (test, mask, negated) = match condition.compare {
            Compare::Equal => (BPF_JEQ, u64::MAX, false),
            Compare::NotEqual => (BPF_JEQ, u64::MAX, true),
            Compare::Masked(mask) => (BPF_JEQ, mask, false),
            Compare::Greater => (BPF_JGT, u64::MAX, false),
            Compare::LessOrEqual => (BPF_JGT, u64::MAX, true),
            Compare::GreaterOrEqual => (BPF_JGE, u64::MAX, false),
            Compare::Less => (BPF_JGE, u64::MAX, true),
        };
        let (yes, no) = if negated { (no, yes) } else { (yes, no) };
        let (mask, value) = (halves(mask), halves(condition.value));
        let field = Field::argument(condition.argument);

        self.jump(test, value.1, yes, no);
        let low = self.load_masked(field, mask.1);
        // A different upper half decides; with the same, the lower one does.
        let unequal = self.jump(BPF_JEQ, value.0, low, no);
        if test != BPF_JEQ {
            self.jump(BPF_JGT, value.0, yes, unequal);
        }
        self.load_masked(field + 4, mask.0)
    }

    fn load_masked(&mut self, field: u32, mask: u32) -> Place {
        if mask != u32::MAX {
            self.add(instruction(BPF_ALU | BPF_AND | BPF_K, mask));
        }
        self.add(load(field))
    }

    /// Gives this answer: the same place for all that are not too far from it.
    fn answer(&mut self, answer: Answer) -> Place {
        let known = self.answers.iter().rev().find(|(known, _)| *known == answer);
        match known {
            Some((_, place)) if self.distance(*place) < FAR / 2 => *place,
            _ => {
                let place = self.add(give(answer));
                self.answers.push((answer, place));
                place
            }
        }
    }

    /// Goes on at one of two places, by whether the register passes the test.
    fn jump(&mut self, test: u32, value: u32, yes: Place, no: Place) -> Place {
        let (yes, no) = (self.near(yes), self.near(no));
        let (jt, jf) = (self.distance(yes) as u8, self.distance(no) as u8);
        self.add(sock_filter { jt, jf, ..instruction(BPF_JMP | test | BPF_K, value) })
    }

    /// A place that leads there and which a conditional jump reaches, also after one more is added.
    fn near(&mut self, place: Place) -> Place {
        if self.distance(place) < FAR { place } else { self.jump_always(place) }
    }

    /// Sees to it that what is added next is followed by that place.
    fn go_on(&mut self, place: Place) {
        if self.distance(place) > 0 {
            self.jump_always(place);
        }
    }

    /// The distance of these has 32 bits.
    fn jump_always(&mut self, place: Place) -> Place {
        self.add(instruction(BPF_JMP | BPF_JA, self.distance(place) as u32))
    }

    /// How many instructions lie between the one to be added next and that place.
    fn distance(&self, place: Place) -> usize {
        self.reversed.len() - place
    }

    fn add(&mut self, instruction: sock_filter) -> Place {
        self.reversed.push(instruction);
        self.reversed.len()
    }
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

fn halves(number: u64) -> (u32, u32) {
    ((number >> 32) as u32, number as u32)
}

fn load(offset: u32) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, offset)
}

fn give(answer: Answer) -> sock_filter {
    let value = match answer {
        Answer::Allow => libc::SECCOMP_RET_ALLOW,
        Answer::Log => libc::SECCOMP_RET_LOG,
        Answer::Errno(errno) => libc::SECCOMP_RET_ERRNO | u32::from(errno),
        Answer::Trap => libc::SECCOMP_RET_TRAP,
        Answer::KillThread => libc::SECCOMP_RET_KILL_THREAD,
        Answer::Kill => libc::SECCOMP_RET_KILL_PROCESS,
    };
    instruction(BPF_RET | BPF_K, value)
}

fn instruction(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}
