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
    case!(memory_and_swap_together_are_the_kernels).needs(&[Need::Controller("memory")]),
    case!(a_reservation_of_memory_is_the_kernels).needs(&[Need::Controller("memory")]),
    case!(shares_and_the_choice_of_processors_are_the_kernels)
        .needs(&[Need::Controller("cpu"), Need::Controller("cpuset")]),
    case!(no_killing_at_the_limit_is_the_kernels_or_a_warning).needs(&[Need::Controller("memory")]),
    case!(limits_that_make_no_sense_are_refused_in_dockers_words),
    case!(a_container_reads_its_own_limits_and_can_not_write_them).needs(&[Need::Controller("memory")]),
    case!(what_a_container_sees_of_cgroups_is_read_only).needs(&[Need::Canoa]),
    case!(docker_limits_as_canoa_does).needs(&[
        Need::Controller("memory"),
        Need::Controller("cpuset"),
        Need::Tool("docker"),
    ]),
    case!(an_exec_is_bounded_by_the_containers_limits).needs(&[Need::Controller("pids")]),
    case!(nothing_of_a_cgroup_is_left_after_rm).needs(&[Need::Controller("memory")]),
    case!(a_limit_that_a_user_may_not_set_is_said).needs(&[Need::OrdinaryUser, Need::Canoa]),
];

/// Reads a file in a container's cgroup: `v1` in the hierarchy of the controller, `v2` in the only one.
pub fn cgroup_file(lab: &Lab, name: &str, controller: &str, v1: &str, v2: &str) -> String {
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
    let share = |name: &str| {
        let quota = cgroup_file(lab, name, "cpu", "cpu.cfs_quota_us", "cpu.max");
        let period = cgroup_file(lab, name, "cpu", "cpu.cfs_period_us", "cpu.max");
        let (quota, period) = match quota.split_once(' ') {
            Some((quota, period)) => (quota.to_owned(), period.to_owned()),
            None => (quota, period),
        };
        (quota.parse::<u32>().unwrap(), period.parse::<u32>().unwrap())
    };
    lab.canoa(&["run", "-d", "--name", "half", "--cpus", "0.5", "base", "sleep", "1000"]).ok();
    let (quota, period) = share("half");
    assert_eq!(quota * 2, period);
    let words = ["--cpu-period", "50000", "--cpu-quota", "10000"];
    lab.canoa(&[&["run", "-d", "--name", "fifth"], &words[..], &["base", "sleep", "1000"]].concat()).ok();
    assert_eq!(share("fifth"), (10_000, 50_000));
    let host = &lab.inspect("fifth")["HostConfig"];
    assert_eq!((&host["CpuQuota"], &host["CpuPeriod"]), (&10_000.into(), &50_000.into()));
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
    // (Of the first one something may have been there still: the exit is told before it is cleaned up.)
    eventually("its groups are gone", || cgroup::groups().iter().all(|group| before.contains(group)));
}

fn a_limit_that_a_user_may_not_set_is_said(lab: &Lab) {
    let ran = lab.canoa(&["run", "--rm", "-m", "64m", "base", "true"]);
    // Where the machine has delegated a cgroup to the user it simply works.
    if ran.code != 0 {
        ran.exits(125).complains_in_one_line_about("cgroup");
    }
    lab.canoa(&["ps", "-aq"]).ok().says("");
}

/// Whether the machine has the second version alone.
fn is_v2() -> bool {
    cgroup::hierarchies().unwrap().iter().all(|hierarchy| hierarchy.kind == "cgroup2")
}

fn memory_and_swap_together_are_the_kernels(lab: &Lab) {
    for (swap, v1, v2) in [(None, 128, 64), (Some("96m"), 96, 32), (Some("64m"), 64, 0)] {
        let name = format!("swap-{v2}");
        let mut words = vec!["run", "-d", "--name", &name, "-m", "64m"];
        words.extend(swap.iter().flat_map(|swap| ["--memory-swap", swap]));
        lab.canoa(&[&words[..], &["base", "sleep", "1000"]].concat()).ok();
        let bytes = if is_v2() { v2 } else { v1 } << 20;
        let file = cgroup_file(lab, &name, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max");
        assert_eq!(file, bytes.to_string());
        assert_eq!(lab.inspect(&name)["HostConfig"]["MemorySwap"], v1 << 20);
    }
    lab.canoa(&["run", "-d", "--name", "free", "-m", "64m", "--memory-swap", "-1", "base", "sleep", "1000"])
        .ok();
    let file = cgroup_file(lab, "free", "memory", "memory.memsw.limit_in_bytes", "memory.swap.max");
    assert!(file == "max" || file.parse::<u64>().unwrap() > 1 << 60, "{file}");
}

fn a_reservation_of_memory_is_the_kernels(lab: &Lab) {
    let words =
        ["run", "-d", "--name", "soft", "-m", "64m", "--memory-reservation", "40m", "base", "sleep", "1000"];
    lab.canoa(&words).ok();
    assert_eq!(
        cgroup_file(lab, "soft", "memory", "memory.soft_limit_in_bytes", "memory.low"),
        (40 << 20).to_string()
    );
    assert_eq!(lab.inspect("soft")["HostConfig"]["MemoryReservation"], 40 << 20);
}

fn shares_and_the_choice_of_processors_are_the_kernels(lab: &Lab) {
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let allowed = own.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    let last = allowed.rsplit([',', '-']).next().unwrap();
    let words = ["run", "-d", "--name", "one", "-c", "512", "--cpuset-cpus", last, "--cpuset-mems", "0"];
    lab.canoa(&[&words[..], &["base", "sleep", "1000"]].concat()).ok();
    let status = fs::read_to_string(format!("/proc/{}/status", lab.pid("one"))).unwrap();
    let given = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    assert_eq!(given, last);
    assert_eq!(cgroup_file(lab, "one", "cpuset", "cpuset.mems", "cpuset.mems"), "0");
    let weight = if is_v2() { "20" } else { "512" };
    assert_eq!(cgroup_file(lab, "one", "cpu", "cpu.shares", "cpu.weight"), weight);
    assert_eq!(lab.inspect("one")["HostConfig"]["CpusetCpus"], last);
    lab.canoa(&["run", "--rm", "--cpuset-cpus", "4095", "base", "true"])
        .exits(125)
        .complains_about("Requested CPUs are not available - requested 4095");
    lab.canoa(&["ps", "-aq"]).ok();
}

fn no_killing_at_the_limit_is_the_kernels_or_a_warning(lab: &Lab) {
    let words = ["run", "-d", "--name", "calm", "-m", "64m", "--oom-kill-disable", "base", "sleep", "1000"];
    let ran = lab.canoa(&words).ok();
    match is_v2() {
        true => drop(ran.complains_about("Your kernel does not support OomKillDisable")),
        false => {
            assert_eq!(ran.stderr, "");
            let said = cgroup_file(lab, "calm", "memory", "memory.oom_control", "");
            assert!(said.contains("oom_kill_disable 1"), "{said}");
            lab.canoa(&["create", "--oom-kill-disable", "base", "true"])
                .ok()
                .complains_about("OOM killer is disabled for the container, but no memory limit is set");
        }
    }
}

fn limits_that_make_no_sense_are_refused_in_dockers_words(lab: &Lab) {
    for (words, complaint) in [
        (&["-m", "64m", "--memory-reservation", "65m"][..], "can not be less than memory reservation limit"),
        (&["--memory-reservation", "1m"], "Minimum memory reservation allowed is 6MB"),
        (
            &["-m", "64m", "--memory-swap", "32m"],
            "Minimum memoryswap limit should be larger than memory limit",
        ),
        (&["--cpuset-cpus", "0-"], "Invalid value 0- for cpuset cpus"),
        (&["--cpuset-mems", "0-4294967295"], "Invalid value 0-4294967295 for cpuset mems"),
        (&["--cpu-shares", "1"], "minimum allowed cpu-shares is 2"),
    ] {
        let words = [&["run", "--rm"], words, &["base", "true"]].concat();
        lab.canoa(&words).exits(125).complains_about(complaint);
    }
    lab.canoa(&["ps", "-aq"]).ok().says("");
}

fn a_container_reads_its_own_limits_and_can_not_write_them(lab: &Lab) {
    let file = if is_v2() { "memory.max" } else { "memory/memory.limit_in_bytes" };
    let path = format!("/sys/fs/cgroup/{file}");
    lab.canoa(&["run", "-d", "--name", "small", "-m", "64m", "base", "sleep", "1000"]).ok();
    lab.canoa(&["exec", "small", "cat", &path]).ok().says("67108864");
    let write = format!("echo 99999999 > {path}");
    let ran = lab.canoa(&["exec", "small", "sh", "-c", &write]);
    assert_ne!(ran.code, 0, "{ran}");
    lab.canoa(&["exec", "small", "cat", &path]).ok().says("67108864");
}

fn what_a_container_sees_of_cgroups_is_read_only(lab: &Lab) {
    // Also for somebody to whom no group was delegated.
    lab.canoa(&["run", "-d", "--name", "looker", "base", "sleep", "1000"]).ok();
    let mounts = lab.canoa(&["exec", "looker", "cat", "/proc/mounts"]).ok();
    let mounts: Vec<&str> =
        mounts.lines().into_iter().filter(|line| line.contains(" /sys/fs/cgroup")).collect();
    assert!(!mounts.is_empty() || cgroup::hierarchies().unwrap().is_empty());
    let mkdir = lab.canoa(&["exec", "looker", "mkdir", "/sys/fs/cgroup/mine"]);
    assert_ne!(mkdir.code, 0, "{mounts:?}");
    for mount in mounts.iter().filter(|mount| !mount.starts_with("tmpfs")) {
        let options = mount.split(' ').nth(3).unwrap_or_default();
        assert!(options.split(',').any(|option| option == "ro"), "{mount}");
    }
    let groups = lab.canoa(&["exec", "looker", "cat", "/proc/self/cgroup"]).ok();
    assert!(!groups.stdout.contains("canoa"), "{groups}");
}

fn docker_limits_as_canoa_does(lab: &Lab) {
    lab.with_daemon();
    let docker = |arguments: &[&str]| {
        let mut command = lab.program("docker");
        command.env("DOCKER_HOST", format!("unix://{}", lab.socket().display())).args(arguments);
        lab.finish(&mut command)
    };
    let words =
        ["run", "-d", "--name", "one", "-m", "64m", "--memory-swap", "80m", "--memory-reservation", "40m"];
    let more = ["--cpuset-mems", "0", "--cpu-shares", "700", "--pids-limit", "55", "base", "sleep", "1000"];
    docker(&[&words[..], &more].concat()).ok();
    assert_eq!(cgroup_file(lab, "one", "pids", "pids.max", "pids.max"), "55");
    let swap = if is_v2() { 16 << 20 } else { 80 << 20 };
    let file = cgroup_file(lab, "one", "memory", "memory.memsw.limit_in_bytes", "memory.swap.max");
    assert_eq!(file, swap.to_string());
    assert_eq!(cgroup_file(lab, "one", "cpuset", "cpuset.mems", "cpuset.mems"), "0");
    docker(&["run", "--rm", "--cpuset-cpus", "4095", "base", "true"])
        .exits(125)
        .complains_about("Requested CPUs are not available");
    let info: serde_json::Value =
        serde_json::from_str(docker(&["info", "--format", "{{json .}}"]).ok().text()).unwrap();
    assert_eq!(
        (&info["MemoryLimit"], &info["CPUSet"], &info["PidsLimit"]),
        (&true.into(), &true.into(), &true.into())
    );
    assert_eq!(info["OomKillDisable"], !is_v2());
}
