//! The lab: every test has a data folder of its own. As root it also has mount, network and pid
//! namespaces of its own, so that the machine's are left alone and nothing outlives the test.
//!
//! This program is its own lab: it runs itself again with the test's name in the environment.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::panic;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio, exit};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, iter};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use namespaces::{CloneFlags, Process};
use nix::mount::{MsFlags, mount};
use nix::sched::unshare;
use nix::unistd::getuid;
use tempfile::TempDir;

/// A sentence, who it is about, and what proves it.
pub type Test = (&'static str, &'static [As], fn(&Tool));

/// Whose rights the tool has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As {
    Root,
    User,
}

/// What holds for both.
pub const BOTH: &[As] = &[As::Root, As::User];

const TEST: &str = "CANOA_LAB_TEST";
/// In the environment: the test's folder.
const FOLDER: &str = "CANOA_LAB_FOLDER";
/// In the environment: what this program is, for once.
pub const STAGE: &str = "CANOA_LAB_STAGE";
/// What a lab that can't be set up ends with.
const NO_LAB: i32 = 77;
/// Who the ordinary user is where root runs the tests.
const NOBODY: u32 = 65534;

/// Either one stage of one test, or all tests, each in its lab.
pub fn main(tests: &[Test]) {
    match env::var(STAGE).as_deref() {
        Ok("walls") => return or_no_lab(walls()),
        Ok("inside") => {
            or_no_lab(furnish());
            return test(tests, As::Root);
        }
        Ok("user") => return test(tests, As::User),
        Ok(program @ ("lesson-05" | "lesson-06")) => return crate::steps::run(program),
        Ok("server") => return crate::ports::serve(),
        Ok("raw") => return crate::terminal::raw(),
        Ok("probe") => return or_no_lab(namespaces::become_root().map_err(|error| error.to_string())),
        _ => {}
    }
    let trials = tests.iter().flat_map(|&(name, who, _)| iter::repeat(name).zip(who)).map(|(name, &who)| {
        let kind = if who == As::Root { "root" } else { "user" };
        Trial::ignorable_test(name, move || outside(name, who)).with_kind(kind)
    });
    let mut arguments = Arguments::from_args();
    // They wait more than they work.
    let processors = std::thread::available_parallelism().map_or(1, |number| number.get());
    arguments.test_threads.get_or_insert(3 * processors.min(2));
    libtest_mimic::run(&arguments, trials.collect()).exit()
}

fn outside(name: &str, who: As) -> Result<Completion, Failed> {
    let stage = match who {
        // Not what the machine lacks: for root to run.
        As::Root if !getuid().is_root() => {
            return Ok(Completion::ignored_with("needs root: run it under sudo"));
        }
        As::Root => "walls",
        As::User => "user",
    };
    // Ours and not the test's, which may die before it could remove it; and what is mounted in there is
    // gone with the test's namespaces.
    let folder = TempDir::new()?;
    // Containers' users must get through, and the ordinary user must get in.
    let mode = if who == As::User { 0o777 } else { 0o755 };
    fs::set_permissions(folder.path(), Permissions::from_mode(mode))?;
    let output = again(stage).env(TEST, name).env(FOLDER, folder.path()).output()?;
    // The kernel makes an overlay's work folder with mode 000, which only root looks into: what a
    // program that was killed has left of it would keep an ordinary user's folder from being removed.
    let _ = Command::new("chmod").args(["-R", "u+rwX"]).arg(folder.path()).output();
    let removed = folder.close();
    let mut said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(0) => match removed {
            Ok(()) => Ok(Completion::Completed),
            Err(error) => Err(format!("it has left what can't be removed: {error}").into()),
        },
        Some(NO_LAB) => unable(said.trim()),
        _ => {
            let _ = write!(said, "{}", output.status);
            Err(said.into())
        }
    }
}

/// Shown as ignored, with the reason; where all is required (CI), a failure.
fn unable(reason: &str) -> Result<Completion, Failed> {
    match env::var("WORKSHOP_REQUIRE").as_deref() {
        Ok("all") => Err(reason.into()),
        _ => Ok(Completion::ignored_with(reason)),
    }
}

/// This program once more, for something else.
pub fn again(stage: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env(STAGE, stage);
    command
}

fn or_no_lab(made: Result<(), String>) {
    if let Err(error) = made {
        eprint!("no lab here: {error}: cargo taller doctor says what to do");
        exit(NO_LAB);
    }
}

/// The next process is the first of a new pid namespace: when it ends, all that it started ends.
fn walls() -> Result<(), String> {
    let new = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWPID;
    unshare(new).map_err(|error| error.to_string())?;
    let ended = again("inside").status().map_err(|error| error.to_string())?;
    exit(ended.code().unwrap_or(1))
}

fn furnish() -> Result<(), String> {
    let tell = |error: nix::Error| error.to_string();
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .map_err(tell)?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), None::<&str>).map_err(tell)?;
    mount(Some("run"), "/run", Some("tmpfs"), MsFlags::empty(), None::<&str>).map_err(tell)?;
    network::lo_up().map_err(|error| error.to_string())?;
    fs::write("/proc/sys/net/ipv4/ip_forward", "0").map_err(|error| error.to_string())
}

fn test(tests: &[Test], who: As) {
    let wanted = env::var(TEST).unwrap();
    let (_, _, prove) = tests.iter().find(|(name, ..)| *name == wanted).unwrap();
    let tool = Tool::new(who);
    if who == As::User {
        let probe = tool.as_who(again("probe")).output().unwrap();
        if !probe.status.success() {
            eprint!("{}", String::from_utf8_lossy(&probe.stderr));
            exit(NO_LAB);
        }
    }
    let failed = panic::catch_unwind(panic::AssertUnwindSafe(|| prove(&tool))).is_err();
    drop(tool);
    exit(i32::from(failed));
}

/// The tool with a data folder of its own. Dropping it removes its containers.
pub struct Tool {
    pub who: As,
    folder: PathBuf,
}

impl Tool {
    fn new(who: As) -> Tool {
        let folder = PathBuf::from(env::var_os(FOLDER).unwrap());
        // Where the tests run elsewhere than they were built, as in a virtual machine, this says where it is.
        let program =
            env::var_os("CARGO_BIN_EXE_lesson-06").unwrap_or(env!("CARGO_BIN_EXE_lesson-06").into());
        // A copy, since not everybody may enter the folder that we were built in.
        fs::copy(program, folder.join("lesson-06")).unwrap();
        Tool { who, folder }
    }

    /// A command of whoever has the tool.
    pub fn as_who(&self, mut command: Command) -> Command {
        if self.who == As::User && getuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.env_remove(STAGE).env_remove(TEST).env_remove(FOLDER);
        if command.get_program() == env::current_exe().unwrap() {
            command.env(STAGE, "probe");
        }
        command
    }

    pub fn data(&self, path: &str) -> PathBuf {
        self.folder.join("data").join(path)
    }

    /// This program within the lab, where everybody may run it.
    pub fn this_program(&self) -> Command {
        let copy = self.folder.join("tests");
        if !copy.exists() {
            let own = env::current_exe().unwrap();
            fs::hard_link(&own, &copy).or_else(|_| fs::copy(&own, &copy).map(drop)).unwrap();
        }
        self.as_who(Command::new(copy))
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = self.as_who(Command::new(self.folder.join("lesson-06")));
        command.arg("--root").arg(self.data("")).args(words).stdin(Stdio::null());
        command
    }

    pub fn output(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// What it prints, when all goes well.
    #[track_caller]
    pub fn says(&self, words: &[&str]) -> String {
        let output = self.output(words);
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// That it ends with this code, and one line with these words.
    #[track_caller]
    pub fn fails(&self, words: &[&str], code: i32, reason: &str) {
        let output = self.output(words);
        let error = String::from_utf8_lossy(&output.stderr);
        let line = error.lines().filter(|line| line.starts_with("lesson-06: ")).collect::<Vec<_>>();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {error}");
        assert!(line.len() == 1 && line[0].contains(reason), "{words:?}: {error}");
    }

    /// The line of `ps -a` about a container, without the columns' padding.
    #[track_caller]
    pub fn listed(&self, name: &str) -> String {
        let table = self.says(&["ps", "-a"]);
        let line = table.lines().find(|line| line.ends_with(&format!(" {name}")));
        line.map_or(String::new(), |line| line.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Waits until a container that runs has said this.
    #[track_caller]
    pub fn hears(&self, name: &str, words: &str) {
        soon(&format!("{name} says {words}"), || {
            let said = self.says(&["logs", name]);
            assert!(said == words || self.listed(name).contains(" Up "), "{name} has ended: {said:?}");
            said == words
        });
    }

    /// The id of the container with this name.
    #[track_caller]
    pub fn id(&self, name: &str) -> String {
        let table = self.says(&["ps", "-a"]);
        let line = table.lines().find(|line| line.ends_with(&format!(" {name}")));
        line.and_then(|line| line.split(' ').next()).unwrap_or_else(|| panic!("{name}: {table}")).to_owned()
    }

    /// The name of the folder of the container with this name: its whole id.
    pub fn folder_of(&self, name: &str) -> String {
        let id = self.id(name);
        let folders = fs::read_dir(self.data("containers")).unwrap();
        let names = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.into_iter().find(|name| name.starts_with(&id)).unwrap()
    }

    /// The record of the only container.
    pub fn record(&self) -> (PathBuf, serde_json::Value) {
        let folders = fs::read_dir(self.data("containers")).unwrap().map(|entry| entry.unwrap().path());
        let paths: Vec<PathBuf> =
            folders.map(|path| path.join("container.json")).filter(|path| path.exists()).collect();
        assert_eq!(paths.len(), 1, "{paths:?}");
        (paths[0].clone(), serde_json::from_slice(&fs::read(&paths[0]).unwrap()).unwrap())
    }

    /// The control groups of the container with this id.
    pub fn groups(&self, id: &str) -> Vec<PathBuf> {
        let parents = fs::read_dir("/sys/fs/cgroup").unwrap().map(|entry| entry.unwrap().path());
        let all = parents.chain(["/sys/fs/cgroup".into()]);
        all.map(|parent| parent.join("canoa-lesson-06").join(id)).filter(|group| group.exists()).collect()
    }

    /// The first process of the only container.
    pub fn process(&self) -> Process {
        let (_, record) = self.record();
        let number = |key: &str| record["state"]["process"][key].as_u64().unwrap();
        Process { pid: number("pid") as i32, start_time: number("start_time") }
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let table = self.output(&["ps", "-a"]).stdout;
        for id in String::from_utf8_lossy(&table).lines().skip(1).filter_map(|line| line.split(' ').next()) {
            self.output(&["rm", "--force", id]);
        }
    }
}

/// Waits for something that another process does.
#[track_caller]
pub fn soon(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "half a minute has gone, and not yet: {what}");
        sleep(Duration::from_millis(10));
    }
}
