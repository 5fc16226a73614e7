//! What can be done to a group with processes in it: other limits, freezing, killing.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cgroups::{Cgroup, Cpu, Limits, own_name};

use crate::lab::{PARENT, eventually, groups, is_v2, random, remove_groups};
use crate::{Test, tests};

pub const TESTS: &[Test] = tests![
    limits_can_be_changed_while_it_runs,
    a_limit_that_makes_no_sense_changes_nothing,
    a_frozen_group_stands_still_and_then_goes_on,
    freezing_is_done_when_it_says_so,
    the_whole_group_is_killed_however_fast_it_forks,
    a_frozen_group_can_be_killed,
    a_group_is_found_again_by_its_name_and_by_its_process,
];

/// A group of a test's own, made by the lesson; everything of it goes when it goes out of scope.
pub struct Group {
    pub cgroup: Cgroup,
    pub name: String,
    children: Vec<Child>,
}

impl Group {
    pub fn new(limits: &Limits) -> Group {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        // It says whose it is: should this program be killed, the next run sweeps it.
        let name = format!("{}-{}", own_name().unwrap(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let cgroup = Cgroup::create(PARENT, &name, limits).unwrap();
        Group { cgroup, name, children: vec![] }
    }

    /// A shell in the group that runs this; put there by hand.
    pub fn run(&mut self, script: &str) -> i32 {
        // It waits for a line, so that nothing happens before it is in the group.
        let script = format!("read line; {script}");
        let mut child = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        for group in groups(&self.name) {
            fs::write(group.join("cgroup.procs"), child.id().to_string()).unwrap();
        }
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"\n").unwrap();
        self.children.push(child);
        self.children.last().unwrap().id() as i32
    }

    /// A control file in whichever of its folders has it.
    #[track_caller]
    pub fn file(&self, v1: &str, v2: &str) -> String {
        let name = if is_v2() { v2 } else { v1 };
        let found =
            groups(&self.name).into_iter().find_map(|group| fs::read_to_string(group.join(name)).ok());
        found.unwrap_or_else(|| panic!("no {name} in {:?}", groups(&self.name))).trim().to_owned()
    }

    /// The processes in it, as every tree has them.
    pub fn processes(&self) -> usize {
        let count = |text: String| text.lines().count();
        let all = groups(&self.name)
            .into_iter()
            .filter_map(|group| fs::read_to_string(group.join("cgroup.procs")).ok());
        all.map(count).max().unwrap_or(0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // By hand: the lesson's own way may be what is being tested.
        for child in &mut self.children {
            let _ = child.kill();
        }
        remove_groups(&self.name);
        for child in &mut self.children {
            let _ = child.wait();
        }
    }
}

fn memory(bytes: u64, both: u64) -> Limits {
    Limits { memory: Some(bytes), memory_and_swap: Some(both), ..Limits::default() }
}

fn limits_can_be_changed_while_it_runs() {
    let (few, many) = (random(20, 40), random(200, 400));
    let mut group = Group::new(&Limits { pids: Some(few), ..memory(few << 20, few << 21) });
    group.run("exec sleep 100");
    // Up, beyond what memory and swap were together; and down again.
    for number in [many, few] {
        let bytes = number << 20;
        let cpu = Cpu { quota: number * 1000, period: 100_000 };
        let limits = Limits { cpu: Some(cpu), pids: Some(number), ..memory(bytes, bytes * 2) };
        group.cgroup.update(&limits).unwrap();
        assert_eq!(group.file("memory.limit_in_bytes", "memory.max"), bytes.to_string());
        assert_eq!(group.file("pids.max", "pids.max"), number.to_string());
        let quota = group.file("cpu.cfs_quota_us", "cpu.max");
        assert_eq!(quota.split(' ').next(), Some((number * 1000).to_string().as_str()));
    }
    // What isn't given stays.
    group.cgroup.update(&Limits { pids: Some(many), ..Limits::default() }).unwrap();
    assert_eq!(group.file("memory.limit_in_bytes", "memory.max"), (few << 20).to_string());
}

fn a_limit_that_makes_no_sense_changes_nothing() {
    let pids = random(20, 200);
    let group = Group::new(&Limits { pids: Some(pids), ..Limits::default() });
    for limits in [
        Limits { pids: Some(0), ..Limits::default() },
        Limits { pids: Some(7), cpu_shares: Some(1), ..Limits::default() },
        Limits { pids: Some(7), cpu: Some(Cpu { quota: 1, period: 1 }), ..Limits::default() },
        Limits { pids: Some(7), ..memory(2 << 20, 1 << 20) },
    ] {
        assert_eq!(group.cgroup.update(&limits).unwrap_err().step, "set limit");
        assert_eq!(group.file("pids.max", "pids.max"), pids.to_string());
    }
}

/// Hundredths of a second that a process has run: fields 14 and 15 of its stat.
fn ticks(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn says_frozen(group: &Group) -> bool {
    match is_v2() {
        true => group.file("", "cgroup.events").lines().any(|line| line == "frozen 1"),
        false => group.file("freezer.state", "") == "FROZEN",
    }
}

fn a_frozen_group_stands_still_and_then_goes_on() {
    let mut group = Group::new(&Limits::default());
    let pid = group.run("while :; do :; done");
    assert!(eventually(|| ticks(pid) > 0), "it should be busy");
    group.cgroup.freeze(true).unwrap();
    assert!(says_frozen(&group) && group.cgroup.is_frozen().unwrap());
    let before = ticks(pid);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(ticks(pid), before, "it ran on");
    group.cgroup.freeze(false).unwrap();
    assert!(!says_frozen(&group) && !group.cgroup.is_frozen().unwrap());
    assert!(eventually(|| ticks(pid) > before), "it should go on");
}

fn freezing_is_done_when_it_says_so() {
    let mut group = Group::new(&Limits { pids: Some(60), ..Limits::default() });
    // Many that run, fork and sleep.
    for _ in 0..6 {
        group.run("while :; do sleep 0.01; done");
    }
    for _ in 0..20 {
        group.cgroup.freeze(true).unwrap();
        assert!(says_frozen(&group), "it came back too early");
        group.cgroup.freeze(false).unwrap();
        assert!(!says_frozen(&group), "it came back too early");
    }
}

fn the_whole_group_is_killed_however_fast_it_forks() {
    // Bounded by its limit: should it not be killed, there are no more than these.
    let mut group = Group::new(&Limits { pids: Some(40), ..Limits::default() });
    for _ in 0..3 {
        group.run("while :; do (sleep 30 &); done");
    }
    assert!(eventually(|| group.processes() > 20), "only {} processes", group.processes());
    group.cgroup.kill().unwrap();
    for child in &mut group.children {
        // A shell that had reached the limit before has ended by itself.
        child.wait().unwrap();
    }
    assert!(eventually(|| group.processes() == 0), "{} are left", group.processes());
}

fn a_frozen_group_can_be_killed() {
    let mut group = Group::new(&Limits::default());
    group.run("while :; do :; done");
    group.cgroup.freeze(true).unwrap();
    group.cgroup.kill().unwrap();
    assert!(eventually(|| group.processes() == 0));
}

fn a_group_is_found_again_by_its_name_and_by_its_process() {
    let mut group = Group::new(&Limits::default());
    let pid = group.run("exec sleep 100");
    let processes = |cgroup: Cgroup| cgroup.processes().unwrap();
    assert_eq!(processes(Cgroup::open(PARENT, &group.name).unwrap()), [pid]);
    assert_eq!(processes(Cgroup::of(pid, PARENT, &group.name).unwrap()), [pid]);
    // Of another name there is none, and that does no harm.
    let other = Cgroup::of(pid, PARENT, "another").unwrap();
    assert_eq!(processes(Cgroup::open(PARENT, "another").unwrap()), []);
    assert_eq!(other.processes().unwrap(), []);
    other.kill().unwrap();
    other.remove().unwrap();
    assert!(other.freeze(true).unwrap_err().hint.contains("doctor"));
    assert_eq!(group.processes(), 1);
}
