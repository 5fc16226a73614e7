//! The attack: SIGKILL at the worst moment, which is any.
//!
//! Everything that the programs ask of the kernel is a step, and a step can be listened to. So lesson 5's
//! program and lesson 6's run here within this test program, which counts their steps and kills itself at
//! one of them: at the first, then at the second, and so on to the last.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::lab::{As, BOTH, STAGE, Test, Tool, soon};

#[path = "../../../05-network/src/main.rs"]
mod lesson_05;
#[path = "../../src/main.rs"]
mod lesson_06;

pub const TESTS: &[Test] = &[
    ("lesson_5_killed_at_some_step_leaves_what_nobody_finds", BOTH, lesson_5),
    ("killed_at_any_step_of_create_nothing_half_made_is_shown", BOTH, create),
    ("killed_at_any_step_of_start_it_can_be_started_again", BOTH, start),
    ("a_monitor_killed_at_any_step_leaves_a_container_that_can_be_started_again", BOTH, monitor),
    ("killed_at_any_step_of_rm_it_can_be_removed_again", BOTH, rm),
    ("without_descriptors_from_any_step_of_start_on_nothing_is_left_running", BOTH, starve),
];

/// In the environment: what happens, in which process, at which of its steps: `kill:monitor:17`.
const AT: &str = "CANOA_LAB_AT";
/// In the environment: the file for the names of the steps.
const STORY: &str = "CANOA_LAB_STORY";

/// Those that come as often as it pleases them.
const RESTLESS: [&str; 2] = ["poll", "read signal"];

/// What this program is in the stage of that name.
pub fn run(program: &str) {
    let own = if std::env::args().any(|word| word == "monitor") { "monitor" } else { "tool" };
    let at = std::env::var(AT).unwrap_or_default();
    let at = at.split_once(':').and_then(|(what, rest)| Some((what, rest.split_once(':')?)));
    let at = at.filter(|(_, (process, _))| *process == own);
    let steps = Steps {
        story: std::env::var_os(STORY)
            .map(|path| File::options().append(true).create(true).open(path).unwrap()),
        at: at.map(|(what, (_, number))| (what == "kill", number.parse().unwrap())),
        seen: AtomicUsize::new(0),
    };
    tracing::subscriber::set_global_default(steps).unwrap();
    match program {
        "lesson-05" => lesson_05::main(),
        _ => lesson_06::main(),
    }
}

/// Listens to the steps.
struct Steps {
    story: Option<File>,
    /// Whether to kill this process or else to let it have no more descriptors, and from which step on.
    at: Option<(bool, usize)>,
    seen: AtomicUsize,
}

impl Subscriber for Steps {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "step"
    }

    fn event(&self, event: &Event<'_>) {
        let mut name = Name::default();
        event.record(&mut name);
        if RESTLESS.contains(&name.0.as_str()) {
            return;
        }
        let number = self.seen.fetch_add(1, Ordering::SeqCst);
        if let Some(mut story) = self.story.as_ref() {
            writeln!(story, "{}", name.0).unwrap();
        }
        match self.at {
            Some((true, at)) if at == number => {
                nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL).unwrap();
            }
            Some((false, at)) if at == number => {
                use nix::sys::resource::{Resource, setrlimit};
                setrlimit(Resource::RLIMIT_NOFILE, 0, 0).unwrap();
            }
            _ => {}
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Name(String);

impl tracing::field::Visit for Name {
    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        if field.name() == "name" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}
}

impl Tool {
    /// Lesson 6's program, with its steps listened to.
    fn stepping(&self, words: &[&str]) -> Command {
        let mut command = self.this_program();
        command.env(STAGE, "lesson-06").arg("--root").arg(self.data("")).args(words);
        command.stdin(std::process::Stdio::null());
        command
    }

    /// How many steps this takes, when nothing happens.
    fn steps(&self, mut command: Command) -> usize {
        let story = self.data("story");
        let output = command.env(STORY, &story).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let steps = fs::read_to_string(&story).unwrap().lines().count();
        fs::remove_file(story).unwrap();
        assert!(steps > 5, "{steps}");
        steps
    }

    /// What is in the folder of the containers, whole or half: all but the lock.
    fn folders(&self) -> Vec<String> {
        let entries = fs::read_dir(self.data("containers")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != ".lock").collect()
    }
}

fn lesson_5(tool: &Tool) {
    let store = tool.data("lesson-05");
    let run = |program: &str| {
        let mut command = tool.this_program();
        command.env(STAGE, "lesson-05").args(["run", "--store"]).arg(&store).args(["base", program]);
        command
    };
    let left = || -> Vec<PathBuf> {
        let entries = fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("container-")).collect()
    };
    let first = run("true").output().unwrap();
    assert!(first.status.success(), "{first:?}");
    let steps = tool.steps(run("true"));
    assert!(left().is_empty());
    run("true").env(AT, format!("kill:tool:{}", steps / 2)).output().unwrap();
    // What it has made is there and has no name: no command shows it, starts it again or removes it,
    let half = left();
    assert_eq!(half.len(), 1, "killed at step {} of {steps}", steps / 2);
    // and it stays for ever.
    assert!(run("true").output().unwrap().status.success());
    assert_eq!(left(), half);
}

fn create(tool: &Tool) {
    let words = ["create", "--name", "boat", "base", "echo", "hello"];
    let create = || tool.stepping(&words);
    tool.says(&words);
    tool.says(&["rm", "boat"]);
    let steps = tool.steps(create());
    tool.says(&["rm", "boat"]);
    for step in (0..steps).step_by(stride(steps)) {
        create().env(AT, format!("kill:tool:{step}")).output().unwrap();
        // There is all of it, or nothing.
        match tool.listed("boat").as_str() {
            "" => drop(tool.says(&words)),
            whole => assert!(whole.contains(" Created boat"), "{step}: {whole}"),
        }
        tool.says(&["rm", "boat"]);
    }
    // And the rest of those that were killed is gone since the next was made.
    tool.says(&words);
    assert_eq!(tool.folders().len(), 1, "{:?}", tool.folders());
}

fn start(tool: &Tool) {
    let id = tool.says(&["create", "--name", "boat", "base", "echo", "hello"]);
    let start = || tool.stepping(&["start", "-a", "boat"]);
    let steps = tool.steps(start());
    for step in (0..steps).step_by(stride(steps)) {
        start().env(AT, format!("kill:tool:{step}")).output().unwrap();
        goes_on(tool, step);
    }
    nothing_is_left(tool, &id);
}

fn monitor(tool: &Tool) {
    let id = tool.says(&["create", "--name", "boat", "base", "echo", "hello"]);
    let start = || tool.stepping(&["start", "boat"]);
    // Its steps, and a few of the tool's.
    let steps = tool.steps(start());
    for step in (0..steps).step_by(stride(steps) * 2) {
        start().env(AT, format!("kill:monitor:{step}")).output().unwrap();
        goes_on(tool, step);
    }
    nothing_is_left(tool, &id);
}

/// Each step takes a second, and most are the child's, one mount like the other. So only some of them have
/// their turn; more where everything is required (CI), or where somebody asks for more.
fn stride(steps: usize) -> usize {
    let asked = std::env::var("CANOA_LAB_STEPS").ok().and_then(|most| most.parse().ok());
    let all = std::env::var("WORKSHOP_REQUIRE").is_ok_and(|required| required == "all");
    steps.div_ceil(asked.filter(|most| *most > 0).unwrap_or(if all { 60 } else { 8 }))
}

/// Nothing of it runs, and all commands work again.
fn goes_on(tool: &Tool, step: usize) {
    soon("nothing of it runs", || !tool.listed("boat").contains(" Up "));
    let listed = tool.listed("boat");
    assert!(listed.contains(" Created boat") || listed.contains(" Exited ("), "{step}: {listed:?}");
    tool.fails(&["exec", "boat", "true"], 125, "is not running");
    assert_eq!(tool.says(&["start", "-a", "boat"]), "hello", "{step}");
    assert!(tool.listed("boat").contains("Exited (0)"), "{step}");
}

/// After the container is removed, the machine is as it was.
fn nothing_is_left(tool: &Tool, id: &str) {
    tool.says(&["rm", "boat"]);
    assert!(tool.groups(id).is_empty());
    assert_eq!(tool.folders(), [""; 0]);
    if tool.who == As::Root {
        assert_eq!(fs::read_dir("/run").unwrap().count(), 0, "notes of the network");
    }
}

fn rm(tool: &Tool) {
    let create = ["create", "--name", "boat", "base", "echo", "hello"];
    let rm = || tool.stepping(&["rm", "boat"]);
    tool.says(&create);
    let steps = tool.steps(rm());
    for step in (0..steps).step_by(stride(steps)) {
        tool.says(&create);
        rm().env(AT, format!("kill:tool:{step}")).output().unwrap();
        // Not removed yet, or no longer to be seen.
        match tool.listed("boat").as_str() {
            "" => tool.fails(&["rm", "boat"], 125, "no such container"),
            whole => {
                assert!(whole.contains(" Created boat"), "{step}: {whole}");
                tool.says(&["rm", "boat"]);
            }
        }
    }
    tool.says(&create);
    assert_eq!(tool.folders().len(), 1, "{:?}", tool.folders());
}

/// Also when the program runs already, and only its terminal can't be taken over any more.
fn starve(tool: &Tool) {
    let id = tool.says(&["create", "--name", "boat", "-t", "base", "echo", "hello"]);
    let start = || tool.stepping(&["start", "-a", "boat"]);
    let steps = tool.steps(start());
    let mut late = None;
    for step in (0..steps).step_by(stride(steps)) {
        let output = start().env(AT, format!("starve:tool:{step}")).output().unwrap();
        if String::from_utf8_lossy(&output.stderr).contains("receive descriptor") {
            late = Some(step);
        }
        soon("nothing of it runs", || !tool.listed("boat").contains(" Up "));
        assert_eq!(tool.says(&["start", "-a", "boat"]), "hello", "{step}");
    }
    nothing_is_left(tool, &id);

    // One that would go on by itself: while it does, its group can't be removed.
    let late = late.expect("a step at which the program runs already");
    let id = tool.says(&["create", "--name", "boat", "-t", "base", "sleep", "1000"]);
    assert!(!start().env(AT, format!("starve:tool:{late}")).output().unwrap().status.success());
    assert!(tool.groups(&id).is_empty());
}
