//! The daemon may die, and be replaced: containers go on.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use e2e::case;
use e2e::case::Case;
use e2e::cgroup;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;

pub const CASES: &[Case] = &[
    case!(a_killed_daemon_finds_its_containers_again).needs(&[Need::Canoa]),
    case!(output_goes_on_while_the_daemon_is_down).needs(&[Need::Canoa]),
    case!(an_exit_while_the_daemon_was_down_is_known).needs(&[Need::Canoa]),
    case!(a_container_with_rm_that_ended_meanwhile_is_removed).needs(&[Need::Canoa]),
    case!(an_exec_goes_on_when_the_daemon_dies).needs(&[Need::Canoa]),
    case!(an_address_in_use_is_not_given_again_after_a_crash).needs(&[Need::Canoa]),
    case!(a_container_whose_monitor_died_is_known_as_ended).needs(&[Need::Canoa, Need::Users]),
    case!(system_stop_ends_the_daemon_and_the_next_command_starts_one).needs(&[Need::Canoa]),
    case!(system_stop_leaves_running_containers_running).needs(&[Need::Canoa]),
    case!(system_reset_removes_everything).needs(&[Need::Canoa]),
    case!(a_rebuilt_canoa_replaces_the_daemon_and_containers_live_on).needs(&[Need::Canoa]),
    case!(a_second_daemon_on_the_same_data_root_is_refused).needs(&[Need::Canoa]),
    case!(the_socket_is_for_its_owner_and_group_only).needs(&[Need::Canoa]),
    case!(version_and_info_tell_client_and_engine).in_both_forms(),
];

fn a_killed_daemon_finds_its_containers_again(lab: &Lab) {
    let id = lab.runs("box", &["sh", "-c", "trap 'exit 7' TERM; while true; do sleep 0.1; done"]);
    let (pid, address) = (lab.pid("box"), lab.address("box"));
    lab.canoa(&["run", "--name", "ended", "base", "sh", "-c", "exit 3"]).exits(3);
    lab.kill_daemon();
    assert!(fs::exists(format!("/proc/{pid}")).unwrap(), "the container goes on");
    lab.start_daemon();
    lab.canoa(&["ps", "-q", "--no-trunc"]).ok().says(&id);
    lab.canoa(&["ps", "-a"]).ok().mentions("Exited (3)");
    assert_eq!((lab.pid("box"), lab.address("box")), (pid, address));
    lab.canoa(&["exec", "box", "echo", "hello"]).ok().says("hello");
    lab.canoa(&["stop", "box"]).ok();
    lab.canoa(&["wait", "box"]).ok().says("7");
}

fn output_goes_on_while_the_daemon_is_down(lab: &Lab) {
    lab.runs("talker", &["sh", "-c", "i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo $i; sleep 0.1; done"]);
    eventually("it talks", || lab.canoa(&["logs", "talker"]).stdout.contains('3'));
    lab.kill_daemon();
    std::thread::sleep(std::time::Duration::from_millis(500));
    lab.start_daemon();
    let all = (1..=30).map(|number| number.to_string()).collect::<Vec<_>>().join("\n");
    lab.canoa(&["logs", "-f", "talker"]).ok().says(&all);
    lab.canoa(&["wait", "talker"]).ok().says("0");
}

fn an_exit_while_the_daemon_was_down_is_known(lab: &Lab) {
    lab.runs("short", &["sh", "-c", "sleep 0.5; exit 21"]);
    let pid = lab.pid("short");
    lab.kill_daemon();
    eventually("it ends", || !fs::exists(format!("/proc/{pid}")).unwrap());
    std::thread::sleep(std::time::Duration::from_millis(200));
    lab.start_daemon();
    lab.canoa(&["ps", "-a"]).ok().mentions("Exited (21)");
    lab.canoa(&["wait", "short"]).ok().says("21");
    lab.canoa(&["start", "-a", "short"]).exits(21);
}

fn a_container_with_rm_that_ended_meanwhile_is_removed(lab: &Lab) {
    lab.canoa(&["run", "-d", "--rm", "--name", "short", "base", "sleep", "0.5"]).ok();
    let pid = lab.pid("short");
    lab.kill_daemon();
    eventually("it ends", || !fs::exists(format!("/proc/{pid}")).unwrap());
    lab.start_daemon();
    eventually("it is removed", || lab.canoa(&["ps", "-aq"]).ok().text().is_empty());
}

fn an_exec_goes_on_when_the_daemon_dies(lab: &Lab) {
    lab.runs("box", &["sleep", "1000"]);
    lab.canoa(&["exec", "-d", "box", "sh", "-c", "sleep 1; echo done > /note"]).ok();
    lab.kill_daemon();
    lab.start_daemon();
    eventually("the exec has ended", || lab.canoa(&["exec", "box", "cat", "/note"]).stdout == "done\n");
}

fn an_address_in_use_is_not_given_again_after_a_crash(lab: &Lab) {
    lab.runs("one", &["sleep", "1000"]);
    lab.kill_daemon();
    lab.start_daemon();
    lab.runs("two", &["sleep", "1000"]);
    assert_ne!(lab.address("one"), lab.address("two"));
}

fn a_container_whose_monitor_died_is_known_as_ended(lab: &Lab) {
    // A process that takes on another user loses the signal that its parent's death would send it
    // (prctl(2), PR_SET_PDEATHSIG), unless it asks for that afterwards.
    for user in ["0", "1000"] {
        let name = format!("user-{user}");
        let ran = lab.canoa(&["run", "-d", "--name", &name, "-u", user, "base", "sleep", "1000"]).ok();
        let id = ran.lines()[0].to_owned();
        let pid = lab.pid(&name);
        let monitor = parent(pid);
        let line = fs::read_to_string(format!("/proc/{monitor}/cmdline")).unwrap();
        assert!(line.contains("monitor"), "its parent should be its monitor: {line:?}");
        lab.host(&["kill", "-9", &monitor.to_string()]).ok();
        lab.canoa(&["wait", &name]).ok().says("137");
        eventually("it dies with its monitor", || !fs::exists(format!("/proc/{pid}")).unwrap());
        eventually("its control group goes with it", || {
            !cgroup::groups().iter().any(|group| group.ends_with(&id))
        });
        lab.canoa(&["start", &name]).ok();
        lab.canoa(&["exec", &name, "true"]).ok();
        lab.canoa(&["rm", "-f", &name]).ok();
    }
}

fn parent(pid: i32) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap()
}

/// A canoa that finds or starts the engine by itself, as a person's does.
fn by_itself(lab: &Lab, binary: &PathBuf, arguments: &[&str]) -> Command {
    let mut command = lab.program(binary);
    command.args(arguments);
    command
}

/// The daemons of this lab: as root it has a pid namespace of its own, else they are known by their mark.
fn daemons(lab: &Lab) -> Vec<i32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|process| process.file_name().to_string_lossy().parse::<i32>().ok());
    pids.filter(|pid| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let ours = format!("{}={}", e2e::sweep::MARK, lab.name);
        let ours = environment.split(|byte| *byte == 0).any(|one| one == ours.as_bytes());
        ours && line.split('\0').nth(1) == Some("daemon")
    })
    .collect()
}

fn system_stop_ends_the_daemon_and_the_next_command_starts_one(lab: &Lab) {
    let canoa = |arguments: &[&str]| lab.finish(&mut by_itself(lab, &lab.binary, arguments));
    canoa(&["run", "--name", "kept", "base", "echo", "one"]).ok().says("one");
    assert_eq!(daemons(lab).len(), 1);
    canoa(&["system", "stop"]).ok();
    eventually("the daemon has ended", || daemons(lab).is_empty());
    canoa(&["ps", "-a"]).ok().mentions("kept");
    assert_eq!(daemons(lab).len(), 1);
    canoa(&["system", "stop"]).ok();
}

fn system_stop_leaves_running_containers_running(lab: &Lab) {
    lab.runs("box", &["sleep", "1000"]);
    let pid = lab.pid("box");
    lab.canoa(&["system", "stop"]);
    lab.stopped();
    lab.start_daemon();
    assert_eq!(lab.pid("box"), pid);
    lab.canoa(&["exec", "box", "true"]).ok();
}

fn system_reset_removes_everything(lab: &Lab) {
    let canoa = |arguments: &[&str]| lab.finish(&mut by_itself(lab, &lab.binary, arguments));
    canoa(&["run", "-d", "--name", "box", "-v", "mine:/data", "base", "sleep", "1000"]).ok();
    canoa(&["system", "reset", "-f"]).ok();
    eventually("no daemon is left", || daemons(lab).is_empty());
    let root = match lab.is_root() {
        true => PathBuf::from("/var/lib/canoa"),
        false => lab.folder.join("data/canoa"),
    };
    assert!(!root.exists() || fs::read_dir(&root).unwrap().count() == 0, "{}", root.display());
    canoa(&["ps", "-aq"]).ok().says("");
    canoa(&["volume", "ls", "-q"]).ok().says("");
    canoa(&["system", "stop"]).ok();
}

fn a_rebuilt_canoa_replaces_the_daemon_and_containers_live_on(lab: &Lab) {
    let canoa = |binary: &PathBuf, arguments: &[&str]| lab.finish(&mut by_itself(lab, binary, arguments));
    let old = lab.folder.join("home/canoa");
    fs::copy(&lab.binary, &old).unwrap();
    canoa(&old, &["run", "-d", "--name", "box", "base", "sleep", "1000"]).ok();
    let before = daemons(lab);
    assert_eq!(before.len(), 1);
    canoa(&old, &["exec", "box", "true"]).ok();
    assert_eq!(daemons(lab), before, "the same build leaves the daemon alone");

    // As cargo does it: another file in the place of the old one, which differs from it in more than
    // its time.
    let new = lab.folder.join("home/canoa.new");
    fs::copy(&old, &new).unwrap();
    rebuild(lab, &new);
    fs::rename(&new, &old).unwrap();
    canoa(&old, &["exec", "box", "echo", "still here"]).ok().says("still here");
    let after = daemons(lab);
    assert_eq!(after.len(), 1);
    assert_ne!(after, before, "the daemon is another");
    canoa(&old, &["ps"]).ok().mentions("box");
    canoa(&old, &["stop", "-t", "0", "box"]).ok();
    canoa(&old, &["system", "stop"]).ok();
}

/// Makes a program another build of itself: one more byte at its end, which nobody reads, and another
/// build id where it has one.
fn rebuild(lab: &Lab, program: &PathBuf) {
    let notes = lab.host(&["readelf", "-n", program.to_str().unwrap()]);
    let id = notes.lines().iter().find_map(|line| line.trim().strip_prefix("Build ID: ")).map(str::to_owned);
    let mut bytes = fs::read(program).unwrap();
    if let Some(id) = id {
        let id: Vec<u8> =
            (0..id.len()).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()).collect();
        let at = bytes.windows(id.len()).position(|window| window == id).unwrap();
        bytes[at] ^= 0xff;
    }
    bytes.push(0);
    fs::write(program, bytes).unwrap();
}

fn a_second_daemon_on_the_same_data_root_is_refused(lab: &Lab) {
    lab.with_daemon();
    let mut command = lab.program(&lab.binary);
    let socket = format!("unix://{}", lab.folder.join("2.sock").display());
    command.args(["daemon", "-H", &socket, "--data-root"]).arg(lab.data_root());
    command.arg("--exec-root").arg(lab.folder.join("2"));
    let ran = lab.finish(&mut command);
    ran.exits(1).complains_about(&format!("{} is in use", lab.data_root().display()));
    lab.canoa(&["ps"]).ok();
}

fn the_socket_is_for_its_owner_and_group_only(lab: &Lab) {
    use std::os::unix::fs::PermissionsExt;
    lab.with_daemon();
    let mode = fs::metadata(lab.socket()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode & 0o007, 0, "{mode:o}");
}

fn version_and_info_tell_client_and_engine(lab: &Lab) {
    let version = lab.canoa(&["version"]).ok();
    for part in ["Client:", "Server:", "API version:"] {
        assert!(version.stdout.contains(part), "{part} is missing:\n{version}");
    }
    let info = lab.canoa(&["info"]).ok();
    info.mentions("Containers: 0").mentions("Kernel Version:").mentions("Architecture:");
}
