//! The lab's own promise, tried as the first of all tests: nothing of it is left, not even when its
//! watcher is killed with SIGKILL and can't tidy up.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use libtest_mimic::{Completion, Failed, Trial};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::case::Case;
use crate::lab::{Form, Lab, eventually};
use crate::{cgroup, need, sweep};

/// A case that only waits. It is in no list: this file starts it.
pub const WAITS: Case = Case::new("waits", waits);

/// What it waits in, by which its process can be told from others.
const PROGRAM: [&str; 2] = ["sleep", "86399"];

fn waits(lab: &Lab) {
    lab.host(&PROGRAM);
}

/// The trials of this file.
pub fn trials() -> Vec<Trial> {
    let trial = |name, signal, swept| {
        Trial::ignorable_test(name, move || match need::no_namespaces() {
            Some(missing) => need::refuse(missing),
            None => killed(signal, swept).map(|()| Completion::Completed),
        })
    };
    vec![
        trial("a_lab_whose_watcher_was_killed_is_swept", Signal::SIGKILL, true),
        trial("a_lab_whose_watcher_was_asked_to_end_is_gone", Signal::SIGTERM, false),
    ]
}

fn killed(signal: Signal, swept: bool) -> Result<(), Failed> {
    let mut watcher = Command::new("/proc/self/exe")
        .args(["--in-lab", WAITS.name, Form::Short.name()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let pid = Pid::from_raw(watcher.id() as i32);
    eventually("the case waits", || processes(pid) == 1);
    let folder = sweep::folder_of_labs().join(sweep::lab_name(pid)?);
    if !folder.is_dir() {
        return Err("the lab should have a folder while it is in use".into());
    }
    kill(pid, signal)?;
    watcher.wait()?;
    if swept {
        // The next start of the tests does this.
        sweep::sweep()?;
    }
    eventually("its process is gone", || processes(pid) == 0);
    let mut left: Vec<PathBuf> = cgroup::hierarchies()?
        .into_iter()
        .map(|hierarchy| hierarchy.mount.join(folder.file_name().unwrap_or_default()))
        .chain([folder.clone()])
        .collect();
    left.retain(|path| path.exists());
    match left.as_slice() {
        [] => Ok(()),
        left => Err(format!("left behind: {left:?}").into()),
    }
}

/// How many of the waiting programs are marked as belonging to the lab of that watcher.
fn processes(watcher: Pid) -> usize {
    let mark = format!("{}=canoa-lab-{watcher}-", sweep::MARK);
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let count = all
        .filter(|process| {
            let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
            let environment = fs::read(process.path().join("environ")).unwrap_or_default();
            line == format!("{}\0{}\0", PROGRAM[0], PROGRAM[1]).as_bytes()
                && environment.split(|byte| *byte == 0).any(|one| one.starts_with(mark.as_bytes()))
        })
        .count();
    thread::sleep(Duration::from_millis(10));
    count
}
