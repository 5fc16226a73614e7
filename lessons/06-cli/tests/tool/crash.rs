//! The attack: bad luck at the worst moment.

use std::fs;
use std::process::{Child, Command, Stdio};

use namespaces::Process;

use crate::lab::{BOTH, Test, Tool, soon};

pub const TESTS: &[Test] = &[
    ("a_half_created_container_is_swept_and_does_not_take_the_name", BOTH, half_created),
    ("of_many_who_want_a_name_at_once_one_gets_it", BOTH, one_name),
    ("a_container_whose_monitor_was_killed_ends_and_can_be_started_again", BOTH, killed_monitor),
    ("a_record_that_says_running_hinders_nobody_when_nothing_runs", BOTH, old_record),
    ("a_damaged_record_means_no_stranger_and_hides_no_other", BOTH, damaged),
    ("a_process_that_only_has_the_pid_of_the_container_s_is_left_alone", BOTH, reused_pid),
    ("a_failed_start_leaves_nothing_running_and_can_be_repeated", BOTH, failed_start),
];

fn half_created(tool: &Tool) {
    tool.says(&["create", "--name", "boat", "base"]);
    let (path, _) = tool.record();
    // As if the power had failed while a container was made: the record is there, and not yet in
    // its place; and another, of which only half was written.
    let whole = fs::read_to_string(&path).unwrap();
    for (name, text) in [("whole", whole.as_str()), ("half", &whole[..whole.len() / 2])] {
        let folder = tool.data("containers").join(format!(".tmp-{name}"));
        tool.says(&["rm", "boat"]);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("container.json"), text).unwrap();
        fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        assert_eq!(tool.listed("boat"), "");
        tool.says(&["create", "--name", "boat", "base"]);
        assert!(!folder.exists());
    }
}

fn one_name(tool: &Tool) {
    tool.says(&["run", "--rm", "base", "true"]);
    let tries: Vec<Child> =
        (0..6).map(|_| tool.command(&["create", "--name", "boat", "base"]).spawn().unwrap()).collect();
    let codes = tries.into_iter().map(|mut child| child.wait().unwrap().code());
    let (won, lost): (Vec<_>, Vec<_>) = codes.partition(|code| *code == Some(0));
    assert_eq!((won.len(), lost), (1, vec![Some(125); 5]));
    tool.record();
}

fn killed_monitor(tool: &Tool) {
    tool.says(&["run", "-d", "--name", "boat", "base", "sh", "-c", "echo begun; exec sleep 1000"]);
    tool.hears("boat", "begun");
    let process = tool.process();
    let monitor = Process::with_pid(process.parent().unwrap()).unwrap();
    assert!(monitor.signal(libc::SIGKILL).unwrap());
    soon("the container ends with its monitor", || !process.is_alive());

    assert!(tool.listed("boat").contains("Exited (137)"), "{}", tool.listed("boat"));
    tool.fails(&["exec", "boat", "true"], 125, "is not running");
    assert_eq!(tool.says(&["logs", "-f", "boat"]), "begun");
    tool.says(&["start", "boat"]);
    assert!(tool.listed("boat").contains(" Up "), "{}", tool.listed("boat"));
    assert_eq!(tool.says(&["exec", "boat", "cat", "/proc/1/comm"]), "sleep");
    tool.says(&["rm", "-f", "boat"]);
}

fn old_record(tool: &Tool) {
    tool.says(&["create", "--name", "boat", "base", "sleep", "1000"]);
    // As it is when the machine lost its power while the container ran.
    let (path, mut record) = tool.record();
    record["state"]["status"] = "running".into();
    record["state"]["process"] = serde_json::json!({ "pid": std::process::id(), "start_time": 1 });
    fs::write(path, record.to_string()).unwrap();
    let start = tool.output(&["start", "boat"]);
    let listed = tool.listed("boat");
    assert!(
        start.status.success() && listed.contains(" Up "),
        "ex-06-2: whoever was killed could not change the record's \"running\", and nothing runs: \
         {start:?} {listed}"
    );
    // Now it does.
    tool.fails(&["start", "boat"], 125, "is running: stop it first");
    tool.says(&["rm", "-f", "boat"]);
    tool.fails(&["rm", "boat"], 125, "no such container");
}

fn damaged(tool: &Tool) {
    tool.says(&["create", "--name", "boat", "base", "true"]);
    tool.says(&["create", "--name", "canoe", "base", "true"]);
    let folder = tool.data("containers").join(tool.folder_of("boat"));
    let path = folder.join("container.json");
    let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    // Whatever stands there, no process but the container's is ever meant.
    for pid in [-1, 0, 1, i32::MAX] {
        record["state"]["process"] = serde_json::json!({ "pid": pid, "start_time": u64::MAX });
        fs::write(&path, record.to_string()).unwrap();
        tool.says(&["stop", "boat"]);
        assert!(tool.listed("boat").contains(" Created "), "{}", tool.listed("boat"));
    }
    for id in ["", "x", "ñññññññññññññ", "../canoe"] {
        record["id"] = id.into();
        fs::write(&path, record.to_string()).unwrap();
        assert_eq!(tool.listed("boat"), "");
        assert!(tool.listed("canoe").contains(" Created "), "{}", tool.listed("canoe"));
        tool.fails(&["rm", "-f", "boat"], 125, "no such container");
    }
}

/// A process that has nothing to do with any container. It goes also where the test fails.
struct Stranger(Child);

impl Stranger {
    fn new() -> Stranger {
        // Not our standard error: whoever reads that to its end would wait for this one.
        Stranger(Command::new("sleep").arg("1000").stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn reused_pid(tool: &Tool) {
    tool.says(&["create", "--name", "boat", "base"]);
    let mut stranger = Stranger::new();
    let now = Process::with_pid(stranger.0.id() as i32).unwrap();
    let (path, mut record) = tool.record();
    record["state"]["status"] = "running".into();
    record["state"]["started_at"] = "2026-01-01T00:00:00.000000000Z".into();
    record["state"]["process"] = serde_json::json!({ "pid": now.pid, "start_time": now.start_time - 1 });
    fs::write(path, record.to_string()).unwrap();

    assert!(tool.listed("boat").contains("Exited"), "{}", tool.listed("boat"));
    tool.fails(&["exec", "boat", "true"], 125, "is not running");
    tool.says(&["stop", "boat"]);
    tool.says(&["rm", "--force", "boat"]);
    assert!(stranger.0.try_wait().unwrap().is_none(), "it was killed");
}

fn failed_start(tool: &Tool) {
    for _ in 0..2 {
        tool.fails(&["run", "-d", "--rm", "base", "no-such-program"], 127, "no-such-program");
    }
    tool.fails(&["run", "--name", "boat", "-v", "/no/such:/folder", "base", "true"], 125, "/no/such");
    tool.fails(&["start", "-a", "boat"], 125, "/no/such");
    let listed = tool.listed("boat");
    assert!(
        listed.contains("Exited (125)"),
        "ex-06-3: the record doesn't say that the start has failed: {listed}"
    );
    tool.says(&["rm", "boat"]);
}
