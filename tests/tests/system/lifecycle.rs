//! From `create` to `rm`, and what can be asked meanwhile.

use std::io::Write;
use std::process::Stdio;
use std::time::Instant;

use e2e::case;
use e2e::case::Case;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;

pub const CASES: &[Case] = &[
    case!(a_container_is_created_then_started).in_both_forms(),
    case!(start_with_a_shows_the_output_and_exits_with_the_programs_code).in_both_forms(),
    case!(stop_asks_first_and_then_kills).in_both_forms(),
    case!(kill_sends_any_signal).in_both_forms(),
    case!(wait_waits_for_the_end).in_both_forms(),
    case!(attach_joins_a_running_container).in_both_forms(),
    case!(rm_takes_only_what_has_ended_unless_forced).in_both_forms(),
    case!(ps_lists_as_docker_does).in_both_forms(),
    case!(exec_runs_beside_the_first_process).needs(&[Need::Users]).in_both_forms(),
    case!(exec_takes_a_terminal),
    case!(top_shows_the_processes_of_a_container).in_both_forms(),
    case!(logs_keep_what_was_said).in_both_forms(),
    case!(logs_follow_what_is_being_said).in_both_forms(),
    case!(inspect_tells_everything).in_both_forms(),
    case!(export_is_a_tar_of_the_merged_file_system).in_both_forms(),
    case!(several_containers_are_taken_at_once),
    case!(a_container_starts_many_times),
];

fn a_container_is_created_then_started(lab: &Lab) {
    let id = lab.canoa(&["create", "--name", "new", "base", "sh", "-c", "echo ran > /note"]).ok();
    assert_eq!(id.text().len(), 64, "{id}");
    lab.canoa(&["ps", "-a"]).ok().mentions("Created");
    assert_eq!(lab.inspect("new")["State"]["Running"], false);
    lab.canoa(&["start", "new"]).ok().says("new");
    lab.canoa(&["wait", "new"]).ok().says("0");
    lab.canoa(&["ps", "-a"]).ok().mentions("Exited (0)");
}

fn start_with_a_shows_the_output_and_exits_with_the_programs_code(lab: &Lab) {
    lab.canoa(&["create", "--name", "new", "base", "sh", "-c", "echo once more; exit 9"]).ok();
    lab.canoa(&["start", "-a", "new"]).exits(9).says("once more");
    lab.canoa(&["start", "-a", "new"]).exits(9).says("once more");
}

fn stop_asks_first_and_then_kills(lab: &Lab) {
    lab.runs("polite", &["sh", "-c", "trap 'echo bye; exit 7' TERM; while true; do sleep 0.1; done"]);
    lab.canoa(&["exec", "polite", "true"]).ok();
    std::thread::sleep(std::time::Duration::from_millis(200));
    lab.canoa(&["stop", "polite"]).ok().says("polite");
    lab.canoa(&["wait", "polite"]).ok().says("7");
    lab.canoa(&["logs", "polite"]).ok().says("bye");

    lab.runs("deaf", &["sleep", "1000"]);
    let before = Instant::now();
    lab.canoa(&["stop", "-t", "1", "deaf"]).ok();
    let took = before.elapsed().as_secs_f32();
    assert!((0.9..6.0).contains(&took), "stopping took {took} s");
    lab.canoa(&["wait", "deaf"]).ok().says("137");
    // Stopping what has stopped is no error.
    lab.canoa(&["stop", "deaf"]).ok();
}

fn kill_sends_any_signal(lab: &Lab) {
    lab.runs("trapped", &["sh", "-c", "trap 'exit 21' USR1; echo ready; while true; do sleep 0.1; done"]);
    eventually("the trap is set", || lab.canoa(&["logs", "trapped"]).stdout.contains("ready"));
    lab.canoa(&["kill", "-s", "USR1", "trapped"]).ok().says("trapped");
    lab.canoa(&["wait", "trapped"]).ok().says("21");
    lab.runs("killed", &["sleep", "1000"]);
    lab.canoa(&["kill", "killed"]).ok();
    lab.canoa(&["wait", "killed"]).ok().says("137");
}

fn wait_waits_for_the_end(lab: &Lab) {
    lab.runs("short", &["sh", "-c", "sleep 0.5; exit 5"]);
    lab.canoa(&["wait", "short"]).ok().says("5");
    lab.canoa(&["wait", "short"]).ok().says("5");
}

fn attach_joins_a_running_container(lab: &Lab) {
    lab.canoa(&[
        "run",
        "-di",
        "--name",
        "echo",
        "base",
        "sh",
        "-c",
        "read line; sleep 0.3; echo got $line; exit 6",
    ])
    .ok();
    // Input that ends would end Docker's attach, with what is still to come: this one stays open.
    let mut command = lab.command(&["attach", "echo"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut attached = command.spawn().unwrap();
    let mut input = attached.stdin.take().unwrap();
    input.write_all(b"this\n").unwrap();
    let output = attached.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "got this\n");
    assert_eq!(output.status.code(), Some(6));
}

fn rm_takes_only_what_has_ended_unless_forced(lab: &Lab) {
    lab.runs("ended", &["true"]);
    lab.canoa(&["wait", "ended"]).ok();
    lab.canoa(&["rm", "ended"]).ok().says("ended");
    lab.runs("running", &["sleep", "1000"]);
    lab.canoa(&["rm", "running"]).exits(1).complains_about("running");
    lab.canoa(&["ps"]).ok().mentions("running");
    lab.canoa(&["rm", "-f", "running"]).ok().says("running");
    lab.canoa(&["ps", "-aq"]).ok().says("");
}

fn ps_lists_as_docker_does(lab: &Lab) {
    lab.canoa(&["ps"]).ok().says("CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES");
    let id = lab.runs("one", &["sleep", "1000"]);
    let table = lab.canoa(&["ps"]).ok();
    let row = table.lines()[1].to_owned();
    for part in [&id[..12], "base", "\"sleep 1000\"", "ago", "Up ", "one"] {
        assert!(row.contains(part), "{part} is missing:\n{table}");
    }
    // A column begins where its title does.
    assert_eq!(table.lines()[0].find("NAMES"), row.find("one"), "\n{table}");
    lab.canoa(&["ps", "-q"]).ok().says(&id[..12]);
    // A container that nobody named has a name all the same.
    let other = lab.canoa(&["run", "-d", "base", "true"]).ok().text().to_owned();
    lab.canoa(&["wait", &other]).ok();
    assert_eq!(lab.canoa(&["ps", "-q"]).ok().lines().len(), 1);
    let all = lab.canoa(&["ps", "-a"]).ok();
    assert_eq!(all.lines().len(), 3, "{all}");
    // The newest first.
    assert!(all.lines()[1].starts_with(&other[..12]), "{all}");
    let name = lab.inspect(&other)["Name"].as_str().unwrap().to_owned();
    assert!(name.len() > 4 && name.starts_with('/') && name.contains('_'), "{name}");
}

fn exec_runs_beside_the_first_process(lab: &Lab) {
    lab.canoa(&["run", "-d", "--name", "box", "-e", "FROM=run", "-w", "/etc", "base", "sleep", "1000"]).ok();
    lab.canoa(&["exec", "box", "sh", "-c", "echo $FROM; pwd; exit 11"]).exits(11).says("run\n/etc");
    lab.canoa(&["exec", "-e", "MORE=1", "-w", "/", "box", "sh", "-c", "echo $MORE; pwd"]).ok().says("1\n/");
    lab.canoa(&["exec", "-u", "1234", "box", "id", "-u"]).ok().says("1234");
    lab.canoa_reading(b"typed\n", &["exec", "-i", "box", "cat"]).ok().says("typed");
    let ran = lab.canoa(&["exec", "box", "sh", "-c", "echo out; echo err >&2"]).ok();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out\n", "err\n"));
    // The same processes, the same host name, the same interfaces.
    lab.canoa(&["exec", "box", "ps"]).ok().mentions("sleep 1000");
    let id = lab.inspect("box")["Id"].as_str().unwrap()[..12].to_owned();
    lab.canoa(&["exec", "box", "hostname"]).ok().says(&id);
    lab.canoa(&["exec", "box", "ls", "/sys/class/net"]).ok().mentions("eth0");
    // In the background.
    lab.canoa(&["exec", "-d", "box", "sh", "-c", "echo made > /tmp-made"]).ok().says("");
    eventually("the file is made", || lab.canoa(&["exec", "box", "cat", "/tmp-made"]).stdout == "made\n");
}

fn exec_takes_a_terminal(lab: &Lab) {
    lab.runs("box", &["sleep", "1000"]);
    let mut shell = e2e::terminal::Terminal::start(lab.command(&["exec", "-it", "box", "sh"]));
    assert_eq!(shell.asks("test -t 0 && echo a terminal"), "a terminal");
    shell.types("exit 8");
    assert_eq!(shell.ends(), 8);
    assert_eq!(lab.inspect("box")["State"]["Running"], true);
}

fn top_shows_the_processes_of_a_container(lab: &Lab) {
    lab.runs("box", &["sleep", "1000"]);
    let table = lab.canoa(&["top", "box"]).ok();
    assert!(table.lines()[0].contains("PID") && table.lines()[0].contains("CMD"), "{table}");
    assert_eq!(table.lines().len(), 2, "{table}");
    table.mentions("sleep 1000");
}

fn logs_keep_what_was_said(lab: &Lab) {
    lab.runs("talker", &["sh", "-c", "echo one; echo two >&2; printf three"]);
    lab.canoa(&["wait", "talker"]).ok();
    let logs = lab.canoa(&["logs", "talker"]).ok();
    assert_eq!((logs.stdout.as_str(), logs.stderr.as_str()), ("one\nthree", "two\n"));
    lab.canoa(&["logs", "--tail", "1", "talker"]).ok().says("three");
    // A second run adds to them.
    lab.canoa(&["start", "-a", "talker"]).ok();
    assert_eq!(lab.canoa(&["logs", "talker"]).ok().stdout.matches("one").count(), 2);
}

fn logs_follow_what_is_being_said(lab: &Lab) {
    lab.runs("talker", &["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.3; done"]);
    // Ends by itself, when the container has ended.
    lab.canoa(&["logs", "-f", "talker"]).ok().says("1\n2\n3");
}

fn inspect_tells_everything(lab: &Lab) {
    let id = lab.runs("box", &["sleep", "1000"]);
    let told = lab.inspect("box");
    assert_eq!(told["Id"], id.as_str());
    assert_eq!(told["Name"], "/box");
    assert_eq!(told["State"]["Status"], "running");
    assert_eq!(told["Config"]["Image"], "base");
    assert_eq!(told["Config"]["Cmd"], serde_json::json!(["sleep", "1000"]));
    assert_eq!(told["Config"]["Hostname"], id[..12]);
    let pid = told["State"]["Pid"].as_i64().unwrap();
    let program = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert_eq!(program, b"sleep\x001000\0");
    // Several at once, of several kinds.
    let both = lab.canoa(&["inspect", "box", "base"]).ok();
    let list: serde_json::Value = serde_json::from_str(&both.stdout).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 2, "{both}");
}

fn export_is_a_tar_of_the_merged_file_system(lab: &Lab) {
    lab.runs("box", &["sh", "-c", "echo new > /new-file; sleep 1000"]);
    eventually("the file is made", || lab.canoa(&["exec", "box", "cat", "/new-file"]).code == 0);
    let running = lab.folder.join("running.tar");
    lab.canoa(&["export", "-o", running.to_str().unwrap(), "box"]).ok();
    lab.canoa(&["rm", "-f", "box"]).ok();
    lab.runs("ended", &["sh", "-c", "echo new > /new-file"]);
    lab.canoa(&["wait", "ended"]).ok();
    let ended = lab.folder.join("ended.tar");
    lab.canoa(&["export", "-o", ended.to_str().unwrap(), "ended"]).ok();
    for file in [running, ended] {
        let listing = lab.host(&["tar", "tf", file.to_str().unwrap()]).ok();
        assert!(listing.lines().contains(&"new-file"), "what it wrote is in it:\n{listing}");
        assert!(listing.lines().iter().any(|line| line.starts_with("bin")), "and the image:\n{listing}");
    }
}

fn several_containers_are_taken_at_once(lab: &Lab) {
    for name in ["one", "two", "three"] {
        lab.runs(name, &["sleep", "1000"]);
    }
    lab.canoa(&["kill", "one", "two"]).ok().says("one\ntwo");
    lab.canoa(&["wait", "one", "two"]).ok().says("137\n137");
    // What can be done is done, what can't is complained about.
    lab.canoa(&["rm", "one", "missing", "two"]).exits(1).says("one\ntwo").complains_about("missing");
    lab.canoa(&["ps", "-a"]).ok().mentions("three").is_silent_on("one");
}

fn a_container_starts_many_times(lab: &Lab) {
    lab.canoa(&["create", "--name", "again", "base", "sh", "-c", "echo x >> /count; wc -l < /count"]).ok();
    for round in 1..=5 {
        lab.canoa(&["start", "-a", "again"]).ok().says(&round.to_string());
    }
}
