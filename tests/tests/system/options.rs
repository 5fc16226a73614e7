//! The smaller options of `create`: each does what it says, with the stock client and with ours, and
//! `inspect` shows it; or it is refused in words, and nothing is made.

use std::fs;
use std::time::Instant;

use e2e::case;
use e2e::case::Case;
use e2e::lab::Lab;
use e2e::need::Need;
use e2e::program::Ran;

pub const CASES: &[Case] = &[
    case!(names_and_name_servers_are_written_where_programs_look),
    case!(variables_come_from_files_and_flags_win),
    case!(the_stop_signal_and_the_patience_are_the_containers_own),
    case!(what_the_kernel_shows_of_a_container_is_what_docker_asked_for).needs(&[Need::Tool("docker")]),
    case!(a_container_has_the_hardware_address_that_was_asked_for).in_both_forms(),
    case!(docker_gives_the_hardware_address_that_was_asked_for).needs(&[Need::Tool("docker")]),
    case!(options_that_change_nothing_here_are_taken_and_shown).needs(&[Need::Canoa]),
    case!(what_is_not_there_is_removed_by_force).in_both_forms(),
    case!(options_that_canoa_has_not_are_refused_by_their_names).needs(&[Need::Tool("docker")]),
];

fn docker(lab: &Lab, arguments: &[&str]) -> Ran {
    lab.with_daemon();
    let mut command = lab.program("docker");
    command.env("DOCKER_HOST", format!("unix://{}", lab.socket().display())).args(arguments);
    lab.finish(&mut command)
}

fn names_and_name_servers_are_written_where_programs_look(lab: &Lab) {
    let words = ["--add-host", "mine:10.1.2.3", "--dns", "192.0.2.53", "--dns-search", "sea.example"];
    let more = ["--dns-option", "ndots:3", "base", "sh", "-c", "cat /etc/hosts /etc/resolv.conf"];
    let ran = lab.canoa(&[&["run", "--name", "box"], &words[..], &more].concat()).ok();
    for line in ["10.1.2.3\tmine", "nameserver 192.0.2.53", "search sea.example", "options ndots:3"] {
        assert!(ran.lines().contains(&line), "{line} is missing:\n{ran}");
    }
    let host = &lab.inspect("box")["HostConfig"];
    assert_eq!(host["ExtraHosts"], serde_json::json!(["mine:10.1.2.3"]));
    assert_eq!(host["Dns"], serde_json::json!(["192.0.2.53"]));
    assert_eq!(host["DnsSearch"], serde_json::json!(["sea.example"]));
    assert_eq!(host["DnsOptions"], serde_json::json!(["ndots:3"]));
    lab.canoa(&["create", "--add-host", "mine", "base"]).exits(1);
    lab.canoa(&["create", "--dns", "nowhere", "base"]).exits(1).complains_about("nowhere");
}

fn variables_come_from_files_and_flags_win(lab: &Lab) {
    let file = lab.folder.join("tmp/env");
    fs::write(&file, "# these\nFROM=file\nBOTH=file\nLANG\n").unwrap();
    let words = ["--env-file", &file.display().to_string(), "-e", "BOTH=flag"];
    let script = ["base", "sh", "-c", "echo $FROM $BOTH $LANG"];
    lab.canoa(&[&["run", "--rm"], &words[..], &script].concat()).ok().says("file flag C.UTF-8");
    lab.canoa(&["create", "--env-file", "/no/such/file", "base"]).exits(125).complains_about("/no/such/file");
}

fn the_stop_signal_and_the_patience_are_the_containers_own(lab: &Lab) {
    let script = "trap 'exit 9' USR1; trap '' TERM; echo ready; while :; do sleep 0.05; done";
    let words = ["--stop-signal", "USR1", "--stop-timeout", "30"];
    lab.canoa(&[&["run", "-d", "--name", "box"], &words[..], &["base", "sh", "-c", script]].concat()).ok();
    e2e::lab::eventually("it listens", || lab.canoa(&["logs", "box"]).stdout.contains("ready"));
    lab.canoa(&["stop", "box"]).ok();
    lab.canoa(&["wait", "box"]).ok().says("9");
    let config = &lab.inspect("box")["Config"];
    assert_eq!((&config["StopSignal"], &config["StopTimeout"]), (&"USR1".into(), &30.into()));
    // PID 1 without a handler doesn't hear SIGTERM: it is killed as soon as its patience is over.
    let begin = Instant::now();
    lab.canoa(&["run", "-d", "--name", "deaf", "--stop-timeout", "1", "base", "sleep", "1000"]).ok();
    lab.canoa(&["stop", "deaf"]).ok();
    assert!((1..8).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
    lab.canoa(&["wait", "deaf"]).ok().says("137");
    lab.canoa(&["create", "--stop-signal", "SHOUT", "base"])
        .exits(1)
        .complains_about("invalid signal: SHOUT");
}

fn what_the_kernel_shows_of_a_container_is_what_docker_asked_for(lab: &Lab) {
    let words = ["--shm-size", "3m", "--ulimit", "nofile=77:88", "--sysctl", "net.ipv4.ip_default_ttl=42"];
    let more = ["--read-only", "--init", "--hostname", "boat", "--domainname", "sea", "--oom-score-adj", "9"];
    let third = ["--log-driver", "local", "--restart", "on-failure:2", "--stop-timeout", "3", "--uts", ""];
    let run =
        [&["run", "-d", "--name", "box"], &words[..], &more, &third, &["base", "sleep", "1000"]].concat();
    docker(lab, &run).ok();
    // PID 1 is our init; the program is its child.
    let pid = lab.pid("box");
    let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
    let on = |place: &str| mounts.lines().find(|line| line.split(' ').nth(4) == Some(place)).unwrap();
    assert!(on("/dev/shm").contains("size=3072k"), "{}", on("/dev/shm"));
    assert!(on("/").split(' ').nth(5).unwrap().split(',').any(|word| word == "ro"), "{}", on("/"));
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().skip(3).take(2).collect::<Vec<_>>(), ["77", "88"]);
    assert_eq!(fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap().trim(), "9");
    docker(lab, &["exec", "box", "cat", "/proc/sys/net/ipv4/ip_default_ttl"]).ok().says("42");
    let template = "{{.HostConfig.ShmSize}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Init}} \
                    {{.HostConfig.OomScoreAdj}} {{.HostConfig.LogConfig.Type}} {{.Config.StopTimeout}} \
                    {{.Config.Domainname}} {{.HostConfig.RestartPolicy.MaximumRetryCount}} \
                    {{(index .HostConfig.Ulimits 0).Hard}} {{.HostConfig.Sysctls}}";
    let shown = docker(lab, &["inspect", "-f", template, "box"]).ok();
    shown.says("3145728 true true 9 local 3 sea 2 88 map[net.ipv4.ip_default_ttl:42]");
}

fn options_that_canoa_has_not_are_refused_by_their_names(lab: &Lab) {
    lab.canoa(&["run", "--rm", "base", "true"]).ok();
    for (words, complaint) in [
        (&["--gpus", "all"][..], "could not select device driver \"\" with capabilities: [[gpu]]"),
        (&["--runtime", "strange"], "unknown or invalid runtime name: strange"),
        (&["--link", "other"], "--link on a network that isn't one of your own: canoa can't do that yet"),
        (&["--cgroup-parent", "/mine"], "--cgroup-parent: canoa can't do that yet"),
        (&["--cgroupns", "host"], "--cgroupns: canoa can't do that yet"),
        (&["--storage-opt", "size=1g"], "--storage-opt: canoa can't do that yet"),
        (&["--blkio-weight", "500"], "--blkio-weight: canoa can't do that yet"),
        (&["--device-read-bps", "/dev/null:1m"], "--device-read-bps: canoa can't do that yet"),
        (&["--memory-swappiness", "5"], "--memory-swappiness: canoa can't do that yet"),
        (&["--mac-address", "03:42:ac:11:00:09"], "invalid MAC address: 03:42:ac:11:00:09"),
        (&["--volume-driver", "cloud", "-v", "x:/x"], "--volume-driver: canoa can't do that yet"),
        (&["--log-driver", "syslog"], "logger: no log driver named 'syslog' is registered"),
    ] {
        let ran = docker(lab, &[&["create"], words, &["base", "true"]].concat());
        ran.exits(1).complains_about(complaint);
    }
    docker(lab, &["ps", "-aq"]).ok().says("");
    docker(lab, &["volume", "ls", "-q"]).ok().says("");
}

fn a_container_has_the_hardware_address_that_was_asked_for(lab: &Lab) {
    hardware_address(|arguments| lab.canoa(arguments));
}

fn docker_gives_the_hardware_address_that_was_asked_for(lab: &Lab) {
    hardware_address(|arguments| docker(lab, arguments));
}

fn hardware_address(client: impl Fn(&[&str]) -> Ran) {
    let flags = ["run", "--name", "box", "--mac-address", "02:42:AC:1d:00:99"];
    let look = ["base", "cat", "/sys/class/net/eth0/address"];
    client(&[&flags[..], &look].concat()).ok().says("02:42:ac:1d:00:99");
    // The next start has it as well, and so has a network of one's own.
    client(&["start", "-a", "box"]).ok().says("02:42:ac:1d:00:99");
    client(&["network", "create", "sea"]).ok();
    let place = ["run", "--name", "other", "--network", "name=sea,mac-address=02:42:ac:1d:00:98"];
    client(&[&place[..], &look].concat()).ok().says("02:42:ac:1d:00:98");
    for (wrong, words) in [
        (&["--mac-address", "02:42"][..], "mac address"),
        (&["--mac-address", "02:42:ac:1d:00:99", "--network", "host"], "mac-address and the network mode"),
    ] {
        client(&[&["create"], wrong, &["base"]].concat()).complains_about(words);
    }
}

fn options_that_change_nothing_here_are_taken_and_shown(lab: &Lab) {
    let flags = ["--userns", "host", "--isolation", "default", "--volume-driver", "local"];
    let create = ["create", "--name", "box", "--annotation", "com.example=why"];
    lab.canoa(&[&create[..], &flags, &["base", "true"]].concat()).ok();
    let host = lab.inspect("box")["HostConfig"].clone();
    assert_eq!((&host["UsernsMode"], &host["VolumeDriver"]), (&"host".into(), &"local".into()));
    assert_eq!(host["Annotations"], serde_json::json!({ "com.example": "why" }));
    lab.canoa(&["-D", "--log-level", "debug", "ps", "-aq"]).ok();
    lab.canoa(&["--log-level", "loud", "ps"]).exits(1).complains_about("loud");
}

fn what_is_not_there_is_removed_by_force(lab: &Lab) {
    lab.canoa(&["rmi", "nope"]).exits(1).complains_about("No such image: nope");
    lab.canoa(&["rmi", "-f", "--no-prune", "nope"]).ok().complains_about("No such image: nope");
}
