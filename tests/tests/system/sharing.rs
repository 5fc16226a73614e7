//! What containers share with each other, and with the host.

use std::fs;
use std::path::Path;

use e2e::case;
use e2e::case::Case;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;

pub const CASES: &[Case] = &[
    case!(a_container_sees_the_hosts_processes_if_it_was_asked_for),
    case!(what_a_container_without_processes_of_its_own_leaves_running_is_ended).needs(&[Need::Canoa]),
    case!(a_container_joins_the_processes_of_another),
    case!(a_container_joins_the_ipc_of_another_and_its_shared_memory),
    case!(ipc_none_leaves_no_shared_memory),
    case!(a_domain_name_is_the_containers_own),
    case!(the_kernel_is_told_whom_to_end_first),
    case!(what_can_not_be_shared_is_refused),
    case!(docker_shares_processes_and_ipc).needs(&[Need::Tool("docker")]),
    case!(a_log_driver_is_used_or_refused),
    case!(files_of_labels_and_ids_are_read_and_written),
];

fn namespace(pid: i32, kind: &str) -> String {
    fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap().display().to_string()
}

/// The processes with these arguments that the lab sees.
fn with_arguments(words: &str) -> Vec<i32> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_one = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").trim() == words
    };
    pids.filter(is_one).collect()
}

fn a_container_sees_the_hosts_processes_if_it_was_asked_for(lab: &Lab) {
    lab.canoa(&["run", "-d", "--name", "box", "--pid", "host", "base", "sleep", "1000"]).ok();
    let pid = lab.pid("box");
    assert_eq!(namespace(pid, "pid"), namespace(std::process::id() as i32, "pid"));
    // By the number that it has out here.
    let line = lab.canoa(&["exec", "box", "cat", &format!("/proc/{pid}/cmdline")]).ok();
    assert_eq!(line.stdout, "sleep\x001000\0");
    lab.canoa(&["exec", "box", "test", "-d", &format!("/proc/{}", std::process::id())]).ok();
    assert_eq!(lab.inspect("box")["HostConfig"]["PidMode"], "host");
    // `top` still shows its own.
    let top = lab.canoa(&["top", "box"]).ok();
    assert_eq!(top.lines().len(), 2, "{top}");
    top.mentions("sleep 1000");
    lab.canoa(&["stop", "-t", "1", "box"]).ok();
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

fn what_a_container_without_processes_of_its_own_leaves_running_is_ended(lab: &Lab) {
    let script = "sleep 54301 & (sleep 54301 &) ; sleep 0.2; exit 7";
    lab.canoa(&["run", "--name", "box", "--pid", "host", "base", "sh", "-c", script]).exits(7);
    eventually("nothing is left", || with_arguments("sleep 54301").is_empty());
    // Also when it is killed.
    let script = "sleep 54302 & exec sleep 54303";
    lab.canoa(&["run", "-d", "--name", "other", "--pid", "host", "base", "sh", "-c", script]).ok();
    eventually("it runs", || with_arguments("sleep 54302").len() == 1);
    lab.canoa(&["rm", "-f", "other"]).ok();
    eventually("nothing is left", || with_arguments("sleep 54302").is_empty());
}

fn a_container_joins_the_processes_of_another(lab: &Lab) {
    lab.runs("first", &["sleep", "54310"]);
    lab.canoa(&["run", "-d", "--name", "second", "--pid", "container:first", "base", "sleep", "1000"]).ok();
    let (first, second) = (lab.pid("first"), lab.pid("second"));
    assert_eq!(namespace(first, "pid"), namespace(second, "pid"));
    for kind in ["mnt", "net", "ipc", "uts"] {
        assert_ne!(namespace(first, kind), namespace(second, kind), "{kind}");
    }
    let seen = lab.canoa(&["exec", "second", "cat", "/proc/1/cmdline"]).ok();
    assert_eq!(seen.stdout, "sleep\x0054310\0");
    // By its id: names may change.
    let mode = lab.inspect("second")["HostConfig"]["PidMode"].as_str().unwrap().to_owned();
    assert_eq!(mode, format!("container:{}", lab.inspect("first")["Id"].as_str().unwrap()));
    lab.canoa(&["top", "second"]).ok().mentions("sleep 1000").is_silent_on("54310");
    // With the first process of the namespace everything in it ends.
    lab.canoa(&["stop", "-t", "0", "first"]).ok();
    lab.canoa(&["wait", "second"]).ok().says("137");
    let refused = lab.canoa(&["start", "second"]).exits(1);
    refused.complains_about("cannot join PID of a non running container");
    lab.canoa(&["start", "first"]).ok();
    lab.canoa(&["start", "second"]).ok();
    assert_eq!(namespace(lab.pid("first"), "pid"), namespace(lab.pid("second"), "pid"));
    // Publishing needs threads, which nobody has between two pid namespaces; and only root comes back.
    let run = ["run", "-d", "--name", "third", "--pid", "container:first", "-p", "127.0.0.1::80"];
    let ran = lab.canoa(&[&run[..], &["base", "sleep", "1000"]].concat());
    match lab.is_root() {
        true => drop(ran.ok()),
        false => drop(ran.exits(125).complains_about("canoa can't do that yet")),
    }
}

fn a_container_joins_the_ipc_of_another_and_its_shared_memory(lab: &Lab) {
    lab.canoa(&["run", "-d", "--name", "first", "--ipc", "shareable", "base", "sleep", "1000"]).ok();
    lab.canoa(&["exec", "first", "sh", "-c", "echo shared > /dev/shm/note"]).ok();
    lab.canoa(&["run", "-d", "--name", "second", "--ipc", "container:first", "base", "sleep", "1000"]).ok();
    assert_eq!(namespace(lab.pid("first"), "ipc"), namespace(lab.pid("second"), "ipc"));
    assert_ne!(namespace(lab.pid("first"), "mnt"), namespace(lab.pid("second"), "mnt"));
    lab.canoa(&["exec", "second", "cat", "/dev/shm/note"]).ok().says("shared");
    lab.canoa(&["exec", "second", "sh", "-c", "echo back > /dev/shm/note"]).ok();
    lab.canoa(&["exec", "first", "cat", "/dev/shm/note"]).ok().says("back");
    // One that was not asked to be shared isn't.
    lab.runs("alone", &["sleep", "1000"]);
    let refused = lab.canoa(&["run", "--ipc", "container:alone", "base", "true"]).exits(125);
    refused.complains_about("non-shareable IPC (hint: use IpcMode:shareable for the donor container)");
}

fn ipc_none_leaves_no_shared_memory(lab: &Lab) {
    lab.canoa(&["run", "-d", "--name", "box", "--ipc", "none", "base", "sleep", "1000"]).ok();
    let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", lab.pid("box"))).unwrap();
    assert!(!mounts.contains("/dev/shm"), "{mounts}");
    assert_ne!(namespace(lab.pid("box"), "ipc"), namespace(std::process::id() as i32, "ipc"));
}

fn a_domain_name_is_the_containers_own(lab: &Lab) {
    let before = fs::read_to_string("/proc/sys/kernel/domainname").unwrap();
    let names = ["--hostname", "boat", "--domainname", "sea.example"];
    let script = "cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname; grep boat /etc/hosts";
    let run = [&["run", "-d", "--name", "box"], &names[..], &["base", "sleep", "1000"]].concat();
    lab.canoa(&run).ok();
    let said = lab.canoa(&["exec", "box", "sh", "-c", script]).ok();
    assert_eq!(said.lines()[..2], ["boat", "sea.example"]);
    said.mentions("boat.sea.example");
    assert_eq!(lab.inspect("box")["Config"]["Domainname"], "sea.example");
    assert_eq!(fs::read_to_string("/proc/sys/kernel/domainname").unwrap(), before);
}

fn the_kernel_is_told_whom_to_end_first(lab: &Lab) {
    lab.canoa(&["run", "-d", "--name", "box", "--oom-score-adj", "500", "base", "sleep", "1000"]).ok();
    let score = fs::read_to_string(format!("/proc/{}/oom_score_adj", lab.pid("box"))).unwrap();
    assert_eq!(score.trim(), "500");
    lab.canoa(&["exec", "box", "cat", "/proc/self/oom_score_adj"]).ok().says("500");
    assert_eq!(lab.inspect("box")["HostConfig"]["OomScoreAdj"], 500);
    let refused = lab.canoa(&["create", "--oom-score-adj", "1001", "base"]);
    refused.exits(1).complains_about("range for oom score adj is [-1000, 1000]");
}

fn what_can_not_be_shared_is_refused(lab: &Lab) {
    for (words, complaint) in [
        (&["--pid", "all"][..], "invalid PID mode: all"),
        (&["--pid", "container:"], "invalid PID mode: container:"),
        (&["--pid", "container:nobody"], "No such container: nobody"),
        (&["--ipc", "all"], "invalid IPC mode: all"),
        (&["--ipc", "container:nobody"], "No such container: nobody"),
        (&["--uts", "container:x"], "invalid UTS mode: container:x"),
        (&["--uts", "host", "--domainname", "x"], "domainname and the UTS mode"),
        (&["--domainname", "a b"], "invalid domainname"),
    ] {
        lab.canoa(&[&["create"], words, &["base", "true"]].concat()).exits(1).complains_about(complaint);
    }
    lab.canoa(&["ps", "-aq"]).ok().says("");
}

fn docker_shares_processes_and_ipc(lab: &Lab) {
    lab.with_daemon();
    let docker = |arguments: &[&str]| {
        let mut command = lab.program("docker");
        command.env("DOCKER_HOST", format!("unix://{}", lab.socket().display())).args(arguments);
        lab.finish(&mut command)
    };
    docker(&["run", "-d", "--name", "first", "--ipc", "shareable", "base", "sleep", "54311"]).ok();
    docker(&["exec", "first", "touch", "/dev/shm/here"]).ok();
    let modes = ["--pid", "container:first", "--ipc", "container:first", "--domainname", "sea"];
    let script = "ls /dev/shm; cat /proc/1/cmdline /proc/sys/kernel/domainname";
    let ran = docker(&[&["run", "--rm"], &modes[..], &["base", "sh", "-c", script]].concat()).ok();
    assert_eq!(ran.stdout, "here\nsleep\x0054311\0sea\n");
    docker(&[
        "run",
        "--rm",
        "--pid",
        "host",
        "--oom-score-adj",
        "7",
        "base",
        "cat",
        "/proc/self/oom_score_adj",
    ])
    .ok()
    .says("7");
}

fn a_log_driver_is_used_or_refused(lab: &Lab) {
    lab.canoa(&["run", "--name", "local", "--log-driver", "local", "base", "echo", "said"]).ok();
    lab.canoa(&["logs", "local"]).ok().says("said");
    assert_eq!(lab.inspect("local")["HostConfig"]["LogConfig"]["Type"], "local");
    lab.canoa(&["run", "--name", "none", "--log-driver", "none", "base", "echo", "said"]).ok().says("said");
    let refused = lab.canoa(&["logs", "none"]).exits(1);
    refused.complains_in_one_line_about("configured logging driver does not support reading");
    let refused = lab.canoa(&["create", "--log-driver", "syslog", "base"]).exits(1);
    refused.complains_in_one_line_about("logger: no log driver named 'syslog' is registered");
    let refused = lab.canoa(&["create", "--log-opt", "color=red", "base"]).exits(1);
    refused.complains_in_one_line_about("unknown log opt 'color' for json-file log driver");
}

fn files_of_labels_and_ids_are_read_and_written(lab: &Lab) {
    let (labels, id) = (lab.folder.join("tmp/labels"), lab.folder.join("tmp/id"));
    fs::write(&labels, "# these\nfrom=file\nboth=file\n").unwrap();
    let (labels, cidfile) = (labels.display().to_string(), id.display().to_string());
    let words = ["--label-file", &labels, "-l", "both=flag", "--cidfile", &cidfile];
    let said = lab.canoa(&[&["create", "--name", "box"], &words[..], &["base"]].concat()).ok();
    assert_eq!(fs::read_to_string(&id).unwrap(), said.text());
    let inspected = lab.inspect("box");
    assert_eq!(inspected["Config"]["Labels"]["from"], "file");
    assert_eq!(inspected["Config"]["Labels"]["both"], "flag");
    assert_eq!(inspected["HostConfig"]["ContainerIDFile"], cidfile.as_str());
    let refused = lab.canoa(&["create", "--cidfile", &cidfile, "base"]).exits(125);
    refused.complains_in_one_line_about("container ID file found");
    fs::remove_file(&id).unwrap();
    lab.canoa(&["create", "--cidfile", &cidfile, "--name", "box", "base"]);
    assert!(!id.exists(), "what wasn't made leaves no file");
}
