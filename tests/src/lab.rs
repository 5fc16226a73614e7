//! A lab: where one case runs, with an engine of its own.

use std::cell::RefCell;
use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::unistd::geteuid;

use crate::engine::{Kind, binary, long_form};
use crate::program::Ran;
use crate::sweep;

/// How commands are written: `run`, or `container run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `run`
    Short,
    /// `container run`
    Long,
}

impl Form {
    /// Its name on the command line of a watcher.
    pub fn name(self) -> &'static str {
        match self {
            Form::Short => "short",
            Form::Long => "long",
        }
    }
}

/// One case's own place: folders, an engine, and the commands to drive it.
#[derive(Debug)]
pub struct Lab {
    /// `canoa-lab-PID-START`.
    pub name: String,
    /// Everything of this lab is in here.
    pub folder: PathBuf,
    /// The program under test.
    pub binary: PathBuf,
    kind: Kind,
    form: Form,
    daemon: RefCell<Option<Child>>,
    daemon_flags: RefCell<Vec<String>>,
}

impl Lab {
    /// The lab in `folder`, which exists and is empty.
    pub fn open(name: &str, folder: PathBuf, form: Form) -> Result<Lab> {
        // A container's program may run as another user: those folders that lead to its root must let
        // it through. The run-time folder must be ours alone (XDG).
        for (sub, mode) in [("home", 0o755), ("data", 0o755), ("tmp", 0o1777), ("xdg", 0o700)] {
            let sub = folder.join(sub);
            fs::DirBuilder::new()
                .mode(mode)
                .recursive(true)
                .create(&sub)
                .with_context(|| format!("creating {}", sub.display()))?;
            fs::set_permissions(&sub, fs::Permissions::from_mode(mode))?;
        }
        Ok(Lab {
            name: name.to_owned(),
            binary: binary()?,
            kind: Kind::of_the_engine(),
            folder,
            form,
            daemon: RefCell::new(None),
            daemon_flags: RefCell::default(),
        })
    }

    /// Whether the case runs as root.
    pub fn is_root(&self) -> bool {
        geteuid().is_root()
    }

    /// Runs the command line under test with these arguments, its engine running, and waits for it.
    pub fn canoa(&self, arguments: &[&str]) -> Ran {
        self.with_daemon();
        self.canoa_alone(arguments)
    }

    /// Starts a container of the name `name` in the background that runs this in `base`. Returns its id.
    #[track_caller]
    pub fn runs(&self, name: &str, command: &[&str]) -> String {
        let arguments = [&["run", "-d", "--name", name, "base"], command].concat();
        self.canoa(&arguments).ok().text().to_owned()
    }

    /// What `inspect` says of one object.
    #[track_caller]
    pub fn inspect(&self, name: &str) -> serde_json::Value {
        let said = self.canoa(&["inspect", name]).ok();
        let list: serde_json::Value = serde_json::from_str(&said.stdout)
            .unwrap_or_else(|error| panic!("inspect should print JSON: {error}\n{said}"));
        list[0].clone()
    }

    /// The pid of a running container's first process, as the lab sees it.
    #[track_caller]
    pub fn pid(&self, name: &str) -> i32 {
        let pid = self.inspect(name)["State"]["Pid"].as_i64().unwrap_or_default() as i32;
        assert!(pid > 0, "{name} should have a process");
        pid
    }

    /// A container's address on the network `bridge`.
    #[track_caller]
    pub fn address(&self, name: &str) -> String {
        let networks = &self.inspect(name)["NetworkSettings"]["Networks"];
        let address = networks["bridge"]["IPAddress"].as_str().unwrap_or_default().to_owned();
        assert!(!address.is_empty(), "{name} should have an address: {networks}");
        address
    }

    /// The same without starting an engine first.
    pub fn canoa_alone(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        self.finish(&mut command)
    }

    /// The same with something to read on standard input.
    pub fn canoa_reading(&self, input: &[u8], arguments: &[&str]) -> Ran {
        self.with_daemon();
        let file = self.folder.join("tmp/input");
        fs::write(&file, input).expect("the lab's own folder is writable");
        let mut command = self.command(arguments);
        command.stdin(File::open(&file).expect("it was just written"));
        self.finish(&mut command)
    }

    /// The command itself, for cases that need more control. No engine is started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(&self.binary);
        command.env(Kind::of_the_client().host_variable(), format!("unix://{}", self.socket().display()));
        match (self.form, arguments) {
            (Form::Long, [first, rest @ ..]) => command.args(long_form(first)).args(rest),
            _ => command.args(arguments),
        };
        command
    }

    /// Any program, in the lab's environment and nothing of the caller's.
    pub fn program(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.folder.join("home"))
            .env("TMPDIR", self.folder.join("tmp"))
            .env("XDG_RUNTIME_DIR", self.folder.join("xdg"))
            .env("XDG_DATA_HOME", self.folder.join("data"))
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm")
            .env("RUST_BACKTRACE", "1")
            .env(sweep::MARK, &self.name)
            .current_dir(self.folder.join("home"))
            .stdin(Stdio::null());
        command
    }

    /// Runs another program of the machine, and waits for it.
    pub fn host(&self, arguments: &[&str]) -> Ran {
        let mut command = self.program(arguments[0]);
        command.args(&arguments[1..]);
        self.finish(&mut command)
    }

    /// Waits for a command and keeps all that it wrote.
    pub fn finish(&self, command: &mut Command) -> Ran {
        let what = std::iter::once(command.get_program())
            .chain(command.get_args())
            .map(|word| word.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
            .join(" ");
        let output = command.output().unwrap_or_else(|error| panic!("starting {what}: {error}"));
        Ran::new(what, output)
    }

    /// The process of the engine that runs, as the lab sees it.
    pub fn daemon_pid(&self) -> i32 {
        self.daemon.borrow().as_ref().map_or(0, |daemon| daemon.id() as i32)
    }

    /// Where the lab's engine listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("engine.sock")
    }

    /// Where the lab's engine keeps its state.
    pub fn data_root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// Where the lab's engine keeps its run-time files. Short: a socket's path has 107 bytes at most
    /// (unix(7)), and a container's id takes 64 of them. As root, /run is the lab's own.
    pub fn exec_root(&self) -> PathBuf {
        match self.is_root() {
            true => "/run/engine".into(),
            false => self.folder.join("x"),
        }
    }

    /// Flags that the engine is started with from now on, beside those of every lab.
    pub fn daemon_takes(&self, flags: &[&str]) {
        *self.daemon_flags.borrow_mut() = flags.iter().map(ToString::to_string).collect();
    }

    /// Sees to it that the engine runs.
    pub fn with_daemon(&self) {
        if self.daemon.borrow().is_none() {
            self.start_daemon();
        }
    }

    /// Starts the engine in the foreground, and waits until it answers.
    pub fn start_daemon(&self) {
        self.try_daemon(&self.data_root()).expect("the engine starts");
        if self.kind == Kind::Docker {
            self.lend_docker_a_base();
        }
    }

    /// Starts the engine on that data root. What it says goes to a file of the lab.
    ///
    /// # Errors
    /// That it ended, with what it said.
    pub fn try_daemon(&self, data_root: &Path) -> Result<()> {
        let mut command = match self.kind {
            Kind::Canoa => {
                let mut command = self.program(&self.binary);
                command.arg("daemon");
                command
            }
            Kind::Docker => {
                let mut command = self.program("dockerd");
                command.arg("--pidfile").arg(self.folder.join("docker.pid"));
                command
            }
        };
        command.arg("-H").arg(format!("unix://{}", self.socket().display()));
        command.arg("--data-root").arg(data_root).arg("--exec-root").arg(self.exec_root());
        command.args(self.daemon_flags.borrow().iter());
        let log = File::options().create(true).append(true).open(self.daemon_log())?;
        command.stdout(log.try_clone()?).stderr(log);
        let mut child = command.spawn().context("starting the engine")?;
        let end = Instant::now() + Duration::from_secs(30);
        while UnixStream::connect(self.socket()).is_err() {
            if let Some(status) = child.try_wait()? {
                bail!("the engine ended with {status}: {}", self.daemon_said().trim());
            }
            if Instant::now() > end {
                bail!("the engine doesn't listen after 30 s: {}", self.daemon_said().trim());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        *self.daemon.borrow_mut() = Some(child);
        Ok(())
    }

    /// Kills the engine with SIGKILL, as a crash would.
    pub fn kill_daemon(&self) {
        let mut daemon = self.daemon.borrow_mut().take().expect("an engine runs");
        daemon.kill().expect("it can be killed");
        daemon.wait().expect("it can be waited for");
    }

    /// Asks the engine to end, and waits for that. Returns its exit code.
    pub fn stop_daemon(&self) -> Option<i32> {
        let mut daemon = self.daemon.borrow_mut().take().expect("an engine runs");
        let pid = nix::unistd::Pid::from_raw(daemon.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("it can be signalled");
        daemon.wait().expect("it can be waited for").code()
    }

    /// Waits for the engine's end, after somebody else has asked it to.
    pub fn stopped(&self) {
        let mut daemon = self.daemon.borrow_mut().take().expect("an engine runs");
        eventually("the engine has ended", || daemon.try_wait().expect("it can be waited for").is_some());
    }

    /// What the engine wrote.
    pub fn daemon_said(&self) -> String {
        fs::read_to_string(self.daemon_log()).unwrap_or_default()
    }

    /// For the report of a case that failed.
    pub fn tell_what_the_daemon_said(&self) {
        let said = self.daemon_said();
        let lines: Vec<&str> = said.lines().collect();
        for line in &lines[lines.len().saturating_sub(40)..] {
            eprintln!("  engine: {line}");
        }
    }

    fn daemon_log(&self) -> PathBuf {
        self.folder.join("engine.log")
    }

    /// Docker has no image of the name `base`: make it one of busybox, with its own command.
    fn lend_docker_a_base(&self) {
        let docker = |arguments: &[&str]| {
            let mut command = self.program("docker");
            command.env("DOCKER_HOST", format!("unix://{}", self.socket().display())).args(arguments);
            self.finish(&mut command)
        };
        if docker(&["image", "inspect", "base"]).code == 0 {
            return;
        }
        let tar = self.folder.join("base.tar");
        fs::write(&tar, crate::image::busybox_layer().expect("a layer")).expect("writing the image");
        docker(&["import", "-c", "CMD [\"sh\"]", &tar.to_string_lossy(), "base"]).ok();
    }
}

/// Waits until something is so, for at most half a minute.
///
/// # Panics
/// If it never is: with `what`.
#[track_caller]
pub fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < end, "not so after 30 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
