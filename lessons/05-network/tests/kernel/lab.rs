//! The lab: every test runs in a process of its own, in a network namespace of its own, so that
//! the machine's network is left alone and tests don't see each other.
//!
//! This program is its own lab: it runs itself again with the test's name in the environment.
//! (A test program has many threads, and a user namespace can't be entered by one of several.)

use std::env;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::panic;
use std::process::{Command, exit};
use std::thread;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use namespaces::Result;
use network::{Bridge, Interface, attach, bridge, namespace};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, getgid, getuid, setgroups, setresgid, setresuid};
use tempfile::TempDir;

/// A sentence, and what proves it.
pub type Test = (&'static str, fn());

/// Whose rights a test has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As {
    /// Root: new namespaces, but no user namespace.
    Root,
    /// An ordinary user, who is root in a user namespace of its own.
    User,
}

const TEST: &str = "CANOA_LAB_TEST";
const WHO: &str = "CANOA_LAB_AS";
/// A test's own second process: see [`helper`].
const HELPER: &str = "CANOA_LAB_HELPER";
/// What a lab that can't be set up ends with.
const NO_LAB: i32 = 77;

/// Either runs one test, inside the lab, or all of them, each in its lab.
pub fn main(tests: &[Test], who: &[As], helper: fn(&str)) {
    if let Ok(argument) = env::var(HELPER) {
        helper(&argument);
        return;
    }
    if let Ok(name) = env::var(TEST) {
        inside(tests, &name);
    }
    let mut trials = Vec::new();
    for &who in who {
        for &(name, _) in tests {
            let kind = if who == As::Root { "root" } else { "user" };
            trials.push(Trial::ignorable_test(name, move || outside(name, who)).with_kind(kind));
        }
    }
    let mut arguments = Arguments::from_args();
    // Most of them wait most of the time.
    arguments.test_threads.get_or_insert(8);
    libtest_mimic::run(&arguments, trials).exit()
}

/// A command which runs this program's helper in the lab of the caller.
pub fn helper(argument: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env(HELPER, argument);
    command
}

fn outside(name: &str, who: As) -> std::result::Result<Completion, Failed> {
    if who == As::Root && !getuid().is_root() {
        // Not what the machine lacks: for root to run.
        return Ok(Completion::ignored_with("needs root: run it under sudo"));
    }
    let mut command = Command::new(env::current_exe()?);
    command.env(TEST, name).env(WHO, if who == As::Root { "root" } else { "user" });
    // Where its temporary folders go: ours, which we remove also where the test has died before it could.
    let folder = TempDir::new()?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777))?;
    let output = command.env("TMPDIR", folder.path()).output()?;
    drop(folder);
    let mut said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(0) => Ok(Completion::Completed),
        Some(NO_LAB) => unable(said.trim()),
        _ => {
            let _ = write!(said, "{}", output.status);
            Err(said.into())
        }
    }
}

/// Shown as ignored, with the reason; where all is required (CI), a failure.
fn unable(reason: &str) -> std::result::Result<Completion, Failed> {
    match env::var("WORKSHOP_REQUIRE").as_deref() {
        Ok("all") => Err(reason.into()),
        _ => Ok(Completion::ignored_with(reason)),
    }
}

fn inside(tests: &[Test], name: &str) -> ! {
    if let Err(error) = set_up(env::var(WHO).as_deref() == Ok("user")) {
        eprint!("no lab here: {error}: cargo taller doctor says what to do");
        exit(NO_LAB);
    }
    let (_, test) = tests.iter().find(|(known, _)| *known == name).unwrap();
    let failed = panic::catch_unwind(*test).is_err();
    exit(i32::from(failed));
}

fn set_up(user: bool) -> std::io::Result<()> {
    if user {
        if getuid().is_root() {
            let (uid, gid) = (Uid::from_raw(65534), Gid::from_raw(65534));
            setgroups(&[])?;
            setresgid(gid, gid, gid)?;
            setresuid(uid, uid, uid)?;
            // A process that has changed its user is no longer allowed to write its own uid_map,
            // unless it says that it keeps no secrets.
            nix::sys::prctl::set_dumpable(true)?;
        }
        let (uid, gid) = (getuid(), getgid());
        unshare(CloneFlags::CLONE_NEWUSER)?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
        fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    }
    unshare(CloneFlags::CLONE_NEWNET)?;
    Ok(())
}

/// A network namespace, as a container has one. It lives as long as this does.
pub struct Netns(OwnedFd);

impl Netns {
    pub fn new() -> Netns {
        // A thread's own namespace; our descriptor holds it when the thread has ended.
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            namespace::own().unwrap()
        });
        Netns(made.join().unwrap())
    }

    /// Does something in it. A socket that is opened there stays there.
    pub fn run<T: Send>(&self, action: impl FnOnce() -> T + Send) -> T {
        namespace::in_namespace(self.0.as_fd(), || Ok(action())).unwrap()
    }

    pub fn attach(&self, interface: &Interface) -> Result<()> {
        attach(self.0.as_fd(), interface)
    }

    pub fn lo_up(&self) -> Result<()> {
        self.run(network::lo_up)
    }

    /// A new one, plugged into a bridge as eth0 with this address.
    pub fn on(bridge: &Bridge, address: [u8; 4]) -> Netns {
        let netns = Netns::new();
        netns.attach(&interface(bridge, address)).unwrap();
        netns
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The bridge of most tests, made in the lab.
pub fn canoa0() -> Bridge {
    let bridge = bridge_of("canoa0", "172.29.0.1/16");
    bridge.ensure().unwrap();
    bridge
}

pub fn bridge_of(name: &str, gateway: &str) -> Bridge {
    Bridge { name: name.into(), gateway: gateway.parse().unwrap() }
}

pub fn interface(bridge: &Bridge, address: [u8; 4]) -> Interface {
    let address = Ipv4Addr::from(address);
    Interface {
        name: "eth0".into(),
        bridge: bridge.name.clone(),
        address: ipnet::Ipv4Net::new(address, bridge.gateway.prefix_len()).unwrap(),
        gateway: Some(bridge.gateway.addr()),
        mac: bridge::mac_of(address),
    }
}
