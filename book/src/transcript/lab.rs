//! Where a page's transcripts run: as root in namespaces of their own, from the repository's folder, with
//! the programs already built.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use e2e::need::{self, Missing, Need};
use e2e::registry::{self, DebianRegistry};
use e2e::{cgroup, run::behind_walls};
use nix::mount::{MsFlags, mount};

use super::read::{Cgroup, Transcript, transcripts};
use super::run::Runner;
use super::terminal::Terminal;

/// How long one command may take, in seconds, unless `BOOK_SECONDS` says otherwise (for slow machines); and
/// how long a page.
const COMMAND: u64 = 60;
const PAGE: Duration = Duration::from_secs(900);

/// Programs that not every machine has, and that the pages use.
const TOOLS: [&str; 6] = ["busybox", "curl", "ip", "nft", "python3", "script"];

/// What the host is called in there.
const HOST: &str = "laptop";

/// Where the book's registry listens: the pages say `localhost:5000/debian`.
const REGISTRY: u16 = 5000;

/// A page with transcripts.
pub struct Page {
    /// The repository's folder.
    home: PathBuf,
    transcripts: Vec<Transcript>,
}

impl Page {
    /// Reads the page at `path`. `home` is the repository's folder.
    ///
    /// # Errors
    /// If a transcript isn't as it must be.
    pub fn read(home: &Path, path: &Path) -> Result<Page> {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        match transcripts(&text) {
            Ok(transcripts) => Ok(Page { home: home.to_owned(), transcripts }),
            Err((line, what)) => bail!("{}:{line}: {what}", path.display()),
        }
    }

    /// Whether there is anything to run.
    pub fn runs(&self) -> bool {
        self.transcripts.iter().any(|transcript| !transcript.flags.norun)
    }

    /// Why it can't be run here, if so.
    pub fn missing(&self) -> Option<Missing> {
        let registry = self.wants_registry().then_some(Need::Debian);
        let tools = TOOLS.iter().filter(|tool| self.types(tool)).map(|tool| Need::Tool(tool));
        need::no_namespaces()
            .or_else(|| [Need::Root].into_iter().chain(registry).chain(tools).find_map(Need::missing))
    }

    /// Whether a command has this word.
    fn types(&self, word: &str) -> bool {
        let is_sign = |letter: char| !(letter.is_alphanumeric() || letter == '-' || letter == '_');
        let mut typed = self.transcripts.iter().flat_map(|one| &one.steps);
        typed.any(|step| step.typed.split(is_sign).any(|known| known == word))
    }

    fn wants_registry(&self) -> bool {
        self.transcripts.iter().any(|transcript| transcript.flags.registry)
    }

    /// Builds the packages that the page names, each alone, as `cargo run -p` does: taken together, they
    /// would be built with one another's features, and then again.
    ///
    /// # Errors
    /// If one doesn't build.
    pub fn build(&self) -> Result<()> {
        let typed: Vec<&str> =
            self.transcripts.iter().flat_map(|one| &one.steps).map(|step| step.typed.as_str()).collect();
        let named = |word: &str| typed.iter().any(|typed| typed.contains(word));
        let words = |package: &str| if package == "workshop" { "cargo taller" } else { package }.to_owned();
        let packages = (1..=6).map(|number| format!("lesson-0{number}"));
        for package in packages.chain(["canoa".to_owned(), "workshop".to_owned()]) {
            let wanted = named(&words(&package)) || package == "workshop" && named("cargo workshop");
            if !wanted {
                continue;
            }
            let tests = named(&format!("cargo test -p {package}"));
            let mut cargo = self.program("cargo");
            cargo.args(["build", "--quiet", "--package", &package]);
            ensure!(cargo.status().context("starting cargo")?.success(), "{package} doesn't build");
            if tests {
                let mut cargo = self.program("cargo");
                cargo.args(["test", "--quiet", "--no-run", "--package", &package]);
                ensure!(cargo.status().context("starting cargo")?.success(), "{package}'s tests don't build");
            }
        }
        Ok(())
    }

    /// Runs it behind walls of its own, and tells on standard output what isn't as the book says. Whether
    /// all is.
    ///
    /// Must be called while the process has a single thread.
    ///
    /// # Errors
    /// If it can't be run.
    pub fn run(&self) -> Result<bool> {
        let code = behind_walls(PAGE, |_, folder| {
            self.furnish(folder)?;
            let _registry = self.wants_registry().then(serve_debian).transpose()?;
            let failures = self.runner().run(&self.transcripts)?;
            for failure in &failures {
                println!("{failure}");
            }
            Ok(i32::from(!failures.is_empty()))
        })?;
        if code == 124 {
            println!("not done after {} s", PAGE.as_secs());
        }
        Ok(code == 0)
    }

    /// What the pages take for granted of the machine.
    fn furnish(&self, folder: &Path) -> Result<()> {
        nix::unistd::sethostname(HOST).context("setting the host's name")?;
        // What is left in /tmp goes with the lab. (Not where the repository itself is in there.)
        if !self.home.starts_with("/tmp") {
            let tmp = folder.join("tmp");
            fs::create_dir_all(&tmp).context("creating a folder")?;
            fs::set_permissions(&tmp, std::os::unix::fs::PermissionsExt::from_mode(0o1777))?;
            mount(Some(&tmp), "/tmp", None::<&str>, MsFlags::MS_BIND, None::<&str>)
                .context("binding /tmp")?;
        }
        Ok(())
    }

    fn runner(&self) -> Runner<impl FnMut() -> Result<Terminal>> {
        let start = || {
            let mut bash = self.program("bash");
            bash.args(["--norc", "--noprofile"]);
            Terminal::start(bash)
        };
        let cgroup = if cgroup::is_pure_v2() { Cgroup::V2 } else { Cgroup::V1 };
        let seconds = env::var("BOOK_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
        Runner { start, cgroup, limit: Duration::from_secs(seconds.unwrap_or(COMMAND)) }
    }

    /// A program in an environment with nothing in it but what cargo and a shell need.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.env_clear().current_dir(&self.home);
        let kept = |name: &str| {
            ["PATH", "HOME", "CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_INCREMENTAL", "RUSTFLAGS"]
                .contains(&name)
                || name.starts_with("RUSTUP_")
        };
        command.envs(env::vars().filter(|(name, _)| kept(name)));
        command.env("LANG", "C.UTF-8").env("TERM", "xterm").env("USER", "root");
        command.env("CARGO_TERM_COLOR", "never").env("CARGO_NET_OFFLINE", "true");
        command
    }
}

/// The machine's Debian image at the pages' address, and as `latest`, too.
fn serve_debian() -> Result<DebianRegistry> {
    // The lab's own /run: what is in its folder is out of sight, as it is in /tmp.
    let folder = Path::new("/run/registry");
    let (theirs, ours) = (registry::storage(), folder.join("storage"));
    let tree = Path::new("docker/registry/v2");
    fs::create_dir_all(ours.join(tree)).context("creating a folder")?;
    // The names are some small files; the blobs stay where they are.
    std::os::unix::fs::symlink(theirs.join(tree).join("blobs"), ours.join(tree).join("blobs"))?;
    let copy = |from: &Path, to: &Path| {
        let done = Command::new("cp").arg("-r").arg(from).arg(to).status().context("starting cp")?;
        ensure!(done.success(), "copying {}", from.display());
        Ok(())
    };
    copy(&theirs.join(tree).join("repositories"), &ours.join(tree))?;
    let tags = ours.join(tree).join("repositories/debian/_manifests/tags");
    copy(&tags.join("bookworm"), &tags.join("latest"))?;
    Ok(DebianRegistry::serve(folder, &ours, REGISTRY))
}
