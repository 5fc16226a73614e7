//! `stats`, `diff`, `update`: by the stock client and by ours, compared with what the kernel shows.

use std::fs;

use e2e::case;
use e2e::case::Case;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;
use e2e::program::Ran;
use serde_json::Value;

use crate::docker_client::docker;
use crate::limits::cgroup_file;

pub const CASES: &[Case] = &[
    case!(stats_tell_what_is_used).in_both_forms(),
    case!(docker_stats_tell_what_is_used).needs(&[Need::Tool("docker")]),
    case!(stats_are_the_kernels).needs(&[Need::Canoa, Need::Controller("memory"), Need::Controller("pids")]),
    case!(stats_go_on_until_the_container_is_removed).needs(&[Need::Canoa]),
    case!(diff_tells_what_has_changed).in_both_forms(),
    case!(docker_diff_tells_what_has_changed).needs(&[Need::Tool("docker")]),
    case!(update_reaches_the_kernel_and_the_record)
        .needs(&[Need::Controller("memory"), Need::Controller("cpu"), Need::Controller("pids")])
        .in_both_forms(),
    case!(docker_update_reaches_the_kernel_and_the_record).needs(&[
        Need::Controller("memory"),
        Need::Controller("cpu"),
        Need::Controller("pids"),
        Need::Tool("docker"),
    ]),
    case!(update_changes_what_is_not_running_and_refuses_nonsense),
];

/// The body of a GET, as JSON.
fn get(lab: &Lab, path: &str) -> Value {
    let socket = lab.socket();
    let said =
        lab.host(&["curl", "-s", "--unix-socket", &socket.to_string_lossy(), &format!("http://x{path}")]);
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn stats_tell_what_is_used(lab: &Lab) {
    stats(lab, |arguments| lab.canoa(arguments));
}

fn docker_stats_tell_what_is_used(lab: &Lab) {
    stats(lab, |arguments| docker(lab, arguments));
}

fn stats(lab: &Lab, client: impl Fn(&[&str]) -> Ran) {
    lab.runs("busy", &["sh", "-c", "while true; do :; done"]);
    lab.canoa(&["create", "--name", "idle", "base", "true"]).ok();
    let table = client(&["stats", "--no-stream", "busy"]).ok();
    table.mentions("CONTAINER ID").mentions("MEM USAGE / LIMIT").mentions("PIDS").mentions("busy");
    let format = "{{.Name}} {{.CPUPerc}} {{.PIDs}} {{.MemUsage}}";
    let line = client(&["stats", "--no-stream", "--format", format, "busy"]).ok();
    let words: Vec<&str> = line.text().split_whitespace().collect();
    let percent: f64 = words[1].trim_end_matches('%').parse().unwrap();
    // Other tests take their part of the processors.
    assert!((3.0..130.0).contains(&percent), "{line}");
    assert_eq!((words[0], words[2]), ("busy", "1"), "{line}");
    assert!(words[3].ends_with("iB") && words[3] != "0B", "{line}");
    client(&["stats", "--no-stream", "nobody"]).exits(1).complains_about("No such container: nobody");
    lab.canoa(&["rm", "-f", "busy"]).ok();
}

fn stats_are_the_kernels(lab: &Lab) {
    let hold = "head -c 20m /dev/zero > /dev/shm/held; echo ready; sleep 1000";
    lab.canoa(&["run", "-d", "--name", "box", "-m", "64m", "--pids-limit", "9", "base", "sh", "-c", hold])
        .ok();
    eventually("it holds memory", || lab.canoa(&["logs", "box"]).stdout.contains("ready"));
    let stats = get(lab, "/containers/box/stats?stream=0&one-shot=1");
    let usage = stats["memory_stats"]["usage"].as_u64().unwrap();
    let kernel: u64 =
        cgroup_file(lab, "box", "memory", "memory.usage_in_bytes", "memory.current").parse().unwrap();
    assert!(usage > 20 << 20 && usage.abs_diff(kernel) < 2 << 20, "{usage}, and the kernel says {kernel}");
    assert_eq!(stats["memory_stats"]["limit"], 64 << 20);
    let pids: u64 = cgroup_file(lab, "box", "pids", "pids.current", "pids.current").parse().unwrap();
    assert_eq!(stats["pids_stats"], serde_json::json!({ "current": pids, "limit": 9 }));
    assert_eq!(stats["precpu_stats"]["cpu_usage"]["total_usage"], 0, "one shot has nothing to compare with");
    let twice = get(lab, "/containers/box/stats?stream=0");
    assert!(
        twice["precpu_stats"]["system_cpu_usage"].as_u64() < twice["cpu_stats"]["system_cpu_usage"].as_u64()
    );
    // Its own network's counters, as its own /proc has them.
    let dev = fs::read_to_string(format!("/proc/{}/net/dev", lab.pid("box"))).unwrap();
    for (name, counters) in stats["networks"].as_object().unwrap() {
        let line = dev.lines().find(|line| line.trim().starts_with(name.as_str())).unwrap();
        assert!(counters["rx_bytes"].as_u64().unwrap() > 0 && line.contains(':'), "{line}: {counters}");
    }
}

fn stats_go_on_until_the_container_is_removed(lab: &Lab) {
    lab.runs("box", &["sleep", "1000"]);
    let url = "http://x/containers/box/stats".to_owned();
    let mut curl = lab.program("curl");
    curl.args(["-sN", "--unix-socket"]).arg(lab.socket()).arg(url).stdout(std::process::Stdio::piped());
    let child = curl.spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    lab.canoa(&["rm", "-f", "box"]).ok();
    let output = child.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() >= 2, "{lines:?}");
    assert_eq!(lines[1]["preread"], lines[0]["read"]);
}

fn diff_tells_what_has_changed(lab: &Lab) {
    diff(lab, |arguments| lab.canoa(arguments));
}

fn docker_diff_tells_what_has_changed(lab: &Lab) {
    diff(lab, |arguments| docker(lab, arguments));
}

fn diff(lab: &Lab, client: impl Fn(&[&str]) -> Ran) {
    lab.canoa(&["create", "--name", "new", "base", "true"]).ok();
    client(&["diff", "new"]).ok().says("");
    lab.canoa(&["run", "--name", "same", "base", "true"]).ok();
    client(&["diff", "same"]).ok().says("");
    let changes = "rm /etc/group; echo x >> /etc/passwd; mkdir /etc/new; touch /etc/new/file; touch /top; \
                   chmod 711 /root; touch /etc/gone; rm /etc/gone";
    let expected = "C /etc\nD /etc/group\nA /etc/new\nA /etc/new/file\nC /etc/passwd\nC /root\nA /top";
    lab.canoa(&["run", "--name", "other", "base", "sh", "-c", changes]).ok();
    client(&["diff", "other"]).ok().says(expected);
    client(&["diff", "nobody"]).exits(1).complains_about("No such container: nobody");
    // A folder that was removed and made again hides what it had; a running container is the same.
    let again = "rm -r /etc; mkdir /etc; echo y > /etc/passwd; echo ready; sleep 1000";
    lab.runs("again", &["sh", "-c", again]);
    eventually("it is made again", || lab.canoa(&["logs", "again"]).stdout.contains("ready"));
    let said = client(&["diff", "again"]).ok();
    assert!(said.lines().contains(&"D /etc/group") && said.lines().contains(&"C /etc/passwd"), "{said}");
}

fn update_reaches_the_kernel_and_the_record(lab: &Lab) {
    update(lab, |arguments| lab.canoa(arguments));
}

fn docker_update_reaches_the_kernel_and_the_record(lab: &Lab) {
    update(lab, |arguments| docker(lab, arguments));
}

fn update(lab: &Lab, client: impl Fn(&[&str]) -> Ran) {
    lab.canoa(&["run", "-d", "--name", "box", "-m", "64m", "--pids-limit", "9", "base", "sleep", "1000"])
        .ok();
    let memory = || cgroup_file(lab, "box", "memory", "memory.limit_in_bytes", "memory.max");
    let pids = || cgroup_file(lab, "box", "pids", "pids.max", "pids.max");
    // More than what was set for memory and swap together: both have to be said.
    client(&["update", "-m", "256m", "box"]).exits(1).complains_about("already set memoryswap limit");
    assert_eq!(memory(), (64 << 20).to_string());
    client(&["update", "-m", "256m", "--memory-swap", "512m", "box"]).ok().says("box");
    assert_eq!(memory(), (256 << 20).to_string());
    client(&["update", "-m", "32m", "--pids-limit", "20", "box"]).ok();
    assert_eq!((memory(), pids()), ((32 << 20).to_string(), "20".to_owned()));
    client(&["update", "--cpus", "0.5", "-c", "512", "box"]).ok();
    let quota = cgroup_file(lab, "box", "cpu", "cpu.cfs_quota_us", "cpu.max");
    assert!(quota.starts_with("50000"), "{quota}");
    client(&["update", "--pids-limit", "-1", "--restart", "on-failure:3", "box"]).ok();
    assert_ne!(pids(), "20");
    let host = lab.inspect("box")["HostConfig"].clone();
    assert_eq!((&host["Memory"], &host["MemorySwap"]), (&(32 << 20).into(), &(512 << 20).into()));
    assert_eq!((&host["NanoCpus"], &host["CpuShares"]), (&500_000_000.into(), &512.into()));
    assert_eq!(host["RestartPolicy"]["Name"], "on-failure");
    // And a start of the same container has them.
    lab.canoa(&["restart", "-t", "0", "box"]).ok();
    assert_eq!(memory(), (32 << 20).to_string());
}

fn update_changes_what_is_not_running_and_refuses_nonsense(lab: &Lab) {
    lab.canoa(&["create", "--name", "box", "base", "true"]).ok();
    lab.canoa(&["update", "--restart", "always", "box"]).ok().says("box");
    assert_eq!(lab.inspect("box")["HostConfig"]["RestartPolicy"]["Name"], "always");
    lab.canoa(&["update", "-m", "1m", "box"]).exits(1).complains_about("Minimum memory limit allowed is 6MB");
    lab.canoa(&["update", "--cpu-shares", "1", "box"]).exits(1).complains_about("minimum allowed cpu-shares");
    lab.canoa(&["update", "box"]).exits(1).complains_about("one or more flags");
    lab.canoa(&["update", "-m", "64m", "nobody"]).exits(1).complains_about("No such container");
    assert_eq!(lab.inspect("box")["HostConfig"]["Memory"], 0);
    lab.canoa(&["create", "--name", "passing", "--rm", "base", "true"]).ok();
    let refused = lab.canoa(&["update", "--restart", "always", "passing"]).exits(1);
    refused.complains_about("because AutoRemove is enabled");
}
