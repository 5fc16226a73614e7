//! What needs no kernel of the first version: it is played by a map.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use super::*;
use crate::Cpu;

/// What stands in the files, as the kernel keeps it.
#[derive(Default)]
struct Kernel(BTreeMap<&'static str, u64>);

impl Kernel {
    /// Without limits: the kernel writes a number that no machine has.
    fn new() -> Kernel {
        const NONE: u64 = i64::MAX as u64 / 4096 * 4096;
        Kernel(BTreeMap::from([("memory.limit_in_bytes", NONE), (WITH_SWAP, NONE)]))
    }

    #[track_caller]
    fn write(&mut self, limits: &Limits) {
        let lines = lines(limits, Some(self.0[WITH_SWAP]));
        for (controller, file, value) in &lines {
            let rightful = file.split('.').next();
            assert_eq!(rightful, Some(*controller), "ex-03-2: {file} is a file of another controller");
            self.0.insert(file, *value);
            let (alone, both) = (self.0["memory.limit_in_bytes"], self.0[WITH_SWAP]);
            assert!(
                alone <= both,
                "ex-03-2: the kernel refuses {value} in {file} (EINVAL): memory with swap, {both}, would be less \
                 than memory alone, {alone}. On the way up the one with swap comes first. Lines, in this order: \
                 {lines:?}"
            );
        }
    }
}

/// A number that nobody could have written into the code.
fn random() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    1_000 + u64::from(now.subsec_micros())
}

fn memory(memory: u64) -> Limits {
    Limits { memory: Some(memory), memory_and_swap: Some(memory * 2), ..Limits::default() }
}

#[test]
fn memory_and_swap_are_written_in_the_order_that_the_kernel_takes() {
    let mut kernel = Kernel::new();
    let few = random();
    // Down from no limit, up beyond what both were together, down, and to the same again.
    for bytes in [few, few * 5, few * 2, few * 3, few, few] {
        kernel.write(&memory(bytes));
        let found = (kernel.0["memory.limit_in_bytes"], kernel.0[WITH_SWAP]);
        assert_eq!(found, (bytes, bytes * 2), "ex-03-2: memory alone, and with swap");
    }
}

#[test]
fn where_the_kernel_does_not_count_swap_there_is_no_line_for_it() {
    let bytes = random();
    let expected = [("memory", "memory.limit_in_bytes", bytes)];
    assert_eq!(
        lines(&memory(bytes), None),
        expected,
        "ex-03-2: without swap in the kernel there is no {WITH_SWAP}"
    );
}

#[test]
fn each_limit_is_a_line_for_the_file_of_its_controller() {
    let mut kernel = Kernel::new();
    let number = random();
    kernel.write(&Limits {
        memory_reservation: Some(number + 1),
        oom_kill_disable: true,
        cpu: Some(Cpu { quota: number + 2, period: number + 3 }),
        cpu_shares: Some(number + 4),
        pids: Some(number + 5),
        ..memory(number * 2)
    });
    for (file, value) in [
        ("memory.limit_in_bytes", number * 2),
        ("memory.soft_limit_in_bytes", number + 1),
        ("memory.oom_control", 1),
        ("cpu.cfs_quota_us", number + 2),
        ("cpu.cfs_period_us", number + 3),
        ("cpu.shares", number + 4),
        ("pids.max", number + 5),
    ] {
        assert_eq!(kernel.0.get(file), Some(&value), "ex-03-2: what is in {file}");
    }
}

#[test]
fn what_is_not_given_gets_no_line() {
    assert_eq!(lines(&Limits::default(), Some(0)), [], "ex-03-2: nothing was asked for");
    let pids = Limits { pids: Some(random()), ..Limits::default() };
    assert_eq!(lines(&pids, Some(0)).len(), 1, "ex-03-2: only the number of processes was asked for");
}
