//! Runs tests in namespaces of their own: each is run by this test program once more, in a
//! process that has left the host's mount namespace (as root), or its user namespace as well.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
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
        let reason = way.refusal();
        for (name, _) in tests {
            let name = *name;
            let shown = match &reason {
                Some(reason) => format!("{}::{name} ({reason})", way.name()),
                None => format!("{}::{name}", way.name()),
            };
            let ignored = reason.is_some() && !required;
            trials.push(Trial::test(shown, move || rerun(name, way)).with_ignored_flag(ignored));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
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

    /// Why it can't be here, and the way out.
    fn refusal(self) -> Option<String> {
        let mut probe = Command::new("true");
        self.isolate(&mut probe);
        match (self, probe.status()) {
            (_, Ok(status)) if status.success() => None,
            (Way::Root, _) => Some("needs root: run with sudo".to_owned()),
            (Way::User, outcome) => {
                Some(format!("no user namespace here, {outcome:?}: see cargo taller doctor"))
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
