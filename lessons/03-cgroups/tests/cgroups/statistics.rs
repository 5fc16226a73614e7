//! What a group has used: a snapshot beside the files.

use cgroups::{Limits, Support, own_name};

use crate::lab::{PARENT, eventually, field, groups, is_v2, random};
use crate::living::Group;
use crate::{Test, tests};

pub const TESTS: &[Test] = tests![
    a_snapshot_is_what_the_files_say,
    what_was_killed_for_memory_is_counted,
    reading_and_writing_of_disks_is_what_the_file_says,
    what_the_machine_can_limit_is_what_a_group_has_files_for,
];

fn a_snapshot_is_what_the_files_say() {
    let (memory, pids) = (random(32, 128) << 20, random(20, 200));
    let mut group = Group::new(&Limits { memory: Some(memory), pids: Some(pids), ..Limits::default() });
    let bytes = random(2 << 20, 4 << 20);
    let sleepers = random(1, 5);
    let mut script = format!("head -c {bytes} /dev/zero | tail -c {bytes} | sleep 100 & ");
    script += &"sleep 100 & ".repeat(sleepers as usize);
    group.run(&(script + "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; wait"));
    let number = |v1: &str, v2: &str| group.file(v1, v2).parse::<u64>().unwrap();
    let used = || number("memory.usage_in_bytes", "memory.current");
    assert!(eventually(|| used() > bytes && number("pids.current", "pids.current") >= sleepers + 2));
    let time = || match is_v2() {
        true => field(&group.file("", "cpu.stat"), "usage_usec") * 1000,
        false => number("cpuacct.usage", ""),
    };
    // The kernel adds these up now and then, every two seconds at the latest.
    let anonymous = if is_v2() { "anon" } else { "total_rss" };
    assert!(eventually(|| field(&group.file("memory.stat", "memory.stat"), anonymous) >= bytes));
    // It goes on while we look: the snapshot lies between two looks.
    let processes = || number("pids.current", "pids.current");
    let (used_before, time_before, processes_before) = (used(), time(), processes());
    let snapshot = group.cgroup.statistics().unwrap();
    let (used_after, time_after, processes_after) = (used(), time(), processes());

    let seen = snapshot.memory.unwrap();
    assert_eq!(seen.limit, Some(memory));
    let (least, most) = (used_before.min(used_after), used_before.max(used_after));
    let slack = 1 << 20;
    assert!((least - slack..=most + slack).contains(&seen.used), "{least} {} {most}", seen.used);
    assert!(seen.peak.is_none_or(|peak| peak >= seen.used));
    assert_eq!(seen.oom_kills, 0);
    assert!(seen.details[anonymous] >= bytes, "{:?}, and {bytes} were eaten", seen.details);

    let seen = snapshot.cpu.unwrap();
    assert!((time_before..=time_after).contains(&seen.total), "{time_before} {} {time_after}", seen.total);
    assert!(seen.user > 0 && seen.user + seen.system <= seen.total + 20_000_000, "{seen:?}");
    assert_eq!(seen.periods, 0, "there is no quota");

    let seen = snapshot.pids.unwrap();
    assert_eq!((seen.limit, seen.refused), (Some(pids), 0));
    let (least, most) = (processes_before.min(processes_after), processes_before.max(processes_after));
    assert!((least..=most).contains(&seen.current), "{least} {} {most}", seen.current);
}

fn what_was_killed_for_memory_is_counted() {
    let mut group = Group::new(&Limits { memory: Some(16 << 20), ..Limits::default() });
    assert_eq!(group.cgroup.oom_kills().unwrap(), 0);
    group.run("head -c 32m /dev/zero | tail -c 32m | sleep 100");
    let file = || field(&group.file("memory.oom_control", "memory.events"), "oom_kill");
    assert!(eventually(|| file() > 0), "the kernel has killed nobody");
    let found = group.cgroup.oom_kills().unwrap();
    assert_eq!(
        found,
        file(),
        "ex-03-6: oom_kill in memory.oom_control, or memory.events with the second version"
    );
    assert_eq!(group.cgroup.statistics().unwrap().memory.unwrap().oom_kills, file());
}

fn reading_and_writing_of_disks_is_what_the_file_says() {
    let group = Group::new(&Limits::default());
    let seen = group.cgroup.statistics().unwrap().block_io;
    let file = if is_v2() { "io.stat" } else { "blkio.throttle.io_serviced_recursive" };
    let there = groups(&group.name).iter().any(|group| group.join(file).exists());
    assert_eq!(seen.is_some(), there, "{seen:?}");
    // Nothing was read or written by a group without processes.
    assert_eq!(seen.unwrap_or_default(), []);
}

fn what_the_machine_can_limit_is_what_a_group_has_files_for() {
    let name = format!("{}-support", own_name().unwrap());
    let support = Support::of_this_machine(PARENT, &name).unwrap();
    assert_eq!(groups(&name), Vec::<std::path::PathBuf>::new());
    let group = Group::new(&Limits::default());
    let has = |file: &str| groups(&group.name).iter().any(|group| group.join(file).exists());
    assert_eq!(support.memory, has("memory.max") || has("memory.limit_in_bytes"));
    assert_eq!(support.swap, has("memory.swap.max") || has("memory.memsw.limit_in_bytes"));
    assert_eq!(support.cpuset, has("cpuset.cpus"));
    assert_eq!(support.pids, has("pids.max"));
    assert_eq!(support.oom_kill_disable, has("memory.oom_control"));
}
