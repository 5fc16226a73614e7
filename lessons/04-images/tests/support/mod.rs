//! Runs tests in namespaces of their own: each is run by this test program once more, in a
//! process that has left the host's mount namespace (as root), or its user namespace as well.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// A test: its name, and what it does.
pub type Test = (&'static str, fn());

const INNER: &str = "LESSON_04_INNER";

/// Runs every test in both ways, where this machine lets us.
pub fn run(tests: &[Test]) -> ExitCode {
    if let Ok(inner) = std::env::var(INNER) {
        let (_, test) = tests.iter().find(|(name, _)| *name == inner).expect("a test of this name");
        test();
        return ExitCode::SUCCESS;
    }
    let required = std::env::var("WORKSHOP_REQUIRE").is_ok_and(|value| value == "all");
    let mut trials = Vec::new();
    for way in [Way::Root, Way::User] {
        let refusal = way.refusal();
        for (name, _) in tests {
            let (name, refusal) = (*name, refusal.clone());
            let attempt = move || match refusal {
                Some(Refusal { reason, lack: true }) if required => Err(reason.into()),
                Some(Refusal { reason, .. }) => Ok(Completion::ignored_with(reason)),
                None => rerun(name, way).map(|()| Completion::Completed),
            };
            trials.push(Trial::ignorable_test(format!("{}::{name}", way.name()), attempt));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Why a test can't be run in one of the ways.
#[derive(Clone)]
struct Refusal {
    /// What is missing, and the way out.
    reason: String,
    /// Whether the machine lacks it: where all is required, that is a failure. Otherwise it is only
    /// for another user to run.
    lack: bool,
}

#[derive(Clone, Copy)]
enum Way {
    Root,
    User,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Root => "as_root",
            Way::User => "in_a_user_namespace",
        }
    }

    /// Why it can't be here, if so.
    fn refusal(self) -> Option<Refusal> {
        let mut probe = Command::new("true");
        self.isolate(&mut probe);
        match (self, probe.status()) {
            (_, Ok(status)) if status.success() => None,
            (Way::Root, _) if !nix::unistd::geteuid().is_root() => {
                Some(Refusal { reason: "needs root: run it under sudo".to_owned(), lack: false })
            }
            (_, outcome) => {
                let reason = format!("needs new namespaces, and got {outcome:?}: see cargo taller doctor");
                Some(Refusal { reason, lack: true })
            }
        }
    }

    fn isolate(self, command: &mut Command) {
        let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
        let isolate = move || -> io::Result<()> {
            let user = match self {
                Way::Root => CloneFlags::empty(),
                Way::User => CloneFlags::CLONE_NEWUSER,
            };
            unshare(user | CloneFlags::CLONE_NEWNS)?;
            if let Way::User = self {
                std::fs::write("/proc/self/setgroups", "deny")?;
                std::fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
                std::fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
            }
            let none = None::<&str>;
            Ok(mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?)
        };
        // SAFETY: between fork and exec it makes system calls only, and allocates; this program
        // uses glibc or musl, whose fork leaves their allocator usable in the child.
        unsafe { command.pre_exec(isolate) };
    }
}

fn rerun(name: &str, way: Way) -> Result<(), Failed> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(INNER, name);
    way.isolate(&mut command);
    let output = command.output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Failed::from(format!(
            "{}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}
