//! What the tests use to look from outside. Nothing here calls the lesson's own code to find out
//! what is so: groups are found by walking through the kernel's folders.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// All groups of the lessons' programs are in a group of this name.
pub const PARENT: &str = "/canoa-lessons";

/// Whether this machine has the second version alone.
pub fn is_v2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// Why these tests can't run here, and what to do: tried by hand, with a folder and a file.
pub fn why_not() -> Option<String> {
    // The first version can't be delegated safely, and nobody does it.
    let way_out = match is_v2() {
        true => {
            "run these tests as root, or have a cgroup delegated to you \
             (systemd-run --user --scope -p Delegate=yes cargo test -p lesson-03)"
        }
        false => "run these tests as root",
    };
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let tried = if is_v2() {
        // Our group or one above it has to be ours.
        let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
        let own = Path::new("/sys/fs/cgroup").join(own);
        let above: Vec<&Path> =
            own.ancestors().take_while(|group| group.starts_with("/sys/fs/cgroup")).collect();
        let tried: Vec<_> = above.iter().map(|group| try_group(group)).collect();
        tried.iter().find(|tried| tried.is_ok()).or(tried.first()).cloned()
    } else {
        let trees = ["memory", "pids", "cpu", "cpuset", "freezer"];
        let tried: Vec<_> =
            trees.iter().map(|tree| try_group(&Path::new("/sys/fs/cgroup").join(tree))).collect();
        tried.iter().find(|tried| tried.is_err()).or(tried.first()).cloned()
    };
    match tried {
        Some(Ok(())) => None,
        Some(Err(reason)) => Some(format!("needs cgroups: {reason}: {way_out}")),
        None => Some(format!("needs cgroups: none are mounted: {way_out}")),
    }
}

fn try_group(parent: &Path) -> Result<(), String> {
    let group = parent.join(format!("canoa-probe-{}", std::process::id()));
    fs::create_dir(&group).map_err(|error| format!("mkdir {}: {error}", group.display()))?;
    // A group that one can make but not put a process into is of no use.
    let writable = fs::OpenOptions::new().write(true).open(parent.join("cgroup.procs"));
    let _ = fs::remove_dir(&group);
    writable.map(drop).map_err(|error| format!("{}/cgroup.procs: {error}", parent.display()))?;
    let Ok(controllers) = fs::read_to_string(parent.join("cgroup.controllers")) else { return Ok(()) };
    let missing = ["memory", "pids", "cpu"]
        .into_iter()
        .find(|name| !controllers.split_whitespace().any(|c| c == *name));
    missing.map_or(Ok(()), |name| Err(format!("no controller {name} in {}", parent.display())))
}

/// The lesson's program: the matrix runs these tests on machines without a target folder.
pub fn program() -> PathBuf {
    let elsewhere = std::env::var_os("CARGO_BIN_EXE_lesson-03").map(PathBuf::from);
    elsewhere.unwrap_or_else(|| env!("CARGO_BIN_EXE_lesson-03").into())
}

/// `lesson-03 run WORDS`, to its end.
pub fn lesson(words: &[&str]) -> Output {
    Command::new(program()).arg("run").args(words).stdin(Stdio::null()).output().unwrap()
}

/// Its output, after it succeeded.
#[track_caller]
pub fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A number that nobody could have written into the code.
pub fn random(from: u64, below: u64) -> u64 {
    let mut bytes = [0; 8];
    std::io::Read::read_exact(&mut fs::File::open("/dev/urandom").unwrap(), &mut bytes).unwrap();
    from + u64::from_ne_bytes(bytes) % (below - from)
}

/// A container that runs in the background. When it goes out of scope everything of it goes.
pub struct Container {
    pub program: Child,
    /// The container's PID 1, as we see it.
    pub pid: i32,
    /// The name of its group; empty where it has none (lesson 2's).
    pub name: String,
    /// What it says after `ready`.
    output: BufReader<ChildStdout>,
}

impl Container {
    /// Starts `lesson-03 run FLAGS sh -c SCRIPT`, and waits until the script says `ready`.
    #[track_caller]
    pub fn start(flags: &[&str], script: &str) -> Container {
        let mut command = Command::new(program());
        command.arg("run").args(flags).args(["sh", "-c", script]);
        Container::ready(command)
    }

    /// As above, with another program in the lesson's place.
    #[track_caller]
    pub fn ready(mut command: Command) -> Container {
        // Shells complain of what they are refused, as they should: kept for the case that it doesn't start.
        let mut complaints = tempfile::tempfile().unwrap();
        let stderr = complaints.try_clone().unwrap();
        let mut program = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(program.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let pid = children(program.id() as i32).first().copied().unwrap_or(0);
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let name = groups.lines().find_map(|line| line.rsplit_once("canoa-lessons/"));
        let name = name.map(|(_, name)| name.to_owned()).unwrap_or_default();
        let container = Container { program, pid, name, output };
        if line != "ready\n" {
            let mut said = String::new();
            std::io::Seek::rewind(&mut complaints).unwrap();
            std::io::Read::read_to_string(&mut complaints, &mut said).unwrap();
            panic!("the container should have started, and said: {line}{said}");
        }
        container
    }

    /// The next lines that it says, up to this one.
    pub fn says_until(&mut self, last: &str) -> String {
        let lines = self.output.by_ref().lines().map_while(Result::ok);
        lines.take_while(|line| line != last).collect::<Vec<_>>().join("\n")
    }

    /// A control file of its group: its name with the first version and with the second.
    #[track_caller]
    pub fn file(&self, controller: &str, v1: &str, v2: &str) -> String {
        let groups = fs::read_to_string(format!("/proc/{}/cgroup", self.pid)).unwrap();
        let path = group_of(&groups, controller).join(if is_v2() { v2 } else { v1 });
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text.trim().to_owned()
    }

    /// A number behind a word in such a file.
    #[track_caller]
    pub fn field(&self, controller: &str, v1: &str, v2: &str, name: &str) -> u64 {
        field(&self.file(controller, v1, v2), name)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // With its PID 1 the whole container ends, and the program removes the group.
        if self.pid > 0 {
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
            let _ = eventually(|| self.program.try_wait().is_ok_and(|status| status.is_some()));
        }
        let _ = self.program.kill();
        let _ = self.program.wait();
        if !self.name.is_empty() {
            remove_groups(&self.name);
        }
        rootfs::Root::sweep();
    }
}

/// The folder of the group that these lines (`/proc/PID/cgroup`) name.
fn group_of(groups: &str, controller: &str) -> PathBuf {
    let line = groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (names, path) = (parts.next()?, parts.next()?);
        let here = if is_v2() { names.is_empty() } else { names.split(',').any(|name| name == controller) };
        here.then_some((names, path))
    });
    let (names, path) = line.unwrap_or_else(|| panic!("no {controller} in {groups}"));
    Path::new("/sys/fs/cgroup").join(names).join(path.trim_start_matches('/'))
}

/// The number behind a word in lines such as `oom_kill 3`.
#[track_caller]
pub fn field(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {text}"))
}

/// The children of a process.
pub fn children(pid: i32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// A process and all that come from it.
pub fn family(pid: i32) -> Vec<i32> {
    let mut all = vec![pid];
    for child in children(pid) {
        all.extend(family(child));
    }
    all
}

/// Bytes of memory that these processes have to themselves.
pub fn memory_of(pids: &[i32]) -> u64 {
    let own = |pid: &i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    pids.iter().filter_map(own).sum::<u64>() * 1024
}

/// All groups of this name, in every tree.
pub fn groups(name: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, name: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name() == name {
                    found.push(entry.path());
                }
                walk(&entry.path(), name, found);
            }
        }
    }
    let mut found = vec![];
    walk(Path::new("/sys/fs/cgroup"), name, &mut found);
    found
}

/// Kills what is in them, and removes them, by hand. They may be frozen, or fork while we look.
pub fn remove_groups(name: &str) {
    let folders = groups(name);
    let tell = |file: &str, word: &str| {
        for group in folders.iter().filter(|group| group.join(file).exists()) {
            let _ = fs::write(group.join(file), word);
        }
    };
    let _ = eventually(|| {
        tell("cgroup.kill", "1");
        tell("freezer.state", "FROZEN");
        let lists = folders.iter().filter_map(|group| fs::read_to_string(group.join("cgroup.procs")).ok());
        let pids: Vec<i32> =
            lists.flat_map(|list| list.lines().map(str::parse).collect::<Vec<_>>()).flatten().collect();
        for pid in pids.iter().filter(|pid| **pid > 0) {
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        tell("freezer.state", "THAWED");
        pids.is_empty()
    });
    for group in folders {
        let _ = eventually(|| matches!(fs::remove_dir(&group), Ok(())) || !group.exists());
        let _ = fs::remove_dir(group.parent().unwrap());
    }
}

/// Whether something becomes so within half a minute: an emulated machine is slow.
#[must_use]
pub fn eventually(mut so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if so() {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
