//! Each limit, as the kernel's own files have it and as it is felt.

use std::fs;
use std::time::{Duration, Instant};

use cgroups::{Cgroup, Limits};

use crate::lab::{Container, PARENT, error, groups, is_v2, lesson, random};
use crate::{Test, tests};

pub const TESTS: &[Test] = tests![
    the_limits_are_what_the_kernel_s_own_files_say,
    a_part_of_a_processor_is_that_part,
    a_program_runs_on_the_processors_that_it_was_given,
    memory_and_swap_are_limited_together,
    a_device_that_no_rule_allows_can_be_made_and_not_used,
    a_container_is_in_its_group_in_every_tree,
    a_container_sees_its_own_group_as_the_root,
    a_processor_that_the_machine_does_not_have_is_an_error_that_names_it,
    a_flag_that_makes_no_sense_is_an_error_that_names_it,
    a_group_is_not_made_outside_of_its_parent,
];

const IDLE: &str = "echo ready; exec sleep 100";

fn the_limits_are_what_the_kernel_s_own_files_say() {
    let (memory, pids) = (random(32, 128), random(20, 2000));
    let (percent, shares) = (random(5, 95), random(2, 262_144));
    let flags = [
        ("--memory", format!("{memory}m")),
        ("--pids", pids.to_string()),
        ("--cpus", format!("0.{percent:02}")),
        ("--cpu-shares", shares.to_string()),
    ];
    let words: Vec<&str> = flags.iter().flat_map(|(flag, value)| [*flag, value]).collect();
    let container = Container::start(&words, IDLE);
    let bytes = memory << 20;
    assert_eq!(container.file("memory", "memory.limit_in_bytes", "memory.max"), bytes.to_string());
    assert_eq!(container.file("pids", "pids.max", "pids.max"), pids.to_string());
    let quota = container.file("cpu", "cpu.cfs_quota_us", "cpu.max");
    assert_eq!(quota.split(' ').next(), Some((percent * 1000).to_string().as_str()));
    // The other scale of the second version: 2 to 262,144 becomes 1 to 10,000.
    let weight = if is_v2() { 1 + (shares - 2) * 9_999 / 262_142 } else { shares };
    assert_eq!(container.file("cpu", "cpu.shares", "cpu.weight"), weight.to_string());
}

fn a_part_of_a_processor_is_that_part() {
    let percent = random(15, 35);
    let container = Container::start(&["--cpus", &format!("0.{percent}")], "echo ready; while :; do :; done");
    let used = || match is_v2() {
        true => container.field("cpu", "", "cpu.stat", "usage_usec"),
        false => container.file("cpuacct", "cpuacct.usage", "").parse::<u64>().unwrap() / 1000,
    };
    let (start, before) = (Instant::now(), used());
    std::thread::sleep(Duration::from_millis(1500));
    let used = (used() - before) as f64 / start.elapsed().as_micros() as f64 * 100.0;
    let percent = percent as f64;
    // A period can be used up on each side. Less it can be, on a machine that is busy with other things.
    assert!(used < percent * 1.3 + 5.0, "{used:.0} % of a processor were used, of {percent} % allowed");
    assert!(used > percent * 0.2, "only {used:.0} % of a processor were used, of {percent} % allowed");
    // Nobody else wanted so much that it didn't even get its part: then it was stopped at times.
    let throttled = container.field("cpu", "cpu.stat", "cpu.stat", "nr_throttled");
    assert!(
        throttled > 0 || used < percent * 0.9,
        "it was never stopped, and got {used:.0} % of {percent} %"
    );
}

fn a_program_runs_on_the_processors_that_it_was_given() {
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let allowed = |status: &str| {
        status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned()
    };
    // One of ours: the first or the last.
    let ours = allowed(&own);
    let numbers: Vec<&str> = ours.split([',', '-']).collect();
    let one = if random(0, 2) == 0 { numbers[0] } else { numbers[numbers.len() - 1] };
    let container = Container::start(&["--cpuset-cpus", one], IDLE);
    let status = fs::read_to_string(format!("/proc/{}/status", container.pid)).unwrap();
    assert_eq!(allowed(&status), one);
    assert_eq!(container.file("cpuset", "cpuset.cpus", "cpuset.cpus"), one);
}

fn memory_and_swap_are_limited_together() {
    let memory = random(32, 128);
    let container = Container::start(&["--memory", &format!("{memory}m")], IDLE);
    let group = fs::read_to_string(format!("/proc/{}/cgroup", container.pid)).unwrap();
    let counted = groups(&container.name).iter().any(|group| {
        ["memory.memsw.limit_in_bytes", "memory.swap.max"].iter().any(|file| group.join(file).exists())
    });
    assert!(counted || !group.is_empty());
    if counted {
        // The second version counts swap by itself: as much again as there is memory.
        let bytes = if is_v2() { memory << 20 } else { memory << 21 };
        let file = container.file("memory", "memory.memsw.limit_in_bytes", "memory.swap.max");
        assert_eq!(file, bytes.to_string());
    }
}

fn a_device_that_no_rule_allows_can_be_made_and_not_used() {
    let output = lesson(&[
        "sh",
        "-c",
        "head -c 1 /dev/zero > /dev/null && echo null; mknod /tmp/tun c 10 200 && test -c /tmp/tun && echo made; \
         head -c 1 /tmp/tun",
    ]);
    if nix::unistd::geteuid().is_root() {
        assert_eq!(String::from_utf8_lossy(&output.stdout), "null\nmade\n", "{output:?}");
    } else {
        // An ordinary user can't even make one.
        assert_eq!(String::from_utf8_lossy(&output.stdout), "null\n", "{output:?}");
    }
    assert!(error(&output).contains("Operation not permitted"), "{output:?}");
}

fn a_container_is_in_its_group_in_every_tree() {
    let container = Container::start(&[], IDLE);
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", container.pid)).unwrap();
    assert!(
        !container.name.is_empty(),
        "ex-03-4: the container's PID 1 is in no group below {PARENT}: limits that were made hold for nobody until \
         it joins. /proc/{}/cgroup says:\n{groups}",
        container.pid
    );
    let own = format!("/{}", container.name);
    let controllers = ["memory", "cpu", "cpuacct", "cpuset", "pids", "freezer", "devices", "blkio"];
    for line in groups.lines() {
        let names = line.split(':').nth(1).unwrap();
        let ours =
            if is_v2() { names.is_empty() } else { names.split(',').any(|name| controllers.contains(&name)) };
        assert_eq!(line.ends_with(&own), ours, "ex-03-4: {line}, and its group is {own}");
    }
}

fn a_container_sees_its_own_group_as_the_root() {
    let mut container = Container::start(&[], "echo ready; cat /proc/self/cgroup; echo end; exec sleep 100");
    let groups = container.says_until("end");
    let seen = groups.lines().any(|line| line.contains("memory") || line.starts_with("0::"));
    assert!(seen, "ex-03-4: /proc/self/cgroup in the container should have its group: {groups}");
    assert!(
        !groups.contains("canoa"),
        "ex-03-4: the container sees where its group is on the host. The cgroup namespace's root is the group in \
         which one is when one makes it: join first. /proc/self/cgroup says:\n{groups}"
    );
}

fn a_processor_that_the_machine_does_not_have_is_an_error_that_names_it() {
    let one = random(4000, 8000).to_string();
    let output = lesson(&["--cpuset-cpus", &one, "true"]);
    let said = error(&output);
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(said.contains("cpuset.cpus") && said.contains(&one) && said.lines().count() == 1, "{said}");
}

fn a_flag_that_makes_no_sense_is_an_error_that_names_it() {
    for (flag, value) in [
        ("--memory", "1e3"),
        ("--memory", "-1"),
        ("--memory", "٣m"),
        ("--memory", "99999999999999999999t"),
        ("--cpus", "0"),
        ("--cpus", "NaN"),
        ("--cpus", "-0.5"),
        ("--cpuset-cpus", "0-4294967295"),
        ("--cpu-shares", "many"),
        ("--pids", "-1"),
    ] {
        let output = lesson(&[flag, value, "true"]);
        let said = error(&output);
        assert_eq!(output.status.code(), Some(125), "{flag} {value}: {output:?}");
        assert!(said.contains(flag) && said.contains(value) && said.lines().count() == 1, "{said}");
    }
}

fn a_group_is_not_made_outside_of_its_parent() {
    let unique = format!("canoa-outside-{}", random(0, u64::MAX));
    for (parent, name) in [
        (PARENT, format!("../{unique}")),
        (&format!("/../{unique}") as &str, "x".into()),
        (&unique, "x".into()),
    ] {
        let error = Cgroup::create(parent, &name, &Limits::default()).unwrap_err();
        assert!(error.on.contains(&unique), "{error}");
        assert!(Cgroup::open(parent, &name).is_err());
    }
    assert_eq!(groups(&unique), Vec::<std::path::PathBuf>::new());
}
