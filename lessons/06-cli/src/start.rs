//! The whole story: from what a container should be to a process that runs.

use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use cgroups::{Cgroup, Limits, own_namespace};
use namespaces::{
    Child, CloneFlags, Command, Isolation, Namespaces, Process, Result, exec, init, set_hostname, step,
};
use network::Interface;
use nix::fcntl::{OFlag, open};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::Mode;
use rootfs::inside::{self, Kind};
use rootfs::{Privileges, Rootfs, User};

use crate::stdio::{Ends, Inner, Outer, Stdio};

/// What a container should be.
#[derive(Debug)]
pub struct Container {
    /// What `hostname` prints inside.
    pub hostname: String,
    /// The name of its control group's parent, and its own.
    pub cgroup: (String, String),
    /// What it may use.
    pub limits: Limits,
    /// Its files.
    pub rootfs: Rootfs,
    /// Its way to others.
    pub network: Network,
    /// Which other namespaces it has not for itself but shares with us: those of host name, System V
    /// IPC and processes can be (`CLONE_NEWUTS`, `CLONE_NEWIPC`, `CLONE_NEWPID`).
    pub shared: CloneFlags,
    /// What it runs.
    pub program: Program,
    /// Whether PID 1 is ours, which reaps and forwards signals (`--init`).
    pub init: bool,
}

/// How a container reaches others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// It has the host's own.
    Host,
    /// Only `lo`, and these.
    Own(Vec<Interface>),
}

/// A program, and with what rights it runs.
#[derive(Debug, Clone)]
pub struct Program {
    /// Words, environment, working directory.
    pub command: Command,
    /// As whom: see [`User::look_up`].
    pub user: String,
    /// Further groups of that user: see [`User::join`].
    pub groups: Vec<String>,
    /// Its capabilities.
    pub privileges: Privileges,
    /// Resource, soft and hard limit: [getrlimit(2)](https://man7.org/linux/man-pages/man2/getrlimit.2.html).
    pub resource_limits: Vec<(Resource, u64, u64)>,
    /// Its standard input, output and error.
    pub stdio: Stdio,
}

/// A container, or a further process in one, that runs.
#[derive(Debug)]
pub struct Running {
    /// Its first process.
    pub child: Child,
    /// Its control group.
    pub cgroup: Cgroup,
    /// What it reads and says.
    pub ends: Ends,
}

impl Container {
    /// Makes it, and lets it run.
    ///
    /// # Errors
    /// The step that failed. Nothing of it is left then.
    pub fn start(&self) -> Result<Running> {
        self.start_when(|_| Ok(()))
    }

    /// The same, and does something more when all of it is there and nothing runs yet: it is told the
    /// process which waits.
    ///
    /// # Errors
    /// As [`Container::start`]; and what `ready` says.
    // ANCHOR: start
    pub fn start_when(&self, ready: impl FnOnce(i32) -> Result<()>) -> Result<Running> {
        let (inner, outer) = self.program.stdio.make()?;
        let (parent, name) = &self.cgroup;
        let cgroup = Cgroup::create(parent, name, &self.limits)?; // lesson 3

        let isolation = Isolation::container().born_in(cgroup.birthplace()); // lesson 1
        let mut isolation = isolation.without(self.shared);
        if self.network == Network::Host {
            isolation = isolation.without(CloneFlags::CLONE_NEWNET);
        }
        let started = isolation
            .spawn(|| {
                cgroup.enter()?;
                own_namespace()?;
                if !self.shared.contains(CloneFlags::CLONE_NEWUTS) {
                    set_hostname(&self.hostname)?;
                }
                if self.network == Network::Own(vec![]) {
                    network::lo_up()?;
                }
                self.rootfs.enter()?; // lesson 2
                make_working_directory(&self.program.command.directory)?;
                self.program.run(&inner, true, self.init)
            })
            .and_then(|paused| {
                self.connect(paused.pid().as_raw())?; // lesson 5
                ready(paused.pid().as_raw())?;
                paused.release()
            });
        // Ours of the child's ends: as long as we held them too, a pipe would have no end.
        drop(inner);
        match started.and_then(|child| running(child, outer)) {
            Ok((child, ends)) => Ok(Running { child, cgroup, ends }),
            Err(error) => {
                // Why it failed is what people need to know, not that something is left.
                let _ = cgroup.remove();
                Err(error)
            }
        }
    }
    // ANCHOR_END: start

    fn connect(&self, pid: i32) -> Result<()> {
        let Network::Own(interfaces) = &self.network else { return Ok(()) };
        if interfaces.is_empty() {
            return Ok(());
        }
        let netns = network::namespace::of_process(pid)?;
        interfaces.iter().try_for_each(|interface| network::attach(netns.as_fd(), interface))
    }
}

/// One more process in a container that runs.
// ANCHOR: exec
pub fn start_in(container: Process, cgroup: (&str, &str), program: &Program) -> Result<Running> {
    let namespaces = Namespaces::of(container)?;
    let (inner, outer) = program.stdio.make()?;
    let cgroup = Cgroup::of(container.pid, cgroup.0, cgroup.1)?;
    namespaces.for_children()?;
    let child = Isolation::none().born_in(cgroup.birthplace()).spawn(|| {
        cgroup.enter()?;
        namespaces.enter()?;
        program.run(&inner, false, false)
    })?;
    let child = child.release()?;
    drop(inner);
    let (child, ends) = running(child, outer)?;
    Ok(Running { child, cgroup, ends })
}
// ANCHOR_END: exec

/// A process that runs, with its ends. Without them nobody could look after it: then it must not go on.
fn running(child: Child, outer: Outer) -> Result<(Child, Ends)> {
    match outer.ends() {
        Ok(ends) => Ok((child, ends)),
        Err(error) => {
            child.kill()?;
            Err(error)
        }
    }
}

impl Program {
    /// In the child, inside the container: the last steps before it becomes the program.
    fn run(&self, stdio: &Inner, first: bool, with_init: bool) -> Result<Infallible> {
        let mut user = User::look_up(&self.user)?;
        user.join(&self.groups)?;
        stdio.install(user.uid, first)?;
        for (resource, soft, hard) in &self.resource_limits {
            step("set resource limit", format!("{resource:?}"), || setrlimit(*resource, *soft, *hard))?;
        }
        // As root first: a working directory that is closed to the user is still where they begin.
        // (`exec` says so if there is none.)
        let entered = nix::unistd::chdir(&self.command.directory).is_ok();
        self.privileges.drop_to(&user)?;
        let mut command = self.command.clone();
        if entered {
            command.directory = ".".into();
        }
        if !command.env.iter().any(|variable| variable.as_encoded_bytes().starts_with(b"HOME=")) {
            command.env.push(format!("HOME={}", user.home).into());
        }
        if with_init { init(|| exec(&command)) } else { exec(&command) }
    }
}

/// The working directory is made if the image hasn't got it, as Docker does.
fn make_working_directory(path: &Path) -> Result<()> {
    if path == Path::new("/") {
        return Ok(());
    }
    let root: OwnedFd = step("open", "/", || {
        open("/", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
    })?;
    inside::open_or_make(&root, path, Kind::Folder, false).map(drop)
}
