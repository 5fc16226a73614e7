//! Limits that the kernel enforces.

use std::fs;

use e2e::case;
use e2e::case::Case;
use e2e::cgroup;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;

pub const CASES: &[Case] = &[
    case!(a_program_that_eats_more_than_its_memory_is_killed).needs(&[Need::Controller("memory")]),
    case!(a_memory_limit_is_the_kernels).needs(&[Need::Controller("memory")]),
    case!(a_size_is_counted_in_powers_of_two).needs(&[Need::Controller("memory")]),
    case!(a_fork_bomb_is_bounded).needs(&[Need::Controller("pids")]),
    case!(a_share_of_the_processors_is_the_kernels).needs(&[Need::Controller("cpu")]),
    case!(an_exec_is_bounded_by_the_containers_limits).needs(&[Need::Controller("pids")]),
    case!(nothing_of_a_cgroup_is_left_after_rm).needs(&[Need::Controller("memory")]),
    case!(a_limit_that_a_user_may_not_set_is_said).needs(&[Need::OrdinaryUser, Need::Canoa]),
];

/// Reads a file in a container's cgroup: `v1` in the hierarchy of the controller, `v2` in the only one.
fn cgroup_file(lab: &Lab, name: &str, controller: &str, v1: &str, v2: &str) -> String {
    let pid = lab.pid(name);
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    for hierarchy in cgroup::hierarchies().unwrap() {
        let has = |line: &&str| {
            let list = line.split(':').nth(1).unwrap_or_default();
            match hierarchy.kind.as_str() {
                "cgroup" => list.split(',').any(|one| one == controller),
                _ => list.is_empty(),
            }
        };
        let v1_here = hierarchy.options.split(',').any(|one| one == controller);
        let Some(line) = groups.lines().find(has) else { continue };
        let group = line.splitn(3, ':').nth(2).unwrap().trim_start_matches('/');
        let file = match hierarchy.kind.as_str() {
            "cgroup" if v1_here => v1,
            "cgroup2" => v2,
            _ => continue,
        };
        if let Ok(text) = fs::read_to_string(hierarchy.mount.join(group).join(file)) {
            return text.trim().to_owned();
        }
    }
    panic!("there is neither {v1} nor {v2} for {name}:\n{groups}");
}

fn a_program_that_eats_more_than_its_memory_is_killed(lab: &Lab) {
    // `tail` keeps the last line of its input, and /dev/zero has no line's end. Bounded from outside:
    // should nothing stop it, 300 MB are all it gets.
    let hog = "head -c 300m /dev/zero | tail > /dev/null; exit $?";
    lab.canoa(&["run", "--name", "hog", "-m", "64m", "base", "sh", "-c", hog]).exits(137);
    assert_eq!(lab.inspect("hog")["State"]["OOMKilled"], true);
    lab.canoa(&["run", "--rm", "-m", "64m", "base", "sh", "-c", "exec tail -c 300000000 /dev/zero"])
        .exits(137);
    // The same within its bounds.
    let small = "head -c 8m /dev/zero | tail | wc -c";
    lab.canoa(&["run", "--rm", "-m", "64m", "base", "sh", "-c", small]).ok().says("8388608");
}

fn a_memory_limit_is_the_kernels(lab: &Lab) {
    lab.canoa(&["run", "-d", "--name", "small", "-m", "64m", "base", "sleep", "1000"]).ok();
    assert_eq!(cgroup_file(lab, "small", "memory", "memory.limit_in_bytes", "memory.max"), "67108864");
    assert_eq!(lab.inspect("small")["HostConfig"]["Memory"], 67108864);
}

fn a_size_is_counted_in_powers_of_two(lab: &Lab) {
    for (written, bytes) in [("8388608", 8388608), ("65536k", 67108864), ("64M", 67108864), ("1g", 1 << 30)] {
        let name = format!("sized-{written}");
        lab.canoa(&["create", "--name", &name, "-m", written, "base", "true"]).ok();
        assert_eq!(lab.inspect(&name)["HostConfig"]["Memory"], bytes, "{written}");
    }
}

fn a_fork_bomb_is_bounded(lab: &Lab) {
    // 200 sleepers are wanted, by a shell that goes on when it can't fork.
    let bomb =
        "i=0; while [ $i -lt 200 ]; do (sleep 30 &) 2>/dev/null; i=$((i+1)); done; echo done; sleep 30";
    lab.canoa(&["run", "-d", "--name", "bomb", "--pids-limit", "16", "base", "sh", "-c", bomb]).ok();
    eventually("the limit is reached", || {
        let current = cgroup_file(lab, "bomb", "pids", "pids.current", "pids.current");
        current.parse::<u32>().unwrap() >= 15 || lab.inspect("bomb")["State"]["Running"] == false
    });
    if lab.inspect("bomb")["State"]["Running"] == true {
        assert_eq!(cgroup_file(lab, "bomb", "pids", "pids.max", "pids.max"), "16");
        let current = cgroup_file(lab, "bomb", "pids", "pids.current", "pids.current");
        assert!(current.parse::<u32>().unwrap() <= 16, "{current} processes");
    }
    lab.canoa(&["rm", "-f", "bomb"]).ok();
}

fn a_share_of_the_processors_is_the_kernels(lab: &Lab) {
    lab.canoa(&["run", "-d", "--name", "half", "--cpus", "0.5", "base", "sleep", "1000"]).ok();
    let quota = cgroup_file(lab, "half", "cpu", "cpu.cfs_quota_us", "cpu.max");
    let period = cgroup_file(lab, "half", "cpu", "cpu.cfs_period_us", "cpu.max");
    let (quota, period) = match quota.split_once(' ') {
        Some((quota, period)) => (quota.to_owned(), period.to_owned()),
        None => (quota, period),
    };
    assert_eq!(quota.parse::<u32>().unwrap() * 2, period.parse::<u32>().unwrap());
}

fn an_exec_is_bounded_by_the_containers_limits(lab: &Lab) {
    lab.canoa(&["run", "-d", "--name", "small", "--pids-limit", "64", "base", "sleep", "1000"]).ok();
    let own = fs::read_to_string(format!("/proc/{}/cgroup", lab.pid("small"))).unwrap();
    lab.canoa(&["exec", "-d", "small", "sleep", "777"]).ok();
    let mut other = String::new();
    eventually("the exec's process is there", || {
        let found = fs::read_dir("/proc").unwrap().flatten().find(|process| {
            fs::read(process.path().join("cmdline")).is_ok_and(|line| line == b"sleep\x00777\0")
        });
        other = found
            .and_then(|process| fs::read_to_string(process.path().join("cgroup")).ok())
            .unwrap_or_default();
        !other.is_empty()
    });
    assert_eq!(other, own, "both are in the same groups");
}

fn nothing_of_a_cgroup_is_left_after_rm(lab: &Lab) {
    lab.canoa(&["run", "--rm", "base", "true"]).ok();
    let before = cgroup::groups();
    lab.canoa(&["run", "-d", "--name", "small", "-m", "64m", "--pids-limit", "9", "base", "sleep", "1000"])
        .ok();
    assert_ne!(cgroup::groups(), before);
    lab.canoa(&["rm", "-f", "small"]).ok();
    eventually("its groups are gone", || cgroup::groups() == before);
}

fn a_limit_that_a_user_may_not_set_is_said(lab: &Lab) {
    let ran = lab.canoa(&["run", "--rm", "-m", "64m", "base", "true"]);
    // Where the machine has delegated a cgroup to the user it simply works.
    if ran.code != 0 {
        ran.exits(125).complains_in_one_line_about("cgroup");
    }
    lab.canoa(&["ps", "-aq"]).ok().says("");
}
