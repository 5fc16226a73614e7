//! The filter tried without a kernel: an interpreter for the few instructions, beside a plain model
//! of what rules mean, over devices and rules drawn at random.

use super::*;

/// What somebody asks for.
#[derive(Debug, Clone, Copy)]
struct Request {
    /// 1 a block device, 2 a character device.
    kind: u32,
    major: u32,
    minor: u32,
    /// 1 mknod, 2 read, 4 write.
    access: u32,
}

/// What a program answers. The codes are those of the instruction set's document, not our constants.
fn interpret(program: &[Instruction], request: Request) -> bool {
    let context = [request.access << 16 | request.kind, request.major, request.minor];
    let mut registers = [0u64; 11];
    let mut at = 0usize;
    for _ in 0..=program.len() {
        let Instruction { code, registers: names, offset, value } = program[at];
        let (to, from) = ((names & 15) as usize, (names >> 4) as usize);
        // 32-bit arithmetic clears the upper half.
        let low = registers[to] as u32;
        let taken = match code {
            0x61 => {
                assert_eq!(from, 1, "the context is in register 1");
                registers[to] = context[offset as usize / 4].into();
                false
            }
            0x54 => {
                registers[to] = (low & value as u32).into();
                false
            }
            0x74 => {
                registers[to] = (low >> value).into();
                false
            }
            0xbc => {
                registers[to] = (registers[from] as u32).into();
                false
            }
            0xb4 => {
                registers[to] = (value as u32).into();
                false
            }
            0x15 => registers[to] == value as i64 as u64,
            0x55 => registers[to] != value as i64 as u64,
            0x95 => return registers[0] == 1,
            other => panic!("{other:#x} is no instruction that we use"),
        };
        assert!(!taken || offset > 0, "a jump backwards at {at}");
        at += 1 + if taken { offset as usize } else { 0 };
    }
    panic!("it doesn't end")
}

/// Each thing that is asked for is decided by the last rule that speaks of it; all must be allowed.
fn plainly(rules: &[DeviceRule], request: Request) -> bool {
    let speaks = |rule: &&DeviceRule, letter: char| {
        let kind = match rule.kind {
            'b' => request.kind == 1,
            'c' => request.kind == 2,
            _ => true,
        };
        kind && rule.major.is_none_or(|major| major == request.major)
            && rule.minor.is_none_or(|minor| minor == request.minor)
            && rule.access.contains(letter)
    };
    let asked = [('m', 1), ('r', 2), ('w', 4)].into_iter().filter(|(_, bit)| request.access & bit != 0);
    asked.into_iter().all(|(letter, _)| {
        rules.iter().rev().find(|rule| speaks(rule, letter)).is_some_and(|rule| rule.allow)
    })
}

/// Numbers that nobody could have written into the code: xorshift, from the clock.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Random(now.as_nanos() as u64 | 1)
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32 % bound
    }

    /// Small numbers, so that rules and requests meet, and now and then the largest there are.
    fn number(&mut self) -> u32 {
        match self.below(12) {
            0 => 4095,
            1 => (1 << 20) - 1,
            _ => self.below(4),
        }
    }

    fn rule(&mut self) -> DeviceRule {
        let access: String = "rwm".chars().filter(|_| self.below(3) > 0).collect();
        DeviceRule {
            allow: self.below(2) == 0,
            kind: ['a', 'b', 'c', 'c'][self.below(4) as usize],
            major: (self.below(3) > 0).then(|| self.number()),
            minor: (self.below(3) > 0).then(|| self.number()),
            access,
        }
    }

    fn request(&mut self) -> Request {
        Request {
            kind: 1 + self.below(2),
            major: self.number(),
            minor: self.number(),
            access: 1 + self.below(7),
        }
    }
}

#[test]
fn the_program_decides_as_the_rules_say() {
    let mut random = Random::new();
    let seed = random.0;
    let (mut allowed, mut denied) = (0, 0);
    for _ in 0..3000 {
        let rules: Vec<DeviceRule> = (0..random.below(8)).map(|_| random.rule()).collect();
        let program = compile(&rules);
        for _ in 0..20 {
            let request = random.request();
            let expected = plainly(&rules, request);
            assert_eq!(interpret(&program, request), expected, "seed {seed}: {request:?} with {rules:#?}");
            if expected { allowed += 1 } else { denied += 1 }
        }
    }
    assert!(
        allowed > 1000 && denied > 1000,
        "{allowed} allowed, {denied} denied: too one-sided to mean much"
    );
}

#[test]
fn docker_s_rules_give_what_every_program_needs_and_nothing_else() {
    let program = compile(&DeviceRule::docker());
    let ask = |kind, major, minor, access| interpret(&program, Request { kind, major, minor, access });
    assert!(ask(2, 1, 3, 6), "/dev/null is read and written");
    assert!(ask(2, 136, 7, 6), "a terminal is");
    assert!(!ask(2, 1, 1, 2), "/dev/mem isn't read");
    assert!(!ask(1, 8, 0, 2), "nor is a disk");
    assert!(ask(1, 8, 0, 1), "but its device file may be made");
    assert!(!ask(1, 8, 0, 3), "only without reading it");
}

#[test]
fn what_is_denied_in_part_is_not_allowed_as_a_whole() {
    let all = DeviceRule { allow: true, kind: 'a', major: None, minor: None, access: "rwm".into() };
    let no_writing = DeviceRule { allow: false, access: "w".into(), ..all.clone() };
    let program = compile(&[all, no_writing]);
    let ask = |access| interpret(&program, Request { kind: 1, major: 8, minor: 0, access });
    assert!(ask(2) && !ask(4) && !ask(6));
}

#[test]
fn an_instruction_is_eight_bytes_and_all_can_be_reached() {
    assert_eq!(size_of::<Instruction>(), 8);
    let mut random = Random::new();
    for _ in 0..500 {
        let rules: Vec<DeviceRule> = (0..random.below(8)).map(|_| random.rule()).collect();
        let program = compile(&rules);
        let mut reached = vec![false; program.len()];
        reached[0] = true;
        for (index, instruction) in program.iter().enumerate() {
            assert!(reached[index], "{index} can't be reached: the kernel would refuse {rules:?}");
            let jumps = matches!(instruction.code, JUMP_IF_EQUAL | JUMP_UNLESS_EQUAL);
            if jumps {
                reached[index + 1 + instruction.offset as usize] = true;
            }
            if instruction.code != EXIT {
                reached[index + 1] = true;
            }
        }
    }
}
